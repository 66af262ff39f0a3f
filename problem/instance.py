"""What a caching problem is: models, servers, users, latencies and requests."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .names import check_name
from .sizes import check_sizes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: Range of the sum of all rates, if it is not 0: beyond it, floating point loses digits or
#: overflows, in the latency already. Single rates may be as small as they like.
LEAST_DEMAND, MOST_DEMAND = 1e-200, 1e200


@dataclass(frozen=True)
class Model:
    """A Mixture-of-Experts model, reduced to what caching depends on.

    Parameters
    ----------
    name : str
    layers : int
        Number of MoE layers.
    experts : int
        Routed experts of each layer.
    top_k : int
        Experts that one token activates in each layer.
    expert_bytes : int
        Size of one expert in bytes.
    """

    name: str
    layers: int
    experts: int
    top_k: int
    expert_bytes: int

    @property
    def items(self) -> int:
        """Number of (layer, expert) pairs."""
        return self.layers * self.experts


@dataclass(frozen=True, eq=False)
class Requests:
    """Request rows in parallel arrays; rows with equal keys mean their sum.

    Parameters
    ----------
    user, model, layer : int array [R]
        0-based indices.
    experts : int array [R, K]
        The activated experts of each row; shorter rows are padded with -1 on the right.
    rate : float array [R]
        How often the row occurs, >= 0. With rates that sum to 1 in each layer, latencies come
        out in seconds per token. Their sum is 0, or from `LEAST_DEMAND` to `MOST_DEMAND`.
    """

    user: npt.NDArray[np.int32]
    model: npt.NDArray[np.int32]
    layer: npt.NDArray[np.int32]
    experts: npt.NDArray[np.int32]
    rate: FloatArray

    def __len__(self) -> int:
        return len(self.rate)

    def __repr__(self) -> str:
        return f"<Requests: {len(self)} rows>"

    def part(self, rows: IntArray) -> Requests:
        """Some of the rows."""
        return Requests(
            self.user[rows], self.model[rows], self.layer[rows], self.experts[rows], self.rate[rows]
        )


@dataclass(frozen=True, eq=False)
class Instance:
    """An immutable, validated caching problem.

    An *item* is one expert of one layer of one model. Items are numbered model by model, layer by
    layer, expert by expert; `item_model`, `item_layer`, `item_expert` take a number apart.

    Parameters
    ----------
    models : tuple of Model
        M models.
    capacity_bytes : int array [N]
        Storage of each edge server in bytes.
    server_latency_s : float array [U, N, M]
        Round trip of one token of a user for one expert at a server, in seconds; ``inf`` where
        the server is out of reach.
    cloud_latency_s : float array [U, M]
        The same for the cloud, which holds every expert.
    local_latency_s : float array [U, M]
        The same for an expert that the user's device holds.
    local : bool array [U, I]
        Which items each device holds.
    requests : Requests
        R request rows.
    name, description : str, optional
    server_names, user_names : tuple of str, optional
    server_position_m, user_position_m : float array [N, 2] and [U, 2], optional
        Positions in metres, NaN where unknown.
    meta : mapping, optional
        Anything else that belongs in the file, such as the scenario and the seed.

    Raises
    ------
    InputError
        If a shape, a range or an index is wrong; the message names the field and the row.
    """

    models: tuple[Model, ...]
    capacity_bytes: IntArray
    server_latency_s: FloatArray
    cloud_latency_s: FloatArray
    local_latency_s: FloatArray
    local: BoolArray
    requests: Requests
    name: str = "instance"
    description: str = ""
    server_names: tuple[str, ...] = ()
    user_names: tuple[str, ...] = ()
    server_position_m: FloatArray | None = None
    user_position_m: FloatArray | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        models = ", ".join(model.name for model in self.models)
        return (
            f"<Instance {self.name!r}: {models}; {self.items} experts, {self.servers} servers, "
            f"{self.users} users, {len(self.requests)} requests>"
        )

    def _repr_html_(self) -> str:
        # Late and upwards: notebooks alone draw, and Matplotlib takes its time.
        from ..reports.notebook import instance_html

        return instance_html(self)

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("models: at least one")
        for index, model in enumerate(self.models):
            _check_model(model, f"models[{index}]")

        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        N, M = len(self.capacity_bytes), len(self.models)
        U = len(self.cloud_latency_s)
        check_sizes(self.models, U)
        put("capacity_bytes", _frozen(self.capacity_bytes, np.int64, (N,), "capacity_bytes"))
        _check_rows(self.capacity_bytes < 0, "servers[{}].capacity_bytes: must be >= 0")
        for name, shape in (
            ("server_latency_s", (U, N, M)),
            ("cloud_latency_s", (U, M)),
            ("local_latency_s", (U, M)),
        ):
            array = _frozen(getattr(self, name), np.float64, shape, name)
            put(name, array)
            _check_latency(array, name)
        put("local", _frozen(self.local, np.bool_, (U, self.items), "local"))
        put("server_names", self.server_names or tuple(f"server-{n}" for n in range(N)))
        put("user_names", self.user_names or tuple(f"user-{u}" for u in range(U)))
        for name, rows in (("server", N), ("user", U)):
            position = getattr(self, f"{name}_position_m")
            if position is None:
                position = np.full((rows, 2), np.nan)
            position = _frozen(position, np.float64, (rows, 2), f"{name}_position_m")
            if np.isinf(position).any():
                raise InputError(f"{name}_position_m: must be finite, or NaN where unknown")
            put(f"{name}_position_m", position)
            names = getattr(self, f"{name}_names")
            if len(names) != rows:
                raise InputError(f"{name}_names: expected {rows} names")
            for index, each in enumerate(names):
                check_name(each, f"{name}s[{index}].name")
        check_name(self.name, "name")
        put("requests", self._checked_requests())

    def _checked_requests(self) -> Requests:
        given = self.requests
        R = len(given.rate)
        columns = {
            name: _frozen(getattr(given, name), np.int32, (R,), f"requests.{name}")
            for name in ("user", "model", "layer")
        }
        experts = np.asarray(given.experts)
        if experts.shape == (0, 0):
            experts = experts.reshape(0, 1)  # sets have at least one column
        if experts.ndim != 2 or len(experts) != R:
            raise InputError(f"requests.experts: expected an array of shape ({R}, K)")
        experts = _frozen(experts, np.int32, experts.shape, "requests.experts")
        rate = _frozen(given.rate, np.float64, (R,), "requests.rate")
        _check_rows(~np.isfinite(rate) | (rate < 0), "requests.rate[{}]: must be finite and >= 0")

        _check_index(columns["user"], self.users, "requests.user")
        _check_index(columns["model"], len(self.models), "requests.model")
        layers = np.array([m.layers for m in self.models], dtype=np.int64)
        _check_index(columns["layer"], layers[columns["model"]], "requests.layer")

        used = experts >= 0
        size = used.sum(axis=1)
        _check_rows(size == 0, "requests.experts[{}]: no expert")
        padded_right = used == (np.arange(experts.shape[1]) < size[:, None])
        _check_rows(~padded_right.all(axis=1), "requests.experts[{}]: expert below 0")
        bound = np.array([m.experts for m in self.models], dtype=np.int64)[columns["model"]]
        _check_rows(
            (experts >= bound[:, None]).any(axis=1),
            "requests.experts[{}]: expert out of range",
        )
        top_k = np.array([m.top_k for m in self.models], dtype=np.int64)[columns["model"]]
        _check_rows(size > top_k, "requests.experts[{}]: more experts than the model's top_k")
        ordered = np.sort(experts, axis=1)
        repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        _check_rows(repeated.any(axis=1), "requests.experts[{}]: an expert is repeated")
        slowest = max(self.cloud_latency_s.max(initial=0.0), 1.0)
        with np.errstate(over="ignore"):
            demand = rate.sum()
            if demand and not LEAST_DEMAND <= demand <= MOST_DEMAND:
                raise InputError(
                    f"requests.rate: the sum is {demand:.3g}, not {LEAST_DEMAND:g} to "
                    f"{MOST_DEMAND:g}; take another unit"
                )
            if not np.isfinite(demand * slowest):
                raise InputError("requests.rate: the total latency overflows")
        return Requests(experts=experts, rate=rate, **columns)

    @property
    def servers(self) -> int:
        """Number of edge servers N."""
        return len(self.capacity_bytes)

    @property
    def users(self) -> int:
        """Number of users U."""
        return len(self.cloud_latency_s)

    @property
    def items(self) -> int:
        """Number of items I over all models."""
        return int(self.item_offset[-1])

    @property
    def top_k(self) -> int:
        """Largest number of experts in one request (0 without requests)."""
        return int((self.requests.experts >= 0).sum(axis=1).max(initial=0))

    @cached_property
    def item_offset(self) -> IntArray:
        """First item of each model, and the number of items at the end; [M + 1]."""
        return np.concatenate([[0], np.cumsum([m.items for m in self.models])]).astype(np.int64)

    @cached_property
    def item_model(self) -> IntArray:
        """Model of each item; [I]."""
        return np.repeat(np.arange(len(self.models)), np.diff(self.item_offset))

    @cached_property
    def item_layer(self) -> IntArray:
        """Layer of each item; [I]."""
        return _concatenate([np.repeat(np.arange(m.layers), m.experts) for m in self.models])

    @cached_property
    def item_expert(self) -> IntArray:
        """Expert number of each item inside its layer; [I]."""
        return _concatenate([np.tile(np.arange(m.experts), m.layers) for m in self.models])

    @cached_property
    def item_bytes(self) -> IntArray:
        """Size of each item in bytes; [I]."""
        return np.array([m.expert_bytes for m in self.models], dtype=np.int64)[self.item_model]

    @cached_property
    def request_items(self) -> npt.NDArray[np.int32]:
        """Items of each request row; [R, K], padded with I (one past the last item)."""
        requests = self.requests
        experts_of = np.array([m.experts for m in self.models], dtype=np.int32)
        first = self.item_offset[requests.model] + requests.layer * experts_of[requests.model]
        items = first[:, None].astype(np.int32) + requests.experts
        return np.where(requests.experts >= 0, items, np.int32(self.items))

    def item(self, model: int, layer: int, expert: int) -> int:
        """Item number of an expert.

        Raises
        ------
        InputError
            If an index is out of range.
        """
        if not 0 <= model < len(self.models):
            raise InputError(f"model {model} is out of range, there are {len(self.models)}")
        spec = self.models[model]
        if not 0 <= layer < spec.layers:
            raise InputError(f"layer {layer} is out of range, model {model} has {spec.layers}")
        if not 0 <= expert < spec.experts:
            raise InputError(f"expert {expert} is out of range, model {model} has {spec.experts}")
        return int(self.item_offset[model]) + layer * spec.experts + expert

    def device_latency_s(self, users: slice = slice(None)) -> FloatArray:
        """Latency of each item when no server caches anything; [U, I] in seconds."""
        cloud = self.cloud_latency_s[users][:, self.item_model]
        local = self.local_latency_s[users][:, self.item_model]
        return np.where(self.local[users], np.minimum(local, cloud), cloud)

    @cached_property
    def sha256(self) -> str:
        """Check sum of the instance's file, as it is written without compression."""
        from .instance_file import instance_bytes

        return hashlib.sha256(instance_bytes(self)).hexdigest()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Instance:
        """Instance of the content of an instance file, checked as `read_instance` does it.

        Raises
        ------
        InputError
            If it breaks the format; the message names the field and the row.
        """
        from .instance_file import instance_of

        return instance_of(content)

    def to_dict(self) -> dict[str, Any]:
        """Content of the instance's file: lists, numbers and texts."""
        from .instance_file import instance_content

        return instance_content(self)

    def replace(self, **changes: Any) -> Instance:
        """Copy with some fields changed, validated again."""
        return dataclasses.replace(self, **changes)


