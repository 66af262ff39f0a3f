"""No command overwrites a file of another kind: refused before the work, nothing changes."""

from pathlib import Path

import numpy as np
import pytest
from expertcache.command_line.parser import main

GENERATE = ("generate", "--layers", "1", "--experts", "4", "--servers", "2", "--users", "3")
SITES = ("--sites", "sites.csv", "--points", "sites.csv", "--servers", "2", "--users", "3")
WRITERS = {
    "generate": (*GENERATE, "--output"),
    "import sites": ("import", "sites", *SITES, "--layers", "1", "--output"),
    "import network": ("import", "network", "network.toml", "--output"),
    "import popularity": (
        "import", "popularity", "counts.json", "--model", "mixtral-8x7b", "--layers", "1",
        "--servers", "2", "--users", "3", "--output",
    ),
    "import trace": (
        "import", "trace", "t.npz", "--model", "mixtral-8x7b", "--layers", "1", *SITES, "--output",
    ),
    "import machine": (
        "import", "machine", "t.npz", "--model", "mixtral-8x7b", "--layers", "1", "--output",
    ),
    "solve": ("solve", "good.json", "--method", "greedy", "--output"),
    "solve --log": ("solve", "good.json", "--method", "greedy", "--log"),
    "export lp": ("export", "good.json", "--format", "lp", "--output"),
    "export mps": ("export", "good.json", "--format", "mps", "--output"),
    "export model": ("export", "model", "good.json", "--format", "mps", "--output"),
    "export placement": (
        "export", "placement", "good.json", "solution.json", "--to", "csv", "--model", "a",
        "--output",
    ),
}  # fmt: skip


@pytest.fixture
def recordings(good_files):
    rows = [f"{-37.81 + 0.001 * k},{144.96 + 0.001 * k}" for k in range(4)]
    Path("sites.csv").write_text("\n".join(["latitude,longitude", *rows]) + "\n")
    Path("counts.json").write_text("[[1, 1, 1, 1, 1, 1, 1, 1]]")
    ids = np.random.default_rng(0).random((60, 1, 8)).argsort(axis=2)[:, :, :2]
    np.savez("t.npz", expert_ids=ids, sequence=np.arange(60) % 10)
    Path("network.toml").write_text(
        '[[models]]\nmodel = "mixtral-8x7b"\nlayers = 1\nsets = 5\n'
        '[servers]\nsites = "sites.csv"\nmemory = "1GiB"\n[users]\npoints = "sites.csv"\n'
    )
    Path("notes.txt").write_text("mine\n")
    Path("study.toml").write_text('methods = ["greedy"]\n')


@pytest.mark.parametrize("name", WRITERS)
def test_every_command_that_writes_a_file(name, recordings, refused, capsys):
    words = WRITERS[name]
    # Over what it wrote itself it writes again.
    for _ in range(2):
        assert main([*words, "own"]) == 0
    capsys.readouterr()
    # Its own inputs, those of others, and files that are nobody's.
    for other in ("good.json", "solution.json"):
        if Path(other).read_bytes()[:30] != Path("own").read_bytes()[:30]:
            kind = "instance" if other == "good.json" else "solution"
            if (name.split()[0] in ("generate", "import")) == (kind == "instance"):
                continue
            if name == "solve" and kind == "solution":
                continue
            refused(*words, other, says=f"{other}: is an expertcache/{kind}, not overwritten")
    for other in ("sites.csv", "counts.json", "t.npz", "notes.txt", "study.toml"):
        refused(*words, other, says=f"{other}: is no ")


def test_solve_does_not_destroy_its_instance(refused):
    refused(
        "solve", "good.json", "--output", "good.json",
        says="good.json: is an expertcache/instance, not overwritten",
    )  # fmt: skip


def test_an_empty_file_is_no_loss(good_files):
    Path("s.json").touch()
    assert main(["solve", "good.json", "--method", "greedy", "--output", "s.json"]) == 0
    assert Path("s.json").stat().st_size > 0


@pytest.mark.parametrize("name", ["tiny-k3.json", "suite.manifest", "SHA256SUMS"])
def test_a_suite_is_written_whole_or_not_at_all(name, refused):
    Path("suite").mkdir()
    Path("suite", name).write_text("mine\n")
    refused("suite", "build", "tiny", "--output", "suite", says=f"{name}: is no ")


def test_a_suite_is_written_again(good_files):
    for _ in range(2):
        assert main(["suite", "build", "tiny", "--output", "suite"]) == 0


def test_pictures(good_files, refused, capsys, empty_pictures):
    draw = ("draw", "good.json", "solution.json", "--output", "pictures")
    for _ in range(2):
        assert main(draw) == 0
    capsys.readouterr()
    for path in Path("pictures").iterdir():
        drawn = path.read_bytes()
        path.write_bytes(b"\x89PNG of mine")
        refused(*draw, says="is no picture by Matplotlib, not overwritten")
        path.write_bytes(drawn)


@pytest.mark.parametrize("name", ["results.csv", "study.json", "report.html"])
def test_studies(name, refused, capsys, empty_pictures):
    study = ("study", "good.json", "--methods", "cloud-only", "--output", "study")
    for _ in range(2):
        assert main(study) == 0
    capsys.readouterr()
    Path("study", name).write_text("mine\n")
    refused(*study, says=name)


@pytest.mark.parametrize("suffix", [".xz", ".bz2", ".zst", ".zip"])
def test_other_compression_is_refused(suffix, refused):
    says = f"{suffix} is not supported, compressed files end in .gz"
    refused(*GENERATE, "--output", f"out.json{suffix}", says=says)
    refused("solve", "good.json", "--output", f"out.json{suffix}", says=says)
    Path(f"x.json{suffix}").write_bytes(Path("good.json").read_bytes())
    refused("solve", f"x.json{suffix}", says=says)


def test_a_log_is_not_compressed(refused):
    refused("solve", "good.json", "--log", "log.jsonl.gz", says="not compressed")


def test_a_solution_and_its_events_are_two_files(refused):
    words = ("solve", "good.json", "--output", "s.json", "--log", "./s.json")
    refused(*words, says="cannot hold both the solution and the events")
