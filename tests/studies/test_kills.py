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
from expertcache.studies.study import Choice, Study

COMMAND = [sys.executable, "-m", "expertcache", "study"]


def rows_of(folder):
    try:
        with (folder / "results.csv").open(newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_a_study_that_is_killed_again_and_again(tmp_path):
    words = ["tiny", "--methods", "milp,successive,ascent,random", "--seed", "0", "--seed", "1"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*COMMAND, *words, "--output", whole], check=True, stdout=subprocess.DEVNULL)
    seen = {}
    moments = random.Random(1)
    for _ in range(4):
        with subprocess.Popen(
            [*COMMAND, *words, "--output", broken, "--jobs", "2"], stdout=subprocess.DEVNULL
        ) as study:
            time.sleep(moments.uniform(1.0, 2.0))
            study.send_signal(signal.SIGKILL)
        lines = (broken / "results.csv").read_text().splitlines() if broken.exists() else []
        # Every whole row that was there is still there, with the very same time.
        for line in lines[1:-1]:
            seen.setdefault(tuple(line.split(",")[:3]), line)
            assert seen[tuple(line.split(",")[:3])] == line
    subprocess.run([*COMMAND, *words, "--output", broken], check=True, stdout=subprocess.DEVNULL)
    assert without_time(rows_of(broken)) == without_time(rows_of(whole))
    assert set(seen.values()) <= set((broken / "results.csv").read_text().splitlines())


def test_a_dask_cluster_that_loses_a_worker(tmp_path):
    distributed = pytest.importorskip("distributed")
    recipes = SUITES["tiny"].recipes
    plan = Study(
        recipes, (Choice("milp"), Choice("random"), Choice("local-search")), seeds=(0, 1, 2)
    )
    plan.run(tmp_path / "here")
    started = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    address_file = tmp_path / "scheduler.json"
    words = ["--port", "0", "--no-dashboard", "--host", "127.0.0.1"]
    children = [subprocess.Popen([*started, *words, "--scheduler-file", address_file], **quiet)]
    try:
        _wait_for(address_file.exists)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker"]
        words = ["--scheduler-file", address_file, "--nthreads", "1", "--no-nanny"]
        words += ["--no-dashboard", "--local-directory", tmp_path]
        children += [subprocess.Popen([*worker, *words], **quiet) for _ in range(2)]
        with distributed.Client(scheduler_file=str(address_file)) as client:
            client.wait_for_workers(2, timeout=60)
            address = client.scheduler.address

        def kill_in_the_middle():
            _wait_for(lambda: len(rows_of(tmp_path / "there")) >= 5)
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


def _wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("nothing happened for a minute")
