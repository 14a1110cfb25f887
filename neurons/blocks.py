"""What the kernels of the backend `fused` do for a network beyond its neurons: one pass for batch norm, neurons and
pooling, and convolutions that keep spikes as bytes and look at them alone where they are few.

Both are imported by name: they belong to the code of a kernel, which a result names beside that of its network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from .base import Neuron

_REPEATS = "_repeats"  # an attribute of the very tensor that `repeat` made: whatever is made of that has none


@dataclass(frozen=True)
class Pool:
    """Pooling after the neurons, `kind` "max" or "mean", over windows `size` that lie side by side; "" for none."""

    kind: str = ""
    size: tuple[int, int] = (1, 1)

    def of(self, height: int, width: int) -> tuple[int, int]:
        """What is left of a plane."""
        return height // self.size[0], width // self.size[1]


class Block(Protocol):
    """Layers in one pass, which gives for x [T, N, C, ..] what they give one after the other.

    `step` [N, C, ..] is what `x` repeats at every step, where the gradient is to go there at once (`step_of`).
    """

    pooling: Pool

    def __call__(self, x: Tensor, step: Tensor | None = None) -> Tensor: ...


def repeat(x: Tensor, steps: int) -> Tensor:
    """`x` [N, ...] at every one of `steps`, [steps, N, ...]: of its gradient a block writes down the sum alone."""
    repeated = x.expand(steps, *x.shape)
    if not torch.compiler.is_compiling():
        setattr(repeated, _REPEATS, x)
    return repeated


def step_of(x: Tensor) -> Tensor | None:
    """What `x` repeats, where `repeat` made it and its own gradient is nobody's; else None."""
    step: Tensor | None = getattr(x, _REPEATS, None)
    if step is None or not x.requires_grad:
        return None if step is None else step.detach()
    asked_for = x.is_leaf or x.retains_grad or x._backward_hooks
    return None if asked_for else step


def find(
    neuron: Neuron, x: Tensor, norm: nn.modules.batchnorm._BatchNorm | None, together: bool, pooling: Pool
) -> Block | str:
    """What computes `neuron` with the batch norm before it (statistics over all steps `together`, else of each) and the
    pooling after it for inputs like `x` [T, N, C, ..]; or why nothing does, so that they run one after the other.
    """
    found: Block | str = _fused("block").find(neuron, x, norm, together, pooling)
    return found


def convolution(layer: Any, x: Tensor, parts: int) -> Callable[[Tensor], Tensor] | None:
    """What computes the convolution `layer` of inputs like `x` [T, N, C, ..], which come in `parts` parts, keeps them
    as bytes and visits the spikes alone where they are few; None where only the layer itself does.
    """
    found: Callable[[Tensor], Tensor] | None = _fused("packed").find(layer, x, parts)
    return found


@cache
def _fused(name: str) -> Any:
    return import_module(f"neurons.backends.fused.{name}")
