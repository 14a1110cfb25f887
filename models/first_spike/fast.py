"""Networks with layers for sparse inputs and an output that runs as a sequence.

The same parameters, spikes and decisions but for rounding; of potentials the highest of each silent neuron alone, and
that is all that first-spike coding asks of them.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from neurons.base import Neuron, ThresholdNeuron

from .. import NeuronFactory
from ..spikes import WithPotentials
from .dense import feed_forward
from .layers import EventNet
from .sparse import SparseLinear


class WithFirstPotentials(nn.Module):
    """As models.spikes.WithPotentials, with the spikes of a whole sequence at once.

    The potentials are those without any reset: until a neuron's first spike they are the neuron's own, and from it on
    their maximum is at least the threshold. So silent neurons have the same highest potential, the others a higher one.
    """

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        WithPotentials(copy.deepcopy(neuron))  # which refuses what has no potential
        assert isinstance(neuron, ThresholdNeuron)
        neuron.step_mode = "m"
        self.neuron: Neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            free = copy.deepcopy(self.neuron)
            assert isinstance(free, ThresholdNeuron)
            free.without_reset = True
            potentials = WithPotentials(free)(x)[:, :, 1]
        return torch.stack([self.neuron(x), potentials], 2)


def fast(network: EventNet) -> EventNet:
    """`network` with its layers made for sparse inputs, its output for whole sequences; the parameters stay."""
    layers = network.fc
    assert isinstance(layers, nn.Sequential)
    for place, layer in enumerate(layers):
        if type(layer) is nn.Linear:
            layers[place] = SparseLinear(layer.in_features, layer.out_features)
            layers[place].weight = layer.weight
    if isinstance(last := layers[-1], WithPotentials):
        layers[-1] = WithFirstPotentials(last.neuron)
    return network


def sparse_feed_forward(neuron: NeuronFactory, **options: Any) -> EventNet:
    """models.first_spike.dense.feed_forward, of the same options and start, for inputs of which few are not zero."""
    return fast(feed_forward(neuron, **options))
