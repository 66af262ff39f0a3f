"""What can be tuned: one object, handed down the line."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, get_type_hints

import msgspec
from msgspec import Meta

from ..problem.errors import InputError
from ..problem.sizes import MAX_INT

_Share = Annotated[float, Meta(ge=0, le=1)]
_Multiple = Annotated[float, Meta(ge=0, le=1e6)]
_Count = Annotated[int, Meta(ge=0, le=MAX_INT)]
_Positive = Annotated[int, Meta(ge=1, le=MAX_INT)]


@dataclass(frozen=True)
class Parameters:
    """Parameters of the layer decomposition, in the order in which its steps use them.

    They change how long it takes, what is found and how good the bound is; a bound is valid at all
    values. Where no reason is given, a value has been found by trial and its neighbours do as well.
    Shares of time are of what is left when the step begins.

    Parameters
    ----------
    start_share : float
        Time for `successive`, where no start is given: servers not reached by then stay empty.
    bound_share : float
        Time for column generation; the enumeration needs the rest.
    split_share, split_gap : float
        Time for prices and splits together, where a layer is too large for its tree, and then for
        columns from there; and the gap to a fractional placement, as a share of the bound, at which
        they are good enough.
    relaxed_numbers : int
        Largest layer, in server sets times experts, that is priced by its relaxation after the
        first columns by splits: its columns are better, and it takes about a second.
    first_prices : tuple of float
        The first prices, as multiples of a good placement's saving for each unit of room: from one
        at which little is worth its price on down, before the master has columns to say more.
    smoothing, split_smoothing : float
        Weight of the best prices so far in the next ones, while relaxations price the layers; the
        rest is the master's. After a split they are nearly right.
    relaxation_slack : float
        Share of the gap that the relaxations' bounds may be too large by, all together: solving
        them further would hardly move the gap.
    exact_gap : float
        Gap, as a share of the bound, from which on layers are priced exactly: what that costs pays
        only near the end. From the first round on (1) takes 44 times as long on one of 20
        instances, not before the relaxations are done (0) 1.14 times on ten
        (``benchmarks/exact.py --variants "exact,exact exact_gap=0" --every 4``).
    converged_gap : float
        Gap, as a share of the bound, at which the dual is solved: what a proof may leave open,
        `expertcache.problem.solution.PROOF_TOLERANCE`.
    patience : int
        Rounds in a row in which neither bound nor master moves: degenerate masters have some.
    stopped_rounds : int
        Rounds of exact pricing that run out of time: more of them would, too.
    round_share, layer_share : float
        Time for one round of exact pricing; and for a single layer in it, in equal shares of the
        layers: most take far less than one.
    table_experts, table_steps : int
        Most experts of a layer for whose best responses the gains of all their sets are kept in
        tables, 2**12 numbers for each server set, and most additions for a response of all servers
        from all starts, half a second; beyond, each response is a minimum cut.
    response_rounds : int
        Rounds of best responses from one start: a start that goes on for longer is left.
    tree_experts, tree_servers, tree_numbers : int
        Largest layer for branch and bound over its experts, and most numbers in its tables, 64 MB:
        the gain of each set of experts for each server set.
    tree_nodes, tree_columns : int
        Most nodes of it, a few seconds; and most columns to keep where twice as many were found.
    program_rows : int
        Largest layer, in rows, for which an integer program is tried; 0 for none.
    step_share, master_nodes : float, int
        Time for one restricted master problem as an integer program, and for best responses from
        its solution, as both come after every round; and its nodes, so that its placement does not
        depend on the machine.
    penalties : tuple of float
        After a split, capacities may be missed in the restricted master problem, at prices that are
        so much higher for what is missing, as a share, and lower for what is left.
    ascent_share : float
        Time for best responses from each of its placements then, and from what blocks give.
    blocks : tuple of int
        After a split, blocks into which the experts of a layer are merged, one number after the
        other while that helps.
    blocks_share : float
        Time to solve each of these.
    enumeration_share : float
        Time for the enumeration; dives need the rest.
    first_loss, loss_growth : float
        The loss of a layer that is allowed first, as a share of the gap, and what it is multiplied
        by as long as the bound follows: the cost grows much faster than the loss.
    join_filtered : int
        From so many columns on, those that no better placement can contain are dropped first.
    join_widths : tuple of int
        States to keep after each layer, again and again until none that matters is dropped.
    join_states, join_numbers : int
        Most states in all, 500 MB; and most numbers in the tables of what the layers to come lose
        at least, 300 MB.
    join_steps : int
        Most additions to make such a table, about a second.
    dives : tuple of float
        Shares of the layers that dives fix at least, where no layer is too large for its tree; a
        dive within a dive fixes the first only.
    dive_share : float
        Time for a dive.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    start_share: _Share = 0.2
    bound_share: _Share = 0.7
    split_share: _Share = 0.4
    split_gap: _Share = 1e-4
    relaxed_numbers: _Count = 1_500
    first_prices: Annotated[tuple[_Multiple, ...], Meta(min_length=1)] = (1.0, 0.5, 0.25)
    smoothing: _Share = 0.5
    split_smoothing: _Share = 0.85
    relaxation_slack: _Share = 0.05
    exact_gap: _Share = 1e-3
    converged_gap: _Share = 1e-6
    patience: _Positive = 20
    stopped_rounds: _Positive = 2
    round_share: _Share = 0.3
    layer_share: _Multiple = 4.0
    table_experts: Annotated[int, Meta(ge=0, le=20)] = 12
    table_steps: _Count = 100_000_000
    response_rounds: _Positive = 6
    tree_experts: Annotated[int, Meta(ge=0, le=24)] = 16
    tree_servers: Annotated[int, Meta(ge=0, le=12)] = 10
    tree_numbers: _Count = 2**23
    tree_nodes: Annotated[int, Meta(ge=0, lt=2**53)] = 2_000_000_000
    tree_columns: _Count = 50_000
    program_rows: _Count = 20_000
    step_share: _Share = 0.03
    master_nodes: _Count = 200
    penalties: tuple[_Share, ...] = (0.05, 0.1, 0.2, 0.3)
    ascent_share: _Share = 0.4
    blocks: tuple[_Positive, ...] = (5, 8, 4, 11, 16)
    blocks_share: _Share = 0.1
    enumeration_share: _Share = 0.8
    first_loss: Annotated[float, Meta(gt=0, le=1)] = 1 / 16
    loss_growth: Annotated[float, Meta(ge=1.01, le=1e6)] = 1.5
    join_filtered: _Count = 2_000
    join_widths: Annotated[tuple[_Positive, ...], Meta(min_length=1)] = (3_000, 30_000, 300_000)
    join_states: _Count = 15_000_000
    join_numbers: _Count = 40_000_000
    join_steps: Annotated[int, Meta(ge=0, lt=2**53)] = 1_000_000_000
    dives: tuple[_Share, ...] = (1 / 3, 1 / 2, 2 / 3)
    dive_share: _Share = 0.5

    def __post_init__(self) -> None:
        types = get_type_hints(type(self), include_extras=True)
        for field in fields(self):
            try:
                msgspec.convert(getattr(self, field.name), types[field.name])
            except msgspec.ValidationError as error:
                raise InputError(f"{field.name}: {error}") from None


#: What methods take where nothing else is said.
DEFAULTS = Parameters()
