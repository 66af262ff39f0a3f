"""Instances from a scenario and a seed."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np

from ..problem.arrays import sums
from ..problem.errors import InputError
from ..problem.instance import BoolArray, FloatArray, Instance, Requests
from ..problem.sizes import check_sizes
from .links import link_latencies, rounded
from .scenario import Scenario
from .set_law import SetLaw, generated_law

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
    cards = scenario.cards()
    check_size(scenario)
    # One stream for each kind of draw: a sweep over servers or users changes nothing else.
    servers = drawn_positions(seed, 1, scenario.servers, scenario.area_m)
    users = drawn_positions(seed, 2, scenario.users, scenario.area_m)
    if server_position_m is not None:
        servers = server_position_m
    if user_position_m is not None:
        users = user_position_m
    rng = random_stream(seed, 3)
    laws = [
        [
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
        for card in cards
    ]
    return build_instance(
        scenario,
        servers,
        users,
        requests=_requests(scenario, laws, seed),
        name=name or f"{'+'.join(scenario.models)}-n{scenario.servers}-u{scenario.users}-s{seed}",
        meta={"generator": "scenario", "seed": seed, "scenario": scenario_fields(scenario)},
    )


def build_instance(
    scenario: Scenario,
    servers: FloatArray,
    users: FloatArray,
    *,
    requests: Requests,
    name: str,
    meta: dict[str, object],
    description: str = "",
    server_names: tuple[str, ...] = (),
    user_names: tuple[str, ...] = (),
) -> Instance:
    """Put positions, link times, capacities, local experts and requests together.

    Parameters
    ----------
    scenario : Scenario
    servers, users : float array [N, 2] and [U, 2]
        Positions in metres.
    requests : Requests
        Their models are the scenario's.
    """
    models = tuple(card.model(scenario.precision) for card in scenario.cards())
    total = sum(model.items * model.expert_bytes for model in models)
    # As the decimal that was given: 0.35 of 1280 experts are 448, not a byte less.
    capacity = math.floor(Fraction(repr(scenario.capacity)) * total)
    links = link_latencies(scenario, servers, users)
    bare = Instance(
        models=models,
        capacity_bytes=np.full(len(servers), capacity, np.int64),
        server_latency_s=links.server,
        cloud_latency_s=links.cloud,
        local_latency_s=links.local,
        local=np.zeros((len(users), sum(m.items for m in models)), dtype=np.bool_),
        requests=requests,
        name=name,
        description=description,
        server_names=server_names,
        user_names=user_names,
        server_position_m=servers,
        user_position_m=users,
        meta=meta,
    )
    return bare.replace(local=most_used(bare, scenario.local)) if scenario.local else bare


def most_used(instance: Instance, count: int) -> BoolArray:
    """The `count` most requested experts of each layer, for each user; bool [U, I].

    Only layers that the user requests at all; ties go to the lower expert number.
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
            order = np.argsort(-layers, axis=1, kind="stable")[:, :count]
            row, _ = np.nonzero(np.take_along_axis(layers, order, axis=1) > 0)
            column = order[np.take_along_axis(layers, order, axis=1) > 0]
            local[u, first + row * model.experts + column] = True
    return local


def random_stream(seed: int, *stream: int) -> np.random.Generator:
    """Independent random numbers for one purpose.

    Raises
    ------
    InputError
        If NumPy cannot use the seed.
    """
    if seed < 0:
        raise InputError(f"seed: must be >= 0, got {seed}")
    return np.random.default_rng([seed, *stream])


def drawn_positions(seed: int, stream: int, count: int, area_m: float) -> FloatArray:
    """Uniform positions in a square, in metres, to the millimetre; [count, 2]."""
    return (area_m * random_stream(seed, stream).random((count, 2))).round(3)


def check_size(scenario: Scenario) -> None:
    """Refuse a scenario whose instance would be absurdly large, before anything is made.

    Raises
    ------
    InputError
    """
    cards = scenario.cards()
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


def _requests(scenario: Scenario, laws: list[list[SetLaw]], seed: int) -> Requests:
    """Rows of all users; user u runs the model number ``u mod M``."""
    width = max(card.top_k for card in scenario.cards())
    columns: dict[str, list[FloatArray]] = {"key": [], "experts": [], "rate": []}
    for u in range(scenario.users):
        model = u % len(laws)
        rng = random_stream(seed, 4, u)
        for layer, law in enumerate(laws[model]):
            share = _user_share(law, scenario, rng)
            used = np.flatnonzero(share > 0)
            experts = np.full((len(used), width), -1)
            experts[:, : law.sets.shape[1]] = law.sets[used]
            columns["key"].append(np.tile([u, model, layer], (len(used), 1)))
            columns["experts"].append(experts)
            columns["rate"].append(share[used] / scenario.users)
    user, model_column, layer_column = np.concatenate(columns["key"]).astype(np.int32).T
    rate = rounded(np.concatenate(columns["rate"]))
    return Requests(
        user=user,
        model=model_column,
        layer=layer_column,
        experts=np.concatenate(columns["experts"]).astype(np.int32),
        rate=rate,
    )
