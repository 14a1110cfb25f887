"""How a neuron's sequence is computed.

Each backend is a module with `refuses(neuron_class, device) -> str | None` (why it cannot, or None),
`refuses_layer(neuron, x=None) -> str | None` (the same for one layer and inputs like `x`) and `sequence(neuron, x)`,
which computes all steps of `x` [T, N, ...] and leaves the states on the neuron.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from core.registry import unknown

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..base import Neuron

MODULES = {
    "torch": "neurons.backends.eager",
    "inductor": "neurons.backends.inductor",
    "fused": "neurons.backends.fused",
    "cupy": "neurons.backends.cupy",
    "spikingjelly": "neurons.backends.spikingjelly",
}
AUTO = ("fused", "torch")  # fastest first; a peer is never chosen by itself
DEVICES = ("cpu", "cuda")
BY_NAME = {"inductor": "it compiles for about 20 s at each shape, so it takes part where it is asked for by name alone"}


_accepted: set[tuple[str, type, str]] = set()  # (backend, neuron, device) not refused so far: what runs, runs on


class Costly(str):
    """A refusal of what could have run, so that "auto" falling back from it is worth a warning."""


class Available(list[str]):
    """Names of the backends that run here; `refused` says of each other one why it does not."""

    refused: dict[str, str]


def available(name: str, device: str | torch.device = "cpu") -> Available:
    """The backends that run the neuron `name` on `device` ("cpu" or "cuda", also "cuda:1"), the reference first.

    Raises UnknownName for an unknown neuron or device.
    """
    from .. import registry

    neuron = registry.get(name)
    device = str(device).partition(":")[0]
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
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
        kind = (backend, type(neuron), device)
        reason = None if kind in _accepted else module.refuses(type(neuron), device)
        if reason is None:
            _accepted.add(kind)
            reason = module.refuses_layer(neuron, x)
        if reason is None:
            return backend
        if isinstance(reason, Costly) and neuron.backend == "auto":
            _warn(backend, reason)
    raise RuntimeError(f"Backend {backend!r} cannot run {type(neuron).__name__} on {device}: {reason}")


def resolve(neuron: Neuron, x: Tensor) -> ModuleType:
    """The module behind `chosen` for a sequence `x`; `neuron.ran` keeps its name."""
    backend = chosen(neuron, x.device.type, x)
    object.__setattr__(neuron, "ran", backend)
    return _module(backend)


def compiled(neuron: Neuron, x: Tensor) -> Tensor:
    """All steps of `x` while torch.compile looks on: what is chosen becomes a constant of its graph."""
    if not neuron.recurrent and neuron.backend in (*AUTO, "auto"):
        return neuron.sequence(x)  # products are what the compiler has its own kernels for
    # A constant's arguments cannot be symbols, and only a size that a parameter shares decides anything.
    sizes = _constant_sizes(neuron.number)
    shape = tuple(next((size for size in sizes if size == n), 2) for n in x.shape)
    choice = _constant_choice(neuron.number, x.device.type, x.dtype, shape)
    if choice[0] == "fused":
        from .fused import library

        return library.sequence(neuron, x, *choice[1:])
    if choice[0] == "cupy":
        raise RuntimeError("Backend 'cupy' does not run inside torch.compile; use backend='fused', which does.")
    if choice[0] == "spikingjelly":
        from . import spikingjelly

        return spikingjelly.sequence(neuron, x)
    return neuron.sequence(x)


def _constant_choice(number: int, device: str, dtype: torch.dtype, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Name of the backend, and for a fused one what its operator needs beside tensors."""
    import torch
    from torch.utils._python_dispatch import _disable_current_modes

    from ..base import by_number

    neuron = by_number(number)
    with _disable_current_modes():
        x = torch.empty(1, dtype=dtype, device=device).expand(shape)
        backend = chosen(neuron, device, x)
        return (backend, *_module(backend).constants_of(neuron, x, device)) if backend == "fused" else (backend,)


def _constant_sizes(number: int) -> tuple[int, ...]:
    """Sizes of the dimensions of the layer's parameters and buffers, which a step's input may share."""
    from ..base import by_number

    neuron = by_number(number)
    return tuple({n for t in (*neuron.parameters(), *neuron.buffers()) for n in t.shape if n > 1})


# What torch.compiler.assume_constant_result does, which would import the whole compiler.
_constant_choice._dynamo_marked_constant = True  # type: ignore[attr-defined]
_constant_sizes._dynamo_marked_constant = True  # type: ignore[attr-defined]


@cache
def _module(backend: str) -> ModuleType:
    check(backend)  # a layer's attribute can be changed at any time
    return importlib.import_module(MODULES[backend])


@cache
def _warn(backend: str, reason: str) -> None:
    import warnings

    warnings.warn(f"Falling back from backend {backend!r} to a slower one: {reason}", RuntimeWarning, stacklevel=2)


class _Callable(ModuleType):
    """This package is a room (`neurons.backends.eager`) and a question: `neurons.backends("plif", "cpu")`."""

    def __call__(self, name: str, device: str | torch.device = "cpu") -> Available:
        return available(name, device)


sys.modules[__name__].__class__ = _Callable
