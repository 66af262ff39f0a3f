import numpy as np
import pytest
from expertcache.instances.geography import Geography, read_geography
from expertcache.instances.latencies import read_latencies
from expertcache.instances.links import Weights, expert_times, link_latencies
from expertcache.instances.model_table import model_card
from expertcache.instances.places import Server
from expertcache.instances.scenario import Scenario
from expertcache.instances.sites import import_sites
from expertcache.problem.errors import InputError

TWO = Scenario(models=("mixtral-8x7b", "dbrx"), layers=1, experts=8)
PLACES = "name,x,y\na,0,0\nb,100,0\n"


@pytest.fixture
def build(tmp_path):
    def build(text, places=PLACES, scenario=TWO):
        (tmp_path / "p.csv").write_text(places)
        (tmp_path / "l.csv").write_text(text)
        path = tmp_path / "p.csv"
        geography = read_geography(path, path, latencies=tmp_path / "l.csv" if text else None)
        return import_sites(scenario, geography, seed=0)

    return build


def test_measured_latencies_stand_instead_of_computed_ones(build):
    computed = build("")
    measured = build("user,server,latency_ms\na,b,7.5\nb,cloud,90\n")
    assert measured.server_latency_s[0, 1].tolist() == [0.0075, 0.0075]
    assert measured.cloud_latency_s[1].tolist() == [0.09, 0.09]
    for u, n in ((0, 0), (1, 0), (1, 1)):
        assert np.array_equal(measured.server_latency_s[u, n], computed.server_latency_s[u, n])
    assert np.array_equal(measured.cloud_latency_s[0], computed.cloud_latency_s[0])
    assert measured.meta["geography"]["latencies"] == "l.csv"


def test_the_experts_time_is_added_to_a_round_trip(build):
    times = expert_times(TWO, [Weights(card, "bf16") for card in TWO.cards()], [Server()] * 2)
    measured = build("user,server,model,rtt_ms\na,b,dbrx,7.5\na,cloud,,20\n")
    assert measured.server_latency_s[0, 1, 1] == 0.0075 + times.server[1, 1]
    assert measured.server_latency_s[0, 1, 0] == build("").server_latency_s[0, 1, 0]
    assert measured.cloud_latency_s[0].tolist() == (0.02 + times.cloud).tolist()


def test_without_positions_only_what_is_measured_is_in_reach(build):
    instance = build("user,server,latency_ms\na,b,7.5\n", places="name\na\nb\n")
    reach = np.isfinite(instance.server_latency_s).any(axis=2)
    assert reach.tolist() == [[False, True], [False, False]]
    assert np.isnan(instance.server_position_m).all()
    with pytest.raises(InputError, match=r"p\.csv: row 1: has no position"):
        build("", places="name\na\nb\n")


def test_a_server_may_be_called_cloud(build):
    places = "name,x,y\ncloud,0,0\nb,100,0\n"
    instance = build("user,server,latency_ms\nb,cloud,1\n", places)
    assert instance.server_latency_s[1, 0, 0] == 0.001


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("user,server,latency_ms\n", "has no rows"),
        ("user,latency_ms\na,1\n", "line 2: .*server"),
        ("user,server\na,b\n", "line 2: give one of latency_ms and rtt_ms"),
        ("user,server,rtt_ms,latency_ms\na,b,1,1\n", "line 2: give one of"),
        ("user,server,latency_ms\na,b,0\n", "line 2: latency_ms"),
        ("user,server,latency_ms\na,b,nan\n", "line 2: latency_ms"),
        ("user,server,latency_ms\na,b,inf\n", "line 2: latency_ms"),
        ("user,server,latency_ms\na,b,fast\n", "line 2: latency_ms"),
        ("user,server,latency_ms\nz,b,1\n", "line 2: unknown user 'z', known: a, b"),
        ("user,server,latency_ms\na,z,1\n", "line 2: unknown server 'z', known: a, b"),
        ("user,server,model,latency_ms\na,b,gpt,1\n", "line 2: unknown model 'gpt', known: mix"),
        ("user,server,latency_ms\na,b,1\na,b,2\n", "line 3: told already in line 2"),
        ("user,server,model,latency_ms\na,b,,1\na,b,dbrx,2\n", "line 3: told already in line 2"),
        ("user,server,latency_ms,note\na,b,1,x\n", "unknown columns: note"),
    ],
)
def test_broken_tables(text, says, build):
    with pytest.raises(InputError, match=rf"l\.csv: {says}"):
        build(text)


def test_ambiguous_names(tmp_path):
    (tmp_path / "l.csv").write_text("user,server,latency_ms\na,s,1\n")
    with pytest.raises(InputError, match="line 2: several servers are called 's'"):
        read_latencies(tmp_path / "l.csv", ["a"], ["s", "s"], ["m"])


def test_many_unknown_names_stay_one_short_line(tmp_path):
    (tmp_path / "l.csv").write_text("user,server,latency_ms\nz,s,1\n")
    with pytest.raises(InputError, match=r"known: u0, .*u9, \.\.\.$"):
        read_latencies(tmp_path / "l.csv", [f"u{k}" for k in range(99)], ["s"], ["m"])


def test_a_measured_way_to_the_cloud_and_other_gpus():
    at = np.array([[0.0, 0.0], [100.0, 0.0]])
    weights = [Weights(model_card("mixtral-8x7b"), "fp8")]
    plain = link_latencies(Scenario(), at, at, weights=weights)
    servers = [Server(cloud_rtt_ms=12.0), Server(flops=1e12, bytes_per_s=1e11)]
    told = link_latencies(Scenario(), at, at, weights=weights, servers=servers)
    # Twice 20 ms in the scenario; user 1's home has no measured way.
    assert plain.cloud[0, 0] - told.cloud[0, 0] == pytest.approx(0.028)
    assert told.cloud[1, 0] == plain.cloud[1, 0]
    weight = model_card("mixtral-8x7b").expert_bytes("fp8")
    slower = weight / 1e11 - weight / 300e9
    assert told.server[:, 1, 0] - plain.server[:, 1, 0] == pytest.approx(slower)
    assert np.array_equal(told.server[:, 0], plain.server[:, 0])


def test_a_place_that_nobody_knows_is_out_of_reach():
    at, nowhere = np.zeros((1, 2)), np.full((1, 2), np.nan)
    servers = np.concatenate([at, nowhere])
    links = link_latencies(Scenario(), servers, np.concatenate([at, nowhere]))
    assert np.isfinite(links.server[:, :, 0]).tolist() == [[True, False], [False, False]]
    assert np.isfinite(links.cloud).all()


def test_a_geography_is_all_that_is_needed():
    geography = Geography(np.zeros((1, 2)), np.zeros((1, 2)), {})
    assert import_sites(TWO, geography, seed=0).server_names == ("server-0",)
