"""The fully connected networks for sounds: feed-forward with batch norm, and recurrent. Spec: first_spike 3."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .. import NeuronFactory
from ..layers import BatchNorm1d, SharedDropout
from .layers import OUTPUT, EventNet, Output, answering, linear, recurrent


def _sound(layers: list[nn.Module], T: int, empty: int) -> EventNet:
    return EventNet(nn.Flatten(2), nn.Sequential(*layers), T, empty)


def feed_forward(
    neuron: NeuronFactory,
    *,
    T: int = 100,
    empty: int = 0,
    inputs: int = 700,
    classes: int = 20,
    hidden: Sequence[int] = (256, 256),
    dropout: float = 0.25,
    norm: bool = True,
    output: Output = OUTPUT,
    potentials: bool = False,
) -> EventNet:
    """The network of the SpikingJelly folder: linear, batch norm over all steps, `neuron` and dropout for each of
    `hidden`, then linear and the neurons `output`."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [linear(inputs, width), *([BatchNorm1d(width)] if norm else []), neuron((width,))]
        layers += [SharedDropout(dropout)] if dropout else []
        inputs = width
    return _sound([*layers, *answering(inputs, classes, output, potentials)], T, empty)


def fed_back(
    neuron: NeuronFactory,
    *,
    T: int = 100,
    empty: int = 0,
    inputs: int = 700,
    classes: int = 20,
    hidden: Sequence[int] = (256,),
    output: Output = OUTPUT,
    potentials: bool = False,
) -> EventNet:
    """The network of the SuperSpike folder: for each of `hidden` a layer whose spikes come back to it, then linear and
    the neurons `output`."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += recurrent(inputs, width, neuron((width,)))
        inputs = width
    return _sound([*layers, *answering(inputs, classes, output, potentials)], T, empty)
