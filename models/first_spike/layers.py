"""What the networks of first-spike coding share: event input with empty steps, and an output layer that fires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

import neurons
from neurons.base import Neuron

from ..network import Network, frames
from ..spikes import WithPotentials
from .feedback import fed_back

Output = Mapping[str, Any]  # a neuron by name and options
OUTPUT: Output = {"name": "culif", "tau_m": 60.0, "tau_s": 60.0, "v_threshold": 10.0}


class EventNet(Network):
    """Events [N, T, ...] -> spikes [T + empty, N, classes], with `potentials` as models.spikes has them.

    `empty` steps without input follow the events, so that late first spikes stay possible (spec, section 4).
    """

    def __init__(self, conv: nn.Module, fc: nn.Module, T: int, empty: int) -> None:
        super().__init__()
        if T < 1 or empty < 0:
            raise ValueError(f"T must be at least 1 and empty at least 0, T={T} and empty={empty} were given.")
        self.conv, self.fc, self.T, self.empty = conv, fc, T + empty, empty

    def encode(self, x: Tensor) -> Tensor:
        sequence = frames(x, self.T - self.empty)
        if not self.empty:
            return sequence
        return torch.cat([sequence, sequence.new_zeros(self.empty, *sequence.shape[1:])])

    def forward(self, sequence: Tensor) -> Tensor:
        return self.fc(self.conv(sequence))


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Without bias, Xavier-uniform."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer


def recurrent(inputs: int, width: int, neuron: nn.Module) -> list[nn.Module]:
    """A linear layer and `neuron`, whose spikes come back to it through a matrix."""
    if not isinstance(neuron, Neuron):
        raise TypeError(f"A neuron that can be called step by step is needed here, the factory made {type(neuron)}.")
    return [linear(inputs, width), fed_back(neuron, linear(width, width))]


def made(output: Output) -> nn.Module:
    """The neurons that `output` describes."""
    options = dict(output)
    return neurons.create(options.pop("name"), **options)


def answering(inputs: int, classes: int, output: Output, potentials: bool) -> list[nn.Module]:
    """The output layer."""
    neuron = made(output)
    return [linear(inputs, classes), WithPotentials(neuron) if potentials else neuron]
