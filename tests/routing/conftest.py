"""Random routing, and a command that imports it."""

import json
from pathlib import Path

import numpy as np
import pytest
from expertcache import import_routing, read_trace


@pytest.fixture
def routed():
    """Distinct experts [tokens, layers, K], the same for the same seed."""

    def make(tokens, layers=3, top_k=2, experts=8, seed=0):
        rng = np.random.default_rng(seed)
        return rng.random((tokens, layers, experts)).argsort(axis=2)[:, :, :top_k]

    return make


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Import files; returns the trace as it is read again, and the summary."""
    monkeypatch.chdir(tmp_path)

    def run(*paths, **options):
        summary = import_routing(paths, "trace.npz", **options)
        return read_trace("trace.npz"), summary

    return run


@pytest.fixture
def write_lines(tmp_path):
    """Write JSON lines."""

    def write(rows, name="rows.jsonl"):
        path = Path(tmp_path) / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write
