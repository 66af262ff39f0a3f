"""The parser, the functions that do the work and the scenario agree about every option."""

import dataclasses
import inspect

import pytest
from expertcache.command_line import scenario_options
from expertcache.command_line.parser import COMMANDS, Parser, function_of, main
from expertcache.instances.machine import Machine
from expertcache.instances.scenario import Scenario

FIELDS = {field.name: field.default for field in dataclasses.fields(Scenario)}
MACHINE = {field.name: field.default for field in dataclasses.fields(Machine)}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_command_takes_what_the_parser_hands_it(command):
    words, module, add_options, _ = command
    parser = Parser(add_help=False)
    if add_options is not None:
        add_options(parser)
    parsed = {action.dest for action in parser._actions}
    parameters = inspect.signature(function_of(module, words)).parameters
    named = {name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    assert named <= parsed
    fields = MACHINE if words == "import machine" else FIELDS
    assert parsed - named <= (set(fields) if len(named) < len(parameters) else set())


@pytest.mark.parametrize(("kind", "fields"), [(Scenario, FIELDS), (Machine, MACHINE)])
def test_every_field_is_described(kind, fields):
    lines = scenario_options._help_lines(kind)
    assert set(lines) == set(fields)
    assert all(lines.values())


def test_options_are_those_that_the_scenario_declares():
    parser = Parser(add_help=False)
    scenario_options.add_fields(parser, tuple(FIELDS))
    actions = {action.dest: action for action in parser._actions}
    assert set(actions) == set(FIELDS)
    assert actions["area_m"].option_strings == ["--area"]
    assert actions["area_m"].help.endswith("in metres (default: 1000)")
    assert (actions["area_m"].type, actions["tokens"].type) == (float, int)
    parsed = parser.parse_args(["--sets", "7", "--model", "dbrx", "--model", "grok-1"])
    given = {name: value for name, value in vars(parsed).items() if value is not None}
    assert given == {"max_sets": 7, "models": ["dbrx", "grok-1"]}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_has_a_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command[0].split(), "--help"])
    assert end.value.code == 0
    assert command[3] in " ".join(capsys.readouterr().out.split())
