"""Broken traces, counts and positions give status 2 and one line."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy():
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 2, 1), dtype=int))
    return stream.getvalue()


def torn_npz():
    """An archive whose compressed stream begins with a block type that does not exist."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("expert_ids.npy", npy())
    data = bytearray(stream.getvalue())
    data[30 + len("expert_ids.npy")] = 0xFF
    return bytes(data)


def huge_npz():
    """An array whose header claims far more than there is."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        header = npy().replace(b"(2, 2, 1), }", b"(%d, 1, 1), }" % 10**15)
        archive.writestr("expert_ids.npy", header)
    return stream.getvalue()


TRACES = {
    "empty": (b"", "x.npz"),
    "text": (b"hello", "x.npz"),
    "npy": (npy(), "x.npz"),
    "truncated": (npz(expert_ids=np.zeros((2, 2, 1), dtype=int))[:-40], "x.npz"),
    "torn": (torn_npz(), "x.npz"),
    "huge": (huge_npz(), "x.npz"),
    "other array": (npz(experts=np.zeros((2, 2, 1), dtype=int)), "expert_ids"),
    "objects": (npz(expert_ids=np.array([{}, []], dtype=object)), "x.npz"),
    "two dimensions": (npz(expert_ids=np.zeros((2, 2), dtype=int)), "expert_ids"),
    "no tokens": (npz(expert_ids=np.zeros((0, 2, 1), dtype=int)), "expert_ids"),
    "floats": (npz(expert_ids=np.zeros((2, 2, 1))), "expert_ids"),
    "negative": (npz(expert_ids=np.full((2, 2, 1), -1)), "expert_ids"),
    "repeated": (npz(expert_ids=np.zeros((2, 2, 2), dtype=int)), "expert_ids[0, 0]"),
    "no such model": (
        npz(expert_ids=np.zeros((2, 2, 1), dtype=int), sequence=np.array([0, 0])),
        "--model",
    ),
    # There is a note about the missing array, but not before an error.
    "no sequence": (npz(expert_ids=np.zeros((2, 2, 1), dtype=int)), "--model"),
    "no such sequence": (
        npz(expert_ids=np.zeros((2, 2, 1), dtype=int), sequence=np.array([0, 1])),
        "sequence",
    ),
    "sequence too short": (
        npz(expert_ids=np.zeros((2, 2, 1), dtype=int), sequence=np.array([0])),
        "sequence",
    ),
}


@pytest.mark.parametrize("kind", TRACES)
def test_broken_trace(kind, refused):
    data, says = TRACES[kind]
    Path("x.npz").write_bytes(data)
    Path("sequences.json").write_text('[{"category": "a"}]')
    Path("sites.csv").write_text("latitude,longitude\n1,1\n")
    refused(
        "import", "trace", "x.npz", "--sequences", "sequences.json", "--sites", "sites.csv",
        "--points", "sites.csv", "--servers", 1, "--users", 1, "--output", "out.json", says=says,
    )  # fmt: skip


COUNTS = [
    ("hello", "not JSON"),
    ("{}", "expert_popularity"),
    ("[]", "no counts"),
    ("[[]]", "no counts"),
    ("[[1, 1, 1, 1], [1, 1]]", "layer 1"),
    ("[[1, 1, 1, -1]]", "layer 0"),
    ("[[0, 0, 0, 0]]", "layer 0"),
    ("[[1, 1, 1, NaN]]", "not JSON"),
    ("[[1, 1, 1, 1e999]]", "[0][3]"),
    ("[[1e308, 1e308, 1e308, 1e308]]", "layer 0"),
    ("[[1, 1]]", "experts"),
]


@pytest.mark.parametrize(("text", "says"), COUNTS)
def test_broken_counts(text, says, refused):
    Path("counts.json").write_text(text)
    scenario = ("--model", "mixtral-8x7b", "--layers", "1", "--output", "out.json")
    refused("import", "popularity", "counts.json", *scenario, says=says)


SITES = [
    (b"", "no rows"),
    (b"latitude,longitude\n", "no rows"),
    (b"latitude,longitude\n\n\n", "no rows"),
    (b"north,east\n1,1\n2,2\n", "latitude"),
    (b"latitude\n1\n", "longitude"),
    (b"latitude,longitude\n1,1\n1\n", "line 3"),
    (b"latitude,longitude\n1,east\n", "line 2"),
    (b"latitude,longitude\n91,1\n", "line 2"),
    (b"latitude,longitude\nnan,1\n", "line 2"),
    (b"latitude,longitude\n1,-181\n", "line 2"),
    (b"latitude,longitude\n\xff,1\n", "not a CSV file"),
    (b'latitude,longitude\n"1,1\n', "not a CSV file"),
    (b"latitude,longitude\n1,1\n", "1 positions, cannot draw 2"),
]


@pytest.mark.parametrize(("data", "says"), SITES)
def test_broken_sites(data, says, refused):
    Path("sites.csv").write_bytes(data)
    refused(
        "import", "sites", "--sites", "sites.csv", "--points", "sites.csv", "--layers", 1,
        "--servers", 2, "--users", 1, "--output", "out.json", says=says,
    )  # fmt: skip


def test_points_without_sites(refused):
    Path("counts.json").write_text("[[1, 1, 1, 1, 1, 1, 1, 1]]")
    Path("sites.csv").write_text("latitude,longitude\n1,1\n")
    refused(
        "import", "popularity", "counts.json", "--model", "mixtral-8x7b", "--points", "sites.csv",
        "--output", "out.json", says="sites",
    )  # fmt: skip


def test_an_odd_name_of_a_source(process):
    # The names of the sources go into the instance, which is text: refused or replaced.
    name = os.fsdecode(b"\xff.csv")
    Path(name).write_text("latitude,longitude\n1,1\n")
    scenario = ("--layers", 1, "--servers", 1, "--users", 1, "--output", "out.json")
    done = process("import", "sites", "--sites", name, "--points", name, *scenario)
    assert (done.returncode, done.stderr[:7]) in [(0, ""), (2, "error: ")]
    assert done.stderr.count("\n") <= 1
