"""What the networks of the FPTT work are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from neurons.base import Neuron

from .. import NeuronFactory
from ..network import Network
from ..recurrent import Recurrent

AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def dense(
    neuron: NeuronFactory,
    inputs: int,
    hidden: int,
    *,
    recurrent: bool,
    start: Callable[[Tensor], Tensor] | None = None,
) -> list[nn.Module]:
    """A linear layer and its neurons; with `recurrent` their spikes come back to them.

    Input and spikes have one weight matrix in the work, [hidden, inputs + hidden]; here its two parts start as that one
    does: drawn by `start`, by default as PyTorch draws a linear layer.
    """
    linear = nn.Linear(inputs, hidden)
    if not recurrent:
        if start:
            start(linear.weight)
        return [linear, neuron((hidden,))]
    joint = nn.Linear(inputs + hidden, hidden)
    if start:
        start(joint.weight)
    feedback = nn.Linear(hidden, hidden, bias=False)
    with torch.no_grad():
        linear.weight.copy_(joint.weight[:, :inputs])
        linear.bias.copy_(joint.bias)
        feedback.weight.copy_(joint.weight[:, inputs:])
    return [linear, Recurrent(spiking(neuron((hidden,))), feedback)]


def spiking(layer: nn.Module) -> Neuron:
    """`layer`, which a factory of neurons made; TypeError if it is no neuron."""
    if not isinstance(layer, Neuron):
        raise TypeError(f"A neuron that can be called step by step is needed here, the factory made {type(layer)}.")
    return layer


def unused(network: AnyNetwork, count: int) -> AnyNetwork:
    """`network` with `count` more parameters that take no part in it, as released networks have them."""
    if count:
        network.register_parameter("unused", nn.Parameter(torch.zeros(count)))
    return network
