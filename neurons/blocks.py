"""What the kernels of the backend `fused` do for a network beyond its neurons: one pass for batch norm, neurons and
pooling, and convolutions that keep spikes as bytes.

Both are imported by name: they belong to the code of a kernel, which a result names beside that of its network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from .base import Neuron


@dataclass(frozen=True)
class Pool:
    """Pooling after the neurons, `kind` "max" or "mean", over windows `size` that lie side by side; "" for none."""

    kind: str = ""
    size: tuple[int, int] = (1, 1)

    def of(self, height: int, width: int) -> tuple[int, int]:
        """What is left of a plane."""
        return height // self.size[0], width // self.size[1]


class Block(Protocol):
    """Layers in one pass, which gives for x [T, N, C, ..] what they give one after the other."""

    pooling: Pool

    def __call__(self, x: Tensor) -> Tensor: ...


def find(
    neuron: Neuron, x: Tensor, norm: nn.modules.batchnorm._BatchNorm | None, together: bool, pooling: Pool
) -> Block | str:
    """What computes `neuron` with the batch norm before it (statistics over all steps `together`, else of each) and the
    pooling after it for inputs like `x` [T, N, C, ..]; or why nothing does, so that they run one after the other.
    """
    found: Block | str = _fused("block").find(neuron, x, norm, together, pooling)
    return found


def convolution(layer: Any, x: Tensor, parts: int) -> Callable[[Tensor], Tensor] | None:
    """What computes the convolution `layer` of inputs like `x` [T, N, C, ..], which come in `parts` parts, and keeps
    them as bytes; None where only the layer itself does.
    """
    found: Callable[[Tensor], Tensor] | None = _fused("packed").find(layer, x, parts)
    return found


@cache
def _fused(name: str) -> Any:
    return import_module(f"neurons.backends.fused.{name}")
