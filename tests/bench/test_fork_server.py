"""The server that trainings are forked from dies, or cannot start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import child
from bench.child import CannotStart, Child
from bench.job import Request
from papers.experiment import Experiment

EXPERIMENT = Experiment("digits", "net", "lif", "bptt", epochs=2, batch_size=8, scale="quick", seed=2020)


class Server:
    """In place of multiprocessing: of the processes that it is to start the first `fails` cannot be."""

    def __init__(self, fails: int) -> None:
        self.fails, self.asked = fails, 0

    def Pipe(self, duplex: bool) -> tuple[Any, Any]:
        import multiprocessing

        return multiprocessing.Pipe(duplex)

    def Process(self, **options: Any) -> Server:
        return self

    def start(self) -> None:
        self.asked += 1
        if self.asked <= self.fails:
            raise EOFError("unexpected EOF")


def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int) -> Server:
    server = Server(fails)
    monkeypatch.setattr(child, "_context", lambda: server)
    place = tmp_path / "one.pt"
    Child(Request(EXPERIMENT, "cpu", None, tmp_path, place, place, 1, None), None).connection.close()
    return server


def test_a_server_that_has_died_is_asked_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert begin(tmp_path, monkeypatch, fails=1).asked == 2


def test_a_server_that_cannot_start_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotStart, match=r"^The process of an experiment cannot be started: unexpected EOF\. What "):
        begin(tmp_path, monkeypatch, fails=2)
