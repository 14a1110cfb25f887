"""How well and how early spiking outputs tell the class, by first spike (FS) and by rate (FR). Spec: first_spike 2.5.

One trained network is read both ways, whatever it was trained for.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from tasks import Classes, Target

from . import distributed
from .first_spike import firing_rate, first_spike, spikes_of
from .measures import Accuracy, AnswerMeasure, FiringRates, Reading


class FirstSpikeAccuracy(Accuracy):
    """The accuracy of the decision by first spike; where none fires, by the highest potential."""

    name = "accuracy_fs"

    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        super().update(outputs, first_spike(outputs), labels)


class FiringRateAccuracy(Accuracy):
    """The accuracy of the decision by rate."""

    name = "accuracy_fr"

    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        super().update(outputs, firing_rate(outputs), labels)


def right_by_first_spike(spikes: Tensor, labels: Tensor) -> Tensor:
    """[T, N]: whether a sample of `spikes` [T, N, classes] is told by step t: from the first spike on, if the neuron
    (the lowest index among equals) is the label. Where none fires nothing is told."""
    T = len(spikes)
    steps = torch.where(spikes.any(0), spikes.argmax(0), T)
    first = steps.amin(1)
    right = (steps.argmin(1) == labels) & (first < T)
    return right & (torch.arange(T, device=spikes.device)[:, None] >= first)


def right_by_rate(spikes: Tensor, labels: Tensor) -> Tensor:
    """[T, N]: whether the neuron with the most spikes until step t (the lowest index among equals) is the label."""
    counts = spikes.cumsum(0)
    return (counts.argmax(2) == labels) & counts.any(2)


def delay(accuracies: Tensor, share: float) -> float:
    """The first step (from 0) at which the accuracy over time [T] comes to `share` of its own maximum, NaN where that
    is 0. As in the released code percentages count with 2 decimals and a tolerance of 1e-3."""
    rounded = accuracies.double().round(decimals=4)
    if not rounded.max() > 0:
        return float("nan")
    return float((rounded >= share * rounded.max() - 1e-5).int().argmax())


class _Delay(AnswerMeasure):
    """The delay after which `share` of the final accuracy is there."""

    unit = "steps"
    share: ClassVar[float]
    right = staticmethod(right_by_first_spike)

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if not isinstance(target, Classes):
            raise ValueError(f"Time delays need a task of classes, and this one has {target}; name other measures.")
        self.correct: Tensor | None = None
        self.samples = 0

    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        classes = labels.argmax(1) if labels.is_floating_point() else labels
        correct = self.right(spikes_of(outputs), classes).sum(1)
        self.correct = correct if self.correct is None else self.correct + correct
        self.samples += len(classes)

    def over_time(self) -> Tensor:
        """Accuracy at each step, [T]; of all processes together."""
        assert self.correct is not None
        samples = int(distributed.total(torch.tensor(self.samples)))
        return distributed.total(self.correct).cpu().double() / samples

    def value(self) -> float:
        return float("nan") if self.correct is None else delay(self.over_time(), self.share)


class FirstSpikeDelay50(_Delay):
    """Steps until half of the accuracy is there, by first spike."""

    name, share = "td50_fs", 0.5


class FirstSpikeDelay90(_Delay):
    """Steps until 90 % of the accuracy are there, by first spike."""

    name, share = "td90_fs", 0.9


class FiringRateDelay50(_Delay):
    """Steps until half of the accuracy is there, by rate."""

    name, share = "td50_fr", 0.5
    right = staticmethod(right_by_rate)


class FiringRateDelay90(_Delay):
    """Steps until 90 % of the accuracy are there, by rate."""

    name, share = "td90_fr", 0.9
    right = staticmethod(right_by_rate)


class SpikeCounts(FiringRates):
    """Spikes of a neuron in a sample, over the whole sequence: of all spiking layers together in
    test_spikes_per_neuron, of the layer `fc.2` in spikes_fc.2. Inputs are not counted."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        if not isinstance(getattr(network, "T", None), int):
            raise ValueError("Spikes of a sequence can be counted of a network that says its number T of steps.")
        self.T = int(network.T)  # type: ignore[arg-type]

    def values(self) -> dict[str, Reading]:
        spikes = distributed.total(torch.tensor([float(s) for s in self.spikes], dtype=torch.float64))
        elements = distributed.total(torch.tensor(self.elements)).double() / self.T
        found = {f"spikes_{name}": float(s / n) for name, s, n in zip(self.layers, spikes, elements, strict=True)}
        found["test_spikes_per_neuron"] = float(spikes.sum() / elements.sum())
        return {name: Reading(value, "1") for name, value in found.items()}
