"""The options of each command: one function a command, called as the command's words are."""

from __future__ import annotations

import argparse
import math

#: Scenario fields that have an option of their own; all others are set by --set.
_MODELS = ("models", "experts", "top_k")
_COMMON = ("layers", "precision", "servers", "users", "capacity", "local", "radius_m")
_LAW = ("area_m", "skew", "coactivation", "user_concentration", "max_sets", "tokens")


def generate(parser: argparse.ArgumentParser) -> None:
    """Options of `generate`."""
    _add_scenario(parser, _MODELS + _COMMON + _LAW)
    _add_instance(parser)


def import_trace(parser: argparse.ArgumentParser) -> None:
    """Options of `import trace`."""
    add = parser.add_argument
    add("trace", metavar="TRACE.npz", help="array expert_ids [tokens, layers, K]")
    add("--sequences", metavar="FILE", help="JSON list: the category of each sequence")
    _add_matching_model(parser)
    add("--sets", type=int, metavar="COUNT", help="keep the most frequent sets of each layer only")
    _add_split(parser)
    _add_geography(parser, required=True)
    _add_scenario(parser, _COMMON)
    _add_instance(parser)


def import_popularity(parser: argparse.ArgumentParser) -> None:
    """Options of `import popularity`."""
    parser.add_argument(
        "counts",
        nargs="+",
        metavar="COUNTS.json",
        help="counts [layers][experts], one kind of user",
    )
    _add_matching_model(parser)
    _add_geography(parser, required=False)
    _add_scenario(parser, (*_COMMON, "max_sets"))
    _add_instance(parser)


def import_sites(parser: argparse.ArgumentParser) -> None:
    """Options of `import sites`."""
    _add_geography(parser, required=True)
    _add_scenario(parser, _MODELS + _COMMON + _LAW)
    _add_instance(parser)


def import_machine(parser: argparse.ArgumentParser) -> None:
    """Options of `import machine`."""
    # Imported late, as in `_add_scenario`.
    from ..instances.machine import Machine
    from .scenario_options import add_fields

    add = parser.add_argument
    add("trace", metavar="TRACE.npz", help="array expert_ids [tokens, layers, K]")
    _add_matching_model(parser)
    add("--sets", type=int, metavar="COUNT", help="keep the most frequent sets of each layer only")
    _add_split(parser)
    add_fields(parser, ("layers", "precision", "gpus", "nodes", "memory_gib"), Machine)
    _add_set(parser, "any field of a machine")
    _add_instance(parser)


def import_network(parser: argparse.ArgumentParser) -> None:
    """Options of `import network`."""
    parser.add_argument("network", metavar="NETWORK.toml", help="see docs/formats.md")
    _add_output(parser)


def import_routing(parser: argparse.ArgumentParser) -> None:
    """Options of `import routing`."""
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="of one format; see docs/routing.md")
    add("--format", help="where it cannot be told from the file")
    add("--layers", type=int, metavar="COUNT", help="of the model, for SGLang's responses")
    add("--top-k", type=int, metavar="K", help="experts a layer, for SGLang's responses")
    add("--model", metavar="NAME", help="where files tell several")
    add("--output", required=True, metavar="FILE", help="trace .npz; counts .json")


def import_solution(parser: argparse.ArgumentParser) -> None:
    """Options of `import solution`."""
    add = parser.add_argument
    add("instance", metavar="INSTANCE", help="whose exported model was solved")
    add("file", metavar="FILE.sol", help="of HiGHS, SCIP, Gurobi or CPLEX")
    add("--output", required=True, metavar="FILE")


def solve(parser: argparse.ArgumentParser) -> None:
    """Options of `solve`."""
    add = parser.add_argument
    add("instance", metavar="INSTANCE")
    add("--method", default="exact", help="see `expertcache methods` (exact); or MODULE:NAME")
    _add_limits(parser)
    add("--node-limit", type=int, metavar="COUNT", help="branch-and-bound nodes")
    add("--gap", type=float, default=0.0, help="relative gap to stop at (default: 0)")
    add("--seed", type=int, default=0)
    add("--start", metavar="SOLUTION", help="placement to begin with")
    add(
        "--max-fetch",
        metavar="AMOUNT",
        help="that a server may get new, not in --start: 50GiB, 5%%",
    )
    add("--bound", metavar="METHOD", help="and a bound: lp or decomposition")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="option of the method")
    add("--output", metavar="FILE", help="write the solution")
    add("--names", action="store_true", help="add meta.placement_names: names, not only numbers")
    _add_log(parser)
    _add_json(parser)


