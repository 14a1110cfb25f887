"""Which samples an epoch sees, and how often; randomness in evaluations."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.randomness import seeded
from tasks import DatasetInfo, Split, Task, Values
from training.batching import Batching
from training.loop import evaluate, fit
from training.measures import AnswerMeasure, NetworkMeasure, Reading
from training.scheme import Update


def lists(batching: Batching, samples: int = 7, epoch: int = 2) -> list[list[int]]:
    return [batch.tolist() for batch in batching.batches(samples, 3, 5, epoch)]


def test_one_pass() -> None:
    order = torch.randperm(7, generator=torch.Generator().manual_seed(5 * 1_000_003 + 2)).tolist()
    assert lists(Batching()) == [order[:3], order[3:6]]
    assert lists(Batching(drop_last=False)) == [order[:3], order[3:6], order[6:]]
    assert lists(Batching(shuffle=False, drop_last=False)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert lists(Batching(), epoch=3) != lists(Batching())


def test_a_number_of_updates() -> None:
    assert lists(Batching(shuffle=False, updates=1)) == [[0, 1, 2]]
    assert lists(Batching(shuffle=False, drop_last=False, updates=4)) == [[0, 1, 2], [3, 4, 5], [6], [0, 1, 2]]
    several = lists(Batching(updates=6))
    assert several[:2] == lists(Batching())
    assert several[:2] != several[2:4]  # each pass has an order of its own
    assert len(several) == 6


def test_no_batch_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="A batch of 3 is larger than the 2 training samples"):
        lists(Batching(), samples=2)
    assert lists(Batching(shuffle=False, drop_last=False), samples=2) == [[0, 1]]


class Drawn(Split):
    """Samples that are numbered by epoch."""

    def __init__(self, epoch: int = -1) -> None:
        self.epoch = epoch
        self.labels = torch.full((4, 1), float(epoch))

    def batch(self, indices: Any) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(indices), 1), self.labels[indices]

    def subset(self, indices: Any) -> Split:
        raise NotImplementedError

    def for_epoch(self, epoch: int, seed: int) -> Split:
        return Drawn(100 * seed + epoch)


class Noisy:
    """Answers with random numbers; no part of it learns."""

    def __init__(self) -> None:
        self.network = nn.Linear(1, 1)
        self.lr = 1.0

    def train_batch(self, x: Tensor, labels: Tensor) -> Update:
        return Update(labels[None], {"penalty": labels.mean()})

    def outputs(self, x: Tensor) -> Tensor:
        return torch.rand(1, len(x), 1)

    def decide(self, outputs: Tensor) -> Tensor:
        return outputs[0]

    def end_epoch(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Mean(AnswerMeasure):
    name, unit = "mean", "V"
    seen: list[float]

    def __init__(self, target: Any) -> None:
        super().__init__(target)
        self.seen = []

    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        self.seen += predictions.flatten().tolist()

    def value(self) -> float:
        return sum(self.seen) / len(self.seen)


class Calls(NetworkMeasure):
    def values(self) -> dict[str, Reading]:
        return {"calls": Reading(1.0, "count")}


def test_evaluations_are_seeded_repeated_and_averaged() -> None:
    noisy = Noisy()

    def mean(**options: int) -> float:
        return evaluate(noisy, Drawn(), 2, "cpu", lambda: [Mean(Values(1))], **options)["mean"].value

    state = torch.get_rng_state()
    assert mean(seed=3) == mean(seed=3) != mean(seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    with seeded(3 * 1_000_003):
        first = torch.cat([torch.rand(2), torch.rand(2)]).mean().item()
    with seeded(3 * 1_000_003 + 1):
        second = torch.cat([torch.rand(2), torch.rand(2)]).mean().item()
    assert mean(seed=3) == pytest.approx(first)
    assert mean(seed=3, repeats=2) == pytest.approx((first + second) / 2)


def test_the_loop_records_what_measures_and_schemes_tell() -> None:
    task = Task("drawn", Values(1), Drawn(), None, Drawn(), DatasetInfo("drawn", "0"))
    history = fit(
        Noisy(), task, epochs=2, batch_size=2, seed=1, device="cpu", measures=(Mean, Calls),
        batching=Batching(updates=3), repeats=2,
    )  # fmt: skip
    assert [record["train_penalty"] for record in history] == [100, 101]  # drawn for seed and epoch
    assert [record["train_samples"] for record in history] == [6, 6]
    assert set(history[0]) == {
        "lr", "train_penalty", "train_mean", "train_seconds", "train_samples", "test_mean", "calls",
    }  # fmt: skip
    assert (history.units["test_mean"], history.units["train_mean"], history.units["calls"]) == ("V", "V", "count")
    assert history[0]["test_mean"] == history[1]["test_mean"]  # the same random numbers in every epoch


def test_seeded_numbers_leave_every_generator_alone() -> None:
    def drawn() -> tuple[float, float, float]:
        return torch.rand(()).item(), float(np.random.rand()), random.random()

    with seeded(7):
        inside = drawn()
    with seeded(11):
        expected = drawn()
    with seeded(11):
        with seeded(7):
            assert drawn() == inside
        assert drawn() == expected
