"""Ctrl-C and SIGTERM while a study runs."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from expertcache.instances.suites import SUITES
from expertcache.studies.study import Study

#: Cells that take no time, then one that takes a minute.
RECIPES = (*SUITES["tiny"].recipes[:2], SUITES["hard"].recipes[0])
WORDS = [
    "study", "tiny", "hard", "--methods", "cloud-only,local-search", "--reference", "none",
    "--time-limit", "60",
]  # fmt: skip


def workers_of(study):
    """Worker processes of a study, by the parent they were told of."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"expertcache.studies.worker" in words and str(study.pid).encode() in words:
            found.append(int(path.name))
    return found


def started(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "expertcache", *words, "--output", folder],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_what_has_finished_is_reported_and_the_rest_can_go_on(number, tmp_path, wait_for, cells_of):
    # Twelve cells of `tiny` and two of `hard`, then two that take a minute each.
    with started(tmp_path, *WORDS, "--jobs", "2") as study:
        wait_for(lambda: len(cells_of(tmp_path)) == 14)
        time.sleep(0.2)
        # As a terminal does it: to the whole group.
        os.killpg(study.pid, number)
        out, err = study.communicate(timeout=60)
    assert study.returncode == 0
    assert out.splitlines()[0].endswith("; 14 cells missing")
    assert err == "stopped, 14 cells missing: the same command goes on\n"
    assert len(cells_of(tmp_path)) == 14
    assert workers_of(study) == []
    assert (tmp_path / "report.html").exists()
    assert "cells are still missing" in (tmp_path / "report.html").read_text()


@needs_proc
def test_nothing_has_finished_yet(tmp_path, wait_for):
    words = ["study", "hard", "--methods", "local-search", "--reference", "none"]
    with started(tmp_path, *words) as study:
        wait_for(lambda: workers_of(study))
        study.send_signal(signal.SIGTERM)
        out, err = study.communicate(timeout=60)
    assert (study.returncode, out) == (3, "")
    assert err == "stopped, 8 cells missing: the same command goes on\n"
    assert workers_of(study) == []
    assert not (tmp_path / "report.html").exists()


def test_in_python(tmp_path, wait_for, cells_of):
    plan = Study(RECIPES, ("local-search",), reference="none")

    def press():
        wait_for(lambda: len(cells_of(tmp_path)) >= 2)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    pressing = threading.Thread(target=press)
    pressing.start()
    report = plan.run(tmp_path)
    pressing.join()
    assert (len(report.rows), report.missing) == (2, 1)
    assert "1 cells missing" in str(report)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_study_in_a_thread(tmp_path):
    plan = Study(RECIPES[:1], ("cloud-only",), reference="none")
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(plan.run, tmp_path).result().missing == 0
