"""Digits to be recalled after a delay."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits

import models
import tasks
from neurons.base import Neuron
from tasks import Classes, TaskError


@pytest.mark.parametrize("T", [8, 9, 40])
def test_a_digit_and_then_nothing(T: int) -> None:
    task, digits = tasks.load("digits_recall", T=T), tasks.load("digits")
    assert task.target == Classes(10)
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
    assert tasks.load("digits_recall").test.batch([0])[0].shape == (1, 1, 8, 32)


def test_a_validation_part() -> None:
    task, digits = tasks.load("digits_recall", validation=0.15), tasks.load("digits", validation=0.15)
    assert task.validation is not None
    assert digits.validation is not None
    assert torch.equal(task.validation.labels, digits.validation.labels)


@pytest.mark.parametrize("T", [7, 0, "32", 32.0, True])
def test_fewer_steps_than_columns_make_no_sense(T: object) -> None:
    with pytest.raises(TaskError, match="at least the 8 columns"):
        tasks.load("digits_recall", T=T)


@pytest.mark.parametrize(("k", "recalls"), [(1, False), (2, False), (3, False), (4, True)])
def test_an_answer_knows_the_digit_only_within_the_reach_of_its_neurons(k: int, recalls: bool) -> None:
    # Two layers of order k see 2 (k - 1) steps back: from step 12, the last of 13, order 3 sees to step 8, which is
    # background, order 4 to step 6, which is a column of the digit.
    network = models.create(
        "sequential_fc",
        neuron=models.factory("sliding_psn", k=k),
        order="columns",
        side=8,
        width=13,
        answer=1,
        inputs=1,
        hidden=64,
    )
    for layer in network.modules():
        if isinstance(layer, Neuron):
            layer.bias.data.zero_()  # half of the neurons fire
    x, _ = tasks.load("digits_recall", T=13).test.batch(range(100))
    with torch.no_grad():
        answers = network.run(x)[0]
    assert (answers != answers[:1]).any() == recalls