def evaluate(parser: argparse.ArgumentParser) -> None:
    """Options of `evaluate`."""
    parser.add_argument("instance", metavar="INSTANCE")
    parser.add_argument("solution", metavar="SOLUTION")
    _add_json(parser)


def bound(parser: argparse.ArgumentParser) -> None:
    """Options of `bound`."""
    parser.add_argument("instance", metavar="INSTANCE")
    parser.add_argument("--method", default="lp", help="lp (default) or decomposition")
    _add_limits(parser)
    _add_log(parser)
    _add_json(parser)


def whatif(parser: argparse.ArgumentParser) -> None:
    """Options of `whatif`."""
    add = parser.add_argument
    add("instance", metavar="INSTANCE")
    add("solution", metavar="SOLUTION", help="placement to begin with")
    add(
        "--memory",
        default="1GiB",
        metavar="AMOUNTS",
        help="to add to each server: 8GiB, or several: 1GiB,2GiB,4GiB (default: 1GiB)",
    )
    add("--method", default="exact", help="that solves each change (exact)")
    add(
        "--time-limit",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="for all together (default: 60)",
    )
    add("--threads", type=int, default=1, help="or processes (default: 1)")
    add("--seed", type=int, default=0)
    add(
        "--output",
        action="append",
        default=[],
        metavar="FILE",
        help=".csv for the table, .pdf, .svg or .png for a picture; repeatable",
    )
    _add_json(parser)


def study(parser: argparse.ArgumentParser) -> None:
    """Options of `study`."""
    add = parser.add_argument
    add(
        "instances",
        nargs="*",
        metavar="INSTANCE",
        help="suites, files, folders, quoted patterns; or one study.toml",
    )
    add("--methods", help="names or MODULE:NAME, separated by commas")
    add("--seed", type=int, action="append", metavar="SEED", help="repeatable")
    add("--time-limit", type=float, metavar="SECONDS", help="of a cell (60)")
    add("--memory-limit", type=int, metavar="MIB", help="of a cell")
    add("--reference", help="of the ratios: milp (default), exact, decomposition, lp, none")
    _add_set(parser, "a scenario")
    add("--sweep", action="append", default=[], metavar="FIELD=V1,V2", help="values of a field")
    add("--instance-seed", type=int, action="append", metavar="SEED")
    add("--jobs", type=int, default=1, help="processes (default: 1)")
    add("--scheduler", metavar="ADDRESS", help="run on a Dask cluster")
    add("--retry-failed", action="store_true", help="run failed cells again")
    add("--output", required=True, metavar="DIR")


def table(parser: argparse.ArgumentParser) -> None:
    """Options of `table`."""
    add = parser.add_argument
    add("study", metavar="STUDY", help="a study's folder")
    _add_choice_of_methods(parser)
    add("--compare", metavar="METHOD", help="paired differences to it instead of the gap table")
    formats = ["text", "latex", "markdown", "csv"]
    add("--format", choices=formats, default="text", help="(default: text)")
    add("--latex", dest="format", action="store_const", const="latex", help="--format latex")


def figure(parser: argparse.ArgumentParser) -> None:
    """Options of `figure`."""
    add = parser.add_argument
    add("study", metavar="STUDY", help="a study's folder")
    kinds = ["ratio", "sweep", "profile", "time-profile"]
    add("--kind", choices=kinds, default="ratio", help="(default: ratio)")
    _add_choice_of_methods(parser)
    add("--width", metavar="LENGTH", help="3.4in, 8.6cm, 246pt")
    formats = ["pdf", "svg", "png"]
    add("--format", choices=formats, help="(default: by the end of the output's name)")
    add("--output", required=True, metavar="FILE")


def replay(parser: argparse.ArgumentParser) -> None:
    """Options of `replay`."""
    add = parser.add_argument
    add("instance", metavar="INSTANCE", help="made by import trace")
    add("solutions", nargs="*", metavar="SOLUTION")
    add("--policies", metavar="P1,P2", help="caches that react: lru, lfu, gds, belady, window, ...")
    add("--static-share", type=float, metavar="SHARE", help="for METHOD+POLICY (0.5)")
    add("--window", type=int, metavar="TOKENS", help="of lfu and window (1000)")
    add("--seed", type=int, help="order in which users' tokens come, for policies (0)")
    add("--trace", required=True, metavar="TRACE.npz")
    add("--sequences", metavar="FILE")
    add("--part", choices=["train", "test", "all"], default="test", help="(default: test)")
    add("--users", metavar="FILE.csv", help="write a row for each user")
    _add_json(parser)


