"""How a neuron's sequence is computed.

Each backend is a module with `refuses(neuron_class, device) -> str | None` (why it cannot, or None),
`refuses_layer(neuron) -> str | None` (the same for one layer's parameters) and `sequence(neuron, x)`, which computes
all steps of `x` [T, N, ...] and leaves the states on the neuron.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from bench.registry import unknown

if TYPE_CHECKING:
    from ..base import Neuron

MODULES = {"torch": "neurons.backends.eager", "spikingjelly": "neurons.backends.spikingjelly"}
AUTO = ("torch",)  # fastest first; a peer is never chosen by itself


class Available(list[str]):
    """Names of the backends that run here; `refused` says of each other one why it does not."""

    refused: dict[str, str]


def available(name: str, device: str = "cpu") -> Available:
    """The backends that run the neuron `name` on `device` ("cpu" or "cuda"), the reference first."""
    from .. import registry

    neuron = registry.get(name)
    found = Available()
    found.refused = {}
    for backend, module in MODULES.items():
        reason = importlib.import_module(module).refuses(neuron, device)
        if reason is None:
            found.append(backend)
        else:
            found.refused[backend] = reason
    return found


def check(backend: str) -> None:
    """Raises UnknownName unless `backend` is "auto" or a known backend."""
    if backend != "auto" and backend not in MODULES:
        raise unknown("backend", backend, ["auto", *MODULES])


def chosen(neuron: Neuron, device: str) -> str:
    """Name of the backend that computes `neuron` on `device`; RuntimeError with the reason when none can."""
    for backend in AUTO if neuron.backend == "auto" else (neuron.backend,):
        module = importlib.import_module(MODULES[backend])
        reason = module.refuses(type(neuron), device) or module.refuses_layer(neuron)
        if reason is None:
            return backend
    raise RuntimeError(f"Backend {backend!r} cannot run {type(neuron).__name__} on {device}: {reason}")


def resolve(neuron: Neuron, device: str) -> ModuleType:
    """The module behind `chosen`."""
    return importlib.import_module(MODULES[chosen(neuron, device)])


class _Callable(ModuleType):
    """This package is a room (`neurons.backends.eager`) and a question: `neurons.backends("plif", "cpu")`."""

    def __call__(self, name: str, device: str = "cpu") -> Available:
        return available(name, device)


sys.modules[__name__].__class__ = _Callable
