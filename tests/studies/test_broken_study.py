"""Studies that cannot be run, or not gone on with, give status 2 and one line."""

from pathlib import Path

import pytest
from expertcache.command_line.parser import main

STUDY = ("study", "--output", "study", "good.json")
REFUSED = [
    ((*STUDY, "magic", "--methods", "greedy"), "magic"),
    ((*STUDY, "good.json", "--methods", "greedy"), "toy"),
    ((*STUDY,), "--methods"),
    ((*STUDY, "--methods", ""), "method"),
    ((*STUDY, "--methods", "magic"), "magic"),
    ((*STUDY, "--methods", "greedy,greedy"), "greedy"),
    ((*STUDY, "--methods", "greedy", "--sweep", "capacity=0.1,0.4"), "do not change good.json"),
    ((*STUDY, "tiny", "--methods", "greedy", "--set", "layers=1"), "--set"),
    ((*STUDY, "--methods", "greedy", "--seed", "-1"), "seed"),
    ((*STUDY, "--methods", "greedy", "--seed", "1", "--seed", "1"), "seed"),
    ((*STUDY, "--methods", "greedy", "--time-limit", "0"), "time limit"),
    ((*STUDY, "--methods", "greedy", "--time-limit", "nan"), "time limit"),
    (("study", "good.json", "--methods", "greedy", "--output", "good.json"), "good.json"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: " ".join(case[0]))
def test_broken_study(case, refused):
    arguments, says = case
    refused(*arguments, says=says)


# What a study that goes on finds in its folder.
STUDY_FILES = [
    ("study.json", b"hello", "study.json"),
    ("study.json", b"[]", "study.json"),
    ("study.json", b'{"study": "\xff"}', "study.json"),
    ("study.json", b'{"study":' + b"[" * 100_000, "study.json"),
    ("study.json", None, "study.json"),
    ("cells/0-0.json", b"", "0-0.json"),
    ("cells/0-0.json", b"\xff\n", "0-0.json"),
    ("cells/0-1-0.json", b"{}", "0-1-0.json"),
    ("cells/0-1-0.json", b'{"time_limit_s": "much"}', "0-1-0.json: time_limit_s"),
]


@pytest.mark.parametrize(("name", "data", "says"), STUDY_FILES)
def test_broken_study_folder(name, data, says, refused, capsys):
    study = (*STUDY, "--methods", "cloud-only", "--reference", "decomposition")
    assert main(study) == 0
    capsys.readouterr()
    path = Path("study", name)
    if data is None:
        # A limit that is no number.
        data = path.read_bytes().replace(b'"time_limit_s": 60', b'"time_limit_s": "x"')
    path.write_bytes(data)
    refused(*study, says=says)
