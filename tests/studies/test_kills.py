"""Studies that are killed, and clusters that lose a machine."""

import csv
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from expertcache.instances.suites import SUITES
from expertcache.studies.study import Study

COMMAND = [sys.executable, "-m", "expertcache", "study"]


def rows_of(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_a_study_that_is_killed_again_and_again(tmp_path, wait_for, cells_of):
    words = ["tiny", "--methods", "milp,successive,ascent,random", "--seed", "0", "--seed", "1"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*COMMAND, *words, "--output", whole], check=True, stdout=subprocess.DEVNULL)
    seen = {}
    moments = random.Random(1)
    for cells in (1, 17):
        with subprocess.Popen(
            [*COMMAND, *words, "--output", broken, "--jobs", "2"], stdout=subprocess.DEVNULL
        ) as study:
            wait_for(lambda: len(cells_of(broken)) >= cells)  # noqa: B023 - called at once
            time.sleep(moments.uniform(0.0, 0.1))
            study.send_signal(signal.SIGKILL)
        # Every cell that was there is still there, with the very same time.
        for path in cells_of(broken):
            assert seen.setdefault(path, path.read_bytes()) == path.read_bytes()
    subprocess.run([*COMMAND, *words, "--output", broken], check=True, stdout=subprocess.DEVNULL)
    assert without_time(rows_of(broken)) == without_time(rows_of(whole))
    assert {path: path.read_bytes() for path in seen} == seen


def test_a_dask_cluster_that_loses_a_worker(tmp_path, wait_for, cells_of):
    distributed = pytest.importorskip("distributed")
    recipes = SUITES["tiny"].recipes
    plan = Study(recipes, ("milp", "random", "local-search"), seeds=(0, 1, 2))
    plan.run(tmp_path / "here")
    started = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    address_file = tmp_path / "scheduler.json"
    words = ["--port", "0", "--no-dashboard", "--host", "127.0.0.1"]
    children = [subprocess.Popen([*started, *words, "--scheduler-file", address_file], **quiet)]
    try:
        wait_for(address_file.exists)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker"]
        words = ["--scheduler-file", address_file, "--nthreads", "1", "--no-nanny"]
        words += ["--no-dashboard", "--local-directory", tmp_path]
        children += [subprocess.Popen([*worker, *words], **quiet) for _ in range(2)]
        with distributed.Client(scheduler_file=str(address_file)) as client:
            client.wait_for_workers(2, timeout=60)
            address = client.scheduler.address

        def kill_in_the_middle():
            wait_for(lambda: len(cells_of(tmp_path / "there")) >= 5)
            children[1].kill()

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        plan.run(tmp_path / "there", scheduler=address)
        killer.join()
        assert children[1].wait(10) == -signal.SIGKILL
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert without_time(rows_of(tmp_path / "there")) == without_time(rows_of(tmp_path / "here"))
