"""Every kind of broken instance gives status 2 and one line that names the field and the row."""

import json
from pathlib import Path

import pytest

BIG = b"1" + b"0" * 5000
DEEP = b"[" * 100_000

# Where, what, and what the message must name: the field, and the row where there is one.
BROKEN_INSTANCES = [
    # Header.
    ("format", ..., "format"),
    ("format", "expertcache/solution", "format"),
    ("format", 1, "format"),
    ("format", ["expertcache/instance"], "format"),
    ("format", DEEP, "not JSON"),
    ("version", ..., "version"),
    ("version", 2, "version"),
    ("version", 0, "version"),
    ("version", "1", "version"),
    ("version", True, "version"),
    ("version", 1.5, "version"),
    ("version", None, "version"),
    ("version", BIG, "version"),
    # Missing keys at every level.
    ("models", ..., "`models`"),
    ("servers", ..., "`servers`"),
    ("users", ..., "`users`"),
    ("latency_s", ..., "`latency_s`"),
    ("requests", ..., "`requests`"),
    ("models.1.top_k", ..., "models[1]: Object missing required field `top_k`"),
    ("servers.1.capacity_bytes", ..., "servers[1]"),
    ("latency_s.cloud", ..., "`cloud`"),
    ("requests.rate", ..., "`rate`"),
    # Unknown keys at every level.
    ("color", 1, "`color`"),
    ("models.0.color", 1, "models[0]: Object contains unknown field `color`"),
    ("servers.1.color", 1, "servers[1]"),
    ("users.1.color", 1, "users[1]"),
    ("latency_s.color", 1, "latency_s"),
    ("requests.color", 1, "requests"),
    # Wrong types.
    ("name", 1, "name"),
    ("description", None, "description"),
    ("meta", [], "meta"),
    ("meta", DEEP, "not JSON"),
    ("meta", b'{"a": NaN}', "not JSON"),
    ("models", {}, "models"),
    ("models.0", None, "models[0]"),
    ("models.1.name", 1, "models[1].name"),
    ("models.0.layers", "2", "models[0].layers"),
    ("models.0.layers", 2.5, "models[0].layers"),
    ("models.0.experts", True, "models[0].experts"),
    ("models.0.expert_bytes", None, "models[0].expert_bytes"),
    ("servers", None, "servers"),
    ("servers.0.capacity_bytes", "20", "servers[0].capacity_bytes"),
    ("servers.0.capacity_bytes", None, "servers[0].capacity_bytes"),
    ("servers.0.capacity_bytes", True, "servers[0].capacity_bytes"),
    ("servers.0.position_m", [1, 2, 3], "servers[0].position_m"),
    ("servers.0.position_m", [1, None], "servers[0].position_m[1]"),
    ("users.0.position_m", [1], "users[0].position_m"),
    ("users.0.position_m", b"[1e999, 0]", "users[0].position_m[0]"),
    ("users.0.local", None, "users[0].local"),
    ("users.0.local", [[0, 0]], "users[0].local[0]"),
    ("users.0.local", [[0, 0, 0, 0]], "users[0].local[0]"),
    ("users.0.local", [[0, 0, 0.5]], "users[0].local[0]"),
    ("latency_s.server", None, "latency_s.server"),
    ("latency_s.server.0.1.0", "1", "latency_s.server[0][1][0]"),
    ("latency_s.cloud.1.0", None, "latency_s.cloud[1][0]"),
    ("latency_s.local.1.0", True, "latency_s.local[1][0]"),
    ("requests", [], "requests"),
    ("requests.user", 0, "requests.user"),
    ("requests.user.1", True, "requests.user[1]"),
    ("requests.layer.1", 0.5, "requests.layer[1]"),
    ("requests.experts.1", 1, "requests.experts[1]"),
    ("requests.experts.1.0", False, "requests.experts[1][0]"),
    ("requests.rate.1", "0.5", "requests.rate[1]"),
    ("requests.rate.1", True, "requests.rate[1]"),
    ("requests.rate.1", None, "requests.rate[1]"),
    # Wrong ranges.
    ("models.0.layers", 0, "models[0].layers"),
    ("models.0.experts", -1, "models[0].experts"),
    ("models.1.top_k", 0, "models[1].top_k"),
    ("models.1.top_k", 3, "models[1].top_k"),
    ("models.0.expert_bytes", 0, "models[0].expert_bytes"),
    ("servers.1.capacity_bytes", -1, "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", -0.5, "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", -(10**30), "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", b"1e999", "servers[1].capacity_bytes"),
    ("servers.1.capacity_bytes", b"NaN", "not JSON"),
    ("servers.1.capacity_bytes", b"Infinity", "not JSON"),
    ("latency_s.server.1.1.0", 0, "latency_s.server[1][1][0]"),
    ("latency_s.server.1.1.0", -0.1, "latency_s.server[1][1][0]"),
    ("latency_s.server.1.1.0", b"1e-999", "latency_s.server[1][1][0]"),
    ("latency_s.cloud.0.1", 0.0, "latency_s.cloud[0][1]"),
    ("latency_s.cloud.0.1", b"1e999", "latency_s.cloud[0][1]"),
    ("latency_s.cloud.0.1", b"-Infinity", "not JSON"),
    ("latency_s.local.0.1", -1, "latency_s.local[0][1]"),
    ("requests.rate.2", -0.1, "requests.rate[2]"),
    ("requests.rate.2", b"NaN", "not JSON"),
    ("requests.rate.2", b"Infinity", "not JSON"),
    ("requests.rate.2", b"1e999", "requests.rate[2]"),
    ("requests.rate.2", BIG, "requests.rate[2]"),
    ("requests.rate", [1e308] * 4, "requests.rate"),
    # Indices out of range.
    ("requests.user.3", 2, "requests.user[3]"),
    ("requests.user.3", -1, "requests.user[3]"),
    ("requests.user.3", 2**31, "requests.user[3]"),
    ("requests.user.3", 10**30, "requests.user[3]"),
    ("requests.user.3", BIG, "requests.user[3]"),
    ("requests.model.3", 2, "requests.model[3]"),
    ("requests.model.3", -1, "requests.model[3]"),
    ("requests.layer.3", 1, "requests.layer[3]"),
    ("requests.layer.3", 2**64, "requests.layer[3]"),
    ("requests.experts.3", [2], "requests.experts[3]"),
    ("requests.experts.3", [-1], "requests.experts[3]"),
    ("requests.experts.0", [0, -1], "requests.experts[0]"),
    ("requests.experts.3", [2**32], "requests.experts[3]"),
    ("users.0.local.1", [2, 0, 0], "users[0].local[1]"),
    ("users.0.local.1", [0, 2, 0], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, 3], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, -1], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, 10**30], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, True], "users[0].local[1]"),
    ("users.0.local.1", [0, 0, 0], "users[0].local[1]"),
    # Rows that make no set.
    ("requests.experts.3", [], "requests.experts[3]"),
    ("requests.experts.1", [1, 1], "requests.experts[1]"),
    ("requests.experts.1", [0, 1, 2], "requests.experts[1]: more experts"),
    ("requests.experts.3", [0, 1], "requests.experts[3]: more experts"),
    # Wrong lengths at every level.
    ("requests.user", [0, 0, 1], "requests"),
    ("requests.experts", [[0], [1]], "requests.experts"),
    ("requests.rate", [], "requests.rate"),
    ("latency_s.server", [], "latency_s.server"),
    ("latency_s.server.1", [[0.1, 0.1]], "latency_s.server[1]"),
    ("latency_s.server.1", [[0.1, 0.1]] * 3, "latency_s.server[1]"),
    ("latency_s.server.1.0", [0.1], "latency_s.server[1][0]"),
    ("latency_s.server.1.1", [0.1] * 3, "latency_s.server[1][1]"),
    ("latency_s.server.1.1", [], "latency_s.server[1][1]"),
    ("latency_s.cloud", [[1, 1]], "latency_s.cloud"),
    ("latency_s.cloud", [[1, 1]] * 3, "latency_s.cloud"),
    ("latency_s.cloud", [[1, 1], [1, 1], [1]], "latency_s.cloud"),
    ("latency_s.cloud.1", [1], "latency_s.cloud[1]"),
    ("latency_s.local", [[1]], "latency_s.local"),
    ("latency_s.local.0", [1, 1, 1], "latency_s.local[0]"),
    ("users", [], "latency_s"),
    ("servers", [], "latency_s"),
    ("models", [], "latency_s"),
    # Sizes that no machine has room for.
    ("models.0.layers", 10**12, "models"),
    ("models.0.experts", 10**12, "models"),
    ("models.0.layers", 2**62, "models"),
    ("models.0.layers", BIG, "models[0].layers"),
    ("models.0.expert_bytes", 10**30, "models[0].expert_bytes"),
    ("models.0.expert_bytes", 2**61, "models"),
    ("models.0.top_k", 10**12, "models[0].top_k"),
]


