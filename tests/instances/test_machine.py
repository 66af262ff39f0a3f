"""Recorded routing on the GPUs of a machine: latencies and sums as they are defined."""

import json
from pathlib import Path

import numpy as np
import pytest
from expertcache import InputError, evaluate, solve
from expertcache.command_line.parser import main
from expertcache.instances.machine import Machine
from expertcache.instances.machine_trace import import_machine
from expertcache.instances.model_table import model_card
from expertcache.instances.trace import Trace
from expertcache.problem.instance_file import instance_bytes, read_instance
from expertcache.problem.placement import Placement

MODEL, LAYERS, TOKENS = "mixtral-8x7b", 2, 60
CARD = model_card(MODEL)
IDS = np.random.default_rng(0).random((TOKENS, LAYERS, CARD.experts)).argsort(axis=2)[:, :, :2]
TRACE = Trace(IDS, np.zeros(TOKENS, dtype=np.int64), ("all",), True, np.arange(TOKENS) % 6)


def made(**fields):
    return import_machine(TRACE, Machine(**{"memory_gib": 2.0, **fields}), MODEL)


def random_placement(instance, seed, share=0.4):
    cached = np.random.default_rng(seed).random((instance.servers, instance.items)) < share
    return cached, Placement.of(instance, cached)


@pytest.mark.parametrize("host_s", [1e-6, 1e-3, 1e-1])
@pytest.mark.parametrize("seed", range(3))
def test_missing_experts_add_up_over_one_link(host_s, seed):
    machine = Machine(host_s=host_s)
    instance = import_machine(TRACE, machine, MODEL)
    cached, placement = random_placement(instance, seed)
    held = cached[0].reshape(LAYERS, CARD.experts)
    size = CARD.expert_bytes()
    expected = hits = 0.0
    for token in IDS:
        for layer, experts in enumerate(token):
            missing = int((~held[layer, experts]).sum())
            if missing:
                expected += host_s + missing * size / machine.host_bytes_per_s
            hits += (len(experts) - missing) * size / machine.gpu_bytes_per_s
    share = host_s / (host_s + size / machine.host_bytes_per_s)
    found = evaluate(instance, placement).latency_s
    # As documented: the experts on the GPU take a little less than they should.
    assert expected + (1 - share) * hits <= TOKENS * found * (1 + 1e-6)
    assert TOKENS * found <= (expected + hits) * (1 + 1e-6)


@pytest.mark.parametrize("gpus", [1, 4])
def test_several_wait_for_the_slowest(gpus):
    machine = Machine(gpus=gpus, nodes=min(2, gpus), parallel=True)
    instance = import_machine(TRACE, machine, MODEL)
    cached, placement = random_placement(instance, 1)
    cached = cached.reshape(gpus, LAYERS, CARD.experts)
    size = CARD.expert_bytes()
    state = 2 * CARD.hidden * 2
    here = max(2 * CARD.params_per_expert / machine.gpu_flops, size / machine.gpu_bytes_per_s)
    node = np.arange(gpus) // (gpus // machine.nodes)
    total = 0.0
    for user in range(gpus):
        for token in IDS:
            for layer, experts in enumerate(token):
                waits = []
                for expert in experts:
                    times = [machine.host_s + size / machine.host_bytes_per_s]
                    for gpu in np.flatnonzero(cached[:, layer, expert]):
                        way = machine.node_s + state / machine.node_bytes_per_s
                        if node[gpu] == node[user]:
                            way = machine.peer_s + state / machine.peer_bytes_per_s
                        times.append(here + (0 if gpu == user else way))
                    waits.append(min(times))
                total += max(waits)
    found = evaluate(instance, placement).latency_s
    assert found == pytest.approx(total / TOKENS / gpus, rel=1e-6)


def test_memory_is_in_gib():
    assert made(memory_gib=2.5).capacity_bytes.tolist() == [2684354560]
    assert made(memory_gib=0.1, gpus=2, nodes=2).capacity_bytes.tolist() == [107374182] * 2
    assert made(gpus=2).server_names == ("CUDA0", "CUDA1")
    assert made(gpus=2, nodes=2).server_names == ("node0-CUDA0", "node1-CUDA0")


def test_over_one_link_frequency_is_as_good_as_the_optimum():
    # Without a delay the sum of what is missing is all that counts, and that is additive.
    instance = made(host_s=1e-15)
    best = solve(instance, "successive")
    assert best.latency_s == pytest.approx(solve(instance, "popularity").latency_s, rel=1e-9)


def test_nothing_random():
    assert instance_bytes(made()) == instance_bytes(made())
    assert json.loads(instance_bytes(made(precision="int4")))["meta"]["machine"]["gpus"] == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"gpus": 0}, "gpus: must be > 0"),
        ({"gpus": 5000}, "gpus: must be <= 1024"),
        ({"gpus": 6, "nodes": 4}, "nodes: 6 GPUs cannot be spread evenly over 4"),
        ({"memory_gib": -1.0}, "memory_gib: must be > 0"),
        ({"host_bytes_per_s": float("nan")}, "host_bytes_per_s: must be > 0 and finite"),
        ({"host_s": float("inf")}, "host_s: must be > 0 and finite"),
        ({"precision": "bf17"}, "precision: unknown 'bf17'"),
        ({"layers": 3}, "layers: the trace has 2, not 3"),
    ],
)
def test_absurd_machines_are_refused(fields, says):
    with pytest.raises(InputError, match=says):
        made(**fields)


@pytest.fixture
def trace_file(good_files):
    np.savez("t.npz", expert_ids=IDS, sequence=TRACE.sequence)
    return "t.npz"


WORDS = ("--model", MODEL, "--output", "x.json")


def test_the_command(trace_file, capsys):
    split = ("--test-share", "0.5", "--part", "test")
    words = ("--gpus", "2", "--memory", "3", "--set", "peer_s=2e-5", "--sets", "5", *split)
    assert main(["import", "machine", trace_file, *words, *WORDS]) == 0
    instance = read_instance("x.json")
    assert instance.meta["machine"]["peer_s"] == 2e-5
    assert instance.meta["trace"]["split"]["part"] == "test"
    assert (instance.servers, int(instance.capacity_bytes[0])) == (2, 3 * 2**30)
    capsys.readouterr()
    assert main(["solve", "x.json", "--method", "greedy", "--output", "s.json"]) == 0
    assert main(["replay", "x.json", "s.json", "--trace", trace_file, "--part", "test"]) == 0


def test_replay_knows_no_single_link(trace_file, refused, capsys):
    assert main(["import", "machine", trace_file, *WORDS]) == 0
    assert main(["solve", "x.json", "--method", "greedy", "--output", "s.json"]) == 0
    capsys.readouterr()
    words = ("replay", "x.json", "s.json", "--trace", trace_file, "--part", "all")
    refused(*words, says="missing experts add up")


def test_the_command_refuses(trace_file, refused):
    for words, says in (
        (("--set", "gpu=2"), "unknown field 'gpu' of a machine, known: precision, layers"),
        (("--set", "parallel=maybe"), "parallel: "),
        (("--set", "gpus=2", "--gpus", "x"), "invalid int value"),
        (("--memory", "0"), "memory_gib: must be > 0"),
        (("--model", "dbrx"), "experts a layer"),
        (("--sets", "0"), "max_sets: must be >= 1"),
        (("--test-share", "2"), "test share"),
    ):
        refused("import", "machine", trace_file, *WORDS, *words, says=says)
    assert not Path("x.json").exists()
