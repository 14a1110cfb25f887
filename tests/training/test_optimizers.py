"""What the options of BPTT come to: updates computed by hand, schedules in closed form, errors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from core.registry import UnknownName
from models.network import Network
from training.bptt import BPTT


class Slope(Network):
    """Two steps of (w x, 0): the cross-entropy of x = 1 against class 0 has the gradient -1 / (1 + e^w)."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.0]))
        self.T = 2

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.expand(2, len(x))

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.w * sequence, 0 * sequence], 2)


def updates(count: int, **options: Any) -> list[float]:
    """The slope after each of `count` updates."""
    scheme = BPTT(Slope(), loss="cross_entropy", **options)
    seen = []
    for _ in range(count):
        scheme.train_batch(torch.ones(1), torch.tensor([0]))
        seen.append(scheme.network.w.item())
    return seen


def gradient(w: float) -> float:
    return -1 / (1 + math.exp(w))


def test_sgd_with_momentum_and_weight_decay_by_hand() -> None:
    first = -0.1 * gradient(0.0)
    velocity = gradient(0.0)
    velocity = 0.9 * velocity + gradient(first) + 0.01 * first
    second = first - 0.1 * velocity
    assert updates(2, optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=0.01) == pytest.approx([first, second])
    assert updates(1, optimizer="sgd", lr=0.1) == pytest.approx([0.05])


def test_adamw_decays_apart_from_the_gradient() -> None:
    # Adam's first update is lr sign(g), its second nearly so while the gradient hardly changes
    first, second = updates(2, optimizer="adamw", lr=0.001, weight_decay=0.5)
    assert first == pytest.approx(0.001, rel=1e-5)
    assert second - 0.001 == pytest.approx(0.001 - 0.001 * 0.5 * 0.001, rel=1e-3)
    assert updates(2, optimizer="adamw", lr=0.001) == pytest.approx([0.001, 0.002], rel=1e-3)


@pytest.mark.parametrize(
    ("options", "kind", "settings"),
    [
        ({}, torch.optim.Adam, {"lr": 1e-3, "weight_decay": 0.0, "betas": (0.9, 0.999)}),
        ({"weight_decay": 0.1}, torch.optim.Adam, {"weight_decay": 0.1}),
        ({"optimizer": "adamw", "lr": 0.02}, torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.0}),
        (
            {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
            torch.optim.SGD,
            {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": False, "dampening": 0},
        ),
    ],
)
def test_every_option_reaches_the_optimizer(options: dict, kind: type, settings: dict) -> None:
    optimizer = BPTT(nn.Linear(1, 1), **options).optimizer
    assert type(optimizer) is kind
    assert {name: optimizer.param_groups[0][name] for name in settings} == settings
    assert optimizer.param_groups[0]["fused"]


def rates(epochs: int, **options: Any) -> list[float]:
    scheme = BPTT(nn.Linear(1, 1), **options)
    seen = []
    for _ in range(epochs):
        seen.append(scheme.lr)
        scheme.optimizer.step()
        scheme.end_epoch()
    return seen


def test_the_periodic_schedule_reaches_zero_and_comes_back() -> None:
    seen = rates(129, lr=1e-3)
    assert (seen[0], seen[64], seen[128]) == (1e-3, 0.0, 1e-3)
    assert seen[32] == pytest.approx(5e-4)


def test_the_single_cosine_reaches_zero_and_stays() -> None:
    seen = rates(8, lr=0.1, anneal="once", T_max=6)
    # 0.05 (1 + cos(pi e / 6))
    expected = [0.1, 0.05 * (1 + math.sqrt(3) / 2), 0.075, 0.05, 0.025, 0.05 * (1 - math.sqrt(3) / 2), 0.0, 0.0]
    assert seen == pytest.approx(expected, abs=1e-12)


def test_the_single_cosine_is_pytorchs() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    expected = []
    for _ in range(11):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert rates(11, lr=0.1, anneal="once", T_max=10) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loss": "cross-entropy"}, "Unknown loss 'cross-entropy'. Did you mean 'cross_entropy'"),
        ({"optimizer": "adamW"}, "Unknown optimizer 'adamW'. Did you mean "),
        ({"anneal": "linear"}, "Unknown schedule 'linear'. Known: constant, periodic, once, milestones, exponential."),
        ({"precision": "float16"}, "Unknown precision 'float16'. Did you mean 'float32'? Known: float32, bf16, fp16."),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(options: dict, sentence: str) -> None:
    with pytest.raises(UnknownName) as caught:
        BPTT(nn.Linear(1, 1), **options)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"label_smoothing": 0.1}, "Loss 'rate_mse' has no option 'label_smoothing' (given: 0.1); leave it out."),
        ({"loss": "cross_entropy", "tet_lambda": 0.0}, "Loss 'cross_entropy' has no option 'tet_lambda' (given: 0.0)"),
        ({"optimizer": "adamw", "momentum": 0.9}, "Optimizer 'adamw' has no option 'momentum' (given: 0.9)"),
    ],
)
def test_an_option_without_effect_is_refused(options: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match="has no option") as caught:
        BPTT(nn.Linear(1, 1), **options)
    assert str(caught.value).startswith(sentence)
