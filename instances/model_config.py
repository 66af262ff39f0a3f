"""Models by the ``config.json`` that is published with their weights.

Every family calls its numbers otherwise, and tells otherwise which layers have experts; what is
here follows the configuration and modeling files of Hugging Face Transformers, or those that are
published with the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..problem.errors import InputError
from ..problem.files import decode, read_bytes
from ..problem.names import check_name
from .model_table import ModelCard

_MAX_LAYERS = 2**12

#: Which layers have experts, from the configuration.
_Layers = Callable[["_Config"], list[bool]]


@dataclass(frozen=True)
class _Family:
    """What a family of models calls its numbers; of several names the first that is there.

    Attributes
    ----------
    experts, top_k, inner : str
        Keys of the routed experts of a layer, of K, and of the inner width of an expert.
    layers : callable
        Whether each layer has experts, where no ``mlp_layer_types`` tells it.
    gated : bool
        Three matrices rather than two.
    biases : callable
        Bias values of one expert, of the hidden and the inner width.
    """

    experts: str
    top_k: str
    inner: str
    layers: _Layers
    gated: bool = True
    biases: Callable[[int, int], int] = lambda *_: 0


@dataclass(frozen=True)
class _Config:
    """A configuration, whose values are checked as they are read."""

    where: str
    values: Mapping[str, Any]

    def count(self, keys: str, default: int | None = None) -> int:
        """Whole number under the first of some keys that is there; lists of equal ones count."""
        for key in keys.split():
            value = self.values.get(key)
            if isinstance(value, list) and value and all(each == value[0] for each in value):
                value = value[0]
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= 2**31:
                raise InputError(f"{self.where}: {key}: expected a whole number, got {value!r}")
            return value
        if default is None:
            raise InputError(f"{self.where}: has no {keys.replace(' ', ' or ')}")
        return default

    def numbers(self, key: str) -> list[int]:
        """Whole numbers of a list; none where it is not there."""
        values = self.values.get(key) or []
        if not isinstance(values, list) or not all(type(each) is int for each in values):
            raise InputError(f"{self.where}: {key}: expected whole numbers")
        return values

    def inside(self, key: str) -> _Config:
        """A configuration inside this one."""
        values = self.values.get(key)
        if not isinstance(values, dict):
            raise InputError(f"{self.where}: has no {key}")
        return _Config(f"{self.where}: {key}", values)

    def depth(self) -> int:
        """All layers, dense ones as well."""
        depth = self.count("num_hidden_layers num_layers n_layers")
        if not 1 <= depth <= _MAX_LAYERS:
            raise InputError(f"{self.where}: {depth} layers")
        return depth


def _all(config: _Config) -> list[bool]:
    return [True] * config.depth()


def _after_dense(config: _Config) -> list[bool]:
    """DeepSeek: the first ones are dense; behind them every so many has experts."""
    first = config.count("first_k_dense_replace", 0)
    step = max(config.count("moe_layer_freq", 1), 1)
    return [layer >= first and layer % step == 0 for layer in range(config.depth())]


def _sparse_steps(config: _Config) -> list[bool]:
    """Qwen: every so many, but for those that are named."""
    step, dense = config.count("decoder_sparse_step", 1), config.numbers("mlp_only_layers")
    depth = config.depth()
    if step < 1:
        raise InputError(f"{config.where}: decoder_sparse_step: must be >= 1")
    return [(layer + 1) % step == 0 and layer not in dense for layer in range(depth)]


def _interleaved(config: _Config) -> list[bool]:
    """Llama 4: those that are named, or the last of every so many."""
    depth, named = config.depth(), config.numbers("moe_layers")
    step = max(config.count("interleave_moe_layer_step", 1), 1)
    return [layer in named if named else (layer + 1) % step == 0 for layer in range(depth)]


def _periodic(config: _Config) -> list[bool]:
    """Jamba."""
    period, offset = config.count("expert_layer_period", 2), config.count("expert_layer_offset", 1)
    return [layer % max(period, 1) == offset for layer in range(config.depth())]


def _between(config: _Config) -> list[bool]:
    """ERNIE: every so many between a first and a last one."""
    depth = config.depth()
    first, last = config.count("moe_layer_start_index", 1), config.count("moe_layer_end_index", -1)
    last = depth - 1 if last < 0 else last
    step = max(config.count("moe_layer_interval", 1), 1)
    return [first <= layer <= last and (layer + 1) % step == 0 for layer in range(depth)]


def _after_skipped(config: _Config) -> list[bool]:
    """Hunyuan."""
    skipped = config.count("moe_layer_num_skipped", 0)
    return [layer >= skipped for layer in range(config.depth())]


def _listed(config: _Config) -> list[bool]:
    """MoE-LLaVA."""
    named = config.inside("moe").numbers("moe_layers_idx")
    return [layer in named for layer in range(config.depth())]


def _encoder_and_decoder(config: _Config) -> list[bool]:
    """Switch: so many of the encoder and so many of the decoder; their order plays no part."""
    depth = config.depth()
    sparse = config.count("num_sparse_encoder_layers")
    sparse += config.count("num_sparse_decoder_layers")
    depth += config.count("num_decoder_layers", depth)
    if sparse > depth:
        raise InputError(f"{config.where}: {sparse} of {depth} layers are sparse")
    return [layer < sparse for layer in range(depth)]


_PER_TOKEN = "num_experts_per_tok num_experts_per_token experts_per_token"
_QWEN = _Family("num_experts", _PER_TOKEN, "moe_intermediate_size", _sparse_steps)
_DEEPSEEK = _Family(
    "n_routed_experts num_experts", _PER_TOKEN, "moe_intermediate_size", _after_dense
)
_LOCAL = _Family("num_local_experts", _PER_TOKEN, "intermediate_size", _all)
_LLAVA = _Family("num_experts", "top_k_experts", "intermediate_size", _listed)
_ERNIE = _Family("moe_num_experts", "moe_k", "moe_intermediate_size", _between)
_HUNYUAN = _Family(
    "num_experts", "moe_topk", "moe_intermediate_size intermediate_size", _after_skipped
)

#: By ``model_type``.
_FAMILIES = {
    "mixtral": _LOCAL,
    "phimoe": _LOCAL,
    "granitemoe": _LOCAL,
    "granitemoeshared": _LOCAL,
    "granitemoehybrid": _LOCAL,
    "minimax": _LOCAL,
    "minimax_text_01": _LOCAL,
    "minimax_m2": _LOCAL,
    "gpt_oss": _Family(
        _LOCAL.experts,
        _LOCAL.top_k,
        _LOCAL.inner,
        _all,
        # Gate and up in one, and down.
        biases=lambda hidden, inner: 2 * inner + hidden,
    ),
    "olmoe": _Family("num_experts", _PER_TOKEN, "intermediate_size", _all),
    "qwen2_moe": _QWEN,
    "qwen3_moe": _QWEN,
    "qwen3_next": _QWEN,
    "qwen3_vl_moe_text": _QWEN,
    "qwen3_5_moe_text": _QWEN,
    "deepseek": _DEEPSEEK,
    "deepseek_v2": _DEEPSEEK,
    "deepseek_v3": _DEEPSEEK,
    "deepseek_v32": _DEEPSEEK,
    "kimi_k2": _DEEPSEEK,
    "kimi_linear": _DEEPSEEK,
    "glm4_moe": _DEEPSEEK,
    "glm4_moe_lite": _DEEPSEEK,
    "glm_moe_dsa": _DEEPSEEK,
    "dots1": _DEEPSEEK,
    "dbrx": _Family("moe_num_experts", "moe_top_k", "ffn_hidden_size", _all),
    "llama4_text": _Family("num_local_experts", _PER_TOKEN, "intermediate_size", _interleaved),
    "jamba": _Family("num_experts", _PER_TOKEN, "intermediate_size", _periodic),
    "ernie4_5_moe": _ERNIE,
    "hunyuan": _HUNYUAN,
    "hunyuan_v1_moe": _HUNYUAN,
    "switch_transformers": _Family("num_experts", "", "d_ff", _encoder_and_decoder, gated=False),
    "moe_llava_stablelm": _LLAVA,
    "moe_llava_qwen": _LLAVA,
    "moe_llava_phi": _Family(
        _LLAVA.experts,
        _LLAVA.top_k,
        _LLAVA.inner,
        _listed,
        gated=False,
        biases=lambda hidden, inner: inner + hidden,
    ),
}

#: Where a configuration keeps the numbers of its experts, if not beside the others.
_INSIDE = {"dbrx": "ffn_config"} | {name: "moe" for name in _FAMILIES if "moe_llava" in name}


def read_model_config(path: str | Path) -> ModelCard:
    """Read a model's card from its configuration.

    Parameters
    ----------
    path : path
        A ``config.json``, or a folder with one; the folder names the model.

    Raises
    ------
    InputError
        If the file is unusable, the family is unknown, or the model has no experts.
    """
    path = Path(path)
    file = path / "config.json" if path.is_dir() else path
    name = file.resolve().parent.name if file.name == "config.json" else file.stem
    check_name(name, str(path))
    return card_of_config(decode(file, read_bytes(file), dict[str, Any]), name, str(file))


def card_of_config(values: Mapping[str, Any], name: str, where: str) -> ModelCard:
    """Make a model's card of the content of a configuration.

    Parameters
    ----------
    values : mapping
    name : str
        What to call the model.
    where : str
        Whose configuration it is, for messages and as the source.

    Raises
    ------
    InputError
    """
    config = _Config(where, values)
    if isinstance(values.get("text_config"), dict):
        config = config.inside("text_config")
    kind = config.values.get("model_type")
    if not isinstance(kind, str) or kind not in _FAMILIES:
        known = ", ".join(sorted(_FAMILIES))
        raise InputError(f"{config.where}: model_type: {kind!r} is not known; known: {known}")
    family = _FAMILIES[kind]
    own = config.inside(_INSIDE[kind]) if kind in _INSIDE else config
    hidden = config.count("hidden_size d_model")
    inner = (own if kind == "dbrx" else config).count(family.inner)
    # Its code halves what the configuration says.
    inner = inner // 2 if kind == "moe_llava_qwen" else inner
    kinds = config.values.get("mlp_layer_types")
    routed = (
        [each != "dense" for each in kinds] if isinstance(kinds, list) else family.layers(config)
    )
    numbers = {
        "layers": sum(routed),
        "experts": own.count(family.experts),
        "top_k": own.count(family.top_k) if family.top_k else 1,
        "hidden": hidden,
        "expert_ffn": inner,
        "params_per_expert": (3 if family.gated else 2) * hidden * inner
        + family.biases(hidden, inner),
    }
    for field, value in numbers.items():
        if value < 1:
            raise InputError(f"{config.where}: {field.replace('_', ' ')}: {value}")
    if numbers["top_k"] > numbers["experts"]:
        raise InputError(
            f"{config.where}: {numbers['top_k']} experts a token, of {numbers['experts']}"
        )
    at = [layer for layer, has_experts in enumerate(routed) if has_experts]
    if kind == "switch_transformers":
        # The order of encoder and decoder is nobody's.
        at = list(range(len(at)))
    steps = {after - before for before, after in pairwise(at)} or {1}
    return ModelCard(
        name=name, gated=family.gated, dense_layers=at[0],
        layer_step=steps.pop() if len(steps) == 1 else 0, note="", source=where, **numbers,
    )  # fmt: skip
