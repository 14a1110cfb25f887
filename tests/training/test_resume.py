"""Checkpoints that cannot be used: training starts anew as if they had not been there, and says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import models
import tasks
from training import checkpoint
from training.bptt import BPTT
from training.clock import Clock
from training.loop import fit


@pytest.fixture(scope="module")
def digits() -> tasks.Task:
    return tasks.load("digits")


@pytest.fixture(scope="module")
def uninterrupted(digits: tasks.Task) -> list[dict[str, float]]:
    return train(digits, None)[0]


def train(
    task: tasks.Task, path: Path | None, epochs: int = 2, hidden: int = 20, clock: Clock | None = None
) -> tuple[list[dict[str, float]], list[str]]:
    """The records of a small training, times aside, and what it had to tell."""
    torch.manual_seed(7)
    network = models.create("plif_mnist", neuron=models.factory("plif"), side=8, channels=3, hidden=hidden, T=3)
    notes: list[str] = []
    history = fit(
        BPTT(network), task, epochs=epochs, batch_size=256, seed=3, device="cpu", path=path, on_note=notes.append,
        clock=clock,
    )  # fmt: skip
    return [{name: value for name, value in record.items() if name != "train_seconds"} for record in history], notes


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Writes a checkpoint anew, whole and with its sum, after a `change` of its content."""

    def write(path: Path) -> None:
        state = torch.load(path, weights_only=True)
        change(state)
        rng = state.pop("rng", None)
        generators = checkpoint.generators
        try:
            checkpoint.generators = lambda: rng[0] if rng else rng  # type: ignore[assignment, return-value]
            checkpoint.save(path, state)
        finally:
            checkpoint.generators = generators

    return write


PROBLEMS = {
    "other data": (changed(lambda state: state.update(data="0123456789abcdef")), "is of a training on other data"),
    "no history": (changed(lambda state: state.pop("history")), "does not fit (KeyError: 'history')"),
    "no generators": (changed(lambda state: state.pop("rng")), "does not fit"),
    "odd generators": (changed(lambda state: state["rng"][0].update(torch=torch.zeros(3))), "does not fit"),
    "not a state": (changed(lambda state: state.update(scheme=7)), "does not fit"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is damaged"),
    "without its sum": (lambda path: path.write_bytes(path.read_bytes()[:-32]), "is damaged"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_training_starts_anew(
    digits: tasks.Task, uninterrupted: list[dict[str, float]], tmp_path: Path, problem: str
) -> None:
    path = tmp_path / "run.pt"
    train(digits, path, epochs=1)
    spoil, reason = PROBLEMS[problem]
    spoil(path)
    history, notes = train(digits, path)
    assert history == uninterrupted
    assert len(notes) == 1
    assert notes[0].startswith(f"trained anew, for the checkpoint run.pt {reason}")
    assert notes[0].endswith("; it is kept as run.unusable")
    assert {file.name for file in tmp_path.iterdir()} == {"run.pt", "run.unusable"}
    assert train(digits, path) == (uninterrupted, [])  # the new one is as good as any


def test_a_folder_is_set_aside_beside_what_was_before(digits: tasks.Task, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    (tmp_path / "run.unusable").touch()
    (path / "inner").mkdir(parents=True)
    _, notes = train(digits, path, epochs=1)
    assert notes == ["trained anew, for the checkpoint run.pt is damaged; it is kept as run.unusable-2"]
    path.write_bytes(b"")
    _, notes = train(digits, path, epochs=1)
    assert notes == ["trained anew, for the checkpoint run.pt is damaged; it is kept as run.unusable"]
    assert {file.name for file in tmp_path.iterdir()} == {"run.pt", "run.unusable", "run.unusable-2"}


def test_weights_of_other_shapes_leave_no_trace(
    digits: tasks.Task, uninterrupted: list[dict[str, float]], tmp_path: Path
) -> None:
    train(digits, tmp_path / "run.pt", epochs=1, hidden=12)  # its convolutions would fit
    history, notes = train(digits, tmp_path / "run.pt")
    assert "does not fit (RuntimeError: Error(s) in loading" in notes[0]
    assert history == uninterrupted


def test_a_flipped_bit_is_found_wherever_it_is(digits: tasks.Task, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    train(digits, path, epochs=1)
    content = path.read_bytes()
    for bit in np.random.default_rng(0).integers(0, 8 * len(content), 100):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert checkpoint.load(path) is None
    path.write_bytes(content)
    assert checkpoint.load(path) is not None


def test_a_data_set_that_grew_is_not_mixed_with_what_it_was(digits: tasks.Task, tmp_path: Path) -> None:
    grown = replace(digits, dataset=replace(digits.dataset, digest="f" * 64))
    small = replace(digits, train=digits.train.subset(range(300)))
    train(small, tmp_path / "run.pt", epochs=1)
    history, notes = train(grown, tmp_path / "run.pt")
    assert f"other data (digest {digits.dataset.digest[:12]}, here ffffffffffff)" in notes[0]
    assert [record["train_samples"] for record in history] == [1280, 1280]


def test_memory_that_runs_out_says_nothing_about_a_checkpoint(
    digits: tasks.Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.pt"
    train(digits, path, epochs=1)

    def no_memory(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(torch, "load", no_memory)
    with pytest.raises(RuntimeError, match="can't allocate"):
        train(digits, path)
    assert path.exists()


def test_the_parts_of_a_training_add_up(digits: tasks.Task, tmp_path: Path) -> None:
    first, second, third = Clock(), Clock(), Clock()
    first.before = 1000.0
    train(digits, tmp_path / "run.pt", epochs=1, clock=first)
    train(digits, tmp_path / "run.pt", epochs=2, clock=second)
    assert 1000 < second.before <= first.seconds()
    train(digits, tmp_path / "run.pt", epochs=2, clock=third)
    assert second.before < third.before <= second.seconds()
