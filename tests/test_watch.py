"""A run can be watched and stopped, and hands back what it has."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from expertcache import Limits, Method, Outcome, Placement, bound, generate, solve
from expertcache.events import read_events
from expertcache.instances.scenario import Scenario
from expertcache.problem.evaluate import evaluate
from expertcache.problem.instance_file import write_instance
from expertcache.problem.solution import read_solution
from expertcache.watch import Watch, stopped_by_signals

SMALL = Scenario(models=("mixtral-8x7b",), layers=2, servers=3, users=6, area_m=500.0)

#: Hours of work for every exact method.
LONG = Scenario(models=("gpt-oss-20b",), layers=4, servers=6, users=20, max_sets=80)

LONG_METHODS = ("exact", "milp", "decomposition", "local-search")


@pytest.fixture(scope="module")
def long_instance():
    return generate(LONG, 1)


@pytest.mark.parametrize("method", ["exact", "milp", "decomposition", "local-search", "ascent"])
def test_events_are_ever_better_and_end_where_the_solution_does(method):
    # With two layers `local-search` needs ten times as long for its proof.
    instance = generate(SMALL.replace(layers=1) if method == "local-search" else SMALL, 5)
    events = []
    solution = solve(instance, method, callback=events.append)
    latency = [e.latency_s for e in events if e.latency_s is not None]
    assert latency[-1] == pytest.approx(solution.latency_s, rel=1e-9)
    bounds = [e.bound_latency_s for e in events if e.bound_latency_s is not None]
    assert latency == sorted(latency, reverse=True)
    assert bounds == sorted(bounds)
    assert all(e.certified_ratio is None or 0 <= e.certified_ratio <= 1 for e in events)
    assert (solution.bound_latency_s is None) == (not bounds)
    if bounds:
        assert bounds[-1] == pytest.approx(solution.bound_latency_s, rel=1e-9)


@pytest.mark.parametrize("method", LONG_METHODS)
def test_a_callback_ends_a_run(method, long_instance):
    began = time.process_time()  # not the wall's: the machine may be busy

    def enough(event):
        return event.latency_s is not None

    solution = solve(long_instance, method, limits=Limits(time_s=120), callback=enough)
    assert time.process_time() - began < 60
    assert (solution.status, solution.stopped_by) == ("feasible", "interrupted")
    assert evaluate(long_instance, solution.placement).feasible


def test_an_error_of_the_callback_is_not_lost():
    def broken(event):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        solve(generate(SMALL, 5), "milp", callback=broken)


def _interrupt():
    """Callback that interrupts at the first event."""
    once = iter([signal.SIGINT])
    return lambda event: [signal.raise_signal(number) for number in once]


@pytest.mark.parametrize("method", LONG_METHODS)
def test_an_interrupt_hands_back_the_best_placement(method, long_instance):
    began = time.process_time()  # not the wall's: the machine may be busy
    solution = solve(long_instance, method, callback=_interrupt())
    assert time.process_time() - began < 30
    assert (solution.status, solution.stopped_by) == ("feasible", "interrupted")
    assert solution.saving_s > 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_bound_is_interrupted_too(long_instance):
    limits = Limits(threads=2)
    found = bound(long_instance, "decomposition", limits=limits, callback=_interrupt())
    assert found.stopped_by == "interrupted"
    assert found.bound_saving_s > 0


def test_a_second_interrupt_does_what_it_did_before():
    watch = Watch()
    with stopped_by_signals(watch, [signal.SIGINT]):
        signal.raise_signal(signal.SIGINT)
        assert watch.stopped
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_an_ignored_signal_stays_ignored():
    watch = Watch()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopped_by_signals(watch, [signal.SIGINT]):
            signal.raise_signal(signal.SIGINT)
        assert not watch.stopped
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_method_of_your_own_can_be_stopped(long_instance):
    def patient(instance, *, limits, seed):
        deadline = limits.deadline()
        while not deadline.passed():
            limits.watch.tell(saving_s=0.0)
        return Outcome(Placement.empty(), "time")

    solution = solve(
        long_instance, Method("patient", "waits", patient), callback=lambda event: True
    )
    assert solution.stopped_by == "interrupted"


def _started(arguments, path):
    command = [sys.executable, "-m", "expertcache", *arguments]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(3)
    return running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("method", ["local-search", "decomposition"])
def test_the_command_line_writes_what_it_has(method, threads, number, long_instance, tmp_path):
    path, output, log = (tmp_path / name for name in ("x.json", "s.json", "log"))
    write_instance(long_instance, path)
    running = _started(
        ["solve", str(path), "--method", method, "--threads", threads, "--output", str(output),
         "--log", str(log)], log,
    )  # fmt: skip
    # As from a terminal: to all processes of the group.
    os.killpg(running.pid, number)
    out, error = running.communicate(timeout=60)
    assert (running.returncode, error) == (0, "")
    assert "interrupted" in out
    solution = read_solution(output)
    assert (solution.status, solution.stopped_by) == ("feasible", "interrupted")
    assert evaluate(long_instance, solution.placement).saving_s == solution.saving_s
    assert read_events(log)


def test_events_as_json_lines(tmp_path, long_instance):
    path, log = tmp_path / "x.json", tmp_path / "log"
    write_instance(generate(SMALL, 5), path)
    command = [sys.executable, "-m", "expertcache", "solve", str(path), "--log", str(log)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    first, *rest = [json.loads(line) for line in log.read_text().splitlines()]
    assert first["format"] == "expertcache/events"
    assert rest
    assert rest[-1].keys() == {"seconds", "latency_s", "bound_latency_s", "certified_ratio"}
    assert len(read_events(log)) == len(rest)
