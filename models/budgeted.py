"""A small network that has as many trainable parameters as it is told, whatever its neurons have of their own."""

from __future__ import annotations

from torch import Tensor, nn

from core.randomness import seeded

from . import NeuronFactory
from .layers import BatchNorm1d
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
    return width * (values + width + outputs + 4) + outputs  # 4: two batch norms of a scale and a shift each


def budgeted(
    neuron: NeuronFactory,
    *,
    parameters: int,
    T: int,
    values: int,
    outputs: int,
    order: str = "",
    answer: int | None = None,
) -> BudgetedNet:
    """{Linear without bias - batch norm over all steps - neuron} twice, then Linear, on every step.

    Both layers have as many neurons as bring the number of trainable parameters nearest to `parameters`. ValueError
    where one neuron a layer already has more than twice as many.
    """
    width = _width(neuron, parameters, values, outputs)
    return BudgetedNet(_layers(neuron, width, values, outputs), order, T, values, answer)


def _layers(neuron: NeuronFactory, width: int, values: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(values, width, bias=False),
        BatchNorm1d(width),
        neuron((width,)),
        nn.Linear(width, width, bias=False),
        BatchNorm1d(width),
        neuron((width,)),
        nn.Linear(width, outputs),
    )


def _width(neuron: NeuronFactory, parameters: int, values: int, outputs: int) -> int:
    """The number of neurons a layer, by halving: more neurons never have fewer parameters."""

    def of(width: int) -> int:
        with seeded(0):  # what is drawn to be counted leaves the generators as they were
            return trainable(_layers(neuron, width, values, outputs))

    if of(1) > 2 * parameters:
        raise ValueError(
            f"One neuron a layer has {of(1):,} trainable parameters already, and {parameters:,} are allowed; give more."
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
