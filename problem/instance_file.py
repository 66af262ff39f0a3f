"""Instance files: format ``expertcache/instance``, version 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from .errors import InputError
from .file_kind import json_kind
from .files import STANDARD, check_header, converted, decode, read_bytes, write_bytes
from .instance import Instance, Model, Requests
from .names import printable
from .sizes import MAX_BYTES, MAX_INT, check_sizes

FORMAT = "expertcache/instance"
INSTANCE_FILE = json_kind(FORMAT)._replace(to_stdout=True)

_Count = Annotated[int, msgspec.Meta(ge=1, le=MAX_BYTES)]
_Position = tuple[float, float]


class _Model(msgspec.Struct, forbid_unknown_fields=True):
    layers: _Count
    experts: _Count
    top_k: _Count
    expert_bytes: _Count
    name: str | None = None


class _Server(msgspec.Struct, forbid_unknown_fields=True):
    capacity_bytes: Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)]
    name: str | None = None
    position_m: _Position | None = None


class _User(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None = None
    position_m: _Position | None = None
    local: list[tuple[int, int, int]] = []


class _Latency(msgspec.Struct, forbid_unknown_fields=True):
    server: list[list[list[float | None]]]
    cloud: list[list[float]]
    local: list[list[float]]


class _Requests(msgspec.Struct, forbid_unknown_fields=True):
    user: list[int]
    model: list[int]
    layer: list[int]
    experts: list[list[int]]
    rate: list[float]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    version: int
    models: list[_Model]
    servers: list[_Server]
    users: list[_User]
    latency_s: _Latency
    requests: _Requests
    name: str | None = None
    description: str = ""
    meta: dict[str, Any] = {}


def read_instance(path: str | Path) -> Instance:
    """Read an instance from a ``.json`` or ``.json.gz`` file.

    Raises
    ------
    InputError
        If the file cannot be read or breaks the format; the message names the field and the row.
    """
    data = read_bytes(path)
    check_header(path, data, FORMAT)
    file = decode(path, data, _File)
    del data
    try:
        name = Path(path).name.removesuffix(".gz").removesuffix(".json")
        name = "instance" if name == STANDARD else name
        return _instance(file, printable(name))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write_instance(instance: Instance, path: str | Path) -> None:
    """Write an instance to a ``.json`` or ``.json.gz`` file; equal instances give equal bytes.

    Raises
    ------
    InputError
        If the file cannot be written, or another one is there.
    """
    write_bytes(path, instance_bytes(instance), INSTANCE_FILE)


def instance_bytes(instance: Instance) -> bytes:
    """Content of the (uncompressed) instance file."""
    return msgspec.json.encode(instance_content(instance)) + b"\n"


def instance_of(content: Mapping[str, Any]) -> Instance:
    """Instance of a file's content; see `Instance.from_dict`."""
    file = converted(content, _File, "instance", FORMAT)
    # JSON has no NaN, and null becomes one on its way to infinity.
    for u, servers in enumerate(file.latency_s.server):
        for n, models in enumerate(servers):
            if any(value is not None and math.isnan(value) for value in models):
                raise InputError(f"instance: latency_s.server[{u}][{n}]: not a number")
    try:
        return _instance(file, "instance")
    except InputError as error:
        raise InputError(f"instance: {error}") from None


def instance_content(instance: Instance) -> dict[str, Any]:
    """Content of the file as lists, numbers and texts."""
    requests = instance.requests
    size = (requests.experts >= 0).sum(axis=1).tolist()
    return {
        "format": FORMAT,
        "version": 1,
        "name": instance.name,
        "description": instance.description,
        "models": [
            {
                "name": model.name,
                "layers": model.layers,
                "experts": model.experts,
                "top_k": model.top_k,
                "expert_bytes": model.expert_bytes,
            }
            for model in instance.models
        ],
        "servers": [
            {"name": name, "capacity_bytes": capacity, **_position_field(position)}
            for name, capacity, position in zip(
                instance.server_names,
                instance.capacity_bytes.tolist(),
                _positions(instance.server_position_m),
                strict=True,
            )
        ],
        "users": [
            {
                "name": name,
                **_position_field(position),
                **({"local": local} if (local := _local_rows(instance, u)) else {}),
            }
            for u, (name, position) in enumerate(
                zip(instance.user_names, _positions(instance.user_position_m), strict=True)
            )
        ],
        "latency_s": {
            "server": [
                [[t if t != np.inf else None for t in models] for models in servers]
                for servers in instance.server_latency_s.tolist()
            ],
            "cloud": instance.cloud_latency_s.tolist(),
            "local": instance.local_latency_s.tolist(),
        },
        "requests": {
            "user": requests.user.tolist(),
            "model": requests.model.tolist(),
            "layer": requests.layer.tolist(),
            "experts": [
                row[:count] for row, count in zip(requests.experts.tolist(), size, strict=True)
            ],
            "rate": requests.rate.tolist(),
        },
        "meta": dict(instance.meta),
    }