def _concatenate(parts: list[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _frozen(value: Any, dtype: npt.DTypeLike, shape: tuple[int, ...], name: str) -> Any:
    """Contiguous read-only copy, after checks that no value changes by the conversion."""
    try:
        given = np.asarray(value)
        with np.errstate(invalid="ignore"):
            array = np.array(given, dtype=dtype, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name}: not an array of {np.dtype(dtype).name}") from error
    if array.shape != shape:
        raise InputError(f"{name}: expected shape {shape}, got {array.shape}")
    if array.dtype.kind in "iu" and not np.array_equal(array, given):
        raise InputError(f"{name}: not whole numbers within {np.dtype(dtype).name}")
    array.flags.writeable = False
    return array


def _check_model(model: Model, where: str) -> None:
    for name in ("layers", "experts", "top_k", "expert_bytes"):
        value = getattr(model, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{where}.{name}: must be a whole number >= 1")
    check_name(model.name, f"{where}.name")
    if model.top_k > model.experts:
        raise InputError(f"{where}.top_k: {model.top_k} exceeds experts ({model.experts})")


def _check_rows(bad: BoolArray, message: str) -> None:
    """Raise with the first bad row in place of ``{}``."""
    if bad.any():
        raise InputError(message.format(int(np.flatnonzero(bad)[0])))


def _check_index(index: npt.NDArray[np.int32], size: int | IntArray, name: str) -> None:
    _check_rows((index < 0) | (index >= size), name + "[{}]: out of range")


def _check_latency(array: FloatArray, name: str) -> None:
    short = name.removesuffix("_latency_s")
    bad = ~(array > 0)
    if short != "server":
        bad |= np.isinf(array)
    if bad.any():
        where = "".join(f"[{i}]" for i in np.argwhere(bad)[0])
        raise InputError(f"latency_s.{short}{where}: must be finite and > 0")
