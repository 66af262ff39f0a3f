import numpy as np
from expertcache.instances.generate import generate
from expertcache.instances.scenario import Scenario
from expertcache.problem.inventory import inventory


def test_each_model_server_and_user(two_servers):
    instance = two_servers.replace(
        capacity_bytes=np.array([19, 2048]),
        server_latency_s=np.array([[[0.1], [np.inf]]]),
        server_names=("near", "far"),
    )
    assert inventory(instance) == [
        "model  layers  experts  top-k  an expert  all   share  requests",
        "toy    1       3        2      10 B       30 B  100 %  2",
        "",
        "server  memory  users in reach  toy alone",
        "near    19 B    1               1 of 3",
        "far     2 KiB   0               3 of 3",
        "",
        "user    nearest  reaches",
        "user-0  100 ms   near",
    ]
    assert "12 tokens" in inventory(instance, ["12 tokens"])[1]


def test_a_share_is_one_of_the_tokens():
    # Two users run one model of 2 layers and one of 1: half of the tokens each.
    scenario = Scenario(models=("mixtral-8x7b", "dbrx"), layers=2, servers=1, users=2)
    instance = generate(scenario, 0)
    assert [line.split("%")[0].split()[-1] for line in inventory(instance)[1:3]] == ["50", "50"]


def test_many_users_are_counted():
    instance = generate(Scenario(layers=1, servers=2, users=30, area_m=5000), 0)
    reach = np.isfinite(instance.server_latency_s).any(axis=2).sum(axis=1)
    lines = inventory(instance)
    begin = lines.index("users  reach")
    for line in lines[begin + 1 :]:
        users, servers, _ = line.split()
        assert int(users) == (reach == int(servers)).sum()
    assert sum(int(line.split()[0]) for line in lines[begin + 1 :]) == 30


def test_nobody_in_reach(two_servers):
    lost = two_servers.replace(server_latency_s=np.full((1, 2, 1), np.inf))
    assert inventory(lost)[-1].split() == ["user-0", "no", "server"]
    bare = lost.replace(
        capacity_bytes=np.zeros(0, dtype=int),
        server_latency_s=np.zeros((1, 0, 1)),
        server_names=(),
        server_position_m=np.zeros((0, 2)),
    )
    assert inventory(bare)[-1].split() == ["user-0", "no", "server"]
