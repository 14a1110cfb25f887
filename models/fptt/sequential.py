"""The networks of sequential MNIST: a pixel or a row at each step, batch norm with statistics of each step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from neurons.backends import liquid_step
from neurons.base import Neuron

from .. import NeuronFactory
from ..readout import LiquidReadout
from ..recurrent import Recurrent
from ..sequences import SequentialNet, extent, steps
from ..stateful import fitting
from ..steps import Lagged, TimeBatchNorm1d
from .layers import spiking


class StepByStep(Recurrent):
    """The same layer, whose steps a kernel computes where there is one."""

    def step(self, x: Tensor) -> Tensor:
        before = fitting(self.spikes, x, "The spikes fed back")
        current = x + self.feedback(before).to(x.dtype)
        compute = liquid_step.find(self.neuron, current)
        self.spikes = self.neuron(current) if compute is None else self._computed(current, compute)
        return self.spikes

    def _computed(self, current: Tensor, compute: liquid_step.Step) -> Tensor:
        neuron = self.neuron

        def advance(x: Tensor) -> Tensor:
            *states, spikes = compute(x, *neuron.load_states(x))
            neuron.store_states([*states, spikes])
            return spikes

        return _called(neuron, current, advance)


class Sequence(nn.Module):
    """The spikes of `neuron` for sequences [T, N, C], step by step by that kernel where there is one."""

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        neuron, compute = self.neuron, liquid_step.find(self.neuron, x[0])
        if compute is None:
            return neuron(x)

        def advance(x: Tensor) -> Tensor:
            states, spikes = neuron.load_states(x[0]), []
            for x_t in x.unbind(0):
                states = list(compute(x_t, *states))
                spikes.append(states[-1])
            neuron.store_states(states)
            return torch.stack(spikes)

        return _called(neuron, x, advance)


def _called(neuron: Neuron, x: Tensor, advance: Callable[[Tensor], Tensor]) -> Tensor:
    """A call like any other of `neuron`, so that hooks and checkpointing see it, with another way to compute it."""
    neuron.advance = advance  # type: ignore[method-assign, assignment]
    try:
        spikes = neuron(x)
    finally:
        del neuron.advance
    object.__setattr__(neuron, "ran", liquid_step.BACKEND)
    object.__setattr__(neuron, "kernel", liquid_step.KERNEL)
    return spikes


def _normed(inputs: int, hidden: int, T: int) -> nn.Sequential:
    linear = nn.Linear(inputs, hidden)
    nn.init.xavier_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, TimeBatchNorm1d(hidden, T, weight=0.1))


def _fed_back(hidden: int, T: int, step_mode: str = "s") -> nn.Sequential:
    linear = nn.Linear(hidden, hidden)
    nn.init.orthogonal_(linear.weight)
    return nn.Sequential(linear, TimeBatchNorm1d(hidden, T, weight=0.1, step_mode=step_mode))


def sequential(
    neuron: NeuronFactory,
    *,
    layers: int = 1,
    released: bool = True,
    recurrent: bool = True,
    order: str = "pixels",
    side: int = 28,
    width: int | None = None,
    answer: int | None = 1,
    inputs: int = 1,
    classes: int = 10,
    hidden: int = 256,
) -> SequentialNet:
    """S-MNIST: `layers` of BNx(W X[t]) + BNr(W_r S[t-1]) and neurons, then BNo(W_o S[t]) and a liquid readout.

    `released` keeps a slip of the two-layer network: its second layer is fed back the spikes of the first, not its own.
    Neurons without a single step (PSN) take part with recurrent=False, which leaves the feedback out.
    `side`, `width` and `answer` as in SequentialNet.
    """
    if layers < 1 or (released and layers > 2):
        raise ValueError(
            f"The released network has one or two layers, another number needs released=False; got layers={layers}."
        )
    T, values = steps(order, side, width or side), inputs * extent(order, side, width)
    fc: list[nn.Module] = [nn.Flatten(2)]
    for layer in range(layers):
        direct = _normed(hidden if layer else values, hidden, T)
        if recurrent and released and layer:
            fc += [Lagged(direct, _fed_back(hidden, T, "m")), Sequence(spiking(neuron((hidden,))))]
        elif recurrent:
            fc += [direct, StepByStep(spiking(neuron((hidden,))), _fed_back(hidden, T))]
        else:
            fc += [direct, neuron((hidden,))]
    readout = LiquidReadout(classes, slope=True)
    nn.init.xavier_normal_(readout.mixing.weight)
    nn.init.zeros_(readout.mixing.bias)
    return SequentialNet(
        nn.Identity(), nn.Sequential(*fc, _normed(hidden, classes, T), readout), order, side, width, answer
    )
