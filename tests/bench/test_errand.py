"""Measured tables on another machine: one command there, whose results come home as lines."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import errand
from bench.executor import Listener, OnResult
from bench.job import Request, Result
from bench.measured import COMMANDS, Command
from bench.settings import Settings, Share
from core.console import Console
from core.errors import PARITY_RED
from results import Store
from training.clock import Clock

MEASURES = """
import os, sys
from results import Run, Store, content_key, new_id, timestamp
what = {"kind": "measurement"}
run = Run(new_id(), what, content_key(what), "code", "ok", "", timestamp(), 1.0, 0, "cpu", "torch", "made up", 1,
          {"cpu": "of the node"}, {"python": "of the node"})
with Store(os.environ["SPIKEBENCH_STORE"]) as store:
    store.record(run)
print("measured with", *sys.argv[1:3])
sys.exit(3)
"""


class Elsewhere:
    """Carries requests out as another machine would, and hands each result over twice."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests: list[Request] = []

    def device(self) -> str:
        return "cpu"

    def share(self, device: str, experiments: int) -> Share:
        return Share.on_cluster(self.settings)

    def execute(
        self,
        requests: Iterable[Request],
        *,
        jobs: int | None,
        timeout: float | None,
        listener: Listener,
        on_result: OnResult,
    ) -> None:
        for request in requests:
            self.requests.append(request)
            there = Request.of_json(request.absolute().to_json())
            send = functools.partial(_tell, listener, there)
            text = errand.carry_out(there, send, Clock()).to_json()
            for _ in range(2):
                on_result(request, Result.of_json(text))


def _tell(listener: Listener, request: Request, message: tuple[Any, ...]) -> None:
    kind, *rest = message
    getattr(listener, kind)(request, *rest)


@pytest.fixture
def _hears_sigterm_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_hears_sigterm_as_before")
def test_what_a_node_measures_comes_home_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "measures.py").write_text(MEASURES)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    monkeypatch.setitem(COMMANDS, "kernels", Command("measures"))
    settings = Settings(("kernels",), executor="slurm", store=f"{tmp_path}/store.db", out=tmp_path / "out")
    elsewhere = Elsewhere(settings)
    assert errand.run(settings, elsewhere, Console()) == PARITY_RED
    assert "measured with --device cpu\n" in capsys.readouterr().out
    with Store(tmp_path / "store.db") as store:
        (run,) = store.runs()
    assert run.machine == {"cpu": "of the node"}
    (request,) = elsewhere.requests
    assert request.alone
    assert request.code
