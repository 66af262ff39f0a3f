import csv
import dataclasses
import math
from fractions import Fraction
from importlib.resources import files

import pytest
from expertcache.instances.model_table import PRECISION_BITS, model_card, model_table
from expertcache.problem.errors import InputError

CARDS = list(model_table().values())

#: MoE layers, experts, top-k as published.
PUBLISHED = {
    "switch-base-8": (12, 8, 1),
    "switch-base-32": (12, 32, 1),
    "switch-base-64": (12, 64, 1),
    "mixtral-8x7b": (32, 8, 2),
    "mixtral-8x22b": (56, 8, 2),
    "qwen1.5-moe-a2.7b": (24, 60, 4),
    "qwen3-30b-a3b": (48, 128, 8),
    "deepseek-v2-lite": (26, 64, 6),
    "olmoe-1b-7b": (16, 64, 8),
    "phi-3.5-moe": (32, 16, 2),
    "dbrx": (40, 16, 4),
    "gpt-oss-20b": (24, 32, 4),
    "gpt-oss-120b": (36, 128, 4),
    "granite-3.0-1b-a400m": (24, 32, 8),
    "granite-3.0-3b-a800m": (32, 40, 8),
    "moe-llava-phi2-2.7b": (16, 4, 2),
    "moe-llava-stablelm-1.6b": (12, 4, 2),
    "moe-llava-qwen-1.8b": (12, 4, 2),
    "qwen3-235b-a22b": (94, 128, 8),
    "qwen3-next-80b-a3b": (48, 512, 10),
    "glm-4.5": (89, 160, 8),
    "glm-4.5-air": (45, 128, 8),
    "kimi-k2": (60, 384, 8),
    "llama-4-scout": (48, 16, 1),
    "llama-4-maverick": (24, 128, 1),
    "minimax-text-01": (80, 32, 2),
    "minimax-m2": (62, 256, 8),
    "hunyuan-a13b": (32, 64, 8),
    "ernie-4.5-21b-a3b": (27, 64, 6),
    "ernie-4.5-300b-a47b": (51, 64, 8),
}

#: The only experts with bias vectors: gate and up (or fc1), and down (or fc2).
BIASES = {
    "gpt-oss-20b": 2 * 2880 + 2880,
    "gpt-oss-120b": 2 * 2880 + 2880,
    "moe-llava-phi2-2.7b": 10240 + 2560,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_required_models(name):
    card = model_card(name)
    assert (card.layers, card.experts, card.top_k) == PUBLISHED[name]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_params_are_the_matrices_and_biases(card):
    matrices = 3 if card.gated else 2
    weights = matrices * card.hidden * card.expert_ffn
    assert card.params_per_expert == weights + BIASES.get(card.name, 0)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_bytes_of_every_precision_are_rounded_up(card):
    assert set(PRECISION_BITS) == {"fp32", "bf16", "fp8", "mxfp4", "int4"}
    for precision, bits in PRECISION_BITS.items():
        exact = Fraction(bits) * card.params_per_expert / 8
        size = card.expert_bytes(precision)
        assert isinstance(size, int)
        assert size == math.ceil(exact)
        assert card.model(precision).expert_bytes == size
    assert card.expert_bytes() == 2 * card.params_per_expert


def test_a_part_of_a_byte_counts_whole():
    card = model_card("gpt-oss-20b")
    assert card.expert_bytes("mxfp4") == 13_223_790  # 24891840 * 4.25 / 8 without remainder
    odd = dataclasses.replace(card, params_per_expert=3)
    assert odd.expert_bytes("int4") == 2
    assert odd.expert_bytes("mxfp4") == 2
    assert odd.expert_bytes("fp8") == 3


def test_names_are_distinct():
    # From the file itself: the table is a dictionary, which would hide a repetition.
    text = files("expertcache.instances").joinpath("models.csv").read_text(encoding="utf-8")
    names = [row["name"] for row in csv.DictReader(text.splitlines())]
    assert len(names) == len(set(names)) == len(CARDS)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_rows_are_complete(card):
    assert card.source.strip()
    assert 1 <= card.top_k <= card.experts
    assert min(card.layers, card.hidden, card.expert_ffn) >= 1


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"'mixtral'.*mixtral-8x7b.*dbrx"):
        model_card("mixtral")
    with pytest.raises(InputError, match=r"'fp16'.*bf16"):
        model_card("dbrx").expert_bytes("fp16")
