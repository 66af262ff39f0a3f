"""A network's file is all that there is, and what it tells stands in the instance."""

import json

import numpy as np
import pytest
from expertcache.instances.geography import read_geography
from expertcache.instances.network import import_network
from expertcache.instances.popularity import import_popularity
from expertcache.instances.scenario import Scenario
from expertcache.instances.trace import import_trace, read_trace
from expertcache.problem.errors import InputError
from expertcache.problem.instance_file import instance_bytes, read_instance, write_instance
from expertcache.solver import solve

SITES = "name,latitude,longitude,memory\n" + "".join(
    f"s{k},{53.55 + k / 500},10.0,{k + 1} GiB\n" for k in range(4)
)
POINTS = "latitude,longitude\n" + "".join(f"{53.55 + k / 700},10.001\n" for k in range(6))


def token_ids(layers, experts, top_k, tokens=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((tokens, layers, experts)).argsort(axis=2)[:, :, :top_k]


def json_lines(models):
    """Lines of several models, one model's tokens after the other's in each sequence."""
    for sequence in range(4):
        for name, ids in models.items():
            for token in range(10):
                for layer, experts in enumerate(ids[10 * sequence + token].tolist()):
                    yield {
                        "model": name, "sequence": sequence, "token": token, "layer": layer,
                        "experts": experts,
                    }  # fmt: skip


MIXTRAL, DBRX = token_ids(2, 8, 2), token_ids(3, 16, 4, seed=1)


@pytest.fixture
def network(tmp_path):
    """Build the instance of a network; the folder has sites, points and recordings."""
    (tmp_path / "sites.csv").write_text(SITES)
    (tmp_path / "points.csv").write_text(POINTS)
    lines = json_lines({"mistralai/Mixtral-8x7B-v0.1": MIXTRAL, "my-dbrx": DBRX})
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    np.savez(tmp_path / "m.npz", expert_ids=MIXTRAL, sequence=np.repeat(range(4), 10))
    (tmp_path / "sequences.json").write_text(
        json.dumps([{"category": "code"}, {"category": "chat"}] * 2)
    )
    (tmp_path / "counts.json").write_text(json.dumps([[1, 2, 3, 4, 5, 6, 7, 8]] * 2))
    (tmp_path / "more.json").write_text(json.dumps([[8, 7, 6, 5, 4, 3, 2, 1]] * 2))

    def build(text):
        (tmp_path / "network.toml").write_text(text)
        return import_network(tmp_path / "network.toml").instance

    return build


PLACES = '[servers]\nsites = "sites.csv"\n[users]\npoints = "points.csv"\n'
ONE = '[[models]]\nmodel = "mixtral-8x7b"\n'


def rates(instance, model, user, layer):
    requests = instance.requests
    mine = (requests.model == model) & (requests.user == user) & (requests.layer == layer)
    sets = [tuple(sorted(e for e in row if e >= 0)) for row in requests.experts[mine].tolist()]
    assert len(set(sets)) == len(sets)
    return dict(zip(sets, requests.rate[mine].tolist(), strict=True))


def test_several_models_from_one_log(network):
    instance = network(
        ONE
        + 'share = 0.75\ntrace = "log.jsonl"\n'
        + '[[models]]\nmodel = "dbrx"\nname = "my-dbrx"\nshare = 0.25\ntrace = "log.jsonl"\n'
        + PLACES
    )
    assert [(m.name, m.layers) for m in instance.models] == [("mixtral-8x7b", 2), ("my-dbrx", 3)]
    for number, (ids, share) in enumerate(((MIXTRAL, 0.75), (DBRX, 0.25))):
        for layer in range(ids.shape[1]):
            counted = {}
            for row in np.sort(ids[:, layer]).tolist():
                counted[tuple(row)] = counted.get(tuple(row), 0) + 1
            for user in range(6):
                expected = {row: share * n / 40 / 6 for row, n in counted.items()}
                assert rates(instance, number, user, layer) == pytest.approx(expected)
    told = instance.meta["models"]
    assert [entry["share"] for entry in told] == [0.75, 0.25]
    assert told[1]["trace"]["tokens"] == 40
    assert told[1]["trace"]["source"] == "log.jsonl"
    assert solve(instance, "greedy").placement is not None


def same_but_meta(one, other):
    bare = {"meta": {}, "name": "x", "description": ""}
    names = {"user_names": (), "server_names": ()}
    return instance_bytes(one.replace(**bare | names)) == instance_bytes(
        other.replace(**bare | names)
    )


@pytest.mark.parametrize("drawn", [False, True])
def test_one_model_with_a_trace_is_what_import_trace_makes(network, tmp_path, drawn):
    count = {"servers": 2, "users": 5} if drawn else {}
    places = PLACES.replace('.csv"\n', '.csv"\ncount = 2\n', 1) + "count = 5\n" if drawn else PLACES
    instance = network(
        "seed = 3\n" + ONE + 'trace = "m.npz"\nsequences = "sequences.json"\nsets = 9\n' + places
    )
    geography = read_geography(tmp_path / "sites.csv", tmp_path / "points.csv", seed=3, **count)
    trace = read_trace(tmp_path / "m.npz", tmp_path / "sequences.json")
    other = import_trace(trace, Scenario(), geography, seed=3, max_sets=9)
    assert same_but_meta(instance, other)
    assert instance.server_names == other.server_names
    assert instance.meta["user_category"] == other.meta["trace"]["user_category"]


def test_one_model_with_counts_is_what_import_popularity_makes(network, tmp_path):
    instance = network("seed = 3\n" + ONE + 'counts = "counts.json"\n' + PLACES)
    geography = read_geography(tmp_path / "sites.csv", tmp_path / "points.csv")
    table = np.array(json.loads((tmp_path / "counts.json").read_text()), dtype=float)
    other = import_popularity([table], ["c"], Scenario(), seed=3, geography=geography)
    assert same_but_meta(instance, other)


def test_users_follow_the_categories_that_they_are_told(network):
    text = (
        ONE + 'trace = "m.npz"\nsequences = "sequences.json"\nshare = 0.5\n'
        '[[models]]\nmodel = "mixtral-8x22b"\nshare = 0.5\n'
        'counts = {code = "counts.json", chat = "more.json"}\n'
    )
    instance = network(text + PLACES + 'categories = ["chat", "code"]\n')
    assert instance.meta["user_category"] == ["chat", "code"] * 3
    sequence = np.repeat(range(4), 10)
    for user, kind in enumerate(["chat", "code"] * 3):
        mine = MIXTRAL[sequence % 2 == (kind == "chat")][:, 0]
        row = tuple(sorted(mine[0].tolist()))
        wanted = (np.sort(mine) == row).all(axis=1).mean() / 6 / 2
        assert rates(instance, 0, user, 0)[row] == pytest.approx(wanted)
    popular = instance.meta["models"][1]["popularity"]["user_source"]
    assert popular == ["more.json", "counts.json"] * 3


def test_told_for_single_users_and_drawn_for_others(network):
    text = ONE + 'trace = "m.npz"\nsequences = "sequences.json"\n' + PLACES.split("[users]")[0]
    users = "[[users]]\nlatitude = 53.55\nlongitude = 10.0\n"
    instance = network(text + users + 'category = "chat"\nlocal = 2\n' + users + users)
    categories = instance.meta["user_category"]
    assert categories[0] == "chat"
    assert set(categories[1:]) == {"chat", "code"}
    assert instance.local.sum(axis=1).tolist() == [4, 0, 0]
    assert instance.user_names == ("user-1", "user-2", "user-3")


def test_drawn_users_are_in_range(network):
    text = "seed = 5\n" + ONE + "layers = 1\n" + PLACES.split("[users]")[0]
    instance = network(text + "[users]\ncount = 40\n[scenario]\nradius_m = 200\n")
    apart = instance.user_position_m[:, None] - instance.server_position_m
    assert (np.hypot(apart[..., 0], apart[..., 1]).min(axis=1) <= 200).all()
    again = network(text + "[users]\ncount = 40\n[scenario]\nradius_m = 200\n")
    assert instance_bytes(again) == instance_bytes(instance)
    assert instance.meta["geography"]["drawn"].startswith("users: each in the range")


def test_generated_requests_of_several_models(network):
    text = (
        ONE + 'layers = 2\n[[models]]\nmodel = "dbrx"\nlayers = 1\nprecision = "int4"\nsets = 7\n'
    )
    instance = network(text + PLACES + "[scenario]\nmax_sets = 20\n")
    requests = instance.requests
    for model, layers, sets in ((0, 2, 20), (1, 1, 7)):
        mine = requests.model == model
        layer = np.bincount(requests.layer[mine], requests.rate[mine])
        assert layer == pytest.approx([0.5] * layers)
        assert len(np.unique(requests.experts[mine & (requests.layer == 0)], axis=0)) <= sets
    assert instance.models[1].expert_bytes * 4 == 2 * 198180864
    assert instance.meta["models"][0]["assumed"].startswith("generated requests")


def test_servers_in_the_file_and_measured_latencies(network, tmp_path):
    (tmp_path / "latencies.csv").write_text(
        "user,server,latency_ms\nanna,a,4\nanna,b,6\nben,b,3\nben,cloud,70\n"
    )
    instance = network(
        'latencies = "latencies.csv"\n' + ONE + "layers = 1\n"
        '[[servers]]\nname = "a"\nmemory = "24GiB"\n[[servers]]\nname = "b"\nmemory = 0.25\n'
        '[[users]]\nname = "anna"\n[[users]]\nname = "ben"\n'
    )
    assert instance.server_latency_s[..., 0].tolist() == [[0.004, 0.006], [np.inf, 0.003]]
    assert instance.cloud_latency_s[1, 0] == 0.07
    assert instance.capacity_bytes.tolist() == [24 * 2**30, instance.item_bytes.sum() // 4]


def test_memory_for_those_that_the_table_does_not_tell(network, tmp_path):
    (tmp_path / "sites.csv").write_text(SITES.replace("1 GiB", ""))
    with pytest.raises(InputError, match=r"sites\.csv: row 1: memory is missing"):
        network(ONE + "layers = 1\n" + PLACES)
    instance = network(ONE + "layers = 1\n" + PLACES.replace("[users]", 'memory = "7GiB"\n[users]'))
    assert (instance.capacity_bytes // 2**30).tolist() == [7, 2, 3, 4]


def test_the_file_stands_in_the_instance_and_survives_it(network, tmp_path):
    instance = network("seed = 2\n" + ONE + 'trace = "log.jsonl"\n' + PLACES)
    write_instance(instance, tmp_path / "x.json")
    again = read_instance(tmp_path / "x.json")
    assert instance_bytes(again) == instance_bytes(instance)
    assert again.meta["network"]["servers"]["sites"] == "sites.csv"
    assert again.meta["seed"] == 2
    assert "capacity" not in again.meta["scenario"]
    assert str(tmp_path) not in instance_bytes(instance).decode()


def test_a_configuration_beside_the_file(network, tmp_path):
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "mixtral", "hidden_size": 64, "intermediate_size": 128,
                "num_hidden_layers": 2, "num_local_experts": 8, "num_experts_per_tok": 2,
            }
        )
    )  # fmt: skip
    instance = network('[[models]]\nmodel = "ours"\ntrace = "m.npz"\n' + PLACES)
    assert instance.models[0].name == "ours"
    assert instance.models[0].expert_bytes == 2 * 3 * 64 * 128
    assert str(tmp_path) not in instance_bytes(instance).decode()
    # A folder of this name does not hide a model of the table.
    folder.rename(tmp_path / "mixtral-8x7b")
    assert network(ONE + 'trace = "m.npz"\n' + PLACES).models[0].expert_bytes == 352321536


