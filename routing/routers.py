"""The experts that a model of transformers computes, caught on their way from router to experts.

Since version 5 the routers of almost all models hand the chosen experts to a module, ``experts``,
which computes them: what arrives there is recorded, so groups, biases and masks of the router have
had their say. The others are recorded by what their routers hand out.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from types import TracebackType
from typing import Any

import numpy as np

from ..problem.errors import InputError
from .recording import Integers

#: Modules whose router takes the K largest of the logits that it hands out, and at which place.
_LOGITS = {"Llama4TextMoe": 1, "JetMoeMoE": 4}

#: Parts of the names of classes that have to do with experts, for messages.
_SIGNS = ("expert", "moe", "rout", "gate", "gating")


class Routers:
    """Record every pass of a model through its experts, while it is entered.

    Parameters
    ----------
    model : torch.nn.Module

    Raises
    ------
    InputError
        If no router of the model is known; the message names the classes that could be one.
    """

    def __init__(self, model: Any) -> None:
        self._name = type(model).__name__
        self._seen: dict[int, list[Integers]] = {}
        self._hooks: list[Callable[[], Any]] = []
        modules = list(model.named_modules())
        for layer, (name, module) in enumerate(modules):
            kind = type(module).__name__
            if kind in _LOGITS:
                self._hooks.append(self._on_logits(layer, module.router, _LOGITS[kind]))
            elif name.rpartition(".")[2] == "experts" and not _is_inside(model, name, _LOGITS):
                self._hooks.append(self._on_experts(layer, module))
        if not self._hooks:
            raise self._unknown(model)
        self._model = model
        self._handles: list[Any] = []

    def __enter__(self) -> Routers:
        self._handles = [hook() for hook in self._hooks]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def taken(self) -> Integers:
        """What was recorded since the last call: int array [tokens, layers, K].

        Raises
        ------
        InputError
            If the layers differ in their tokens or K, or none was recorded.
        """
        layers = [np.concatenate(self._seen[layer]) for layer in sorted(self._seen)]
        self._seen = {}
        if not layers:
            raise self._unknown(self._model)
        shapes = sorted({ids.shape for ids in layers})
        if len(shapes) > 1:
            raise InputError(
                f"{self._name}: layers differ in their tokens and K: "
                + ", ".join(f"{tokens} tokens of {k} experts" for tokens, k in shapes)
            )
        return np.stack(layers, axis=1)

    def _on_experts(self, layer: int, module: Any) -> Callable[[], Any]:
        def before(_: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            for value in (*inputs, *named.values()):
                if _is_whole(value) and value.ndim == 2:
                    self._keep(layer, value)
                    break

        return lambda: module.register_forward_pre_hook(before, with_kwargs=True)

    def _on_logits(self, layer: int, router: Any, place: int) -> Callable[[], Any]:
        def after(module: Any, _: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
            self._keep(layer, outputs[place].topk(module.top_k, dim=-1).indices)

        return lambda: router.register_forward_hook(after)

    def _keep(self, layer: int, ids: Any) -> None:
        self._seen.setdefault(layer, []).append(ids.detach().cpu().numpy())

    def _unknown(self, model: Any) -> InputError:
        classes = sorted({type(module).__name__ for module in model.modules()})
        found = [name for name in classes if any(sign in name.lower() for sign in _SIGNS)]
        return InputError(
            f"{self._name}: no router that is known; modules: {', '.join(found or classes)}"
        )


def _is_whole(value: Any) -> bool:
    """Whether a value is a tensor of whole numbers."""
    import torch

    return isinstance(value, torch.Tensor) and value.dtype in (torch.int32, torch.int64)


def _is_inside(model: Any, name: str, kinds: Container[str]) -> bool:
    """Whether the module around another one is of some class."""
    return type(model.get_submodule(name.rpartition(".")[0])).__name__ in kinds
