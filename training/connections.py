"""Connections: where the inputs of a layer meet its weights, and how many of them were at work.

Nothing is kept of the inputs but how often each place of a sample was not zero. An input at a place meets as many
weights as its fan-out, whatever the others do, so that these counts and the fan-outs give the exact number of
operations: borders, strides, groups and weights of zero among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.ttfs.layers import SpikingLayer, Weighted

Apply = Callable[[Tensor, Tensor], Tensor]  # of inputs [N, ...] and weights, without a bias
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Counts:
    """Sums over all that was seen.

    `nonzero` inputs of `inputs`; `ones` are those that are 1, `graded` those that are neither -1 nor 1. `effective`:
    operations of an input and a weight that are both not zero; `reached`: of an input that is not zero, whatever the
    weight; `dense`: of every input and every weight, but for inputs that are padding; `textbook`: with the padding.
    """

    inputs: float
    nonzero: float
    ones: float
    graded: float
    effective: float
    reached: float
    dense: float
    textbook: float


class Connection:
    """Inputs [..., *sample] that meet `weight` [outputs, inputs of an output] by `apply`."""

    def __init__(self, weight: Tensor, apply: Apply) -> None:
        self.weight, self.apply = weight, apply
        self.seen: dict[torch.Size, Tensor] = {}  # by the shape of a sample: how often each place was not zero
        self.rows: dict[torch.Size, int] = {}  # and how many samples, each of their steps one
        self.ones: Tensor | int = 0
        self.negative: Tensor | int = 0  # inputs of -1
        self.outputs = 0

    @torch.no_grad()
    def see(self, x: Tensor, outputs: int) -> None:
        """Takes in the inputs `x` of one call, which led to so many outputs."""
        kept = self.weight.ndim - 1
        shape, some = x.shape[-kept:], x != 0
        rows = some.flatten(0, -kept - 1) if some.ndim > kept else some.unsqueeze(0)
        found = rows.sum(0, dtype=torch.int32).long()  # the type is several times faster than the usual one
        self.seen[shape] = self.seen[shape] + found if shape in self.seen else found
        self.rows[shape] = self.rows.get(shape, 0) + len(rows)
        self.ones = self.ones + (x == 1).count_nonzero()
        self.negative = self.negative + (x == -1).count_nonzero()
        self.outputs += outputs

    def counts(self) -> Counts:
        """Of all calls so far; the weights are those of now."""
        effective = reached = dense = nonzero = 0.0
        for shape, seen in self.seen.items():
            times = seen.double()
            every = self._fan_out(shape, torch.ones_like(self.weight))
            effective += float((times * self._fan_out(shape, self.weight != 0)).sum())
            reached += float((times * every).sum())
            dense += float(every.sum()) * self.rows[shape]
            nonzero += float(times.sum())
        return Counts(
            inputs=float(sum(shape.numel() * rows for shape, rows in self.rows.items())),
            nonzero=nonzero,
            ones=float(self.ones),
            graded=nonzero - float(self.ones) - float(self.negative),
            effective=effective,
            reached=reached,
            dense=dense,
            textbook=float(self.outputs * self.weight[0].numel()),
        )

    @property
    def zeros(self) -> float:
        """The share of the weights that are zero."""
        return float((self.weight == 0).double().mean())

    def _fan_out(self, shape: torch.Size, there: Tensor) -> Tensor:
        """How many of the weights that are `there` an input at each place of a sample meets."""
        with torch.inference_mode(False), torch.enable_grad():
            x = torch.zeros((1, *shape), dtype=torch.float64, device=there.device, requires_grad=True)
            (found,) = torch.autograd.grad(self.apply(x, there.detach().double()).sum(), x)
        return found[0].round()  # whole numbers, however a convolution was computed


class Watched:
    """A layer with connections and what a call of it tells them."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer
        self.connections: dict[str, Connection] = {}  # by what is added to the name of the layer

    def called(self, args: tuple[Tensor, ...], out: Tensor) -> None:
        """Takes in a call with `args` and its output."""
        (connection,) = self.connections.values()
        connection.see(args[0], out.numel())


class _Linear(Watched):
    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer)
        self.connections[""] = Connection(layer.weight, F.linear)


class _Convolution(Watched):
    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(layer)
        self.connections[""] = Connection(layer.weight, lambda x, weight: layer._conv_forward(x, weight, None))


class _SpikeTimes(Watched):
    """A layer in closed form: each input fires at most once, whenever."""

    def __init__(self, layer: Weighted) -> None:
        super().__init__(layer)
        apply = layer.operator.apply if isinstance(layer, SpikingLayer) else F.linear
        self.connections[""] = Connection(layer.weight, apply)

    def called(self, args: tuple[Tensor, ...], out: Tensor) -> None:
        super().called(((args[0] < inf).to(out.dtype),), out)


class _Recurrent(Watched):
    """An RNN, LSTM or GRU of one layer: the inputs meet one matrix, the outputs of the step before another.

    The products of gates and states are neuron by neuron and do not count.
    """

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__(layer)
        for name in ("ih", "hh"):
            self.connections[f".{name}"] = Connection(getattr(layer, f"weight_{name}_l0"), F.linear)

    def called(self, args: tuple[Tensor, ...], out: Tensor) -> None:
        outputs, _ = out
        first = args[1] if len(args) > 1 else None
        hidden = first[0] if isinstance(first, tuple) else first  # an LSTM has cells beside
        time = 1 if self.layer.batch_first and outputs.ndim == 3 else 0
        begin = torch.zeros_like(outputs.select(time, 0)) if hidden is None else hidden[0]
        steps = outputs.shape[time] - 1
        before = torch.cat([begin.unsqueeze(time), outputs.narrow(time, 0, steps)], time)
        for connection, x in zip(self.connections.values(), (args[0], before), strict=True):
            connection.see(x, outputs.numel() // outputs.shape[-1] * len(connection.weight))


def watched(network: nn.Module) -> Iterator[tuple[str, Watched]]:
    """The layers of `network` whose connections can be counted, by name."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear):
            yield name, _Linear(layer)
        elif isinstance(layer, CONVOLUTIONS):
            yield name, _Convolution(layer)  # type: ignore[arg-type]
        elif isinstance(layer, Weighted):
            yield name, _SpikeTimes(layer)
        elif (
            isinstance(layer, nn.RNNBase) and layer.num_layers == 1 and not layer.bidirectional and not layer.proj_size
        ):
            yield name, _Recurrent(layer)
