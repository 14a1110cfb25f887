"""Steps of training recorded and played back: on a CPU with a stand-in for CUDA's graphs, on a GPU with these."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

import models
import tasks
from core.errors import Unsupported
from training import captured
from training.bptt import BPTT
from training.captured import WARM, Captured
from training.loop import fit

EPOCHS = 2
Step = Callable[[], None]


@pytest.fixture(scope="module")
def digits() -> tasks.Task:
    return tasks.load("digits", validation=0.15)


def scheme(device: str = "cpu", **options: Any) -> BPTT:
    torch.manual_seed(7)
    neuron = models.factory("plif", detach_reset=True, v_threshold=0.3)
    network = models.create("plif_mnist", neuron=neuron, side=8, channels=8, hidden=64, T=6)  # with dropout
    return BPTT(network.to(device), **{"lr": 1e-2, **options})


def train(scheme: BPTT, task: tasks.Task, device: str = "cpu") -> list[dict[str, float]]:
    torch.manual_seed(3)
    history = fit(scheme, task, epochs=EPOCHS, batch_size=128, seed=3, device=device)
    return [{name: value for name, value in record.items() if name != "train_seconds"} for record in history]


class Recorder:
    """Plays a step by running it again, and tells how often it was asked."""

    def __init__(self, played: Callable[[Step], None] = lambda step: step()) -> None:
        self.recorded = self.started = 0
        self.played = played

    def __call__(self, step: Step) -> Step:
        self.recorded += 1

        def start() -> None:
            self.started += 1
            self.played(step)

        return start


@pytest.mark.parametrize(
    "options",
    [{}, {"accumulate": True, "clip": 1.0}, {"optimizer": "sgd", "momentum": 0.9}, {"precision": "bf16"}],
    ids=str,
)
def test_a_training_is_the_same_played_back(digits: tasks.Task, options: dict[str, Any]) -> None:
    plain, other, recorder = scheme(**options), scheme(**options), Recorder()
    other.captured = Captured(other, recorder)
    expected = train(plain, digits)
    assert train(other, digits) == expected
    assert expected[-1]["rate_fc.6"] > 0  # something is learned from
    for found, weight in zip(other.network.parameters(), plain.network.parameters(), strict=True):
        assert torch.equal(found, weight)
    assert recorder.recorded == EPOCHS  # what an epoch decides is a number of Python
    assert recorder.started == EPOCHS * (1194 // 128) - WARM


def test_another_shape_is_recorded_by_itself() -> None:
    trained, recorder = scheme(), Recorder()
    trained.captured = Captured(trained, recorder)
    for samples in (8, 4, 8, 4, 8, 8, 8):
        trained.train_batch(torch.rand(samples, 1, 8, 8), torch.zeros(samples, dtype=torch.long))
    assert (recorder.recorded, recorder.started) == (1, 2)


def test_what_was_told_of_a_batch_stays() -> None:
    trained = scheme()
    trained.captured = Captured(trained, Recorder())
    told = [trained.train_batch(torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.long)) for _ in range(WARM + 2)]
    (graph,) = trained.captured._graphs.values()
    for update in told:
        assert update.outputs.data_ptr() != graph.told.outputs.data_ptr()
        assert update.scalars["loss"].data_ptr() != graph.told.scalars["loss"].data_ptr()


def twice(step: Step) -> None:
    step()
    step()


def by_other_numbers(step: Step) -> None:
    torch.rand(1)
    step()


@pytest.mark.parametrize("played", [twice, by_other_numbers])
def test_a_playback_that_is_something_else_is_not_used(digits: tasks.Task, played: Callable[[Step], None]) -> None:
    trained, recorder = scheme(), Recorder(played)
    trained.captured = Captured(trained, recorder)
    with pytest.raises(Unsupported, match="played back, the recorded update comes to something else; leave it out"):
        train(trained, digits)
    assert (recorder.recorded, recorder.started) == (1, 1)


@pytest.mark.parametrize(
    "options", [{"optimizer": "sgd", "lr": 1e-7}, {"optimizer": "sgd", "lr": 1e-7, "momentum": 0.9}]
)
def test_small_steps_are_told_apart(digits: tasks.Task, options: dict[str, Any]) -> None:
    trained = scheme(**options)
    trained.captured = Captured(trained, Recorder(twice))
    with pytest.raises(Unsupported, match="something else"):
        train(trained, digits)


def test_a_step_that_cannot_be_recorded_is_refused(digits: tasks.Task) -> None:
    def record(step: Step) -> Step:
        step()
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        except RuntimeError:
            raise RuntimeError("capture was broken before") from None  # as PyTorch does at the end of a recording

    trained = scheme()
    trained.captured = Captured(trained, record)
    with pytest.raises(
        Unsupported, match=r"cannot be a CUDA graph \(operation not permitted when stream is capturing\);"
    ):
        train(trained, digits)


def test_memory_that_runs_out_is_no_refusal(digits: tasks.Task) -> None:
    def record(step: Step) -> Step:
        raise torch.OutOfMemoryError("CUDA out of memory")

    trained = scheme()
    trained.captured = Captured(trained, record)
    with pytest.raises(torch.OutOfMemoryError):
        train(trained, digits)


def test_a_checkpoint_ends_the_graphs() -> None:
    trained, recorder = scheme(), Recorder()
    trained.captured = Captured(trained, recorder)
    state = copy.deepcopy(trained.state_dict())
    for _ in range(WARM + 2):
        trained.train_batch(torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.long))
    trained.load_state_dict(state)
    assert not trained.captured._graphs


def test_where_there_are_no_graphs() -> None:
    with pytest.raises(Unsupported, match="records the update as a CUDA graph, but this network is on cpu"):
        scheme(captured=True)
    with pytest.raises(ValueError, match="use precision 'bf16' or 'float32'"):
        scheme(captured=True, precision="fp16")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnDevice:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"optimizer": "adamax"},
            {"optimizer": "sgd", "momentum": 0.9, "clip": 0.1},
            {"accumulate": True},
            {"precision": "bf16"},
        ],
        ids=str,
    )
    def test_a_training_is_the_same_played_back(
        self, digits: tasks.Task, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
        starts: list[int] = []

        def counted(step: Step) -> Step:
            start = captured.record(step)

            def counting() -> None:
                starts.append(1)
                start()

            return counting

        plain, other = scheme("cuda", **options), scheme("cuda", captured=True, **options)
        assert other.captured is not None
        other.captured.record = counted
        found, expected = train(other, digits, "cuda"), train(plain, digits, "cuda")
        assert len(starts) == EPOCHS * (1194 // 128) - WARM
        assert [r["train_loss"] for r in found] == pytest.approx([r["train_loss"] for r in expected], rel=1e-3)

    def test_an_update_that_waits_is_refused_and_nothing_is_broken(
        self, digits: tasks.Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trained = scheme("cuda", captured=True)
        loss = trained.loss
        trained.loss = lambda outputs, labels: loss(outputs, labels) * float(bool(outputs.isfinite().all()))
        with pytest.raises(Unsupported, match="cannot be a CUDA graph"):
            train(trained, digits, "cuda")
        train(scheme("cuda"), digits, "cuda")  # with dropout
