"""How a neuron's sequence is computed.

Each backend is a module with `refuses(neuron_class, device) -> str | None` (why it cannot, or None),
`refuses_layer(neuron, x=None) -> str | None` (the same for one layer and inputs like `x`) and `sequence(neuron, x)`, which
computes all steps of `x` [T, N, ...] and leaves the states on the neuron.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from bench.registry import unknown

if TYPE_CHECKING:
    from torch import Tensor

    from ..base import Neuron

MODULES = {
    "torch": "neurons.backends.eager",
    "fused": "neurons.backends.fused",
    "spikingjelly": "neurons.backends.spikingjelly",
}
AUTO = ("fused", "torch")  # fastest first; a peer is never chosen by itself


class Costly(str):
    """A refusal of what could have run, so that "auto" falling back from it is worth a warning."""


class Available(list[str]):
    """Names of the backends that run here; `refused` says of each other one why it does not."""

    refused: dict[str, str]


def available(name: str, device: str = "cpu") -> Available:
    """The backends that run the neuron `name` on `device` ("cpu" or "cuda"), the reference first."""
    from .. import registry

    neuron = registry.get(name)
    found = Available()
    found.refused = {}
    for backend in MODULES:
        reason = _module(backend).refuses(neuron, device)
        if reason is None:
            found.append(backend)
        else:
            found.refused[backend] = reason
    return found


def check(backend: str) -> None:
    """Raises UnknownName unless `backend` is "auto" or a known backend."""
    if backend != "auto" and backend not in MODULES:
        raise unknown("backend", backend, ["auto", *MODULES])


def chosen(neuron: Neuron, device: str, x: Tensor | None = None) -> str:
    """Name of the backend that computes `neuron` on `device` (for inputs like `x`).

    RuntimeError with the reason when none can. "auto" passes over a backend that refuses, with one warning if the
    refusal is `Costly`.
    """
    reason: str | None = None
    for backend in AUTO if neuron.backend == "auto" else (neuron.backend,):
        module = _module(backend)
        reason = module.refuses(type(neuron), device) or module.refuses_layer(neuron, x)
        if reason is None:
            return backend
        if isinstance(reason, Costly) and neuron.backend == "auto":
            _warn(backend, reason)
    raise RuntimeError(f"Backend {backend!r} cannot run {type(neuron).__name__} on {device}: {reason}")


def resolve(neuron: Neuron, x: Tensor) -> ModuleType:
    """The module behind `chosen` for a sequence `x`."""
    return _module(chosen(neuron, x.device.type, x))


@cache
def _module(backend: str) -> ModuleType:
    return importlib.import_module(MODULES[backend])


@cache
def _warn(backend: str, reason: str) -> None:
    import warnings

    warnings.warn(f"Falling back from backend {backend!r} to a slower one: {reason}", RuntimeWarning, stacklevel=2)


class _Callable(ModuleType):
    """This package is a room (`neurons.backends.eager`) and a question: `neurons.backends("plif", "cpu")`."""

    def __call__(self, name: str, device: str = "cpu") -> Available:
        return available(name, device)


sys.modules[__name__].__class__ = _Callable
