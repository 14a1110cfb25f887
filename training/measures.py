"""What is measured of a training: of what the network says to each part of the data, and of the network itself.

The loop records what the measures of an experiment return and knows none by name; papers.measures lists them. A measure
of your own is a class with one of the two bases below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from neurons.base import Neuron
from tasks import Classes, Target

from . import distributed


class Reading(NamedTuple):
    """A number and its unit; NaN where it could not be computed."""

    value: float
    unit: str


class AnswerMeasure(ABC):
    """Of what is said to one part of the data. It is made anew for each pass, its curve is PART_NAME ("test_accuracy").

    `target` is that of the task; a measure that makes no sense of it raises a ValueError that says so.
    """

    name: ClassVar[str]
    unit: ClassVar[str]

    def __init__(self, target: Target) -> None:
        self.target = target

    @abstractmethod
    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        """Takes in a batch: `outputs` [T, N, ...], the `predictions` [N, ...] made of them, `labels` [N, ...]."""

    @abstractmethod
    def value(self) -> float:
        """The measure over all batches, in a group of processes (training.distributed) over those of all."""


class NetworkMeasure(ABC):
    """Of the network, once an epoch."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def watching(self) -> AbstractContextManager[object]:
        """The network says its answers to the test set within this context."""
        return nullcontext()

    @abstractmethod
    def values(self) -> dict[str, Reading]:
        """By the name of the metric: what was seen since the measure was made."""


MakeMeasure: TypeAlias = type[AnswerMeasure] | type[NetworkMeasure]


class Accuracy(AnswerMeasure):
    """The share of samples whose class is told correctly: of a mixed sample the one with the largest share."""

    name = "accuracy"
    unit = "fraction"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if not isinstance(target, Classes):
            raise ValueError(f"The accuracy needs a task of classes, and this one has {target}; name other measures.")
        self.correct = torch.zeros((), dtype=torch.int64)
        self.samples = 0

    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        classes = labels.argmax(1) if labels.is_floating_point() else labels
        self.correct = self.correct.to(classes.device) + (predictions == classes).sum()
        self.samples += len(classes)

    def value(self) -> float:
        samples = int(distributed.total(torch.tensor(self.samples)))
        return int(distributed.total(self.correct)) / samples if samples else float("nan")


class FiringRates(NetworkMeasure):
    """Mean firing rate of each spiking layer over all that it is given while it is watched, in spikes per neuron and
    step: rate_conv.2 is that of the layer `conv.2` of the network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.layers = spiking(network)
        self.spikes: list[Tensor | float] = [0.0] * len(self.layers)
        self.elements = [0] * len(self.layers)

    def watching(self) -> FiringRates:
        return self

    def __enter__(self) -> FiringRates:
        self.hooks = [
            layer.register_forward_hook(lambda _m, _x, out, i=i: self._add(i, out))
            for i, layer in enumerate(self.layers.values())
        ]
        return self

    def __exit__(self, *exc: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _add(self, i: int, spikes: Tensor) -> None:
        self.spikes[i] = self.spikes[i] + spikes.detach().sum(dtype=torch.float64)
        self.elements[i] += spikes.numel()

    def values(self) -> dict[str, Reading]:
        spikes = distributed.total(torch.tensor([float(s) for s in self.spikes], dtype=torch.float64)).tolist()
        elements = distributed.total(torch.tensor(self.elements)).tolist()
        return {
            f"rate_{name}": Reading(s / n if n else float("nan"), "1")
            for name, s, n in zip(self.layers, spikes, elements, strict=True)
        }


UNITS = dict.fromkeys(("tau", "tau_m", "tau_s", "tau_osc"), "steps")  # of constants that have one


class Constants(NetworkMeasure):
    """What the spiking layers have learned and state as constants (Neuron.constants): tau_conv.2 is tau of `conv.2`."""

    def values(self) -> dict[str, Reading]:
        return {
            f"{constant}_{name}": Reading(value, UNITS.get(constant, "1"))
            for name, layer in spiking(self.network).items()
            for constant, value in layer.constants().items()
        }


def spiking(network: nn.Module) -> dict[str, Neuron]:
    """The spiking layers of `network` by their names in it, in the order in which it has them."""
    return {name: module for name, module in network.named_modules() if isinstance(module, Neuron)}


USUAL: tuple[MakeMeasure, ...] = (Accuracy, FiringRates, Constants)
