"""Whether a training is still one: a loss, parameter or buffer that is no longer finite has ended it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

NAMED = 3  # that many of the other things that are no longer finite are named


class Diverged(RuntimeError):
    """The loss, a parameter or a buffer is no longer finite."""


class Finite:
    """Watches the parameters and buffers of `network`, from before its training on.

    What holds infinities already then, such as a mask of -inf, may keep infinities, yet no NaN; only a parameter that
    is not trained may keep a NaN, too.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.infinite = {name for name, tensor in self._tensors().items() if bool(tensor.isinf().any())}
        frozen = {name: parameter for name, parameter in network.named_parameters() if not parameter.requires_grad}
        self.unknown = {name for name, parameter in frozen.items() if bool(parameter.isnan().any())}

    def check(self, epoch: int, loss: float = 0.0) -> None:
        """Raises Diverged, with names and `epoch`, unless `loss` and all tensors are finite; the device is waited for
        once."""
        tensors = {name: tensor for name, tensor in self._tensors().items() if name not in self.unknown}
        sound = [self._sound(name, tensor) for name, tensor in tensors.items()]
        every = torch.stack(sound).tolist() if sound else []
        broken = [name for name, value in zip(tensors, every, strict=True) if not value]
        if not math.isfinite(loss):
            raise Diverged(f"the training loss became {loss} in epoch {epoch}{_also(broken)}")
        if broken:
            became = "nan" if bool(tensors[broken[0]].isnan().any()) else "infinite"
            raise Diverged(f"{broken[0]} became {became} in epoch {epoch}{_also(broken[1:])}")

    def _tensors(self) -> dict[str, Tensor]:
        named = [*self.network.named_parameters(), *self.network.named_buffers()]
        return {name: tensor.detach() for name, tensor in named}

    def _sound(self, name: str, tensor: Tensor) -> Tensor:
        return ~tensor.isnan().any() if name in self.infinite else tensor.isfinite().all()


def _also(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"; no longer finite either: {', '.join(names[:NAMED])}{more}"
