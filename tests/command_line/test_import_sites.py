"""`import sites` and its kin take what is there."""

import json
from pathlib import Path

import pytest
from expertcache.command_line.parser import main
from expertcache.problem.instance_file import read_instance


@pytest.fixture(autouse=True)
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"s{k},{53.5 + k / 1000},10,{k + 1}GiB,me\n" for k in range(4))
    Path("sites.csv").write_text("name,lat,lon,capacity,owner\n" + rows)
    Path("points.csv").write_text("lat,lng\n" + "".join(f"{53.5 + k / 999},10\n" for k in range(7)))


IMPORT = ("import", "sites", "--sites", "sites.csv", "--points", "points.csv", "--layers", "1")


def test_all_rows_in_their_order(capsys):
    assert main([*IMPORT, "--output", "x.json"]) == 0
    instance = read_instance("x.json")
    assert instance.server_names == ("s0", "s1", "s2", "s3")
    assert (instance.capacity_bytes // 2**30).tolist() == [1, 2, 3, 4]
    assert instance.users == 7
    out, err = capsys.readouterr()
    assert "4 servers, 7 users" in out
    assert err == "note: sites.csv: columns not used: owner\n"


def test_fewer_are_drawn(capsys):
    assert main([*IMPORT, "--servers", "2", "--set", "users=3", "--output", "x.json"]) == 0
    instance = read_instance("x.json")
    assert (instance.servers, instance.users) == (2, 3)
    rows = instance.meta["geography"]["site_rows"]
    assert instance.server_names == tuple(f"s{row}" for row in rows)
    with pytest.raises(SystemExit):
        main([*IMPORT, "--servers", "two", "--output", "x.json"])
    assert main([*IMPORT, "--servers", "5", "--output", "x.json"]) == 2
    assert "has 4 positions, cannot draw 5" in capsys.readouterr().err


def test_measured_latencies():
    Path("l.csv").write_text("user,server,latency_ms\nuser-3,s1,4.5\n")
    assert main([*IMPORT, "--latencies", "l.csv", "--output", "x.json"]) == 0
    assert read_instance("x.json").server_latency_s[3, 1, 0] == 0.0045


def test_counts_at_all_sites():
    Path("c.json").write_text(json.dumps([[1] * 8] * 2))
    words = ["import", "popularity", "c.json", "--model", "mistralai/Mixtral-8x7B-v0.1"]
    places = ["--sites", "sites.csv", "--points", "points.csv"]
    assert main([*words, *places, "--output", "x.json"]) == 0
    instance = read_instance("x.json")
    assert (instance.servers, instance.users) == (4, 7)
    assert instance.models[0].name == "mixtral-8x7b"
    assert main([*words, *places[:2], "--output", "y.json"]) == 2
    assert main([*words, "--latencies", "l.csv", "--output", "y.json"]) == 2
