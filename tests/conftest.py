"""Shared instances, the brute force that everything is compared with, and refused commands."""

from __future__ import annotations

import copy
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from expertcache.command_line.parser import main
from expertcache.problem.evaluate import evaluate
from expertcache.problem.instance import Instance, Model, Requests
from expertcache.problem.placement import Placement
from expertcache.reports import drawing
from hypothesis import HealthCheck, settings
from matplotlib.figure import Figure

settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")

#: Relative agreement of values computed in different ways.
TOLERANCE = 1e-6


def make_random_instance(
    seed: int,
    *,
    top_k: int = 2,
    models: int = 1,
    servers: int = 2,
    users: int = 3,
    layers: int = 2,
    experts: int = 3,
    rows: int = 12,
    local: float = 0.2,
    unreachable: float = 0.2,
    equal_sizes: bool = False,
    capacity: float | None = None,
) -> Instance:
    """A tiny instance with everything that is legal in it.

    Servers may be slower than the cloud or than the device, devices slower than the cloud,
    latencies may be equal, rates 0, rows repeated, capacities 0 or large enough for all.
    """
    rng = np.random.default_rng(seed)
    specs = tuple(
        Model(f"m{m}", layers, experts, min(top_k, experts), 2 if equal_sizes else 2 + 3 * m)
        for m in range(models)
    )
    items = sum(spec.items for spec in specs)
    total = sum(spec.items * spec.expert_bytes for spec in specs)
    shares = rng.choice([0.0, 0.2, 0.4, 0.6, 1.0], size=servers, p=[0.1, 0.3, 0.3, 0.2, 0.1])
    if capacity is not None:
        shares[:] = capacity
    # Few distinct values, so that ties happen.
    server = rng.integers(1, 9, size=(users, servers, models)) / 8.0
    server[rng.random(server.shape) < unreachable] = np.inf
    experts_of = np.full((rows, top_k), -1)
    for row in experts_of:
        size = (
            rng.integers(1, min(top_k, experts) + 1) if rng.random() < 0.3 else min(top_k, experts)
        )
        row[:size] = rng.choice(experts, size=size, replace=False)
    return Instance(
        models=specs,
        capacity_bytes=(shares * total).astype(np.int64),
        server_latency_s=server,
        cloud_latency_s=rng.integers(6, 12, size=(users, models)) / 8.0,
        local_latency_s=rng.integers(1, 12, size=(users, models)) / 8.0,
        local=rng.random((users, items)) < local,
        requests=Requests(
            user=rng.integers(0, users, rows),
            model=rng.integers(0, models, rows),
            layer=rng.integers(0, layers, rows),
            experts=experts_of,
            rate=rng.random(rows) * (rng.random(rows) < 0.9),
        ),
        name=f"random-{seed}",
    )


def naive_latency_s(instance: Instance, cached: np.ndarray) -> float:
    """The definition, word for word and without any array operation."""
    total = 0.0
    requests = instance.requests
    for r in range(len(requests)):
        user, model = int(requests.user[r]), int(requests.model[r])
        slowest = 0.0
        for expert in requests.experts[r]:
            if expert < 0:
                continue
            item = instance.item(model, int(requests.layer[r]), int(expert))
            best = instance.cloud_latency_s[user, model]
            if instance.local[user, item]:
                best = min(best, instance.local_latency_s[user, model])
            for n in range(instance.servers):
                if cached[n, item]:
                    best = min(best, instance.server_latency_s[user, n, model])
            slowest = max(slowest, best)
        total += float(requests.rate[r]) * slowest
    return total


def brute_force_latency_s(instance: Instance) -> float:
    """Latency of the best placement, by trying all maximal choices of every server."""
    choices = []
    for room in instance.capacity_bytes.tolist():
        sets = np.array(list(product([False, True], repeat=instance.items)))
        fits = sets @ instance.item_bytes <= room
        sets = sets[fits]
        # Caching more never hurts, so only sets that no other fitting set contains.
        sizes = sets.sum(axis=1)
        inside = (sets.astype(int) @ sets.T.astype(int)) == sizes[:, None]
        maximal = (inside & (sizes[:, None] < sizes)).sum(axis=1) == 0
        choices.append(sets[maximal])
    best = np.inf
    for rows in product(*choices):
        cached = np.array(rows).reshape(instance.servers, instance.items)
        best = min(best, evaluate(instance, Placement.of(instance, cached)).latency_s)
    return best


@pytest.fixture(scope="session", autouse=True)
def interrupts_count() -> Iterator[None]:
    """Whatever the tests were started by: in the background of a shell interrupts are ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def random_instance() -> Callable[..., Instance]:
    return make_random_instance


@pytest.fixture(scope="session")
def naive_latency() -> Callable[[Instance, np.ndarray], float]:
    return naive_latency_s


@pytest.fixture(scope="session")
def brute_force_latency() -> Callable[[Instance], float]:
    return brute_force_latency_s


@pytest.fixture(scope="session")
def _empty_files() -> dict[str, bytes]:
    return {kind: drawing.drawn(Figure((1, 1)), kind) for kind in drawing.KINDS}


@pytest.fixture
def empty_pictures(monkeypatch, _empty_files):
    """Draw nothing, where nobody looks at it: it takes most of a small study's time."""
    monkeypatch.setattr(drawing, "drawn", lambda figure, kind: _empty_files[kind])


