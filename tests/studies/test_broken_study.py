"""Studies that cannot be run, or not gone on with, give status 2 and one line."""

from pathlib import Path

import pytest
from expertcache.command_line.parser import main

STUDY = ("study", "--output", "study", "good.json")
REFUSED = [
    ((*STUDY, "magic", "--methods", "greedy"), "magic"),
    ((*STUDY, "good.json", "--methods", "greedy"), "toy"),
    ((*STUDY,), "--methods"),
    ((*STUDY, "--methods", ""), "method"),
    ((*STUDY, "--methods", "magic"), "magic"),
    ((*STUDY, "--methods", "greedy,greedy"), "greedy"),
    ((*STUDY, "--methods", "greedy", "--seed", "-1"), "seed"),
    ((*STUDY, "--methods", "greedy", "--seed", "1", "--seed", "1"), "seed"),
    ((*STUDY, "--methods", "greedy", "--time-limit", "0"), "time limit"),
    ((*STUDY, "--methods", "greedy", "--time-limit", "nan"), "time limit"),
    (("study", "good.json", "--methods", "greedy", "--output", "good.json"), "good.json"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: " ".join(case[0]))
def test_broken_study(case, refused):
    arguments, says = case
    refused(*arguments, says=says)


# What a study that goes on finds in its folder.
STUDY_FILES = [
    ("study.json", b"hello", "study.json"),
    ("study.json", b"[]", "study.json"),
    ("study.json", b'{"study": "\xff"}', "study.json"),
    ("study.json", b'{"study":' + b"[" * 100_000, "study.json"),
    ("results.csv", b"instance,method\n", "results.csv"),
    ("results.csv", b"\xff\n", "results.csv"),
    ("results.csv", None, "results.csv"),
    ("references/0.json", b"{}", "0.json"),
]


@pytest.mark.parametrize(("name", "data", "says"), STUDY_FILES)
def test_broken_study_folder(name, data, says, refused, capsys):
    study = ("study", "good.json", "--methods", "cloud-only", "--output", "study")
    assert main(study) == 0
    capsys.readouterr()
    results = Path("study/results.csv")
    if data is None:
        # A seed that is no number.
        data = results.read_bytes().replace(b"cloud-only,0,", b"cloud-only,zero,")
    elif name == "references/0.json":
        results.write_bytes(results.read_bytes().splitlines(keepends=True)[0])
    Path("study", name).write_bytes(data)
    refused(*study, says=says)
