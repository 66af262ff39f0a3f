"""What notebooks show: one self-contained piece of HTML."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from expertcache import Placement, Scenario, generate, solve


def read(html):
    """Rows of the table, and whether there is a picture; the whole must be well-formed."""
    root = ElementTree.fromstring(html)
    rows = {line[0].text: line[1].text for line in root.iter("tr")}
    return rows, root.find(".//{http://www.w3.org/2000/svg}svg") is not None


def test_an_instance_with_its_map():
    instance = generate(Scenario(layers=2, servers=3, users=5), seed=1, name="<b>&")
    html = instance._repr_html_()
    rows, picture = read(html)
    assert picture
    assert rows["instance"] == "<b>&"
    assert rows["models"].startswith("mixtral-8x7b (2 layers of 8 experts, top-2)")
    assert not re.findall(r'(?:src|href)="(?!#)', html)
    assert len(html) < 100_000
    assert instance._repr_html_() == html


def test_without_positions_there_is_no_map(two_servers):
    assert not read(two_servers._repr_html_())[1]


def test_many_users_are_no_large_picture():
    instance = generate(Scenario(layers=1, servers=3, users=3000, max_sets=2), seed=1)
    assert len(instance._repr_html_()) < 500_000


def test_a_solution_and_its_placement(two_servers):
    solution = solve(two_servers)
    rows, picture = read(solution._repr_html_())
    assert picture
    assert rows["status"] == "optimal (stopped by: proof)"
    rows, picture = read(solution.placement._repr_html_())
    assert (rows, picture) == ({"server 0": "1 experts", "server 1": "1 experts"}, True)
    assert read(Placement.empty()._repr_html_()) == ({"placement": "nothing is cached"}, False)


@pytest.mark.parametrize("models", [1, 2])
def test_every_shape(models, random_instance):
    for seed in range(3):
        instance = random_instance(seed, models=models, servers=3)
        assert read(solve(instance, "greedy")._repr_html_())


def test_a_huge_placement_is_a_table_alone():
    rows = np.array([[0, 0, 999, 999], [1, 0, 0, 0]])
    assert not read(Placement(rows)._repr_html_())[1]


def test_matplotlib_comes_late():
    code = (
        "import sys, expertcache as ec; i = ec.load_instance('tiny-k2'); "
        "ec.solve(i, 'greedy'); "
        "assert 'matplotlib' not in sys.modules; i._repr_html_(); "
        "assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
