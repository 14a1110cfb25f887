"""Which backend computes a layer. Backends are known by name alone and imported when one is asked.

A backend is a module with `refuses(neuron_class, device) -> Refusal | None` (why it computes none of that class) and
`find(layer, x=None) -> Computation | Refusal` (what computes this layer, for inputs like `x` [T, N, ...]); what runs
inside torch.compile has `in_graph(layer, x)` (see `eager`).
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from core.registry import unknown

from .catalogue import registry
from .computation import Computation, Refusal
from .numbers import by_number

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .base import Neuron

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


_traced: dict[str, Any] = {}  # what computes sequences in a graph of torch.compile, which takes no function from a call
_accepted: set[tuple[str, type, str]] = set()  # (backend, neuron, device) not refused so far: what runs, runs on


class Available(list[str]):
    """Names of the backends that run here; `refused` says of each other one why it does not."""

    refused: dict[str, str]


def available(name: str, device: str | torch.device = "cpu") -> Available:
    """The backends that run the neuron `name` on `device` ("cpu" or "cuda", also "cuda:1"), the reference first.

    Raises UnknownName for an unknown neuron or device.
    """
    neuron = registry.get(name)
    device = str(device).partition(":")[0]
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    found = Available()
    found.refused = {}
    for backend in MODULES:
        refusal = module(backend).refuses(neuron, device)
        if refusal is None:
            found.append(backend)
        else:
            found.refused[backend] = refusal.reason
    return found


def check(backend: str) -> None:
    """Raises UnknownName unless `backend` is "auto" or a known backend."""
    if backend != "auto" and backend not in MODULES:
        raise unknown("backend", backend, ["auto", *MODULES])


def choose(neuron: Neuron, device: str, x: Tensor | None = None) -> Computation:
    """What computes `neuron` on `device` (for inputs like `x`).

    RuntimeError with the reason when nothing can. "auto" passes over a backend that refuses, with one warning if the
    refusal is costly.
    """
    found: Computation | Refusal | None = None
    for backend in AUTO if neuron.backend == "auto" else (neuron.backend,):
        found = _find(backend, neuron, device, x)
        if isinstance(found, Computation):
            return found
        if found.costly and neuron.backend == "auto":
            _warn(backend, found.reason)
    assert isinstance(found, Refusal)
    raise RuntimeError(f"Backend {backend!r} cannot run {type(neuron).__name__} on {device}: {found.reason}")


def chosen(neuron: Neuron, device: str, x: Tensor | None = None) -> str:
    """Name of the backend of `choose`."""
    return choose(neuron, device, x).backend


def _find(backend: str, neuron: Neuron, device: str, x: Tensor | None) -> Computation | Refusal:
    implementation = module(backend)
    kind = (backend, type(neuron), device)
    if kind not in _accepted:
        refusal: Refusal | None = implementation.refuses(type(neuron), device)
        if refusal is not None:
            return refusal
        _accepted.add(kind)
    found: Computation | Refusal = implementation.find(neuron, x)
    return found


def compiled(neuron: Neuron, x: Tensor) -> Tensor:
    """All steps of `x` while torch.compile looks on: what is chosen becomes a constant of its graph."""
    if not neuron.recurrent and neuron.backend in (*AUTO, "auto"):
        return neuron.sequence(x)  # products are what the compiler has its own kernels for
    # A constant's arguments cannot be symbols, and only a size that a parameter shares decides anything.
    sizes = _constant_sizes(neuron.number)
    shape = tuple(next((size for size in sizes if size == n), 2) for n in x.shape)
    backend, constants = _constant_choice(neuron.number, x.device.type, x.dtype, shape)
    return _traced[backend](neuron, x, *constants)


def _constant_choice(
    number: int, device: str, dtype: torch.dtype, shape: tuple[int, ...]
) -> tuple[str, tuple[Any, ...]]:
    """Name of the backend, whose function for graphs is in `_traced` then, and what that needs beside layer and x."""
    import torch
    from torch.utils._python_dispatch import _disable_current_modes

    neuron = by_number(number)
    with _disable_current_modes():
        x = torch.empty(1, dtype=dtype, device=device).expand(shape)
        backend = chosen(neuron, device, x)
        _traced[backend], constants = module(backend).in_graph(neuron, x)
        return backend, constants


def _constant_sizes(number: int) -> tuple[int, ...]:
    """Sizes of the dimensions of the layer's parameters and buffers, which a step's input may share."""
    neuron = by_number(number)
    return tuple({n for t in (*neuron.parameters(), *neuron.buffers()) for n in t.shape if n > 1})


# What torch.compiler.assume_constant_result does, which would import the whole compiler.
_constant_choice._dynamo_marked_constant = True  # type: ignore[attr-defined]
_constant_sizes._dynamo_marked_constant = True  # type: ignore[attr-defined]


@cache
def module(backend: str) -> ModuleType:
    """The module of a backend."""
    check(backend)  # a layer's attribute can be changed at any time
    return importlib.import_module(MODULES[backend])


@cache
def _warn(backend: str, reason: str) -> None:
    import warnings

    warnings.warn(f"Falling back from backend {backend!r} to a slower one: {reason}", RuntimeWarning, stacklevel=2)
