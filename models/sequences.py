"""Images as sequences, and the fully connected network for them."""

from __future__ import annotations

from torch import Tensor, nn

from bench.registry import unknown

from . import NeuronFactory

ORDERS = ("columns", "rows", "pixels")


def steps(order: str, side: int) -> int:
    """Length of the sequence that an image of `side` x `side` pixels becomes; UnknownName for an unknown order."""
    if order not in ORDERS:
        raise unknown("order of a sequence", order, ORDERS)
    return side * side if order == "pixels" else side


def sequence(images: Tensor, order: str) -> Tensor:
    """Images [N, C, H, W] as sequences.

    "columns": [W, N, C, H], step t is column t (PSN); "rows": [H, N, C, W]; "pixels": [H * W, N, C], row by row.
    """
    match order:
        case "columns":
            return images.permute(3, 0, 1, 2)
        case "rows":
            return images.permute(2, 0, 1, 3)
        case "pixels":
            return images.flatten(2).permute(2, 0, 1)
    raise unknown("order of a sequence", order, ORDERS)


class SequentialNet(nn.Module):
    """Images [N, C, H, W] of `side` x `side` pixels, read in `order` -> logits [T, N, classes]; `T` follows from both.

    `conv` and `fc` see sequences [T, N, ...].
    """

    def __init__(self, conv: nn.Module, fc: nn.Module, order: str, side: int) -> None:
        super().__init__()
        self.conv, self.fc, self.order, self.side, self.T = conv, fc, order, side, steps(order, side)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.side, self.side):
            height, width = x.shape[2:]
            raise ValueError(f"The network was built for images of side {self.side}, the input has {height}x{width}.")
        return self.fc(self.conv(sequence(x, self.order)))


def sequential_fc(
    neuron: NeuronFactory,
    *,
    order: str = "pixels",
    side: int = 28,
    inputs: int = 1,
    classes: int = 10,
    hidden: int = 256,
) -> SequentialNet:
    """Linear - neuron - Linear - neuron - Linear on every step, `hidden` neurons each; all values of a step at once."""
    values = inputs if order == "pixels" else inputs * side
    fc = nn.Sequential(
        nn.Flatten(2),
        nn.Linear(values, hidden),
        neuron((hidden,)),
        nn.Linear(hidden, hidden),
        neuron((hidden,)),
        nn.Linear(hidden, classes),
    )
    return SequentialNet(nn.Identity(), fc, order, side)
