"""What a backend answers when it is asked for a layer: what computes it, or why it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from .base import Neuron


class Computation:
    """Computes sequences of layers of one kind.

    `sequence(neuron, x)` gives the spikes of all steps of `x` [T, N, ...] and leaves the states on the neuron;
    `backend` is the name of the backend, `kernel` says in a few words what runs.
    """

    __slots__ = ("backend", "kernel", "sequence")

    def __init__(self, backend: str, kernel: str, sequence: Callable[[Neuron, Tensor], Tensor]) -> None:
        self.backend, self.kernel, self.sequence = backend, kernel, sequence


class Refusal:
    """Why a backend does not compute a layer; `costly` where it could have, so that falling back is worth a warning."""

    __slots__ = ("costly", "reason")

    def __init__(self, reason: str, *, costly: bool = False) -> None:
        self.reason, self.costly = reason, costly
