"""Parts of a descent beyond what BPTT's plain options reach: clipping, accumulation, constraints, schedules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import training
from core.registry import UnknownName
from models.network import Network
from training.bptt import BPTT, nested
from training.descent import Descent


class Weight(Network):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x[None]

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        return self.w * sequence


def product(outputs: torch.Tensor, labels: torch.Tensor, *, factor: float = 1.0) -> torch.Tensor:
    """Its gradient is the factor."""
    return factor * outputs.sum()


def positive(network: nn.Module, *, least: float = 0.0) -> None:
    for parameter in network.parameters():
        parameter.clamp_(min=least)


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, name in ((training.LOSSES, "product"), (training.CONSTRAINTS, "positive")):
        monkeypatch.setitem(registry._entries, name, f"{__name__}:{name}")


def weights(updates: int, factor: float = 1.0, **options: Any) -> list[float]:
    sgd = {"name": "sgd", "lr": 1.0}
    scheme = Descent(Weight(), loss={"name": "product", "factor": factor}, optimizer=sgd, **options)
    found = []
    for _ in range(updates):
        scheme.train_batch(torch.ones(1), torch.zeros(1))
        found.append(scheme.network.w.item())
    return found


def test_a_gradient_is_clipped_to_a_norm() -> None:
    assert weights(2, 5.0) == pytest.approx([-5, -10])
    assert weights(2, 5.0, clip=2.0) == pytest.approx([-2, -4], rel=1e-5)
    assert weights(2, 0.5, clip=2.0) == pytest.approx([-0.5, -1], rel=1e-5)


def test_gradients_that_are_never_cleared_add_up() -> None:
    assert weights(3, accumulate=True) == pytest.approx([-1, -3, -6])
    # clipping changes what is kept: 1, then 1 + 1, then 2 + 1 cut to 2.5
    assert weights(3, accumulate=True, clip=2.5) == pytest.approx([-1, -3, -5.5], rel=1e-5)


def test_kept_gradients_go_on_from_a_checkpoint() -> None:
    def made() -> Descent:
        options = {"loss": {"name": "product"}, "optimizer": {"name": "sgd", "lr": 1.0}, "accumulate": True}
        return Descent(Weight(), **options)  # type: ignore[arg-type]

    first, second = made(), made()
    first.train_batch(torch.ones(1), torch.zeros(1))
    second.load_state_dict(first.state_dict())
    for scheme in (first, second):
        scheme.train_batch(torch.ones(1), torch.zeros(1))
    assert first.network.w.item() == second.network.w.item() == -3
    with pytest.raises(ValueError, match="use precision 'bf16' or 'float32'"):
        weights(1, accumulate=True, precision="fp16")


def test_a_constraint_holds_after_every_update() -> None:
    assert weights(2, constraint={"name": "positive", "least": -1.5}) == [-1, -1.5]


def test_milestones_and_a_constant_rate() -> None:
    schedule = {"name": "milestones", "at": [1, 3], "factor": 0.1}
    for given, expected in ((schedule, [1, 0.1, 0.1, 0.01]), (None, [1, 1, 1, 1])):
        scheme = Descent(Weight(), loss={"name": "product"}, optimizer={"name": "sgd", "lr": 1.0}, schedule=given)
        seen = []
        for _ in range(4):
            seen.append(scheme.lr)
            scheme.optimizer.step()
            scheme.end_epoch()
        assert seen == pytest.approx(expected)


def test_plain_options_are_nested_ones() -> None:
    plain = {"loss": "tet", "tet_lambda": 0.1, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "precision": "bf16"}
    assert nested({**plain, "anneal": "once", "T_max": 9}) == {
        "loss": {"name": "tet", "tet_lambda": 0.1},
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
        "schedule": {"name": "once", "T_max": 9},
        "precision": "bf16",
    }
    assert nested({"optimizer": {"name": "adamax", "lr": 1}, "schedule": None, "clip": 1.0}) == {
        "loss": {"name": "rate_mse"},
        "optimizer": {"name": "adamax", "lr": 1},
        "schedule": None,
        "clip": 1.0,
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"optimizer": {"name": "sgd", "lr": 1.0}, "momentum": 0.9}, "momentum=0.9 belongs into it"),
        ({"loss": {"label_smoothing": 0.1}}, 'give {"name": NAME, ...}. Known: rate_mse'),
        ({"schedule": {"name": "once", "T_max": 3, "factor": 2}}, "Schedule 'once' has no option 'factor'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        BPTT(Weight(), **options)
    assert sentence in str(caught.value)


def test_an_unknown_constraint_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"Unknown constraint .posive.\. Did you mean .positive."):
        weights(1, constraint={"name": "posive"})
