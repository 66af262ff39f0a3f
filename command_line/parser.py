"""The command line: arguments in, exit status out; which commands there are."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn

from ..linear.quiet import reserve_stdout
from ..problem.errors import InputError
from ..problem.names import printable
from . import options

#: Exit statuses.
DONE, BAD_INPUT, NO_SOLUTION = 0, 2, 3

#: Commands that are groups of commands: summary, title and name of the choice.
_GROUPS = {
    "import": ("instances from recorded data, solutions of others", "kinds of data", "KIND"),
    "suite": ("benchmark instance sets", "actions", "ACTION"),
    "export": ("files for other solvers, and for serving engines", "what", "WHAT"),
}

#: Word of a group that may be left out.
_DEFAULTS = {"export": "model"}

#: Each command's words, module, options and summary; its function is called as the words are.
COMMANDS = (
    ("generate", "instances", options.generate, "make an instance from a scenario and a seed"),
    ("import trace", "instances", options.import_trace, "recorded experts of every token"),
    ("import machine", "instances", options.import_machine, "the same on the GPUs of a machine"),
    ("import routing", "routing", options.import_routing, "files of serving engines to a trace"),
    ("import popularity", "instances", options.import_popularity, "recorded use of every expert"),
    ("import sites", "instances", options.import_sites, "recorded positions, generated requests"),
    ("import network", "instances", options.import_network, "a network: models, sites, logs"),
    ("import solution", "solving", options.import_solution, "a .sol file of another solver"),
    ("solve", "solving", options.solve, "solve an instance"),
    ("methods", "solving", None, "list the methods"),
    ("evaluate", "solving", options.evaluate, "value and feasibility of a solution"),
    ("bound", "solving", options.bound, "lower bound on the latency of every placement"),
    ("whatif", "whatif", options.whatif, "what more memory is worth, what losing a server costs"),
    ("study", "studies", options.study, "instances x methods x seeds: table, figures, page"),
    ("table", "results", options.table, "a study's table for a paper, differences of methods"),
    ("figure", "results", options.figure, "a study's figure for a paper"),
    ("replay", "studies", options.replay, "recorded tokens under placements and reactive caches"),
    ("record", "routing", options.record, "run a model on prompts and record its experts"),
    ("describe", "routing", options.describe, "what recorded routing is like: would caching pay"),
    ("draw", "studies", options.draw, "pictures of a placement: a map, and what servers hold"),
    ("suite list", "suites", None, "list the sets"),
    ("suite build", "suites", options.suite_build, "write the instances of a set"),
    (
        "suite check",
        "suites",
        options.suite_check,
        "a solution beside the record, a set by its sums",
    ),
    ("export model", "exporting", options.export_model, "write the exact model for other solvers"),
    ("export placement", "exporting", options.export_placement, "a placement for serving engines"),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which gets its options when its command is used."""

    add_options: Callable[[argparse.ArgumentParser], None] | None = None
    commands: Collection[str] = ()
    default_command: str | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None, **more: Any) -> Any:
        """Parse, with the options, and with the command that may be left out."""
        if self.add_options is not None:
            self.add_options(self)
        if self.default_command and args and args[0] not in (*self.commands, "-h", "--help"):
            args = [self.default_command, *args]
        return super().parse_known_args(args, namespace, **more)

    def error(self, message: str) -> NoReturn:
        """End with one line."""
        self.exit(BAD_INPUT, _error_line(message) + "\n")


class _Version(argparse.Action):
    """Print the version; reading it takes an import that nothing else here needs."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from ..version import __version__

        print(f"expertcache {__version__}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    if arguments is None:
        if sys.stdout is None:
            print(_error_line("standard output is closed"), file=sys.stderr)
            return BAD_INPUT
        reserve_stdout()
        # A solver does not return to Python for a long time: let Ctrl-C end the process at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Methods of one's own are sought here, too; last, for a file here may be called as a library.
    if "" not in sys.path:
        sys.path.append("")
    try:
        try:
            return _run(arguments)
        finally:
            # What the parser prints, it does not flush.
            sys.stdout.flush()
    except InputError as error:
        message = str(error)
    except UnicodeEncodeError as error:
        message = f"{error.object!r}: not valid text"
    except MemoryError:
        message = "out of memory"
    except OSError as error:
        if not _stdout_is_broken():
            raise
        if isinstance(error, BrokenPipeError):
            # The reader has seen enough.
            return DONE
        message = f"standard output: {error.strerror or error}"
    print(_error_line(message), file=sys.stderr)
    return BAD_INPUT


def _run(arguments: Sequence[str] | None) -> int:
    parsed = vars(command_parser().parse_args(arguments))
    module, words = parsed.pop("command")
    return function_of(module, words)(**parsed)


def _error_line(message: str) -> str:
    return "error: " + printable(" ".join(message.split()))


def _stdout_is_broken() -> bool:
    """Whether standard output takes nothing any more; Python would complain about it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def function_of(module: str, words: str) -> Callable[..., int]:
    """The function that does a command's work; its parameters are the command's options."""
    found = importlib.import_module(f".{module}", __package__)
    function: Callable[..., int] = getattr(found, words.replace(" ", "_"))
    return function


def command_parser() -> Parser:
    """Parser of all commands."""
    parser = Parser(
        prog="expertcache",
        description="Decide which experts of Mixture-of-Experts models to cache on edge servers.",
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version and exit",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    parents = {"": commands}
    for words, module, add_options, summary in COMMANDS:
        group, _, name = words.rpartition(" ")
        if group not in parents:
            group_summary, title, metavar = _GROUPS[group]
            made = commands.add_parser(group, help=group_summary)
            parents[group] = made.add_subparsers(title=title, metavar=metavar, required=True)
            made.commands, made.default_command = parents[group].choices, _DEFAULTS.get(group)
        command = parents[group].add_parser(name, help=summary, description=summary)
        command.set_defaults(command=(module, words))
        command.add_options = add_options
    return parser
