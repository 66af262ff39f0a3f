"""The map: every server's number can be read."""

import numpy as np
import pytest
from expertcache import Scenario, generate
from expertcache.problem.placement import Placement
from expertcache.reports.label_places import label_places
from expertcache.reports.map_figure import map_figure


def shared(place, label, middles, halves):
    """Area of a label that rectangles hide."""
    apart = np.abs(place - middles)
    return np.clip(label / 2 + halves - apart, 0, None).prod(axis=1).sum()


def test_a_free_side_is_taken():
    label = np.array([[10.0, 8.0]])
    around = np.array([(9, 0), (-9, 0), (0, 8)], dtype=float)
    for places, side in ((around[:1], (-1, 0)), (around[:2], (0, 1)), (around, (0, -1))):
        (offset,) = label_places(np.zeros((1, 2)), places, label, 6.0, 4.0)
        assert tuple(np.sign(offset)) == side
        assert shared(offset, label[0], places, np.full((len(places), 2), 2.0)) == 0
    (offset,) = label_places(np.zeros((1, 2)), np.zeros((0, 2)), label, 6.0, 4.0)
    assert tuple(np.sign(offset)) == (1, 0)


def test_labels_do_not_cover_their_points_nor_each_other():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points, others = rng.uniform(0, 400, (10, 2)), rng.uniform(0, 400, (40, 2))
        labels = np.full((10, 2), (10.0, 8.0))
        offsets = label_places(points, others, labels, 12.0, 5.0)
        middles = points + offsets
        for k in range(10):
            assert shared(middles[k], labels[k], points[k : k + 1], np.full((1, 2), 6.0)) == 0
            before = np.delete(middles, k, axis=0)
            assert shared(middles[k], labels[k], before, np.full((9, 2), (5.0, 4.0))) < 20


@pytest.mark.parametrize(("servers", "users"), [(3, 6), (20, 200)])
def test_every_server_has_its_number_above_all(servers, users):
    scenario = Scenario(models=("switch-base-8",), layers=1, servers=servers, users=users)
    figure = map_figure(generate(scenario, seed=1), Placement.empty())
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == [str(n) for n in range(servers)]
    top = max(points.get_zorder() for points in axes.collections)
    assert all(text.get_zorder() > top for text in axes.texts)


def test_without_a_placement_nothing_is_shaded(random_instance):
    instance = random_instance(1)
    where = np.array([[0.0, 0.0], [np.nan, np.nan]])
    figure = map_figure(instance.replace(server_position_m=where))
    assert len(figure.axes) == 1
    assert [text.get_text() for text in figure.axes[0].texts] == ["0"]
