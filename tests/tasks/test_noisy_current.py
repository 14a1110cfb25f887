"""Noisy currents: what is drawn, and when it is drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tasks
from tasks import TaskError, noisy_current


def test_currents_lie_evenly_around_their_mean() -> None:
    x, y = noisy_current.draw(np.random.RandomState(0), 4, 500, 1.2, 0.1)
    assert (x.dtype, x.shape, y.shape) == (np.float32, (4, 500, 1), (4, 1))
    assert 1.15 <= x.min() < 1.16
    assert 1.24 < x.max() <= 1.25
    assert x.mean() == pytest.approx(1.2, abs=0.003)
    assert (y == np.float32(1.2)).all()


def test_they_are_drawn_anew_for_each_seed() -> None:
    task = tasks.load("noisy_current", T=5, mean=1.0, spread=0.5)
    one, other, again = (task.test.for_epoch(0, seed).batch([0])[0] for seed in (0, 1, 0))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert task.dataset.counts == {"train": 1, "test": 1}


@pytest.mark.parametrize("options", [{"T": 0}, {"T": 2.0}, {"samples": True}, {"spread": -1.0}, {"mean": float("nan")}])
def test_other_numbers_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(TaskError, match="Noisy currents were asked for with"):
        tasks.load("noisy_current", **options)
