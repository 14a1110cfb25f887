"""A small network with a budget of trainable parameters, whatever its neurons have of their own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.errors import Unsupported
from core.randomness import seeded

from . import NeuronFactory
from .network import Network, frames
from .sequences import sequence

WIDEST = 65_536


class BudgetedNet(Network):
    """Images [N, C, H, W] read in `order` (models.sequences), or with order "" frames [N, T, ...], of `values` a step,
    which enter at once -> outputs of the last `answer` of `T` steps, [answer, N, outputs]."""

    def __init__(self, layers: nn.Module, order: str, T: int, values: int, answer: int | None) -> None:
        super().__init__()
        if answer is not None and not 1 <= answer <= T:
            raise ValueError(f"The last {answer} steps of a sequence of {T} are no answer; give 1 to {T}.")
        self.layers, self.order, self.T, self.values = layers, order, T, values
        self.silent = T - (answer or T)

    def encode(self, x: Tensor) -> Tensor:
        found = (sequence(x, self.order) if self.order else frames(x, self.T)).flatten(2)
        if (len(found), found.shape[2]) != (self.T, self.values):
            raise ValueError(
                f"The network was built for {self.T} steps of {self.values} values, the input has {len(found)} of "
                f"{found.shape[2]}."
            )
        return found

    def forward(self, sequence: Tensor) -> Tensor:
        return self.layers(sequence)


def parameters_of(width: int, values: int, outputs: int) -> int:
    """Trainable parameters of such a network of `width` neurons a layer that have none of their own."""
    return width * (values + width + outputs + 2) + outputs


def budgeted(
    neuron: NeuronFactory,
    *,
    width: int,
    T: int,
    values: int,
    outputs: int,
    order: str = "",
    answer: int | None = None,
) -> BudgetedNet:
    """Linear - neuron - Linear - neuron - Linear on every step. Without batch norm, which sees a sequence in pieces
    otherwise than as a whole, so that all schemes can train it.

    The budget are the trainable parameters of layers of `width` neurons that have none of their own; both layers have
    as many neurons as come nearest to it. Unsupported where one neuron a layer is beyond it already.
    """
    own = int(torch.randint(2**62, ()))  # so that what is drawn later does not depend on the number of neurons
    nearest = _width(neuron, parameters_of(width, values, outputs), values, outputs)
    with seeded(own):
        return BudgetedNet(_layers(neuron, nearest, values, outputs), order, T, values, answer)


def _layers(neuron: NeuronFactory, width: int, values: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(values, width),
        neuron((width,)),
        nn.Linear(width, width),
        neuron((width,)),
        nn.Linear(width, outputs),
    )


def _width(neuron: NeuronFactory, parameters: int, values: int, outputs: int) -> int:
    """The number of neurons a layer, by halving: more neurons never have fewer parameters."""

    def of(width: int) -> int:
        with seeded(0):
            return trainable(_layers(neuron, width, values, outputs))

    if of(1) > parameters:
        raise Unsupported(
            f"One neuron a layer makes {of(1):,} trainable parameters, and the budget is {parameters:,}; widen it."
        )
    low, high = 1, 2
    while of(high) < parameters and high < WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if of(middle) <= parameters else (low, middle)
    return min((low, high), key=lambda width: abs(of(width) - parameters))


def trainable(network: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
