"""What networks of spike times do: how many neurons fire, when, and what that costs."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor, nn

from models.ttfs.layers import Readout, SpikingLayer, Weighted

from . import distributed
from .measures import NetworkMeasure, Reading


class SingleSpikes(NetworkMeasure):
    """Over all that the network is given while it is watched; nothing of a network without spike times.

    rate_LAYER: spikes per neuron of a layer that fires, those at the very end of the window among them, which end_LAYER
    is the share of; silent: the share of all its neurons that stay silent. additions: how many weights the spikes
    of a sample reach, those of the input among them; multiply_adds: how many they would if all fired, which is what a
    network without spikes computes.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, Weighted)}
        self.firing = [name for name, layer in self.layers.items() if isinstance(layer, SpikingLayer)]
        # by layer: neurons, spikes, spikes at the end of the window, additions, multiply-adds
        self.counts = {name: [0.0] * 5 for name in self.layers}
        self.samples = 0

    def watching(self) -> SingleSpikes:
        return self

    def __enter__(self) -> SingleSpikes:
        self.hooks = [
            layer.register_forward_hook(lambda layer, x, out, name=name: self._add(name, layer, x[0], out))
            for name, layer in self.layers.items()
        ]
        return self

    def __exit__(self, *exc: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _add(self, name: str, layer: Weighted, times: Tensor, out: Tensor) -> None:
        reached = _fan_out(layer, times[:1], out[:1])
        fired = (times < inf).to(times.dtype)
        found = [0.0, 0.0, 0.0, float((fired * reached).sum()), float(reached.sum()) * len(times)]
        if isinstance(layer, SpikingLayer):
            found[:3] = out.numel(), float((out < inf).sum()), float((out == layer.numerics.window).sum())
        self.counts[name] = [a + b for a, b in zip(self.counts[name], found, strict=True)]
        self.samples += len(times) if name == next(iter(self.layers)) else 0

    def values(self) -> dict[str, Reading]:
        if not self.firing:
            return {}
        rows = distributed.total(torch.tensor(list(self.counts.values()), dtype=torch.float64)).tolist()
        by_layer = dict(zip(self.counts, rows, strict=True))
        samples = float(distributed.total(torch.tensor(self.samples)))
        found: dict[str, Reading] = {}
        for name in self.firing:
            neurons, spikes, last, *_ = by_layer[name]
            found[f"rate_{name}"] = _share(spikes, neurons)
            found[f"end_{name}"] = _share(last, neurons)
        neurons, spikes = (sum(by_layer[name][i] for name in self.firing) for i in range(2))
        found["silent"] = Reading(_share(neurons - spikes, neurons).value, "fraction")
        for at, name in ((3, "additions"), (4, "multiply_adds")):
            total = sum(row[at] for row in rows)
            found[name] = Reading(total / samples if samples else float("nan"), "count")
        return found


def _share(part: float, whole: float) -> Reading:
    return Reading(part / whole if whole else float("nan"), "1")


def _fan_out(layer: Weighted, times: Tensor, out: Tensor) -> Tensor:
    """How many weights a spike of each input reaches, [1, ...]."""
    if isinstance(layer, SpikingLayer):
        ones = torch.ones_like(layer.weight, dtype=times.dtype)
        return layer.operator.to_input(torch.ones_like(out), times, ones)
    assert isinstance(layer, Readout)
    return torch.full_like(times, out.shape[1])
