"""The adding problem: what is drawn, and when it is drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tasks
from tasks import TaskError, Values, adding


@pytest.mark.parametrize("T", [2, 10, 11, 200])
def test_one_mark_lies_in_each_half_and_their_numbers_are_added(T: int) -> None:
    x, y = adding.draw(np.random.RandomState(3), 400, T)
    assert (x.dtype, y.dtype, x.shape, y.shape) == (np.float32, np.float32, (400, T, 2), (400, 1))
    values, marks = x[:, :, 0], x[:, :, 1]
    assert ((values >= 0) & (values < 1)).all()
    assert set(np.unique(marks)) <= {0.0, 1.0}
    assert (marks[:, : T // 2].sum(1) == 1).all()
    assert (marks[:, (T + 1) // 2 :].sum(1) == 1).all()
    assert (marks.sum(1) == 2).all()  # the middle of an odd T is never marked
    assert np.allclose((values * marks).sum(1, keepdims=True), y)
    if T == 10:
        assert marks.any(0).all()
        assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.2)  # who always says 1


def test_samples_are_drawn_by_epoch_and_seed_alone() -> None:
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    task = tasks.load("adding", T=8, train=6, test=4)
    assert task.target == Values(1)
    assert task.dataset.counts == {"train": 6, "test": 4}
    ask = lambda split, epoch, seed: split.for_epoch(epoch, seed).batch(range(4))[0]  # noqa: E731
    found = [ask(split, epoch, seed) for split in (task.train, task.test) for epoch in (0, 1) for seed in (0, 1)]
    assert not any(torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])
    again = tasks.load("adding", T=8, train=6, test=4)
    assert torch.equal(ask(again.test, 1, 1), found[-1])
    whole = task.train.for_epoch(3, 5)
    x, y = whole.batch([5, 2])
    assert torch.equal(x[0], whole.batch([5])[0][0])
    assert y.shape == (2, 1)
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("options", [{"T": 1}, {"T": 2.0}, {"train": 0}, {"test": True}])
def test_other_numbers_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(TaskError, match="give a whole number, at least"):
        tasks.load("adding", **options)
