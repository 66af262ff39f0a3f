"""Limits and failures of cells, whatever a solver does."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from expertcache.instances.recipe import Generated
from expertcache.instances.suites import SUITES
from expertcache.studies.cell import Cell
from expertcache.studies.worker import Worker

TINY = SUITES["tiny"].recipes[2]
LARGE = Generated("large", {"layers": 8, "users": 30}, 1)


def cell(recipe=TINY, method="milp", limit=30.0, **options):
    return Cell(recipe, method, options, 0, limit)


@pytest.fixture
def worker():
    made = Worker(60.0)
    yield made
    made.close()


def test_one_process_for_many_cells(worker):
    first = worker.run(cell())
    child = worker._child.process.pid
    assert first.solution.status == "optimal"
    assert first.guarantee.ratio == 1
    assert worker.run(cell(method="greedy")).sizes == first.sizes
    assert worker._child.process.pid == child


def test_failures_are_answers(worker):
    assert "K = 1" in worker.run(cell(method="pipage")).error
    assert "FileNotFound" not in worker.run(cell(method="greedy", rule="worst")).error
    assert worker.run(cell(method="greedy")).error == ""


def test_a_solver_that_ignores_its_time_is_killed():
    worker = Worker(grace_s=0.5)
    try:
        began = time.monotonic()
        # Begins with imports alone longer than that.
        answer = worker.run(cell(LARGE, limit=0.01))
        assert time.monotonic() - began < 10
        assert "killed" in answer.error
    finally:
        worker.close()


@pytest.mark.skipif(sys.platform != "linux", reason="data limits work on Linux alone")
def test_memory_limit():
    worker = Worker(60.0, memory_mb=150)
    try:
        huge = Generated("huge", {"models": ["qwen3-30b-a3b"], "users": 100, "servers": 20}, 1)
        assert "out of memory" in worker.run(cell(huge, "successive")).error
        assert worker.run(cell(method="greedy")).error == ""
    finally:
        worker.close()


def test_a_process_that_dies_is_an_answer_and_a_new_one_begins(worker):
    worker.run(cell())
    child = worker._child.process.pid
    threading.Timer(0.5, os.kill, (child, signal.SIGKILL)).start()
    assert "died with status -9" in worker.run(cell(LARGE)).error
    assert worker.run(cell()).error == ""
    assert worker._child.process.pid != child


def test_workers_end_with_their_parent():
    code = (
        "from expertcache.studies.worker import Worker\n"
        "from expertcache.studies.cell import Cell\n"
        "from expertcache.instances.recipe import Generated\n"
        "import threading, time\n"
        "worker = Worker(60.0)\n"
        "cell = Cell(Generated('x', {'layers': 8, 'users': 30}, 1), 'milp', {}, 0, 60.0)\n"
        "threading.Thread(target=worker.run, args=(cell,), daemon=True).start()\n"
        "time.sleep(1.5)\n"
        "print(worker._child.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(50):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if _is_zombie(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def _is_zombie(process):
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return False
