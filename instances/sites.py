"""Instances at recorded sites, with generated requests."""

from __future__ import annotations

from ..problem.instance import Instance
from .generate import check_size, generate_at, scenario_fields
from .geography import Geography, at_geography
from .scenario import Scenario


def import_sites(
    scenario: Scenario, geography: Geography, *, seed: int, name: str | None = None
) -> Instance:
    """Generate an instance whose servers and users stand at recorded positions.

    The requests are generated as in `generate`.

    Parameters
    ----------
    scenario : Scenario
        The geography tells how many servers and users there are.
    geography : Geography
        See `read_geography`.
    seed : int
    name : str, optional
    """
    scenario = at_geography(scenario, geography)
    check_size(scenario)
    return generate_at(
        scenario,
        geography,
        seed,
        name=name,
        meta={
            "generator": "sites",
            "seed": seed,
            "scenario": scenario_fields(scenario),
            "geography": geography.meta,
        },
    )
