"""One step of a layer of liquid neurons with dense gates, on a CUDA device: what lies between its matrix products.

The products are PyTorch's; everything else of the step is one Triton kernel of `fused`, made from the neuron's own step
and proven as all of them are, so that every option of the neuron has it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import choice, gates
from ..adaptive_threshold import LTC
from ..computation import Refusal
from . import fused
from .between import between
from .fused import cuda_kernel
from .liquid_step import BACKEND, States, Step


def find(neuron: nn.Module, x: Tensor) -> Step | None:
    """As `liquid_step.find`; where a kernel could have been and is not, a warning says why."""
    found = step(neuron, x)
    if not isinstance(found, Refusal):
        return found
    if found.costly:
        choice._warn(BACKEND, found.reason)
    return None


def step(neuron: nn.Module, x: Tensor) -> Step | Refusal:
    """What computes a step like `x` [N, C] of `neuron`, or why nothing does."""
    if reason := _unfit(neuron, x):
        return Refusal(reason)
    if reason := cuda_kernel.missing():
        return Refusal(reason, costly=True)
    assert isinstance(neuron, LTC)
    assert isinstance(neuron.gates, gates.Dense)
    layer, (of_membrane, of_adaptation) = between(neuron), (neuron.gates.membrane, neuron.gates.adaptation)
    found = fused.find(layer, x.unsqueeze(0))
    if isinstance(found, Refusal):
        return found

    def computed(x: Tensor, v: Tensor, b: Tensor, s: Tensor) -> States:
        drive_a = of_adaptation(torch.cat([x, b], 1)) if layer.adaptive else torch.zeros_like(x)
        layer.store_states([v, b, s, of_membrane(torch.cat([x, v], 1)), drive_a])
        found.sequence(layer, x.unsqueeze(0))
        v, b, s, *_ = layer.load_states(x)
        return v, b, s

    return computed


def _unfit(neuron: nn.Module, x: Tensor) -> str | None:
    """Why no kernel is for this layer and input, or None."""
    if type(neuron) is not LTC or type(neuron.gates) is not gates.Dense:
        return "it is for liquid neurons with dense gates"
    if neuron.backend not in ("auto", BACKEND):
        return f"the backend {neuron.backend!r} was asked for"
    if x.ndim != 2 or x.numel() == 0 or x.dtype is not torch.float32:
        return f"it is for inputs [N, C] of float32, got {list(x.shape)} of {x.dtype}"
    if any(p.dtype is not torch.float32 for p in neuron.parameters()):
        return "its weights are not all of float32"
    if torch.is_autocast_enabled(x.device.type) or torch.compiler.is_compiling():
        return "it is for calls outside autocast and torch.compile"
    return None
