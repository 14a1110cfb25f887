"""Trainings that differ in the neuron alone meet the same random numbers: order, augmentation, dropout, drawn data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import models
import tasks
from core.randomness import seed_all
from models.layers import SharedDropout
from neurons.integrate_and_fire import LIF
from tasks import Classes, DatasetInfo, Split, Task
from training.bptt import BPTT
from training.loop import fit


class Drawn(LIF):
    """A neuron of a user with a random parameter of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.drawn = nn.Parameter(torch.randn(5))


class Noisy(Split):
    """Images whose augmentation draws from PyTorch's generator, and which are others in each epoch."""

    def __init__(self, plain: Split, images: Tensor | None = None) -> None:
        self.plain, self.labels, self.images = plain, plain.labels, images

    def batch(self, indices: Any) -> tuple[Tensor, Tensor]:
        x, labels = self.plain.batch(indices)
        x = x + torch.randn_like(x)
        return (x if self.images is None else x + self.images[indices]), labels

    def subset(self, indices: Any) -> Noisy:
        raise NotImplementedError

    def for_epoch(self, epoch: int, seed: int) -> Noisy:
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        return Noisy(self.plain, torch.randn(len(self), 1, 8, 8, generator=generator))


@pytest.fixture(scope="module")
def noisy() -> Task:
    digits = tasks.load("digits")
    small = digits.train.subset(range(96))
    return Task("noisy", Classes(10), Noisy(small), None, small, DatasetInfo("noisy", ""))


FACTORIES: dict[str, models.NeuronFactory] = {
    "lif": models.factory("lif"),
    "plif": models.factory("plif"),
    "psn": models.factory("psn", T=4),
    "masked_psn": models.factory("masked_psn", k=2, T=4),
    "sliding_psn": models.factory("sliding_psn", k=3, exp_init=False),
    "of a user": lambda shape: Drawn(),
}


def seen(task: Task, neuron: models.NeuronFactory, epochs: int = 2) -> Sequence[Tensor]:
    """The batches, labels and dropout masks of a training, as the worker begins one."""
    seed_all(2020)
    network = models.create("plif_mnist", neuron=neuron, side=8, channels=3, hidden=20, T=4)
    scheme = BPTT(network)
    found: list[Tensor] = []
    train_batch = scheme.train_batch

    def watched(x: Tensor, labels: Tensor) -> Any:
        found.extend((x.clone(), labels.clone()))
        return train_batch(x, labels)

    def keep_mask(layer: SharedDropout, _x: object, _out: object) -> None:
        if layer.training:
            assert layer.mask is not None
            found.append(layer.mask.clone())

    for layer in network.modules():
        if isinstance(layer, SharedDropout):
            layer.register_forward_hook(keep_mask)
    scheme.train_batch = watched  # type: ignore[method-assign]
    fit(scheme, task, epochs=epochs, batch_size=32, seed=2020, device="cpu")
    return found


def test_every_row_sees_the_same(noisy: Task) -> None:
    first = seen(noisy, FACTORIES["lif"])
    assert len(first) == 2 * 3 * (2 + 2)  # epochs, batches; images and labels, two masks
    assert not torch.equal(first[0], first[4])
    for name, factory in FACTORIES.items():
        other = seen(noisy, factory)
        assert len(other) == len(first), name
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True)), name
