"""The command line: arguments in, exit status out; the work is in `commands`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from ..linear.quiet import reserve_stdout

#: Exit statuses.
DONE, BAD_INPUT, NO_SOLUTION = 0, 2, 3


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, "error: " + " ".join(message.split()) + "\n")


class _Version(argparse.Action):
    """Print the version; reading it takes an import that nothing else here needs."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"expertcache {version('expertcache')}")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    if arguments is None:
        reserve_stdout()
        # A solver does not return to Python for a long time: let Ctrl-C end the process at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    parsed = vars(_parser().parse_args(arguments))
    command = parsed.pop("command")
    # Imported late: --help and bad usage answer without NumPy.
    from ..problem.errors import InputError
    from . import commands

    run: Callable[..., int] = getattr(commands, command)
    try:
        return run(**parsed)
    except InputError as error:
        message = str(error)
    except UnicodeEncodeError as error:
        message = f"{error.object!r}: not valid text"
    except MemoryError:
        message = "out of memory"
    except BrokenPipeError:
        # The reader of our output has gone; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
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
    groups = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        parent: argparse._SubParsersAction[_Parser], name: str, function: str, summary: str
    ) -> argparse.ArgumentParser:
        made = parent.add_parser(name, help=summary, description=summary)
        made.set_defaults(command=function)
        return made

    generate = command(
        groups, "generate", "generate", "make an instance from a scenario and a seed"
    )
    _add_models(generate, default=["mixtral-8x7b"])
    _add_scenario(generate)
    _add_law(generate)

    imports = groups.add_parser("import", help="make an instance from recorded data")
    kinds = imports.add_subparsers(title="kinds of data", metavar="KIND", required=True)
    trace = command(kinds, "trace", "import_trace", "recorded experts of every token")
    trace.add_argument("trace", metavar="TRACE.npz", help="array expert_ids [tokens, layers, K]")
    trace.add_argument(
        "--sequences", metavar="FILE", help="JSON list: the category of each sequence"
    )
    trace.add_argument("--model", help="name in the model table; by default the one that fits")
    trace.add_argument(
        "--sets", type=int, metavar="COUNT", help="keep the most frequent sets of each layer only"
    )
    trace.add_argument(
        "--test-share", type=float, metavar="SHARE", help="of the sequences, kept for a replay"
    )
    trace.add_argument(
        "--part", choices=["train", "test"], default="train", help="with --test-share"
    )
    _add_geography(trace, required=True)
    _add_scenario(trace)

    popularity = command(kinds, "popularity", "import_popularity", "recorded use of every expert")
    popularity.add_argument(
        "counts",
        nargs="+",
        metavar="COUNTS.json",
        help="counts [layers][experts], one kind of user",
    )
    popularity.add_argument("--model", help="name in the model table; by default the one that fits")
    popularity.add_argument(
        "--sets", type=int, metavar="COUNT", help="draw so many sets of a layer if there are more"
    )
    _add_geography(popularity, required=False)
    _add_scenario(popularity)

    sites = command(kinds, "sites", "import_sites", "recorded positions, generated requests")
    _add_models(sites, default=["mixtral-8x7b"])
    _add_geography(sites, required=True)
    _add_scenario(sites)
    _add_law(sites)

    solve = command(groups, "solve", "solve", "solve an instance")
    solve.add_argument("instance", metavar="INSTANCE")
    solve.add_argument("--method", default="exact", help="see `expertcache methods` (exact)")
    _add_limits(solve)
    solve.add_argument("--node-limit", type=int, metavar="COUNT", help="branch-and-bound nodes")
    solve.add_argument(
        "--gap", type=float, default=0.0, help="relative gap to stop at (default: 0)"
    )
    solve.add_argument("--seed", type=int, default=0)
    solve.add_argument("--start", metavar="SOLUTION", help="placement to begin with")
    solve.add_argument("--bound", metavar="METHOD", help="and a bound: lp or decomposition")
    solve.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="option of the method"
    )
    solve.add_argument("--output", metavar="FILE", help="write the solution")
    _add_log(solve)
    _add_json(solve)

    command(groups, "methods", "methods", "list the methods")

    evaluate = command(groups, "evaluate", "evaluate", "value and feasibility of a solution")
    evaluate.add_argument("instance", metavar="INSTANCE")
    evaluate.add_argument("solution", metavar="SOLUTION")
    _add_json(evaluate)

    bound = command(groups, "bound", "bound", "lower bound on the latency of every placement")
    bound.add_argument("instance", metavar="INSTANCE")
    bound.add_argument("--method", default="lp", help="lp (default) or decomposition")
    _add_limits(bound)
    _add_log(bound)
    _add_json(bound)

    study = command(groups, "study", "study", "instances x methods x seeds: table, figures, page")
    study.add_argument(
        "instances", nargs="*", metavar="INSTANCE", help="suites, instance files, or one study.toml"
    )
    study.add_argument("--methods", help="names, separated by commas")
    study.add_argument("--seed", type=int, action="append", metavar="SEED", help="repeatable")
    study.add_argument("--time-limit", type=float, metavar="SECONDS", help="of a cell (60)")
    study.add_argument("--memory-limit", type=int, metavar="MIB", help="of a cell")
    study.add_argument(
        "--reference", help="of the ratios: milp (default), exact, decomposition, lp, none"
    )
    study.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a scenario",
    )
    study.add_argument(
        "--sweep", action="append", default=[], metavar="FIELD=V1,V2", help="values of a field"
    )
    study.add_argument("--instance-seed", type=int, action="append", metavar="SEED")
    study.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    study.add_argument("--scheduler", metavar="ADDRESS", help="run on a Dask cluster")
    study.add_argument("--output", required=True, metavar="DIR")

    replay = command(groups, "replay", "replay", "recorded tokens under placements")
    replay.add_argument("instance", metavar="INSTANCE", help="made by import trace")
    replay.add_argument("solutions", nargs="+", metavar="SOLUTION")
    replay.add_argument("--trace", required=True, metavar="TRACE.npz")
    replay.add_argument("--sequences", metavar="FILE")
    replay.add_argument(
        "--part", choices=["train", "test", "all"], default="test", help="(default: test)"
    )
    replay.add_argument("--users", metavar="FILE.csv", help="write a row for each user")
    _add_json(replay)

    draw = command(groups, "draw", "draw", "pictures of a placement: a map, and what servers hold")
    draw.add_argument("instance", metavar="INSTANCE")
    draw.add_argument("solution", metavar="SOLUTION")
    draw.add_argument("--output", required=True, metavar="DIR")

    suite = groups.add_parser("suite", help="benchmark instance sets")
    actions = suite.add_subparsers(title="actions", metavar="ACTION", required=True)
    command(actions, "list", "suite_list", "list the sets")
    build = command(actions, "build", "suite_build", "write the instances of a set")
    build.add_argument("name")
    build.add_argument("--output", required=True, metavar="DIR")

    check = command(actions, "check", "suite_check", "a solution beside the best known one")
    check.add_argument("solution", metavar="SOLUTION")
    _add_json(check)

    export = command(groups, "export", "export", "write the exact model for other solvers")
    export.add_argument("instance", metavar="INSTANCE")
    export.add_argument("--format", choices=["lp", "mps"], required=True)
    export.add_argument(
        "--formulation", choices=["coverage", "threshold", "assignment"], default="coverage"
    )
    export.add_argument("--output", required=True, metavar="FILE")
    return parser


