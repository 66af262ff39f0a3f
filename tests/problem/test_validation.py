from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest
from expertcache.problem.errors import InputError
from expertcache.problem.files import decode
from expertcache.problem.validation import convert


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Row(msgspec.Struct):
    colour: Colour = Colour.RED
    size: Literal["m", "s"] | None = None
    sizes: tuple[Literal["l", "xl"] | int, ...] = ()
    named: dict[str, list[Annotated[Literal[1, 2], msgspec.Meta(title="step")]]] = {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"colour": "green"}]', r"\[0\]\.colour: 'green' is not one of red, blue"),
        ('[{}, {"size": "x"}]', r"\[1\]\.size: 'x' is not one of m, s"),
        ('[{"sizes": [1, "x"]}]', r"\[0\]\.sizes\[1\]: 'x' is not one of l, xl"),
        ('[{"named": {"a": [1, 3]}}]', r"\[0\]\.named\[\.\.\.\]\[1\]: 3 is not one of 1, 2"),
        ('[{"size": 1}]', r"\[0\]\.size: Expected `str \| null`, got `int`"),
    ],
)
def test_the_choices_are_listed(text, says):
    with pytest.raises(InputError, match=f"^file: {says}$"):
        decode("file", text.encode(), list[Row])
    with pytest.raises(InputError, match=f"^words: {says}$"):
        convert(msgspec.json.decode(text), list[Row], "words")


def test_a_bare_choice():
    with pytest.raises(InputError, match=r"^rule: 'x' is not one of a, b$"):
        convert("x", Literal["a", "b"], "rule")


def test_text_stands_for_numbers_where_that_is_wanted():
    assert convert("3", int, "n", strict=False) == 3
    with pytest.raises(InputError, match=r"^n: Expected `int`, got `str`$"):
        convert("3", int, "n")
