"""The training scheme, the loop, and resuming bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

import models
import neurons
import tasks
from training import checkpoint
from training.bptt import BPTT
from training.loop import Diverged, evaluate, fit
from training.measures import Accuracy, FiringRates, Reading


@pytest.fixture(scope="module")
def digits() -> tasks.Task:
    return tasks.load("digits", validation=0.15)


def scheme(name: str = "plif", lr: float = 1e-2) -> BPTT:
    torch.manual_seed(7)
    neuron = models.factory(name, detach_reset=True)
    return BPTT(models.create("plif_mnist", neuron=neuron, side=8, channels=3, hidden=20, T=4), lr=lr)


def train(task: tasks.Task, epochs: int, path: Path | None = None) -> list[dict[str, float]]:
    history = fit(scheme(), task, epochs=epochs, batch_size=128, seed=3, device="cpu", path=path)
    return [{name: value for name, value in record.items() if name != "train_seconds"} for record in history]


def test_training_learns_digits(digits: tasks.Task) -> None:
    torch.manual_seed(7)
    neuron = models.factory("plif", detach_reset=True)
    network = models.create("plif_mnist", neuron=neuron, side=8, channels=8, hidden=64)
    history = fit(BPTT(network, lr=1e-2), digits, epochs=6, batch_size=32, seed=3, device="cpu")
    assert history[-1]["test_accuracy"] > 0.6 > history[0]["train_accuracy"]
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert {"validation_accuracy", "lr", "tau_conv.0", "tau_fc.6", "rate_conv.0", "rate_fc.6"} <= set(history[0])
    assert history[0]["train_samples"] == 1194 // 32 * 32  # the incomplete batch is dropped
    assert history[-1]["tau_conv.0"] != pytest.approx(2.0, abs=1e-3)


def test_a_resumed_run_repeats_the_uninterrupted_one_bit_for_bit(digits: tasks.Task, tmp_path: Path) -> None:
    whole = train(digits, 4)
    first = train(digits, 2, tmp_path / "run.pt")
    torch.manual_seed(99)  # whatever happens to the generators in between
    random.seed(99)
    np.random.seed(99)
    resumed = train(digits, 4, tmp_path / "run.pt")
    assert first == whole[:2]
    assert resumed == whole


def test_epochs_found_in_a_checkpoint_are_reported_again(digits: tasks.Task, tmp_path: Path) -> None:
    train(digits, 2, tmp_path / "run.pt")
    seen: list[int] = []
    fit(
        scheme(), digits, epochs=3, batch_size=128, seed=3, device="cpu", path=tmp_path / "run.pt",
        on_epoch=lambda epoch, record: seen.append(epoch),
    )  # fmt: skip
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(digits: tasks.Task, tmp_path: Path, keep: float) -> None:
    path = tmp_path / "run.pt"
    train(digits, 1, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    assert train(digits, 1, path) == train(digits, 1)


def test_a_checkpoint_holds_every_generator(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.pt", {"epoch": 3})
    drawn = (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random(), np.random.standard_normal())
    assert checkpoint.load(tmp_path / "a.pt") == {"epoch": 3}
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random(), np.random.standard_normal()) == drawn
    assert list(tmp_path.iterdir()) == [tmp_path / "a.pt"]


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "executed"),))  # type: ignore[return-value]

    torch.save({"rng": Evil()}, tmp_path / "evil.pt")
    assert checkpoint.load(tmp_path / "evil.pt") is None
    assert not (tmp_path / "executed").exists()


def test_divergence_stops_the_run(digits: tasks.Task) -> None:
    broken = scheme()
    with torch.no_grad():
        broken.network.fc[2].weight.fill_(float("nan"))
        broken.network.fc[3].w.fill_(float("nan"))
    broken.network.fc[6].register_forward_hook(lambda _m, _x, out: out * float("nan"))
    with pytest.raises(Diverged, match="nan in epoch 0"):
        fit(broken, digits, epochs=2, batch_size=128, seed=0, device="cpu")


def test_a_batch_larger_than_the_data_is_refused(digits: tasks.Task) -> None:
    with pytest.raises(ValueError, match="A batch of 5000 is larger than the 1194"):
        fit(scheme(), digits, epochs=1, batch_size=5000, seed=0, device="cpu")


def recording(train_batch: Callable[..., Any], labels: list[int]) -> Callable[..., Any]:
    def recorded(x: torch.Tensor, y: torch.Tensor) -> Any:
        labels.extend(y.tolist())
        return train_batch(x, y)

    return recorded


def test_arms_with_one_seed_see_the_same_weights_and_batches(digits: tasks.Task) -> None:
    first, second = scheme("lif"), scheme("plif")
    ours = dict(second.network.named_parameters())
    for name, parameter in first.network.named_parameters():
        assert torch.equal(parameter, ours[name])
    seen: list[list[int]] = []
    for arm in (first, second):
        labels: list[int] = []
        with mock.patch.object(arm, "train_batch", recording(arm.train_batch, labels)):
            fit(arm, digits, epochs=2, batch_size=64, seed=11, device="cpu")
        seen.append(labels)
    assert seen[0] == seen[1]
    half = len(seen[0]) // 2
    assert seen[0][:half] != seen[0][half:]  # another order in the next epoch


def test_evaluation_counts_every_sample(digits: tasks.Task) -> None:
    class Constant:
        network = torch.nn.Identity()

        def outputs(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full((1, len(x)), 3)

        def decide(self, outputs: torch.Tensor) -> torch.Tensor:
            return outputs[0]

    found = evaluate(Constant(), digits.test, 100, "cpu", lambda: [Accuracy(digits.target)])  # type: ignore[arg-type]
    expected = (digits.test.labels == 3).float().mean().item()
    assert found == {"accuracy": Reading(pytest.approx(expected), "fraction")}


def test_firing_rates_by_hand() -> None:
    layer = neurons.create("if")
    with FiringRates(torch.nn.Sequential(layer)) as rates:
        layer(torch.tensor([[1.0, 0.0], [0.0, 0.5]]))  # one spike in four
        layer.reset()
        layer(torch.tensor([[1.0, 1.0], [1.0, 1.0]]))  # four in four
    assert rates.values() == {"rate_0": Reading(5 / 8, "1")}
