"""The same layers step by step, with the neuron `relpsp`: what the closed form is the limit of.

The inputs of a layer are spikes of weight 1 at steps of 1/K of the window. One between two steps is divided among them
in the ratio of the distances, which gives the potentials of all later steps exactly. A neuron is seen to fire at the
first step at which it is above its threshold: by less than a step later than in closed form, where its inputs are
the same and lie in the window. There are two exceptions. An input after the end of its window acts when it comes, in
closed form before it has. And a neuron without any input meets the threshold at the last step, where rounding of
larger potentials that cancel may decide.
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor, nn

import neurons

from .layers import SpikingLayer


def train_of(times: Tensor, steps: int) -> Tensor:
    """Spike times [N, ...], in windows, as spikes [2 K + 1, N, ...] at the steps of two windows of `steps` = K each.

    Of a spike before the window there is nothing, nor of one after both.
    """
    grid = torch.arange(2 * steps + 1, dtype=times.dtype, device=times.device).view(-1, *[1] * times.ndim)
    distance = grid - times.masked_fill((times < 0) | (times == inf), 4.0) * steps
    return (1 - distance.abs()).clamp(min=0)


def spikes_of(layer: SpikingLayer, times: Tensor, steps: int) -> Tensor:
    """The spikes [2 K + 1, N, ...] of `layer` for input `times` [N, ...], local to their window, in `steps` = K each.

    Spikes before the window have raised potentials and slopes when it opens. ValueError for a layer whose threshold
    does not fall.
    """
    if layer.numerics.threshold is not None:
        raise ValueError("The neuron relpsp has a falling threshold; a layer with a constant one cannot be simulated.")
    given = times / layer.numerics.window
    early = given < 0
    sequence = torch.cat([early.to(given)[None], (-given).where(early, 0.0)[None], train_of(given, steps)])
    neuron = neurons.create("relpsp", window=steps, backend="torch")
    with torch.no_grad():
        slope, potential, *currents = layer.operator.apply(sequence.flatten(0, 1), layer.weight).split(len(times))
        neuron.i, neuron.v = slope, potential
        return neuron(torch.stack(currents))


def simulate(layer: SpikingLayer, times: Tensor, steps: int) -> Tensor:
    """Spike times of `layer`, local to its window, as `spikes_of` has them: infinity for silence."""
    fired = spikes_of(layer, times, steps)
    first = fired.argmax(0).to(times.dtype) / steps - 1
    return torch.where(fired.amax(0) > 0, first * layer.numerics.window, inf)


def simulate_network(layers: nn.Sequential, x: Tensor, steps: int) -> list[Tensor]:
    """What each of `layers` gives for pixels `x` [N, ...] when the spiking ones are simulated one after the other.

    Windows do not overlap, so that a layer has fired before the next one opens. An encoding, pooling and a readout are
    what they are in closed form.
    """
    found = []
    for layer in layers:
        with torch.no_grad():
            x = simulate(layer, x, steps) if isinstance(layer, SpikingLayer) else layer(x)
        found.append(x)
    return found
