"""Images as sequences, and the fully connected network for them."""

from __future__ import annotations

from torch import Tensor, nn

from core.registry import unknown

from . import NeuronFactory
from .network import Network

ORDERS = ("columns", "rows", "pixels")


def steps(order: str, height: int, width: int) -> int:
    """Length of the sequence that an image of `height` x `width` pixels becomes; UnknownName for an unknown order."""
    if order not in ORDERS:
        raise unknown("order of a sequence", order, ORDERS)
    return {"columns": width, "rows": height, "pixels": height * width}[order]


def extent(order: str, side: int, width: int | None) -> int:
    """Pixels in one step."""
    return side * (width or side) // steps(order, side, width or side)


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


class SequentialNet(Network):
    """Images [N, C, H, W] of `side` x `width` pixels (height by width; square by default), read in `order` -> logits
    [T, N, classes] of all steps, of which the last `answer` are the answer; `T` follows from size and order.

    `conv` and `fc` see sequences [T, N, ...].
    """

    def __init__(
        self,
        conv: nn.Module,
        fc: nn.Module,
        order: str,
        side: int,
        width: int | None = None,
        answer: int | None = None,
    ) -> None:
        super().__init__()
        self.conv, self.fc, self.order, self.size = conv, fc, order, (side, width or side)
        self.T = steps(order, *self.size)
        if answer is not None and not 1 <= answer <= self.T:
            raise ValueError(f"The last {answer} steps of a sequence of {self.T} are no answer; give 1 to {self.T}.")
        self.silent = self.T - (answer or self.T)

    def encode(self, x: Tensor) -> Tensor:
        if x.shape[2:] != self.size:
            (height, width), (h, w) = self.size, x.shape[2:]
            raise ValueError(f"The network was built for images of {height}x{width}, the input has {h}x{w}.")
        return sequence(x, self.order)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.fc(self.conv(sequence))


def sequential_fc(
    neuron: NeuronFactory,
    *,
    order: str = "pixels",
    side: int = 28,
    width: int | None = None,
    answer: int | None = None,
    inputs: int = 1,
    classes: int = 10,
    hidden: int = 256,
) -> SequentialNet:
    """Linear - neuron - Linear - neuron - Linear on every step, `hidden` neurons each; all values of a step at once.

    `side`, `width` and `answer` as in SequentialNet.
    """
    values = inputs * extent(order, side, width)
    fc = nn.Sequential(
        nn.Flatten(2),
        nn.Linear(values, hidden),
        neuron((hidden,)),
        nn.Linear(hidden, hidden),
        neuron((hidden,)),
        nn.Linear(hidden, classes),
    )
    return SequentialNet(nn.Identity(), fc, order, side, width, answer)
