"""What a network says: predictions made of its outputs at every time step, [T, N, ...]."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Decision = Callable[[Tensor], Tensor]


def rate(outputs: Tensor) -> Tensor:
    """Class of each sample, [N]: the largest output summed over time, the lowest index among equals."""
    return outputs.sum(0).argmax(1)
