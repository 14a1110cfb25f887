"""Digits to be recalled after a delay."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits

import tasks
from tasks import TaskError


@pytest.mark.parametrize("T", [8, 9, 40])
def test_a_digit_and_then_nothing(T: int) -> None:
    task, digits = tasks.load("digits_recall", T=T), tasks.load("digits")
    assert (task.kind, task.classes, task.shape, task.steps) == ("static", 10, (1, 8, T), None)
    known = load_digits().images[:1400] / 16
    background = -known.mean() / known.std()
    for split, plain in ((task.train, digits.train), (task.test, digits.test)):
        x, y = split.batch(range(50))
        assert x.shape == (50, 1, 8, T)
        assert torch.equal(x[..., :8], plain.batch(range(50))[0])
        assert torch.allclose(x[..., 8:], torch.tensor(background, dtype=torch.float32))
        assert torch.equal(y, plain.labels[:50])
        assert len(split) == len(plain)


def test_the_default_delay_is_24_steps() -> None:
    assert tasks.load("digits_recall").shape == (1, 8, 32)


def test_a_validation_part() -> None:
    task, digits = tasks.load("digits_recall", validation=0.15), tasks.load("digits", validation=0.15)
    assert task.validation is not None
    assert digits.validation is not None
    assert torch.equal(task.validation.labels, digits.validation.labels)


@pytest.mark.parametrize("T", [7, 0, "32", 32.0, True])
def test_fewer_steps_than_columns_make_no_sense(T: object) -> None:
    with pytest.raises(TaskError, match="at least the 8 columns"):
        tasks.load("digits_recall", T=T)