def _instance(file: _File, default_name: str) -> Instance:
    U, N, M = len(file.users), len(file.servers), len(file.models)
    models = tuple(
        Model(name, m.layers, m.experts, m.top_k, m.expert_bytes)
        for name, m in zip(_names(file.models, "model"), file.models, strict=True)
    )
    check_sizes(models, U)
    server = _table(file.latency_s.server, (U, N), "latency_s.server")
    return Instance(
        name=default_name if file.name is None else file.name,
        description=file.description,
        models=models,
        capacity_bytes=np.array(
            [int(min(s.capacity_bytes, MAX_BYTES)) for s in file.servers], dtype=np.int64
        ),
        server_latency_s=_latency(server, (U, N, M), "latency_s.server"),
        cloud_latency_s=_latency(file.latency_s.cloud, (U, M), "latency_s.cloud"),
        local_latency_s=_latency(file.latency_s.local, (U, M), "latency_s.local"),
        local=_local(file.users, models),
        requests=_requests(file.requests, max((m.top_k for m in models), default=0)),
        server_names=_names(file.servers, "server"),
        user_names=_names(file.users, "user"),
        server_position_m=_position_array([s.position_m for s in file.servers]),
        user_position_m=_position_array([u.position_m for u in file.users]),
        meta=file.meta,
    )


def _names(rows: Sequence[_Model | _Server | _User], kind: str) -> tuple[str, ...]:
    return tuple(f"{kind}-{i}" if row.name is None else row.name for i, row in enumerate(rows))


def _table(rows: list[Any], shape: tuple[int, ...], name: str) -> list[Any]:
    """Check the lengths of nested lists and join all but the last level."""
    if len(rows) != shape[0]:
        raise InputError(f"{name}: expected {shape[0]} rows, got {len(rows)}")
    if len(shape) == 1:
        return rows
    return list(
        chain.from_iterable(
            _table(row, shape[1:], f"{name}[{index}]") for index, row in enumerate(rows)
        )
    )


def _latency(rows: list[Any], shape: tuple[int, ...], name: str) -> npt.NDArray[np.float64]:
    if len(rows) != int(np.prod(shape[:-1])):
        raise InputError(f"{name}: expected {shape[0]} rows, got {len(rows)}")
    for index, row in enumerate(rows):
        if len(row) != shape[-1]:
            where = "".join(f"[{i}]" for i in np.unravel_index(index, shape[:-1]))
            raise InputError(f"{name}{where}: expected {shape[-1]} values, got {len(row)}")
    values = np.array(rows, dtype=np.float64).reshape(shape)
    return np.where(np.isnan(values), np.inf, values)


def _local(users: list[_User], models: tuple[Model, ...]) -> npt.NDArray[np.bool_]:
    offset = np.cumsum([0] + [m.items for m in models])
    local = np.zeros((len(users), int(offset[-1])), dtype=np.bool_)
    for u, user in enumerate(users):
        for index, (model, layer, expert) in enumerate(user.local):
            where = f"users[{u}].local[{index}]"
            if not (
                0 <= model < len(models)
                and 0 <= layer < models[model].layers
                and 0 <= expert < models[model].experts
            ):
                raise InputError(f"{where}: {[model, layer, expert]} is out of range")
            item = int(offset[model]) + layer * models[model].experts + expert
            if local[u, item]:
                raise InputError(f"{where}: {[model, layer, expert]} is repeated")
            local[u, item] = True
    return local


def _requests(rows: _Requests, top_k: int) -> Requests:
    R = len(rows.user)
    for name in ("model", "layer", "experts", "rate"):
        length = len(getattr(rows, name))
        if length != R:
            raise InputError(f"requests.{name}: expected {R} rows as in user, got {length}")
    size = np.fromiter(map(len, rows.experts), dtype=np.int64, count=R)
    if (size == 0).any():
        raise InputError(f"requests.experts[{int(np.argmin(size))}]: no expert")
    # Instance checks each row against its own model; this keeps one long row from widening all.
    if (size > top_k).any():
        row = int(np.argmax(size > top_k))
        raise InputError(f"requests.experts[{row}]: more experts than the model's top_k")
    owner = np.repeat(np.arange(R), size)
    flat = _int32(list(chain.from_iterable(rows.experts)), "requests.experts", owner)
    experts = np.full((R, int(size.max(initial=0))), -1, dtype=np.int32)
    experts[np.arange(experts.shape[1]) < size[:, None]] = flat
    return Requests(
        user=_int32(rows.user, "requests.user"),
        model=_int32(rows.model, "requests.model"),
        layer=_int32(rows.layer, "requests.layer"),
        experts=experts,
        rate=np.array(rows.rate, dtype=np.float64),
    )


def _int32(
    values: list[int], name: str, row: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.int32]:
    """Non-negative indices; -1 must not come in, it is the padding."""
    bad = next((i for i, v in enumerate(values) if not 0 <= v <= MAX_INT), None)
    if bad is not None:
        raise InputError(f"{name}[{bad if row is None else int(row[bad])}]: out of range")
    return np.array(values, dtype=np.int32)


def _position_array(positions: list[_Position | None]) -> npt.NDArray[np.float64]:
    rows = [(np.nan, np.nan) if p is None else p for p in positions]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2)


def _positions(array: npt.NDArray[np.float64] | None) -> list[list[float]]:
    assert array is not None  # Instance fills it in
    return array.tolist()  # type: ignore[no-any-return]


def _position_field(position: list[float]) -> dict[str, list[float]]:
    return {} if np.isnan(position).any() else {"position_m": position}


def _local_rows(instance: Instance, user: int) -> list[list[int]]:
    item = np.flatnonzero(instance.local[user])
    columns = (instance.item_model[item], instance.item_layer[item], instance.item_expert[item])
    return np.stack(columns, axis=1).tolist()  # type: ignore[no-any-return]
