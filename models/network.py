"""What every network is: it encodes its input as a sequence and runs sequences.

A sequence cut into pieces that are run one after the other gives what the whole gives, so any network can be trained
piece by piece: the state goes on until `models.reset`, `models.detach` ends the gradient between two pieces. Exactly so
in evaluation. In training, batch norm over all steps (models.layers) sees one piece at a time, and ordinary dropout
draws anew at each step. A layer whose sequence is whole (PSN) cannot be cut: see `uncut`.
"""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """A network of `T` steps. A subclass states `encode` and `forward`.

    `silent` is the number of first steps whose outputs are no answer.
    """

    T: int
    silent: int = 0

    def encode(self, x: Tensor) -> Tensor:
        """The sequence [T, N, ...] of a batch of the task's inputs [N, ...].

        It may hold learned layers: after an update, or a backward pass through it, encode again.
        """
        raise NotImplementedError

    def run(self, x: Tensor) -> Tensor:
        """Answers [T - silent, N, ...] to a batch of the task's inputs: `forward` of the whole sequence."""
        outputs = self(self.encode(x))
        return outputs[self.silent :] if self.silent else outputs

    def uncut(self) -> list[str]:
        """Names of the layers whose sequence is whole by definition; a network without any runs piece by piece."""
        return [name for name, layer in self.named_modules() if getattr(layer, "recurrent", True) is False]


class Whole(nn.Module):
    """A network from its task's inputs to its answers, as one module: what training in several processes wraps."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.run(x)


def frames(x: Tensor, T: int) -> Tensor:
    """Event frames [N, T, ...] as a sequence. ValueError for another number of frames than `T`."""
    if x.shape[1] != T:
        raise ValueError(f"The network was built for {T} frames, the input has {x.shape[1]}.")
    return x.transpose(0, 1)
