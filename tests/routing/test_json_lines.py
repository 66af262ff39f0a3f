"""JSON lines of (sequence, token, layer, experts), by the names that recorded files have.

moe-cache-lab: TRACE_FORMAT.md of birkansit/moe-cache-lab at 0e94d10. speculative-moe: README.md and
collect_data.py of Mario928/speculative-moe at 0146fef.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from expertcache import InputError, import_routing
from expertcache.routing import rows as rows_module
from hypothesis import given
from hypothesis import strategies as st


def lines(ids, number=None, first_token=0, order="token", **names):
    tokens, layers, _ = ids.shape
    places = [(t, layer) for t in range(tokens) for layer in range(layers)]
    if order == "layer":
        places.sort(key=lambda place: place[1])
    for token, layer in places:
        row = {} if number is None else {names.get("sequence", "sequence"): number}
        yield row | {
            names.get("token", "token"): first_token + token,
            "layer": layer,
            names.get("experts", "experts"): ids[token, layer].tolist(),
        }


@pytest.mark.parametrize("order", ["token", "layer"])
def test_sequences_keep_their_numbers(order, routed, imported, write_lines):
    parts = {number: routed(4 + number, seed=number) for number in (2, 0, 5)}
    rows = [row for n, ids in parts.items() for row in lines(ids, n, order=order)]
    trace, summary = imported(write_lines(rows))
    assert (trace.expert_ids == np.concatenate(list(parts.values()))).all()
    assert trace.sequence.tolist() == [2] * 6 + [0] * 4 + [5] * 9
    assert summary.sequences == 3


def test_named_sequences_are_numbered(routed, imported, write_lines):
    rows = [row for name in "ba" for row in lines(routed(2), name)]
    assert imported(write_lines(rows))[0].sequence.tolist() == [0, 0, 1, 1]


def test_compressed_and_blank_lines(routed, imported, write_lines):
    path = write_lines(lines(routed(3), 0))
    text = path.read_bytes().replace(b"\n", b"\n\n")
    path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(text))
    assert (imported(path.with_suffix(".jsonl.gz"))[0].expert_ids == routed(3)).all()


def test_moe_cache_lab(routed, imported, write_lines):
    prompt, generated = routed(5), routed(3, seed=1)
    metadata = {
        "record_type": "metadata",
        "format": "moe-cache-lab.routing-jsonl",
        "format_version": 1,
        "model_id": "ibm-granite/granite-3.1-1b-a400m-instruct",
        "num_experts": 8,
        "experts_per_token": 2,
    }
    names = {"token": "token_position", "experts": "selected_experts"}
    events = [
        *lines(prompt, order="layer", **names),
        *lines(generated, first_token=5, **names),
    ]
    more = {"record_type": "routing_selection", "phase": "prompt", "selected_probabilities": []}
    trace, _ = imported(write_lines([metadata, *(event | more for event in events)]))
    assert (trace.expert_ids == np.concatenate([prompt, generated])).all()
    assert set(trace.sequence.tolist()) == {0}


def test_moe_cache_lab_unassigned(routed, imported, write_lines):
    ids = routed(4)
    rows = list(lines(ids))
    rows[4] |= {"experts": [], "assignment_state": "unassigned", "unassigned_reason": "capacity"}
    trace, summary = imported(write_lines(rows))
    assert (trace.expert_ids == ids[[0, 2, 3]]).all()
    assert summary.incomplete_tokens == 1


def test_speculative_moe(routed, imported, write_lines):
    parts = [routed(6, layers=4, seed=seed) for seed in range(3)]
    names = {"token": "token_idx", "sequence": "problem_id"}
    rows = [
        {"dataset": "gsm8k", "gating_probs": [0.8, 0.2]} | row
        for problem, ids in enumerate(parts)
        for row in lines(ids, problem, order="layer", **names)
    ]
    trace, _ = imported(write_lines(rows))
    assert (trace.expert_ids == np.concatenate(parts)).all()
    assert trace.sequence.tolist() == [0] * 6 + [1] * 6 + [2] * 6


@given(st.data())
def test_the_orders_of_engines_in_parts_of_any_size(data):
    """A group is written token by token or layer by layer."""
    layers = data.draw(st.integers(1, 3))
    tokens = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    table = []
    for group, count in enumerate(tokens):
        places = [(token, layer) for token in range(count) for layer in range(layers)]
        if data.draw(st.booleans()):
            places.sort(key=lambda place: place[1])
        table += [(group, token, layer, 10 * token + layer, group) for token, layer in places]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "BLOCK_NUMBERS", data.draw(st.integers(5, 60)))
        group, token, layer, *experts = np.array(table).T
        with rows_module.Rows(Path("x")) as rows:
            rows.append(group, token, layer, np.array(experts).T)
            read = list(rows.tokens())
    found = [
        (group, ids[:, 0].tolist())
        for block in read
        for group, ids in zip(block.sequence, block.ids, strict=True)
    ]
    assert found == [
        (group, [10 * token + layer for layer in range(layers)])
        for group, count in enumerate(tokens)
        for token in range(count)
    ]
    assert read[0].ids.shape[2] == 2


def test_too_many_waiting_rows(routed, write_lines, monkeypatch):
    monkeypatch.setattr(rows_module, "MAX_WAITING_ROWS", 20)
    monkeypatch.setattr(rows_module, "BLOCK_NUMBERS", 50)
    path = write_lines(lines(routed(50), order="layer"))
    with pytest.raises(InputError, match="over 20 rows wait"):
        import_routing([path], path.with_name("trace.npz"))
    # Token by token, the same rows never wait.
    path = write_lines(lines(routed(50)))
    assert import_routing([path], path.with_name("trace.npz")).tokens == 50


def test_the_line_is_named(routed, write_lines, tmp_path):
    rows = list(lines(routed(4), 0))
    rows[6]["layer"] = "three"
    with pytest.raises(InputError, match=r"line 7: .*layer"):
        import_routing([write_lines(rows)], tmp_path / "t.npz")
    text = "\n".join(map(json.dumps, lines(routed(2))))
    (tmp_path / "x.jsonl").write_text(text + "\n{")
    with pytest.raises(InputError, match="line 7"):
        import_routing([tmp_path / "x.jsonl"], tmp_path / "t.npz")


def of_models(routed):
    """Lines of two models that differ in their layers and K, in turn."""
    parts = {"org/A": routed(4, seed=1), "b": routed(6, layers=5, top_k=3, seed=2)}
    for number in range(2):
        for name, ids in parts.items():
            half = ids[len(ids) // 2 * number :][: len(ids) // 2]
            yield from ({"model": name} | line for line in lines(half, number))


@pytest.mark.parametrize(("wanted", "shape"), [("org/A", (4, 3, 2)), ("b", (6, 5, 3))])
def test_one_of_several_models(wanted, shape, routed, write_lines, tmp_path):
    path = write_lines(of_models(routed))
    import_routing([path], tmp_path / "t.npz", model=lambda name: name == wanted)
    with np.load(tmp_path / "t.npz") as trace:
        assert trace["expert_ids"].shape == shape
        assert trace["sequence"].tolist() == [0] * (shape[0] // 2) + [1] * (shape[0] // 2)


def test_several_models_are_not_mixed(routed, write_lines, tmp_path):
    path = write_lines(of_models(routed))
    with pytest.raises(InputError, match="has several models: b, org/A; name one with --model"):
        import_routing([path], tmp_path / "t.npz")
    with pytest.raises(InputError, match="has nothing of this model, but of b, org/A"):
        import_routing([path], tmp_path / "t.npz", model=lambda name: name == "c")
    assert not (tmp_path / "t.npz").exists()


def test_lines_that_do_not_tell_the_model_are_of_the_wanted_one(routed, write_lines, tmp_path):
    path = write_lines(lines(routed(3), 0))
    summary = import_routing([path], tmp_path / "t.npz", model=lambda name: False)
    assert summary.tokens == 3
