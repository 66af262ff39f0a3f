"""Instances from a scenario and a seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from ..problem.arrays import sums
from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, Instance, IntArray, Requests
from ..problem.quantities import bytes_of
from ..problem.sizes import check_sizes
from .geography import Geography, drawn_geography
from .latencies import read_latencies, with_measured
from .links import Links, Weights, expert_times, link_latencies, rounded
from .model_table import ModelCard
from .places import Server
from .scenario import Scenario
from .set_law import SetLaw, generated_law
from .streams import random_stream

#: Request rows of a generated instance, or latencies: rows of 8 experts take a gigabyte.
MAX_ROWS = 20_000_000


def generate(
    scenario: Scenario,
    seed: int,
    *,
    name: str | None = None,
    server_position_m: FloatArray | None = None,
    user_position_m: FloatArray | None = None,
) -> Instance:
    """Generate an instance; the same scenario and seed give the same instance.

    Parameters
    ----------
    scenario : Scenario
    seed : int
    name : str, optional
        By default made from the scenario and the seed.
    server_position_m, user_position_m : float array [N, 2] and [U, 2], optional
        Positions in metres instead of drawn ones; their lengths must fit the scenario.

    Returns
    -------
    Instance
        Its ``meta`` carries the scenario and the seed. The rates of each layer sum to 1 over the
        users of its model times that model's share of the users.

    Raises
    ------
    InputError
        If the instance would be absurdly large; nothing is allocated then.
    """
    check_size(scenario)
    # One stream for each kind of draw: a sweep over servers or users changes nothing else.
    geography = drawn_geography(scenario, seed)
    if server_position_m is not None:
        geography = dataclasses.replace(geography, server_position_m=server_position_m)
    if user_position_m is not None:
        geography = dataclasses.replace(geography, user_position_m=user_position_m)
    return generate_at(
        scenario,
        geography,
        seed,
        name=name,
        meta={"generator": "scenario", "seed": seed, "scenario": scenario_fields(scenario)},
    )


def generate_at(
    scenario: Scenario,
    geography: Geography,
    seed: int,
    *,
    name: str | None,
    meta: dict[str, object],
) -> Instance:
    """Generate requests for servers and users that stand somewhere already."""
    rng = random_stream(seed, 3)
    cards = scenario.cards()
    laws = [layer_laws(scenario, card, rng) for card in cards]
    models = "+".join(card.name for card in cards)
    users = range(scenario.users)
    runs = ((u, u % len(laws), random_stream(seed, 4, u)) for u in users)
    return build_instance(
        scenario,
        geography,
        requests=generated_requests(scenario, laws, runs),
        name=name or f"{models}-n{scenario.servers}-u{scenario.users}-s{seed}",
        meta=meta,
    )


def build_instance(
    scenario: Scenario,
    geography: Geography,
    *,
    requests: Requests,
    name: str,
    meta: dict[str, object],
    description: str = "",
    weights: Sequence[Weights] = (),
) -> Instance:
    """Put positions, link times, capacities, local experts and requests together.

    Parameters
    ----------
    scenario : Scenario
        Of what the geography does not tell.
    geography : Geography
    requests : Requests
    weights : sequence of Weights, optional
        Models of the requests, by default the scenario's.

    Raises
    ------
    InputError
        If what is told about a server or a user does not fit, or measured latencies do not.
    """
    weights = weights or [Weights(card, scenario.precision) for card in scenario.cards()]
    models = tuple(card.model(precision) for card, precision in weights)
    total = sum(model.items * model.expert_bytes for model in models)
    servers = geography.servers or (Server(),) * len(geography.server_position_m)
    capacity = [
        bytes_of(
            scenario.capacity if server.memory is None else server.memory,
            total,
            f"memory of server {n + 1}",
        )
        for n, server in enumerate(servers)
    ]
    links = _links(scenario, geography, weights, servers)
    bare = Instance(
        models=models,
        capacity_bytes=np.array(capacity, dtype=np.int64),
        server_latency_s=links.server,
        cloud_latency_s=links.cloud,
        local_latency_s=links.local,
        local=np.zeros((len(links.cloud), sum(m.items for m in models)), dtype=np.bool_),
        requests=requests,
        name=name,
        description=description,
        server_names=geography.server_names,
        user_names=geography.user_names,
        server_position_m=geography.server_position_m,
        user_position_m=geography.user_position_m,
        meta=meta,
    )
    counts = np.full(bare.users, scenario.local)
    least = min(models, key=lambda model: model.experts)
    for u, user in enumerate(geography.users):
        counts[u] = scenario.local if user.local is None else user.local
        if counts[u] > least.experts:
            raise InputError(
                f"local of user {u + 1}: {counts[u]} exceeds the {least.experts} experts of "
                f"{least.name}"
            )
    return bare.replace(local=most_used(bare, counts)) if counts.any() else bare


def _links(
    scenario: Scenario,
    geography: Geography,
    weights: Sequence[Weights],
    servers: Sequence[Server],
) -> Links:
    links = link_latencies(
        scenario,
        geography.server_position_m,
        geography.user_position_m,
        weights=weights,
        servers=servers,
    )
    if geography.latencies is None:
        return links
    N, U = len(geography.server_position_m), len(geography.user_position_m)
    measured = read_latencies(
        geography.latencies,
        users=geography.user_names or [f"user-{u}" for u in range(U)],
        servers=geography.server_names or [f"server-{n}" for n in range(N)],
        models=[card.name for card, _ in weights],
    )
    return with_measured(links, measured, expert_times(scenario, weights, servers))


def most_used(instance: Instance, counts: IntArray) -> BoolArray:
    """The most requested experts of each layer, so many for each user; bool [U, I].

    Only layers that the user requests at all; ties go to the lower expert number.

    Parameters
    ----------
    instance : Instance
    counts : int array [U]
    """
    local = np.zeros((instance.users, instance.items), dtype=np.bool_)
    requests = instance.requests
    for u in range(instance.users):
        mine = requests.user == u
        items = instance.request_items[mine]
        use = sums(
            items.ravel(), np.repeat(requests.rate[mine], items.shape[1]), instance.items + 1
        )
        for model, first in zip(instance.models, instance.item_offset[:-1], strict=True):
            layers = use[first : first + model.items].reshape(model.layers, model.experts)
            order = np.argsort(-layers, axis=1, kind="stable")[:, : counts[u]]
            row, _ = np.nonzero(np.take_along_axis(layers, order, axis=1) > 0)
            column = order[np.take_along_axis(layers, order, axis=1) > 0]
            local[u, first + row * model.experts + column] = True
    return local


def check_size(scenario: Scenario, cards: Sequence[ModelCard] = ()) -> None:
    """Refuse a scenario whose instance would be absurdly large, before anything is made.

    Parameters
    ----------
    scenario : Scenario
    cards : sequence of ModelCard, optional
        Models, by default the scenario's.

    Raises
    ------
    InputError
    """
    cards = cards or scenario.cards()
    check_sizes([card.model(scenario.precision) for card in cards], scenario.users)
    rows = max(
        scenario.users
        * card.layers
        * min(math.comb(card.experts, card.top_k), scenario.max_sets, scenario.tokens or MAX_ROWS)
        for card in cards
    )
    drawn = scenario.max_sets * max(card.experts for card in cards)
    # Every user's share of every set is drawn, though few may be left by `tokens`.
    shares = max(
        scenario.users * card.layers * min(math.comb(card.experts, card.top_k), scenario.max_sets)
        for card in cards
    )
    links = scenario.users * (scenario.servers + 1) * len(cards)
    hops = scenario.servers**2 * len(cards)
    if max(rows, drawn, shares // 10, links, hops) > MAX_ROWS:
        raise InputError(
            f"the instance would take {shares} draws for up to {rows} request rows, and {links} "
            f"latencies, the limit is {MAX_ROWS}; take fewer users, servers, layers or sets"
        )


def scenario_fields(scenario: Scenario) -> dict[str, object]:
    """Fields of a scenario as a JSON object; infinite values as the word ``inf``."""
    fields = dataclasses.asdict(scenario)
    return {k: "inf" if v == math.inf else v for k, v in fields.items()}


def _user_share(law: SetLaw, scenario: Scenario, rng: np.random.Generator) -> FloatArray:
    """One user's own probability of each set of a layer; [S]."""
    share = law.probability
    if scenario.user_concentration < math.inf:
        drawn = rng.standard_gamma(scenario.user_concentration * share)
        # All zero happens only with a vanishing concentration: then one set has everything.
        if drawn.sum() > 0:
            share = drawn / drawn.sum()
        else:
            share = np.eye(len(share))[rng.choice(len(share), p=share)]
    if scenario.tokens is not None:
        share = rng.multinomial(scenario.tokens, share) / scenario.tokens
    return share


