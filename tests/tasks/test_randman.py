"""Single-spike manifolds: one spike an input, no class in the counts, classes in the times, and none when shuffled."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import tasks
from tasks import TaskError


def arrays(**options: object) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    task = tasks.load("randman", **options)
    return *task.train.batch(range(len(task.train))), *task.test.batch(range(len(task.test)))


def nearest(x: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    """The class of the nearest training sample, by the steps of the spikes."""
    return labels[torch.cdist(test.argmax(1).double(), x.argmax(1).double()).argmin(1)]


@pytest.mark.parametrize("shuffled", [False, True])
def test_each_input_fires_exactly_once(shuffled: bool) -> None:
    x, labels, test, _ = arrays(shuffled=shuffled)
    assert x.shape == (800, 40, 24)
    assert test.shape == (200, 40, 24)
    assert (x.sum(1) == 1).all()
    assert set(x.unique().tolist()) == {0, 1}
    assert torch.bincount(labels).tolist() == [200] * 4
    assert shuffled == bool(x[:, 31:].any()), "within three quarters of the steps"


def test_times_tell_the_class_and_shuffled_ones_do_not() -> None:
    x, labels, test, expected = arrays()
    assert (nearest(x, labels, test) == expected).double().mean() > 0.9
    x, labels, test, expected = arrays(shuffled=True)
    assert (nearest(x, labels, test) == expected).double().mean() < 0.4


def test_every_input_uses_the_whole_range_and_neighbours_are_alike() -> None:
    x = tasks.load("randman", train=4000, test=4, inputs=6, T=80).train.batch(range(4000))[0].argmax(1)
    for c in range(4):
        own = x[c::4]
        assert (own.amin(0) == 0).all()
        assert (own.amax(0) >= 59).all()
        order = own.double() @ torch.rand(6, dtype=torch.float64)
        assert own[order.argsort()].diff(dim=0).abs().double().mean() < 20


def test_seeds_and_options_make_other_data() -> None:
    first, same, other = (tasks.load("randman", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.train.batch([5])[0], same.train.batch([5])[0])
    assert not torch.equal(first.train.batch([5])[0], other.train.batch([5])[0])
    digests = {tasks.digest("randman", **o) for o in ({}, {"seed": 1}, {"T": 41}, {"shuffled": True}, {"test": 2})}
    assert len(digests) == 5
    assert first.dataset.digest == tasks.digest("randman")
    small = tasks.load("randman", train=8, test=4, classes=2, validation=0.5)
    assert small.validation is not None
    assert (len(small.train), len(small.validation), len(small.test)) == (4, 4, 4)
    for wrong in ({"train": 0}, {"classes": 1}, {"T": 1}, {"inputs": 1.5}):
        with pytest.raises(TaskError, match="was asked for; give a whole number of at least"):
            tasks.load("randman", **wrong)
