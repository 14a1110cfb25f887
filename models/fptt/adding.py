"""The networks of the adding task: two inputs, one layer with memory, one number."""

from __future__ import annotations

from torch import Tensor, nn

from .. import NeuronFactory
from ..network import Network
from ..recurrent import Potentials, Recurrent
from ..stateful import Stateful
from .layers import dense, spiking


class AddingNet(Network):
    """Sequences [N, T, inputs] -> a number at every step, [T, N, 1]; the last is the answer."""

    def __init__(self, hidden: nn.Module, width: int, T: int) -> None:
        super().__init__()
        self.hidden, self.readout, self.T, self.silent = hidden, nn.Linear(width, 1), T, T - 1

    def encode(self, x: Tensor) -> Tensor:
        if x.shape[1] != self.T:
            raise ValueError(f"The network was built for sequences of {self.T} steps, the input has {x.shape[1]}.")
        return x.transpose(0, 1)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.readout(self.hidden(sequence))

    def end(self, sequence: Tensor) -> Tensor:
        """The answer of the last step alone, [1, N, 1]: nothing is kept of the readout of the others."""
        return self.readout(self.hidden(sequence)[-1:].clone())  # a view would keep the others

    def run(self, x: Tensor) -> Tensor:
        return self.end(self.encode(x))


def adding(
    neuron: NeuronFactory, *, T: int = 1000, inputs: int = 2, hidden: int = 128, recurrent: bool = True
) -> AddingNet:
    """One recurrent layer, read from its potentials after the reset.

    Neurons without a potential are read from their spikes; those without a single step (PSN) take part with
    recurrent=False.
    """
    linear, layer = dense(neuron, inputs, hidden, recurrent=recurrent)
    read = Potentials(layer if isinstance(layer, Recurrent) else spiking(layer))
    network = AddingNet(nn.Sequential(linear, read), hidden, T)
    nn.init.xavier_normal_(network.readout.weight)
    return network


class Cells(Stateful):
    """An LSTM or a tanh RNN over sequences [T, N, C], its state carried from call to call."""

    def __init__(self, layer: nn.LSTM | nn.RNN) -> None:
        self.memory = ("h", "c") if isinstance(layer, nn.LSTM) else ("h",)
        super().__init__()
        self.layer = layer
        self.h: Tensor | None
        self.c: Tensor | None

    def advance(self, x: Tensor) -> Tensor:
        kept = [getattr(self, name) for name in self.memory]
        before = None if kept[0] is None else tuple(kept) if len(kept) > 1 else kept[0]
        if kept[0] is not None and kept[0].shape[1] != x.shape[1]:
            raise ValueError(
                f"The state is that of {kept[0].shape[1]} samples, this input has {x.shape[1]}; call reset() between "
                "sequences of different shape."
            )
        outputs, after = self.layer(x, before)
        for name, value in zip(self.memory, after if len(kept) > 1 else (after,), strict=True):
            setattr(self, name, value)
        return outputs


def lstm(neuron: NeuronFactory | None = None, *, T: int = 1000, inputs: int = 2, hidden: int = 128) -> AddingNet:
    """The same with an LSTM for the layer; `neuron` takes no part."""
    return AddingNet(Cells(nn.LSTM(inputs, hidden)), hidden, T)


def rnn(neuron: NeuronFactory | None = None, *, T: int = 1000, inputs: int = 2, hidden: int = 128) -> AddingNet:
    """The same with a tanh RNN for the layer; `neuron` takes no part."""
    return AddingNet(Cells(nn.RNN(inputs, hidden)), hidden, T)
