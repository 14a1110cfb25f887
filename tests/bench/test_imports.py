"""The commands find the project's packages where the current folder has others of the same names."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from core.imports import ROOT, own_first
from results import Store

SCRIPT = Path(sysconfig.get_path("scripts"), "spikebench")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with packages of its own and a store in the usual place."""
    for name in ("models", "tasks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    Store(tmp_path / "results" / "spikebench.db").close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_is_made_there(folder: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "bench.reproduce", "tiny", "--plan"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 2 experiments to run" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT.exists(), reason="spikebench is not installed")
def test_experiments_run_there(folder: Path, environment: dict[str, str]) -> None:
    command = [SCRIPT, "reproduce", "tiny", "--only", "one", "--no-report"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    with Store(folder / "results" / "spikebench.db") as store:
        assert [run.outcome for run in store.runs()] == ["ok"]


def test_so_do_processes_that_are_started_by_module_name(folder: Path) -> None:
    (folder / "bench.py").touch()
    command = [sys.executable, "-m", "bench.parity", "nosuch"]
    before = dict(os.environ), list(sys.path)
    with own_first():
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert sys.path[0] == ROOT
    assert done.returncode == 2
    assert "Unknown neuron 'nosuch'" in done.stderr
    assert (dict(os.environ), sys.path) == before