BROKEN = {
    "no TOML": ("servers = [", "not TOML"),
    "no models": (PLACES, "missing required field `models`"),
    "no model": ("models = []\n" + PLACES, "models: at least one"),
    "no server": ("servers = []\n" + ONE + "[users]\ncount = 3\n", "servers: at least one"),
    "no user": ("users = []\n" + ONE + PLACES.split("[users]")[0], "users: at least one"),
    "unknown key": (ONE + PLACES + "[latency]\n", "unknown field `latency`"),
    "key of a model": (ONE + "quantization = 4\n" + PLACES, "models[0]: Object contains unknown"),
    "key of a server": (
        ONE + '[[servers]]\nx=1\ny=1\nmemory="1GB"\nram="1GB"\n[users]\ncount=1\n',
        "servers[0]: Object contains unknown field `ram`",
    ),
    "unknown model": ('[[models]]\nmodel = "gpt-7"\n' + PLACES, "models[0]: unknown model 'gpt-7'"),
    "precision": (ONE + 'precision = "fp17"\n' + PLACES, "models[0]: unknown precision 'fp17'"),
    "shares": (ONE + "share = 0.5\n" + PLACES, "models: share: they sum to 0.5, not to 1"),
    "one share": (
        ONE + 'share = 0.5\n[[models]]\nmodel = "dbrx"\n' + PLACES, "for all models or for none",
    ),
    "share of nothing": (ONE + "share = 0\n" + PLACES, "models[0].share: Expected `float` > 0"),
    "share nan": (ONE + "share = nan\n" + PLACES, "models[0].share"),
    "twice": (ONE + ONE + PLACES, "models[1]: 'mixtral-8x7b' is there already: give it a name"),
    "two recordings": (
        ONE + 'trace = "m.npz"\ncounts = "counts.json"\n' + PLACES, "give one of trace and counts",
    ),
    "no recording": (ONE + "trace = []\n" + PLACES, "models[0]: trace and counts: at least one"),
    "sequences alone": (ONE + 'sequences = "sequences.json"\n' + PLACES, "are those of a trace"),
    "missing trace": (ONE + 'trace = "n.npz"\n' + PLACES, "n.npz: No such file"),
    "of another model": (
        '[[models]]\nmodel = "phi-3.5-moe"\ntrace = "log.jsonl"\n' + PLACES,
        "log.jsonl: has nothing of this model, but of mistralai/Mixtral-8x7B-v0.1, my-dbrx",
    ),
    "another K": (
        '[[models]]\nmodel = "dbrx"\ntrace = "m.npz"\n' + PLACES, "2 experts a layer, but dbrx",
    ),
    "too few sequences": (
        ONE + 'trace = "log.jsonl"\nsequences = "one.json"\n' + PLACES,
        "log.jsonl: sequence: ",
    ),
    "counts as a trace": (ONE + 'trace = "logical.json"\n' + PLACES, "the files have counts"),
    "too many layers": (ONE + "layers = 33\n" + PLACES, "models[0]: layers: mixtral-8x7b has 32"),
    "missing sites": (ONE + PLACES.replace("sites.csv", "none.csv"), "none.csv: No such file"),
    "too many sites": (ONE + PLACES.replace("[users]", "count = 9\n[users]"), "cannot draw 9"),
    "memory": (
        ONE + '[[servers]]\nx=1\ny=1\nmemory="much"\n[users]\ncount=1\n', "'much' is no amount",
    ),
    "no memory": (ONE + "[[servers]]\nx=1\ny=1\n[users]\ncount=1\n", "servers: row 1: memory is"),
    "memory nan": (
        ONE + "[[servers]]\nx=1\ny=1\nmemory=nan\n[users]\ncount=1\n", "'nan' is no amount",
    ),
    "no position": (
        ONE + '[[servers]]\nmemory="1GB"\n[[users]]\nx=1\ny=1\n', "servers: row 1: has no position",
    ),
    "half a position": (
        ONE + '[[servers]]\nx=1\nmemory="1GB"\n[[users]]\nx=1\ny=1\n', "servers[0]: has no y",
    ),
    "metres and degrees": (
        ONE + PLACES.split("[users]")[0] + "[[users]]\nx=1\ny=1\n", "users: row 1 is in metres",
    ),
    "one name": (
        ONE + ('[[servers]]\nname="a"\nx=1\ny=1\nmemory="1GB"\n' * 2) + "[users]\ncount=1\n",
        "servers: several are called 'a'",
    ),
    "a name of two lines": (
        ONE + '[[servers]]\nname="a\\nb"\nx=1\ny=1\nmemory="1GB"\n[users]\ncount=1\n',
        "servers[0]: has the control character",
    ),
    "nobody to draw": (ONE + PLACES.split('points')[0], "users: give points, a table, or how many"),
    "no range": (
        ONE + PLACES.split("points")[0] + "count = 3\n[scenario]\nradius_m = inf\n",
        "drawing them needs",
    ),
    "no category": (ONE + PLACES + 'categories = ["code"]\n', "no model's recording has"),
    "unknown category": (
        f'{ONE}trace = "m.npz"\nsequences = "sequences.json"\n{PLACES}categories = ["maths"]\n',
        "category of user 1: mixtral-8x7b has no 'maths', but chat, code",
    ),
    "none in common": (
        ONE + 'share=0.5\ntrace = "m.npz"\nsequences = "sequences.json"\n[[models]]\n'
        'model = "mixtral-8x22b"\nshare=0.5\ncounts = {maths = "counts.json"}\n' + PLACES,
        "category: mixtral-8x7b, mixtral-8x22b have none in common",
    ),
    "scenario": (ONE + PLACES + "[scenario]\nradius = 3\n", "scenario: unknown scenario field"),
    "told elsewhere": (ONE + PLACES + "[scenario]\nservers = 3\n", "scenario: servers: is told"),
    "a field's value": (ONE + PLACES + "[scenario]\nradius_m = -3\n", "scenario: radius_m: must"),
    "seed": ("seed = -1\n" + ONE + PLACES, "seed: Expected `int` >= 0"),
    "a date": ("name = 1979-05-27\n" + ONE + PLACES, "name: Expected `str"),
    "latencies": ('latencies = "none.csv"\n' + ONE + PLACES, "none.csv: No such file"),
    "absurd": (ONE + PLACES.split("points")[0] + "count = 2000000000\n", "limit"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_networks(kind, network, tmp_path):
    (tmp_path / "one.json").write_text('[{"category": "a"}]')
    (tmp_path / "logical.json").write_text(json.dumps({"logical_count": [[1] * 8] * 2}))
    text, says = BROKEN[kind]
    with pytest.raises(InputError) as refused:
        network(text)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'network.toml'}: "), message
    assert says in message, message
    assert "trace.npz" not in message
