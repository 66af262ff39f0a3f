"""What a study keeps and shows of its cells beyond the rows."""

from itertools import pairwise

import pytest
from expertcache.events import EventSample, read_events
from expertcache.instances.recipe import stored
from expertcache.instances.suites import SUITES
from expertcache.problem.instance_file import write_instance
from expertcache.studies import details
from expertcache.studies.results import Key, Results
from expertcache.studies.study import Study
from expertcache.watch import Event

RECIPES = SUITES["tiny"].recipes[:2]


def event(number):
    return Event(float(number), 1.0, None, None)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 12, 25, 1000, 1023])
def test_a_sample_of_events(count):
    sample = EventSample(most=10)
    for number in range(count):
        sample(event(number))
    seconds = [e.seconds for e in sample.events]
    assert len(seconds) == count if count <= 10 else len(seconds) <= 11
    if count:
        assert (seconds[0], seconds[-1]) == (0, count - 1)
        steps = {b - a for a, b in pairwise(seconds[:-1])}
        assert len(steps) <= 1


def test_every_cell_keeps_its_events(tmp_path):
    Study(RECIPES, ("milp", "random"), (0, 1)).run(tmp_path)
    names = {path.stem for path in (tmp_path / "cells").iterdir()}
    assert {path.stem for path in (tmp_path / "events").iterdir()} == names
    last = read_events(tmp_path / "events" / "0-0-0.jsonl")[-1]
    result = Results(tmp_path).get(Key(0, 0, 0))
    assert last.latency_s == pytest.approx(result.latency_s)
    assert last.bound_latency_s == pytest.approx(result.bound_latency_s)


def test_a_folder_without_events_goes_on(tmp_path):
    study = Study(RECIPES, ("greedy",), reference="none")
    study.run(tmp_path)
    for path in (tmp_path / "events").iterdir():
        path.unlink()
    (tmp_path / "events").rmdir()
    study.run(tmp_path)
    assert "latency_s" in (tmp_path / "report.html").read_text()


def rows_of(found):
    return [(scene.instance.name, sorted(scene.placements)) for scene in found]


def test_room_for_some(tmp_path, monkeypatch):
    Study(RECIPES, ("greedy", "popularity"), reference="none").run(tmp_path)
    keys, results = [Key(i, m, None) for i in range(2) for m in range(2)], Results(tmp_path)
    both = [(RECIPES[0].name, [0, 1]), (RECIPES[1].name, [2, 3])]
    assert rows_of(details.scenes(RECIPES, keys, results)) == both
    sizes = results.get(keys[0]).sizes
    entries = sizes["requests"] * sizes["top_k"]
    steps = entries * (sizes["servers"] + 2 + details._MAKING_STEPS)
    monkeypatch.setattr(details, "_STEPS", steps)
    assert rows_of(details.scenes(RECIPES, keys, results)) == [(RECIPES[0].name, [0])]
    monkeypatch.setattr(details, "_BYTES", 10)
    assert rows_of(details.scenes(RECIPES, keys, results)) == []


def test_an_instance_that_has_changed_is_left_out(tmp_path):
    path = tmp_path / "x.json"
    write_instance(RECIPES[0].make(), path)
    recipes = (stored(path),)
    Study(recipes, ("greedy",), reference="none").run(tmp_path / "study")
    keys, results = [Key(0, 0, None)], Results(tmp_path / "study")
    assert len(rows_of(details.scenes(recipes, keys, results))) == 1
    write_instance(RECIPES[1].make(), path)
    assert rows_of(details.scenes(recipes, keys, results)) == []
