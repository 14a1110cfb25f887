"""Training through spike times: the scheme, its optimisers, the loss of times, constraints, learning and going on."""

from __future__ import annotations

import math
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import models
import tasks
from core.registry import UnknownName
from models.ttfs.networks import weighted
from training import decay_after, optimizers
from training.batching import Batching
from training.constraints import fixed_signs, weight_range
from training.earliest import earliest, earliest_cross_entropy
from training.exponential import exponential
from training.loop import fit
from training.measures import Accuracy
from training.ttfs import TTFS

ADAM: dict[str, Any] = {"name": "adam_then_decay", "lr": 3e-3, "weight_decay": 0.1}
ARCHITECTURE = "16C3 - P2"


def network(**options: Any) -> models.network.Network:
    torch.manual_seed(3)
    return models.create("ttfs", **{"architecture": ARCHITECTURE, "side": 8, **options})


def test_decay_comes_after_the_step() -> None:
    """W = 2, gradient 1, lr 0.1, decay 0.5: (2 - 0.1) (1 - 0.05); Adam's first step is as long. AdamW decays first."""
    for make in (decay_after.sgd_then_decay, decay_after.adam_then_decay):
        weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
        optimizer = make([weight], lr=0.1, weight_decay=0.5)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        assert weight.item() == pytest.approx(1.9 * 0.95)
        optimizer.param_groups[0]["lr"] = 0.0  # the decay follows the schedule
        before = weight.item()
        optimizer.step()
        assert weight.item() == before
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    decoupled = optimizers.adamw([weight], lr=0.1, weight_decay=0.5)
    weight.grad = torch.ones_like(weight)
    decoupled.step()
    assert weight.item() == pytest.approx(2 * 0.95 - 0.1)


def test_the_rate_falls_by_a_factor_an_epoch() -> None:
    assert [exponential(epoch, factor=0.5) for epoch in range(4)] == [1, 0.5, 0.25, 0.125]


def test_the_loss_of_times_by_hand() -> None:
    # exp(-t) = 1, 1/3 and 0: probabilities 3/4 and 1/4
    times = torch.tensor([[[0.0, math.log(3), inf]]], dtype=torch.float64, requires_grad=True)
    loss = earliest_cross_entropy(times, torch.tensor([1]))
    assert loss.item() == pytest.approx(math.log(4))
    (gradient,) = torch.autograd.grad(loss, times)
    assert gradient.flatten().tolist() == pytest.approx([-0.75, 0.75, 0.0])
    # of a class that is silent: as improbable as can be, and the gradient of the others still says so
    loss = earliest_cross_entropy(times, torch.tensor([2]))
    assert loss.isfinite()
    assert loss > 1e20
    assert torch.autograd.grad(loss, times)[0].flatten().tolist() == pytest.approx([-0.75, -0.25, 0.0])


def test_a_sample_without_any_output_spike_is_undecided_and_harms_nothing() -> None:
    times = torch.full((1, 2, 4), inf, requires_grad=True)
    loss = earliest_cross_entropy(times, torch.tensor([1, 3]))
    assert loss.item() == pytest.approx(math.log(4))
    assert torch.autograd.grad(loss, times)[0].isfinite().all()
    silent = network(output="time", architecture="12F")
    hidden, last = weighted(silent)
    hidden.weight.data.fill_(1.0)
    last.weight.data.fill_(-1.0)
    before = [p.clone() for p in silent.parameters()]
    update = TTFS(silent, optimizer={"name": "sgd_then_decay", "lr": 0.1}).train_batch(
        torch.rand(4, 1, 8, 8), torch.arange(4)
    )
    assert update.outputs.isinf().all()
    assert all(torch.equal(a, b) for a, b in zip(before, silent.parameters(), strict=True))


def test_the_earliest_class() -> None:
    times = torch.tensor([[[0.5, 0.25, inf], [inf, inf, inf], [0.5, 0.5, 0.75]]])
    assert earliest(times).tolist() == [1, 0, 0]


def test_loss_and_decision_follow_the_answers() -> None:
    x, labels = torch.rand(6, 1, 8, 8), torch.arange(6)
    for output, decided in (("potential", torch.argmax), ("time", torch.argmin)):
        scheme = TTFS(network(output=output), optimizer=ADAM)
        update = scheme.train_batch(x, labels)
        assert update.outputs.shape == (1, 6, 10)
        outputs = scheme.outputs(x)
        assert torch.equal(scheme.decide(outputs), decided(outputs[0], 1))
        assert all(p.grad is not None for p in scheme.network.parameters())


def test_other_networks_are_refused() -> None:
    with pytest.raises(TypeError, match="trains networks of spike times, and this is a RateReLU; use model 'ttfs'"):
        TTFS(models.create("ttfs_relu", architecture=ARCHITECTURE, side=8), optimizer=ADAM)
    with pytest.raises(UnknownName, match="adam_then_decay"):
        TTFS(network(), optimizer={"name": "adam_then", "lr": 1.0})


def test_signs_and_range_are_kept() -> None:
    held = network(fixed_signs=True)
    scheme = TTFS(held, optimizer={**ADAM, "lr": 0.3}, constraint={"name": "fixed_signs"})
    signs = [layer.weight >= 0 for layer in weighted(held)]
    for _ in range(3):
        scheme.train_batch(torch.rand(8, 1, 8, 8), torch.arange(8))
    for layer, sign in zip(weighted(held), signs, strict=True):
        assert not (layer.weight[sign] < 0).any()
        assert not (layer.weight[~sign] > 0).any()
    assert sum(int((layer.weight == 0).sum()) for layer in weighted(held)) > 10
    with torch.no_grad():
        weight_range(held, low=-0.1, high=0.2)
    assert all(p.min() >= -0.1 and p.max() <= 0.2 for p in held.parameters())
    with pytest.raises(ValueError, match="low < high"):
        weight_range(held, low=1.0, high=1.0)
    with pytest.raises(ValueError, match=r"No layer of this network holds signs.*fixed_signs=True"):
        fixed_signs(network())


@pytest.fixture(scope="module")
def few() -> tasks.Task:
    """256 digits, as many to be tested on."""
    task = tasks.load("shuffled_digits", normalised=False)
    return tasks.Task(task.name, task.target, task.train.subset(range(256)), None, task.test, task.dataset)


def trained(task: tasks.Task, epochs: int, path: Path | None = None, **options: Any) -> list[dict[str, float]]:
    scheme = TTFS(network(**options), optimizer=ADAM, schedule={"name": "exponential", "factor": 0.9})
    history = fit(
        scheme, task, epochs=epochs, batch_size=32, seed=1, device="cpu", measures=[Accuracy], path=path,
        batching=Batching(drop_last=False),
    )  # fmt: skip
    return [{name: value for name, value in record.items() if name != "train_seconds"} for record in history]


@pytest.mark.parametrize("numerics", ["corrected", "released"])
def test_a_few_digits_are_learned(few: tasks.Task, numerics: str) -> None:
    records = trained(few, 6, numerics=numerics)
    assert records[-1]["test_accuracy"] > 0.5, records[-1]
    assert records[-1]["lr"] == pytest.approx(3e-3 * 0.9**5)


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(few: tasks.Task, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    trained(few, 1, path)
    assert trained(few, 3, path) == trained(few, 3)
