"""Instances from a scenario and a seed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from .arrays import sums
from .errors import InputError
from .instance import MAX_ITEMS, BoolArray, FloatArray, Instance, Requests
from .links import link_latencies, rounded
from .model_table import ModelCard
from .scenario import Scenario
from .set_law import SetLaw, generated_law

#: Request rows and latencies that a generated instance may have at most.
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
    _check_size(scenario, cards)
    rng = np.random.default_rng(checked_seed(seed))
    servers = (scenario.area_m * rng.random((scenario.servers, 2))).round(3)
    users = (scenario.area_m * rng.random((scenario.users, 2))).round(3)
    if server_position_m is not None:
        servers = server_position_m
    if user_position_m is not None:
        users = user_position_m
    user_model = np.arange(scenario.users) % len(cards)
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
    shares = [
        [_user_share(law, scenario, rng) for law in laws[model]] for model in user_model.tolist()
    ]
    return build_instance(
        scenario,
        servers,
        users,
        requests=_requests(scenario, cards, user_model.tolist(), laws, shares),
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
    if scenario.capacity * total > 2**62:
        raise InputError("capacity: exceeds 2**62 bytes")
    links = link_latencies(scenario, servers, users)
    bare = Instance(
        models=models,
        capacity_bytes=np.full(len(servers), math.floor(scenario.capacity * total), np.int64),
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


def checked_seed(seed: int) -> int:
    """Return the seed, or raise InputError if NumPy cannot use it."""
    if seed < 0:
        raise InputError(f"seed: must be >= 0, got {seed}")
    return seed


def scenario_fields(scenario: Scenario) -> dict[str, object]:
    """Fields of a scenario as a JSON object; infinite values as the word ``inf``."""
    fields = dataclasses.asdict(scenario)
    return {k: "inf" if v == math.inf else v for k, v in fields.items()}


def _check_size(scenario: Scenario, cards: tuple[ModelCard, ...]) -> None:
    items = sum(card.layers * card.experts for card in cards)
    if items > MAX_ITEMS:
        raise InputError(f"the models have {items} experts, the limit is {MAX_ITEMS}")
    rows = max(
        scenario.users
        * card.layers
        * min(math.comb(card.experts, card.top_k), scenario.max_sets, scenario.tokens or MAX_ROWS)
        for card in cards
    )
    drawn = scenario.max_sets * max(card.experts for card in cards)
    links = scenario.users * (scenario.servers + 1) * len(cards)
    hops = scenario.servers**2 * len(cards)
    if max(rows, drawn, links, hops) > MAX_ROWS:
        raise InputError(
            f"the instance would have up to {rows} request rows and {links} latencies, the limit "
            f"is {MAX_ROWS}; take fewer users, servers, layers or sets"
        )


def _user_share(law: SetLaw, scenario: Scenario, rng: np.random.Generator) -> FloatArray:
    """One user's own probability of each set of a layer; [S]."""
    share = law.probability
    if scenario.user_concentration < math.inf:
        drawn = rng.standard_gamma(scenario.user_concentration * share)
        # All zero happens only with a vanishing concentration: then one set has everything.
        share = drawn / drawn.sum() if drawn.sum() > 0 else np.eye(len(share))[share.argmax()]
    if scenario.tokens is not None:
        share = rng.multinomial(scenario.tokens, share) / scenario.tokens
    return share


def _requests(
    scenario: Scenario,
    cards: tuple[ModelCard, ...],
    user_model: list[int],
    laws: list[list[SetLaw]],
    shares: list[list[FloatArray]],
) -> Requests:
    width = max(card.top_k for card in cards)
    columns: dict[str, list[FloatArray]] = {"key": [], "experts": [], "rate": []}
    for u, (model, user_shares) in enumerate(zip(user_model, shares, strict=True)):
        for layer, (law, share) in enumerate(zip(laws[model], user_shares, strict=True)):
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
