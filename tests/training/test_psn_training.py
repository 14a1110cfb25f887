"""Training the way the PSN work does: scheduled masks, momentum, mixed labels, 16-bit arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import models
import tasks
from models.network import Network
from tasks import Classes, Split, Task
from training.bptt import BPTT
from training.loop import fit
from training.measures import Accuracy


class Mixed(Split):
    """Every sample mixed with its neighbour in the batch, by a share drawn for the batch."""

    def __init__(self, split: Split) -> None:
        self.split, self.labels = split, split.labels

    def batch(self, indices: Any) -> tuple[torch.Tensor, torch.Tensor]:
        x, labels = self.split.batch(indices)
        share, y = torch.rand(()), F.one_hot(labels, 10).float()
        return share * x + (1 - share) * x.roll(1, 0), share * y + (1 - share) * y.roll(1, 0)

    def subset(self, indices: Any) -> Split:
        raise NotImplementedError


@pytest.fixture(scope="module")
def digits() -> Task:
    return tasks.load("digits")


@pytest.fixture(scope="module")
def mixed(digits: Task) -> Task:
    return replace(digits, train=Mixed(digits.train))


SGD = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "anneal": "once", "T_max": 6}


NEURONS: dict[str, dict[str, Any]] = {
    "psn": {"T": 8},
    "masked_psn": {"T": 8, "k": 3, "scheduled": True},
    "sliding_psn": {"k": 2},
    "glif": {"T": 8, "shape": "channels"},
}


def scheme(neuron: str = "masked_psn", channels: int = 4, recipe: dict[str, Any] = SGD, **options: Any) -> BPTT:
    torch.manual_seed(7)
    factory = models.factory(neuron, **NEURONS.get(neuron, {}))
    network = models.create("psn_sequential", neuron=factory, side=8, inputs=1, channels=channels, blocks=1, depth=2)
    return BPTT(network, **{"loss": "cross_entropy", "label_smoothing": 0.1, **recipe, **options})


def train(task: Task, epochs: int, path: Path | None = None, **options: Any) -> list[dict[str, float]]:
    history = fit(scheme(**options), task, epochs=epochs, batch_size=128, seed=3, device="cpu", path=path)
    return [{name: value for name, value in record.items() if name != "train_seconds"} for record in history]


def stop_after(epoch: int) -> Any:
    def stop(done: int, record: dict[str, float]) -> None:
        if done == epoch:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_a_resumed_run_repeats_the_uninterrupted_one_bit_for_bit(mixed: Task, tmp_path: Path, precision: str) -> None:
    whole = train(mixed, 5, precision=precision)
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(
            scheme(precision=precision), mixed, epochs=5, batch_size=128, seed=3, device="cpu", path=path,
            on_epoch=stop_after(1),
        )  # fmt: skip
    torch.manual_seed(99)
    assert train(mixed, 5, path, precision=precision) == whole
    assert len({record["train_loss"] for record in whole}) == 5


def test_the_mask_follows_its_schedule_in_training_and_evaluation(digits: Task, tmp_path: Path) -> None:
    masked = scheme()
    layers = [module for module in masked.network.modules() if hasattr(module, "lambda_")]
    outputs, seen = masked.outputs, []

    def watched(x: torch.Tensor) -> torch.Tensor:
        seen.append({layer.lambda_ for layer in layers})
        return outputs(x)

    masked.outputs = watched  # type: ignore[method-assign]
    fit(masked, digits, epochs=12, batch_size=700, seed=0, device="cpu", path=tmp_path / "run.pt")
    assert seen == [{0.0}, {8 / 11}, *[{1.0}] * 10]  # 8 e / 11 passes 1 in epoch 2; one batch holds the test set

    finished = scheme()  # nothing is left to train, and the network is as it was in the end
    fit(finished, digits, epochs=12, batch_size=700, seed=0, device="cpu", path=tmp_path / "run.pt")
    assert {module.lambda_ for module in finished.network.modules() if hasattr(module, "lambda_")} == {1.0}


def test_a_mixed_label_counts_for_its_largest_share() -> None:
    class Votes(Network):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x[None]

        def forward(self, sequence: torch.Tensor) -> torch.Tensor:
            return self.scale * sequence

    votes = torch.eye(3)  # says 0, 1, 2
    labels = torch.tensor([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.0, 0.1, 0.9]])
    scheme = BPTT(Votes(), loss="cross_entropy")
    told, accuracy = scheme.train_batch(votes, labels).outputs, Accuracy(Classes(3))
    accuracy.update(told, scheme.decide(told), labels)
    assert accuracy.value() == 2 / 3


def test_mixed_labels_teach_digits(mixed: Task) -> None:
    adamw = {"optimizer": {"name": "adamw", "lr": 5e-3, "weight_decay": 1e-4}, "anneal": "once", "T_max": 6}
    history = fit(scheme("psn", channels=16, recipe=adamw), mixed, epochs=4, batch_size=32, seed=3, device="cpu")
    assert history[-1]["test_accuracy"] > 0.7
    assert history[-1]["train_accuracy"] > 0.6  # argmax against argmax of the mixed label


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_training_is_in_16_bit_and_evaluation_is_not(digits: Task, precision: str, dtype: torch.dtype) -> None:
    """Trap 16: training spikes are computed under autocast, evaluation in float32."""
    half = scheme("psn", precision=precision)
    seen: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    half.network.fc[1].register_forward_hook(lambda layer, args, out: seen[layer.training].add(out.dtype))
    fit(half, digits, epochs=1, batch_size=128, seed=3, device="cpu")
    assert seen == {True: {dtype}, False: {torch.float32}}
    assert {p.dtype for p in half.network.parameters()} == {torch.float32}
    assert half.scaler.is_enabled() == (precision == "fp16")


@pytest.mark.parametrize("neuron", ["psn", "masked_psn", "sliding_psn", "lif", "plif", "klif", "glif"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_16_bit_training_is_close_to_float32(digits: Task, neuron: str, precision: str) -> None:
    """An update of lr 0.1 with momentum moves the loss by far more than the arithmetic does."""
    task = replace(digits, train=digits.train.subset(range(512)))
    half, full = (train(task, 1, neuron=neuron, precision=p)[0]["train_loss"] for p in (precision, "float32"))
    assert half == pytest.approx(full, rel=2e-3)
    assert half != full


def test_the_scale_of_the_gradients_is_kept() -> None:
    half = scheme(precision="fp16")
    half.scaler.scale(torch.ones(()))  # makes its state
    half.scaler.update(128.0)
    resumed = scheme(precision="fp16")
    resumed.load_state_dict(half.state_dict())
    assert resumed.scaler.get_scale() == 128.0