def layer_laws(scenario: Scenario, card: ModelCard, rng: np.random.Generator) -> list[SetLaw]:
    """Draw the law of the expert sets of each layer of a model."""
    return [
        generated_law(
            card.experts,
            card.top_k,
            skew=scenario.skew,
            coactivation=scenario.coactivation,
            max_sets=scenario.max_sets,
            rng=rng,
        )
        for _ in range(card.layers)
    ]


def generated_requests(
    scenario: Scenario,
    laws: Sequence[Sequence[SetLaw]],
    runs: Iterable[tuple[int, int, np.random.Generator]],
) -> Requests:
    """Draw what users ask for.

    Parameters
    ----------
    scenario : Scenario
    laws : sequence of sequences of SetLaw
        Of each layer of each model.
    runs : iterable of (user, model, random numbers)
        Who runs which model, in the order of the rows.

    Returns
    -------
    Requests
        Each user's rates of a layer sum to 1 over the scenario's number of users.
    """
    width = max(law.sets.shape[1] for layers in laws for law in layers)
    columns: dict[str, list[FloatArray]] = {"key": [], "experts": [], "rate": []}
    for user, model, rng in runs:
        for layer, law in enumerate(laws[model]):
            share = _user_share(law, scenario, rng)
            used = np.flatnonzero(share > 0)
            experts = np.full((len(used), width), -1)
            experts[:, : law.sets.shape[1]] = law.sets[used]
            columns["key"].append(np.tile([user, model, layer], (len(used), 1)))
            columns["experts"].append(experts)
            columns["rate"].append(share[used] / scenario.users)
    user_column, model_column, layer_column = np.concatenate(columns["key"]).astype(np.int32).T
    return Requests(
        user=user_column,
        model=model_column,
        layer=layer_column,
        experts=np.concatenate(columns["experts"]).astype(np.int32),
        rate=rounded(np.concatenate(columns["rate"])),
    )
