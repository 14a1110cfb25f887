"""Layers one after the other, which run batch norm, neurons and pooling that follow each other in one pass.

The convolution after such a pass keeps the spikes that it is given as bytes, where its input is large, and looks at the
spikes alone where they are few. A network is written as it always was; which layers run together is decided here, at
every call, and `ran` and `kernel` of the neurons tell what computed them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from neurons import blocks
from neurons.base import Neuron
from neurons.blocks import Pool

from . import layers

NORMS: dict[type[nn.Module], tuple[bool, int]] = {  # whether the statistics are of all steps together; dimensions
    layers.StepBatchNorm2d: (False, 5),
    layers.BatchNorm1d: (True, 4),
    layers.BatchNorm2d: (True, 5),
}
_POOLS = {layers.MaxPool2d: 5, layers.AvgPool2d: 5, layers.AvgPool1d: 4}
_CONVOLUTIONS = (layers.Conv1d, layers.Conv2d)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Chain(nn.Sequential):
    """Layers on sequences [T, N, ...], one after the other.

    {batch norm -} neuron {- pooling} is one pass where `neurons.blocks` finds one, proven, for these layers; the
    layers run by themselves where not, where one of them has hooks, and inside torch.compile.
    """

    def forward(self, x: Tensor) -> Tensor:
        return run(self, x)


def run(sequence: Iterable[nn.Module], x: Tensor) -> Tensor:
    """What the layers of `sequence` make of `x` [T, N, ...] one after the other, as in Chain."""
    if torch.compiler.is_compiling():
        for layer in sequence:
            x = layer(x)
        return x
    waiting = list(_flat(sequence))
    parts = 0  # that the spikes come in which the last layer made; 0 where it made none
    step = blocks.step_of(x)  # what `x` repeats; `made`: a convolution here made it
    made = False
    while waiting:
        norm, neuron, pooling = _together(waiting, x.ndim)
        found: Any = ""
        if neuron is not None:
            found = blocks.find(neuron, x, norm, norm is not None and NORMS[type(norm)][0], pooling or Pool())
        if not isinstance(found, str):
            x, step, made = found(x, step), None, False
            parts = math.prod(found.pooling.size) if found.pooling.kind == "mean" else 1
            del waiting[: 1 + (norm is not None) + (pooling is not None)]
            continue
        layer = waiting.pop(0)
        convolved = type(layer) in _CONVOLUTIONS and not _changed([layer])
        of_spikes = blocks.convolution(layer, x, parts) if convolved and parts else None
        if convolved and step is not None:
            step = layer(step.unsqueeze(0)).squeeze(0)
            x, made = blocks.repeat(step, x.shape[0]), True
        else:
            x = x.clone() if made else x  # other layers may write to a step of their own
            x, step, made = (of_spikes or layer)(x), None, False
        parts = 1 if isinstance(layer, Neuron) else 0
    return x.clone() if made else x


def _flat(sequence: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The layers, those of plain sequences among them, too."""
    for layer in sequence:
        if type(layer) is nn.Sequential and not _changed([layer]):
            yield from _flat(layer)
        else:
            yield layer


def _together(waiting: list[nn.Module], dimensions: int) -> tuple[Any, Neuron | None, Pool | None]:
    """The batch norm, neuron and pooling that `waiting` begins with, for an input of so many dimensions; no neuron
    where one pass would save nothing."""
    coming: Iterator[nn.Module | None] = iter([*waiting[:3], None, None, None])
    one = next(coming)
    norm = one if one is not None and NORMS.get(type(one), (False, 0))[1] == dimensions else None
    neuron = one if norm is None else next(coming)
    if not isinstance(neuron, Neuron):
        return None, None, None
    pooling = _pool(next(coming), dimensions)
    taken = waiting[: 1 + (norm is not None) + (pooling is not None)]
    if len(taken) == 1 or _changed(taken):
        return None, None, None
    return norm, neuron, pooling


def _changed(taken: list[nn.Module]) -> bool:
    """Whether a call of these layers does more than their kind says."""
    if _has_any_global_hook():
        return True
    for layer in taken:
        own = vars(layer)
        if "forward" in own or any(map(own.__getitem__, _HOOKS)):
            return True
    return False


def _pool(layer: Any, dimensions: int) -> Pool | None:
    """What a pooling layer does; None for another layer and for windows that overlap or go beyond the edge."""
    if _POOLS.get(type(layer)) != dimensions:
        return None
    size, stride, padding = _pair(layer.kernel_size), _pair(layer.stride), _pair(layer.padding)
    if size != stride or padding != (0, 0) or layer.ceil_mode:
        return None
    if isinstance(layer, layers.MaxPool2d):
        plain = _pair(layer.dilation) == (1, 1) and not layer.return_indices
    else:
        plain = getattr(layer, "divisor_override", None) is None
    if isinstance(layer, layers.AvgPool1d):
        size = (1, size[1])
    return Pool("max" if isinstance(layer, layers.MaxPool2d) else "mean", size) if plain else None


def _pair(value: Any) -> tuple[int, int]:
    found = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return (found[0], found[-1])