@pytest.fixture
def two_servers() -> Instance:
    """One user, one layer of three experts, top-2, no local expert.

    Server 0 (0.1 s) and server 1 (0.2 s) hold one expert each, the cloud is at 1 s. Sets {0, 1}
    (rate 0.75) and {1, 2} (rate 0.25): the best is one of 0 and 1 on each server, latency
    0.75 * 0.2 + 0.25 * 1 = 0.4 s.
    """
    return Instance(
        models=(Model("toy", 1, 3, 2, 10),),
        capacity_bytes=np.array([10, 10]),
        server_latency_s=np.array([[[0.1], [0.2]]]),
        cloud_latency_s=np.array([[1.0]]),
        local_latency_s=np.array([[0.05]]),
        local=np.zeros((1, 3), dtype=bool),
        requests=Requests(
            user=np.array([0, 0]),
            model=np.array([0, 0]),
            layer=np.array([0, 0]),
            experts=np.array([[0, 1], [1, 2]]),
            rate=np.array([0.75, 0.25]),
        ),
        name="two-servers",
    )


#: Content of the files that tests break.
GOOD_FILES = {
    "good.json": {
        "format": "expertcache/instance",
        "version": 1,
        "name": "toy",
        "models": [
            {"name": "a", "layers": 2, "experts": 3, "top_k": 2, "expert_bytes": 10},
            {"name": "b", "layers": 1, "experts": 2, "top_k": 1, "expert_bytes": 5},
        ],
        "servers": [{"name": "s", "capacity_bytes": 20}, {"name": "t", "capacity_bytes": 10}],
        "users": [
            {"name": "u", "position_m": [0, 1], "local": [[0, 0, 0], [1, 0, 1]]},
            {"name": "v"},
        ],
        "latency_s": {
            "server": [[[0.1, 0.2], [0.2, 0.3]], [[None, 0.2], [0.3, 0.4]]],
            "cloud": [[1, 1], [1, 1]],
            "local": [[0.05, 0.05], [0.05, 0.05]],
        },
        "requests": {
            "user": [0, 0, 1, 1],
            "model": [0, 0, 0, 1],
            "layer": [0, 1, 0, 0],
            "experts": [[0, 1], [1, 2], [2], [1]],
            "rate": [0.5, 0.5, 0.25, 0.25],
        },
    },
    "solution.json": {
        "format": "expertcache/solution",
        "version": 1,
        "instance": "toy",
        "method": "greedy",
        "options": {},
        "seed": None,
        "status": "feasible",
        "stopped_by": "finished",
        "latency_s": 1.0,
        "latency_empty_s": 1.5,
        "saving_s": 0.5,
        "bound_latency_s": None,
        "gap": None,
        "seconds": 0.1,
        "placement": [[0, 0, 0, 0], [1, 0, 1, 2]],
        "meta": {},
    },
}


@pytest.fixture
def good_files(tmp_path, monkeypatch):
    """The current folder, with an instance and a solution of it."""
    monkeypatch.chdir(tmp_path)
    for name, content in GOOD_FILES.items():
        Path(name).write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def broken(good_files):
    """Write broken.json: a good file with another value at a path such as `servers.0.name`.

    Ellipsis takes the value away; bytes go into the file as they are, where no JSON value of
    Python's will do.
    """

    def write(name, path, value):
        content = copy.deepcopy(GOOD_FILES[name])
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        place = content
        for key in parents:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = "@raw@" if isinstance(value, bytes) else value
        text = json.dumps(content)
        if isinstance(value, bytes):
            text = text.replace('"@raw@"', value.decode())
        Path("broken.json").write_text(text)
        return "broken.json"

    return write


@pytest.fixture
def refused(good_files, capsys):
    """Run a command line: status 2, one line that says something, and no file changes."""

    def run(*arguments, says):
        before = listing(good_files)
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as left:
            status = left.code
        assert_refused(status, *capsys.readouterr(), says)
        assert listing(good_files) == before

    return run


@pytest.fixture
def process(good_files):
    """Run a command line as a process of its own, with limits of its resources."""
    resource = pytest.importorskip("resource")

    def run(*arguments, limits=(), seconds=20):
        def limit():
            for name, value in limits:
                resource.setrlimit(getattr(resource, name), (value, value))

        return subprocess.run(
            [sys.executable, "-m", "expertcache", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=seconds,
            # Every thread of a linear algebra library takes address space of its own.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            preexec_fn=limit,
            check=False,
        )

    return run


@pytest.fixture
def refused_process(process, good_files):
    """`refused` as a process of its own."""

    def run(*arguments, says, **more):
        before = listing(good_files)
        done = process(*arguments, **more)
        assert_refused(done.returncode, done.stdout, done.stderr, says)
        assert listing(good_files) == before

    return run


def listing(folder):
    """Every path below a folder with its type and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        found[str(path)] = path.read_bytes() if stat.S_ISREG(mode) else stat.S_IFMT(mode)
    return found


def assert_refused(status, out, err, says):
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert says.lower() in err.lower()
