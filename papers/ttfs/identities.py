"""Exact statements about spike times, checked on a trained network with what really reaches its layers (spec, 11)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network
from models.ttfs.functions import Operator
from models.ttfs.layers import SpikingLayer
from models.ttfs.networks import SpikeTimes, spiking, weighted
from models.ttfs.numerics import CORRECTED, RELEASED, numerics
from models.ttfs.stepwise import simulate, spikes_of
from results import Metric

from .protocols import STEPS

if TYPE_CHECKING:
    from tasks import Split

SAMPLES = 16  # of the test set
WEIGHTS, NUDGE = 6, 1e-6  # of each layer, and how far each is moved


def measure(network: Network, split: Split, device: str) -> tuple[Metric, ...]:
    """What holds of a network of spike times with a falling threshold, in double precision; nothing of any other.

    early_inputs, late_inputs: the share of pixels that fire before and after their window. With K steps of a window,
    each layer simulated with the inputs that it has: late_K, by how many steps it fires late at most; wrong_K, how many
    of the `neurons` fire early or late by a step or more, or differ in silence. most_spikes: of one neuron there.
    passes, passes_K: how often a sample passes an operator, in closed form and simulated. gradient_difference: between
    the true gradient and central differences, where no neuron passes a kink, in the largest gradient of the layer;
    `gradients` is how many were compared. clipped_cosine: of the true gradient and the released one with a clip of 1.
    """
    if not isinstance(network, SpikeTimes) or any(layer.numerics.threshold for layer in weighted(network)):
        return ()
    network = copy.deepcopy(network).double().eval()
    x, labels = split.batch(torch.arange(min(SAMPLES, len(split))))
    x, labels = x.to(device).double(), labels.to(device)
    inputs = _inputs(network, x)
    pixels = network.encode(x)
    found = [
        Metric("early_inputs", float((pixels < 0).double().mean()), "fraction"),
        Metric("late_inputs", float(((pixels > network.encoding.window) & (pixels < inf)).double().mean()), "fraction"),
        Metric("neurons", sum(layer(times).numel() for layer, times in inputs), "count"),
        Metric("passes", _passes(inputs, None), "count"),
    ]
    for steps in STEPS:
        late, wrong = zip(*(_simulated(layer, times, steps) for layer, times in inputs), strict=True)
        found += [
            Metric(f"late_{steps}", max(late), "steps"),
            Metric(f"wrong_{steps}", sum(wrong), "count"),
            Metric(f"passes_{steps}", _passes(inputs, steps), "count"),
        ]
    most = max(float(spikes_of(layer, times, STEPS[0]).sum(0).max()) for layer, times in inputs)
    found.append(Metric("most_spikes", most, "count"))
    return (*found, *_gradients(network, x, labels))


def _inputs(network: SpikeTimes, x: Tensor) -> list[tuple[SpikingLayer, Tensor]]:
    """Each layer that fires with the times [N, ...] that reach it."""
    seen: list[tuple[SpikingLayer, Tensor]] = []
    hooks = [
        layer.register_forward_pre_hook(lambda layer, given: seen.append((layer, given[0])))
        for layer in spiking(network).values()
    ]
    with torch.no_grad():
        network.run(x)
    for hook in hooks:
        hook.remove()
    return seen


@torch.no_grad()
def _simulated(layer: SpikingLayer, times: Tensor, steps: int) -> tuple[float, int]:
    """By how many steps a neuron fires late at most, and how many are not right.

    A neuron whose potential ends within rounding of the threshold may be silent in one of the two.
    """
    closed, found = layer(times), simulate(layer, times, steps)
    window = layer.numerics.window
    both = (closed < inf) & (found < inf)
    late = torch.where(both, (found - closed) * steps / window, 0.0)
    at_end = torch.where(closed < inf, closed, found) > window * (1 - 1e-6)
    wrong = ((closed < inf) != (found < inf)) & ~at_end
    wrong |= (late < -1e-6) | (late > 1 + 1e-6)
    return float(late.max()), int(wrong.sum())


class _Counted:
    """An operator that counts the samples that it is applied to."""

    def __init__(self, operator: Operator) -> None:
        self.operator, self.samples = operator, 0

    def arranged(self, x: Tensor) -> Tensor:
        return self.operator.arranged(x)

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        self.samples += len(x)
        return self.operator.apply(x, weight)

    def to_weight(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return self.operator.to_weight(grad, x, weight)

    def to_input(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return self.operator.to_input(grad, x, weight)


@torch.no_grad()
def _passes(inputs: list[tuple[SpikingLayer, Tensor]], steps: int | None) -> float:
    """How often a sample passes the operators of all layers that fire."""
    found = 0.0
    for layer, times in inputs:
        before, layer.operator = layer.operator, _Counted(layer.operator)
        layer(times) if steps is None else simulate(layer, times, steps)
        found += layer.operator.samples / len(times)
        layer.operator = before
    return found


def _gradients(network: SpikeTimes, x: Tensor, labels: Tensor) -> Iterator[Metric]:
    """Of the cross-entropy of the last answers, or of minus their times where these fire."""

    def loss() -> Tensor:
        said = network.run(x)[-1]
        return F.cross_entropy(-said.masked_fill(said == inf, 2.0) if network.fires else said, labels)

    def of(name: str) -> list[Tensor]:
        for layer in weighted(network):
            layer.numerics = numerics(name, window=network.encoding.window if name == CORRECTED else 1.0)
        return list(torch.autograd.grad(loss(), parameters))

    parameters = list(network.parameters())
    released = of(RELEASED) if network.encoding.window == 1 else None
    exact = of(CORRECTED)
    worst, compared = 0.0, 0
    generator = torch.Generator().manual_seed(0)
    for parameter, gradient in zip(parameters, exact, strict=True):
        largest = float(gradient.abs().max())
        if not largest:
            continue
        for place in torch.randperm(parameter.numel(), generator=generator)[:WEIGHTS].tolist():
            moved = [_moved(network, parameter, place, sign * NUDGE, x, loss) for sign in (1, -1)]
            (above, first), (below, second) = moved
            if all(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
                slope = (above - below) / (2 * NUDGE)
                worst = max(worst, abs(slope - float(gradient.view(-1)[place])) / largest)
                compared += 1
    yield Metric("gradient_difference", worst if compared else None, "1")
    yield Metric("gradients", compared, "count")
    if released is not None:
        true, clipped = (torch.cat([g.flatten() for g in several]) for several in (exact, released))
        yield Metric("clipped_cosine", float(F.cosine_similarity(true, clipped, dim=0)), "1")


@torch.no_grad()
def _moved(
    network: SpikeTimes, parameter: Tensor, place: int, by: float, x: Tensor, loss: Callable[[], Tensor]
) -> tuple[float, list[Tensor]]:
    """The loss with one weight moved, and of each layer which neurons are where: clamped, within, silent."""
    before = parameter.view(-1)[place].clone()
    parameter.view(-1)[place] += by
    sides = []
    for layer, times in _inputs(network, x):
        out = layer(times)
        sides.append((out > 0).int() + (out >= layer.numerics.window).int() + (out == inf).int())
    value = float(loss())
    parameter.view(-1)[place] = before
    return value, sides
