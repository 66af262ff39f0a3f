import numpy as np
import pandas as pd
import pytest
from expertcache.command_line.parser import main
from expertcache.instances.suites import SUITES
from expertcache.problem.errors import InputError
from expertcache.problem.file_kind import HEAD_BYTES
from expertcache.problem.instance_file import write_instance
from expertcache.problem.placement import Placement
from expertcache.problem.solution import write_solution
from expertcache.reports.drawing import (
    KINDS,
    PICTURE_FILE,
    drawn,
    kind_of,
    line_style,
    write_figure,
)
from expertcache.reports.placement_figure import placement_figure
from expertcache.reports.sweep_figure import sweep_figure
from expertcache.solver import solve


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_map_and_grid(tmp_path):
    instance = SUITES["tiny"].recipes[-1].make()
    placement = solve(instance, "random").placement
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        placement_figure(instance, placement, tmp_path / name, "x")
    assert files(tmp_path / "a") == ["x-grid.png", "x-grid.svg", "x-map.png", "x-map.svg"]
    for name in files(tmp_path / "a"):
        one, two = ((tmp_path / d / name).read_bytes() for d in ("a", "b"))
        assert one == two


def test_without_positions_there_is_no_map(tmp_path, two_servers, random_instance):
    placement_figure(two_servers, Placement.empty(), tmp_path, "x")
    assert files(tmp_path) == ["x-grid.png", "x-grid.svg"]
    for changes in ({"servers": 0}, {"rows": 0}, {"models": 2}):
        instance = random_instance(1, **changes)
        placement_figure(instance, Placement.empty(), tmp_path, "x")


def test_draw_on_the_command_line(tmp_path, two_servers, capsys):
    write_instance(two_servers, tmp_path / "x.json")
    write_solution(solve(two_servers, "random"), tmp_path / "s.json")
    words = ["draw", str(tmp_path / "x.json"), str(tmp_path / "s.json"), "--output"]
    assert main([*words, str(tmp_path / "d")]) == 0
    assert files(tmp_path / "d") == ["placement-grid.png", "placement-grid.svg"]
    assert main([*words, str(tmp_path / "p"), "--format", "pdf"]) == 0
    assert files(tmp_path / "p") == ["placement-grid.pdf"]
    assert main([*words, str(tmp_path / "x.json")]) == 2
    assert "error:" in capsys.readouterr().err


def rows(values):
    table = [
        {
            "scenario": scenario,
            "method": method,
            "sweep_field": value,
            "latency_s": 1.0,
            "ratio": 0.9,
        }
        for scenario in ("a", "b")
        for method in ("milp", "greedy")
        for value in values
    ]
    return pd.DataFrame(table)


@pytest.mark.parametrize("width", [None, 3.4])
@pytest.mark.parametrize("values", [[0.1, 0.2], [1, 2, 3], ["few", "many"], [0.5]], ids=str)
def test_sweeps(values, width):
    figure = sweep_figure(rows(values), width)
    assert figure.get_size_inches()[0] == (width or 6.0)
    assert len(figure.axes) == 4


def test_no_sweep_no_figure():
    assert sweep_figure(rows([1]).drop(columns="sweep_field")) is None
    assert sweep_figure(rows([1]).assign(sweep_other=1)) is None
    # A row without a result, and a sweep where nothing can be saved.
    table = rows([1, 2])
    table.loc[0, "latency_s"] = np.nan
    table["ratio"] = np.nan
    assert sweep_figure(table) is not None


def test_lines_are_told_apart_without_colour():
    looks = [line_style(number) for number in range(32)]
    assert len({(each["marker"], each["linestyle"]) for each in looks}) == 32


@pytest.mark.parametrize("kind", KINDS)
def test_equal_figures_are_equal_files(kind, tmp_path):
    table = rows([1, 2])
    one, two = (drawn(sweep_figure(table), kind) for _ in range(2))
    assert one == two
    assert PICTURE_FILE.refusal(one[:HEAD_BYTES]) is None
    path = tmp_path / f"figure.{kind.upper()}"
    write_figure(sweep_figure(table), path)
    assert path.read_bytes() == one
    # Another program's file of the same kind stays.
    path.write_bytes(
        {"pdf": b"%PDF-1.5\n%\xd0\xd4\xc5\xd8\n", "png": b"\x89PNG", "svg": b"<svg"}[kind]
    )
    with pytest.raises(InputError, match="not overwritten"):
        write_figure(sweep_figure(table), path)
    # Asked for, the kind need not be in the name.
    write_figure(sweep_figure(table), tmp_path / "figure", kind)
    assert (tmp_path / "figure").read_bytes() == one


def test_fonts_of_a_pdf_are_embedded_outlines():
    content = drawn(sweep_figure(rows([1, 2])), "pdf")
    assert b"/FontFile2" in content
    assert b"/Type3" not in content


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.pdf.gz", "pdf"])
def test_other_kinds_are_refused(name):
    with pytest.raises(InputError, match=r"\.svg, \.png, \.pdf"):
        kind_of(name)