def record(parser: argparse.ArgumentParser) -> None:
    """Options of `record`."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="folder, or name on the Hugging Face hub")
    add(
        "--prompts", required=True, metavar="FILE", help="lines of text, or of JSON with categories"
    )
    add("--tokens", type=int, default=0, metavar="COUNT", help="to generate for each prompt (0)")
    add("--output", required=True, metavar="TRACE.npz")
    add("--sequences", metavar="FILE", help="write the categories of the prompts")


def describe(parser: argparse.ArgumentParser) -> None:
    """Options of `describe`."""
    parser.add_argument("trace", metavar="TRACE.npz", help="array expert_ids [tokens, layers, K]")
    parser.add_argument("--sequences", metavar="FILE", help="JSON list: category of each sequence")
    parser.add_argument("--output", metavar="FILE.html", help="write a page with a picture")
    _add_json(parser)


def draw(parser: argparse.ArgumentParser) -> None:
    """Options of `draw`."""
    parser.add_argument("instance", metavar="INSTANCE")
    parser.add_argument("solution", metavar="SOLUTION")
    parser.add_argument("--log", metavar="FILE", help="of the run: its progress is drawn, too")
    parser.add_argument(
        "--format",
        choices=["svg", "png", "pdf"],
        action="append",
        help="repeatable (default: svg and png)",
    )
    parser.add_argument("--output", required=True, metavar="DIR")


def suite_build(parser: argparse.ArgumentParser) -> None:
    """Options of `suite build`."""
    parser.add_argument("name", metavar="NAME", help="of a suite, or a FILE.toml of one's own")
    parser.add_argument("--output", required=True, metavar="DIR")


def suite_check(parser: argparse.ArgumentParser) -> None:
    """Options of `suite check`."""
    parser.add_argument("path", metavar="PATH", help="a solution, or the folder of a set")
    _add_json(parser)


def export_model(parser: argparse.ArgumentParser) -> None:
    """Options of `export model`."""
    add = parser.add_argument
    add("instance", metavar="INSTANCE")
    add("--format", choices=["lp", "mps"], required=True)
    add("--formulation", choices=["coverage", "threshold", "assignment"], default="coverage")
    add("--output", required=True, metavar="FILE")


def export_placement(parser: argparse.ArgumentParser) -> None:
    """Options of `export placement`."""
    add = parser.add_argument
    add("instance", metavar="INSTANCE")
    add("solution", metavar="SOLUTION")
    add("--to", required=True, metavar="ENGINE", help="see docs/routing.md")
    add("--model", metavar="NAME", help="where the instance has several")
    add("--dense-layers", type=int, metavar="COUNT", help="before the first MoE layer")
    add("--layer-step", type=int, metavar="COUNT", help="from one MoE layer to the next")
    add("--output", required=True, metavar="FILE")


def _add_scenario(parser: argparse.ArgumentParser, fields: tuple[str, ...]) -> None:
    # Imported late: the help of other commands does not need it.
    from .scenario_options import add_fields

    add_fields(parser, fields)
    _add_set(parser, "any scenario field")


def _add_set(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--set", action="append", default=[], dest="set_fields", metavar="FIELD=VALUE", help=text
    )


def _add_matching_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", help="name, or path of a config.json; by default the one of the table that fits"
    )


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--test-share", type=float, metavar="SHARE", help="of the sequences, kept for a test"
    )
    parser.add_argument("--part", choices=["train", "test"], default="train", help="of the split")


def _add_geography(parser: argparse.ArgumentParser, *, required: bool) -> None:
    add = parser.add_argument
    add("--sites", required=required, metavar="SITES.csv", help="servers, all or --servers of them")
    add("--points", required=required, metavar="POINTS.csv", help="users, all or --users of them")
    add("--latencies", metavar="FILE.csv", help="measured: user, server, latency_ms or rtt_ms")


def _add_instance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="of the instance")
    parser.add_argument("--seed", type=int, default=0)
    _add_output(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="instance file, .json or .json.gz, - to print",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--time-limit", type=float, default=math.inf, metavar="SECONDS")
    parser.add_argument("--threads", type=int, default=1, help="or processes (default: 1)")


def _add_choice_of_methods(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--methods", metavar="NAMES", help="these, separated by commas, in order")


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log", metavar="FILE", help="write every better placement and bound, as JSON lines"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON, nothing else"
    )
