"""Joules of a board, with a stub in the place of NVML."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training import joules, operations
from training.joules import Board, Unmeasurable, measured


class Time:
    """A clock that work and sleep move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Library:
    """NVML of a board that takes `power` watts, or answers with `errors` by function."""

    def __init__(self, time: Time, **errors: int) -> None:
        self.time, self.errors, self.asked = time, errors, b""
        self.energy, self.seen, self.power = 5000.0, time.now, 50.0

    def nvmlInit_v2(self) -> int:
        return self.errors.get("init", 0)

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:
        self.asked = uuid
        return self.errors.get("handle", 0)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: ctypes.c_void_p, value: Any) -> int:
        self.energy += (self.time.now - self.seen) * self.power
        self.seen = self.time.now
        value._obj.value = round(1000 * self.energy)
        return self.errors.get("energy", 0)


def test_the_counter_is_read_around_work_that_lasts() -> None:
    time = Time()
    library = Library(time)
    done: list[str] = []

    def work() -> None:
        done.append("work")
        time.pass_by(0.4)

    def sleep(seconds: float) -> None:
        library.power = 50.0
        time.pass_by(seconds)
        board.joules()
        library.power = 300.0

    board = Board("1234", library)
    found = measured(work, board, wait=lambda: done.append("wait"), clock=time, sleep=sleep)
    assert library.asked == b"GPU-1234"
    assert found.idle == pytest.approx(50)
    assert found.times == 13  # of 0.4 seconds, until 5 are over
    assert found.seconds == pytest.approx(5.2)
    assert found.joules == pytest.approx(300 * 5.2)
    assert done[:4] == ["work", "wait", "work", "wait"]  # the first is no part of it
    assert len(done) == 28


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({"init": 9}, "NVML answered nvmlInit_v2 with error 9"),
        ({"handle": 6}, "NVML answered nvmlDeviceGetHandleByUUID with error 6"),
        ({"energy": 3}, "this board, or part of a board, has no counter of energy"),
    ],
)
def test_what_the_library_refuses_is_said(errors: dict[str, int], said: str) -> None:
    with pytest.raises(Unmeasurable, match=said):
        Board("GPU-1", Library(Time(), **errors)).joules()


def test_an_old_library_is_said() -> None:
    with pytest.raises(Unmeasurable, match="this NVML has no nvmlInit_v2"):
        Board("GPU-1", object())


class OnGPU:
    """A batch of four that says it is on the device."""

    def to(self, device: str) -> torch.Tensor:
        assert device == "cuda"
        return torch.zeros(4, 2)


class Split:
    def __len__(self) -> int:
        return 100

    def batch(self, indices: torch.Tensor) -> tuple[OnGPU, None]:
        assert len(indices) == 4
        return OnGPU(), None


class Scheme:
    def outputs(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def decide(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("answers", [True, False])
def test_joules_of_a_sample_or_a_reason(monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    """300 watts for 5 seconds, 25 batches of four, on a board that takes 50 watts at rest."""
    time = Time()

    def measured_there(work: Any, board: Board, wait: Any) -> joules.Energy:
        work()
        if not answers:
            raise Unmeasurable("no counter")
        return joules.Energy(1500.0, 5.0, 25, 50.0)

    monkeypatch.setattr(joules, "Board", lambda uuid: Board(uuid, Library(time)))
    monkeypatch.setattr(joules, "measured", measured_there)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1-2"))
    found, reason = operations._joules(Scheme(), Split(), "cuda", 4)  # type: ignore[arg-type]
    if answers:
        assert [(metric.name, metric.value, metric.unit) for metric in found] == [
            ("ops_joules", 15.0, "J"),
            ("ops_idle", 2.5, "J"),
        ]
        assert reason == ""
    else:
        assert [(metric.name, metric.value) for metric in found] == [("ops_joules", None)]
        assert reason == "joules are not measured: no counter"


def test_without_the_library_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joules, "LIBRARY", "libnothing-of-that-name.so.1")
    with pytest.raises(Unmeasurable, match=r"libnothing-of-that-name\.so\.1 cannot be loaded"):
        Board("GPU-1")
