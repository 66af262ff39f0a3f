"""The command `whatif`."""

import json

import pandas as pd
import pytest
from expertcache.command_line.parser import main
from expertcache.reports.changes_table import changes_table


def test_table_json_and_files(good_files, capsys):
    words = ["whatif", "good.json", "solution.json", "--memory", "10B,20B"]
    for _ in range(2):
        # A second time over its own files.
        assert main([*words, "--output", "w.csv", "--output", "w.svg", "--output", "w.png"]) == 0
        out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].startswith("latency now ")
    assert next(line for line in lines if "more on" in line).startswith("10 B more on")
    assert any(line.startswith("without") for line in lines)
    assert lines[-2].startswith("best place for 10 B, for certain: ")
    table = pd.read_csv("w.csv")
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["stopped_by"] == "finished"
    assert told["proven"]
    pd.testing.assert_frame_equal(pd.DataFrame(told["changes"]), table)
    assert (good_files / "w.svg").read_bytes().startswith(b"<?xml")


def test_a_picture_of_one_amount(good_files, capsys):
    words = ["whatif", "good.json", "solution.json", "--memory", "10B", "--output", "w.pdf"]
    assert main(words) == 0
    assert (good_files / "w.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--memory", "much"), "--memory: 'much' is no amount"),
        (("--memory", "0"), "memory: must be from 1"),
        (("--memory", ""), "--memory: names no amount"),
        (("--time-limit", "0"), "time limit"),
        (("--method", "magic"), "unknown method"),
        (("--method", "pipage"), "pipage"),
        (("--output", "w.txt"), "a figure's name ends in"),
        (("--output", "good.json"), "a figure's name ends in"),
        (("--output", "away/w.csv"), "there is no directory"),
        (("--output", "w.csv", "--output", "./w.csv"), "given twice"),
        (("--output", "other.csv"), "not overwritten"),
        (("--seed", "-1"), "seed"),
    ],
)
def test_refusals(words, says, good_files, refused):
    (good_files / "other.csv").write_text("a,b\n1,2\n")
    refused("whatif", "good.json", "solution.json", *words, says=says)


def test_what_is_printed_is_rounded_outwards():
    row = {
        "change": "lost", "server": "s", "memory_bytes": 1, "value_s": -0.0123456,
        "value_least_s": -0.0123456, "value_most_s": -0.0123451, "as_it_stands_s": -0.02,
        "proven": True,
    }  # fmt: skip
    line = changes_table(pd.DataFrame([row]), 0.1).splitlines()[-1]
    assert line.split() == ["s", "12.35", "12.34", "12.35", "12.35", "%", "yes", "20.00"]
    line = changes_table(pd.DataFrame([row | {"value_most_s": 0.0}]), 0.1).splitlines()[-1]
    assert line.split()[2] == "0.00"