@pytest.mark.parametrize(
    ("path", "value", "says"), BROKEN_INSTANCES, ids=lambda value: str(value)[:20]
)
def test_broken_instance(path, value, says, broken, refused):
    name = broken("good.json", path, value)
    refused("solve", name, "--method", "popularity", "--output", "out.json", says=says)


def test_the_message_names_the_file(broken, refused):
    refused("bound", broken("good.json", "version", 2), says="broken.json: version")


def test_one_long_row_does_not_widen_the_others(refused_process):
    # Every row padded to the longest would take 8 GB.
    rows = 10_000
    columns = {name: [0] * rows for name in ("user", "model", "layer", "rate")}
    requests = {**columns, "experts": [[0]] * (rows - 1) + [list(range(200_000))]}
    good = json.loads(Path("good.json").read_text())
    Path("long.json").write_text(json.dumps({**good, "requests": requests}))
    refused_process(
        "solve", "long.json", "--method", "popularity", says="requests.experts[9999]",
        limits=[("RLIMIT_AS", 6 * 2**30)],
    )  # fmt: skip


def test_absurd_models_in_a_file_cost_no_memory(broken, refused_process):
    name = broken("good.json", "models.0.layers", 10**12)
    refused_process("solve", name, says="models", limits=[("RLIMIT_AS", 6 * 2**30)])