def _add_models(parser: argparse.ArgumentParser, default: list[str]) -> None:
    parser.add_argument(
        "--model", action="append", help=f"name in the model table, repeatable ({default[0]})"
    )
    parser.add_argument("--experts", type=int, help="instead of the model's own")
    parser.add_argument("--top-k", type=int, help="instead of the model's own")


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    """Fields of the scenario that every kind of instance has."""
    add = parser.add_argument
    add("--layers", type=int, help="only so many layers")
    add("--precision", help="of the weights: bf16, fp8, mxfp4, int4, fp32")
    add("--servers", type=int)
    add("--users", type=int)
    add("--capacity", type=float, metavar="SHARE", help="of all experts' bytes, on each server")
    add("--local", type=int, metavar="COUNT", help="experts of each layer that a device keeps")
    add("--radius", type=float, metavar="METRES", help="range of the radio link")
    add("--set", action="append", default=[], metavar="FIELD=VALUE", help="any scenario field")
    add("--name", help="of the instance")
    add("--seed", type=int, default=0)
    add("--output", required=True, metavar="FILE", help="instance file, .json or .json.gz")


def _add_law(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--area", type=float, metavar="METRES", help="side of the square")
    add("--skew", type=float, help="Zipf exponent of the popularity")
    add("--coactivation", type=float, help="0: none; 3: strong")
    add("--user-concentration", type=float, help="small: users differ; inf: they do not")
    add("--sets", type=int, metavar="COUNT", help="expert sets of a layer at most")
    add("--tokens", type=int, metavar="COUNT", help="draw so many tokens per user: sparse sets")


def _add_geography(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--sites", required=required, metavar="SITES.csv")
    parser.add_argument("--points", required=required, metavar="POINTS.csv")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--time-limit", type=float, metavar="SECONDS")
    parser.add_argument("--threads", type=int, default=1, help="or processes (default: 1)")


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log", metavar="FILE", help="write every better placement and bound, as JSON lines"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON, nothing else"
    )
