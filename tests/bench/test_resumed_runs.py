"""Runs that go on from a checkpoint, or cannot, through the real command."""

from __future__ import annotations

import fcntl
import re
import signal
from pathlib import Path

import pytest
import stores
import warm
from commands import Command

from results import Store, StoredRun

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def interrupted(environment: dict[str, str], tmp_path: Path) -> Path:
    """The checkpoint of one experiment of 20 epochs that was stopped on its way."""
    places = ["--store", str(stores.with_published(tmp_path / "store.db")), "--out", str(tmp_path / "out")]
    running = warm.Process(["-m", "bench.reproduce", "long", "--only", "one", *places], environment)
    running.until(lambda: list(tmp_path.glob("out/checkpoints/*.pt")))
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    (found,) = tmp_path.glob("out/checkpoints/*.pt")
    return found


def finished(store: Path) -> StoredRun:
    with Store(store) as opened:
        (run,) = opened.runs(outcome="ok")
    return run


def test_a_flipped_bit_is_told_and_costs_time_alone(reproduce: Command, interrupted: Path, tmp_path: Path) -> None:
    content = bytearray(interrupted.read_bytes())
    content[len(content) // 3] ^= 4
    interrupted.write_bytes(content)
    done = reproduce("long", "--only", "one")
    assert done.returncode == 0, done.stderr
    told = f"trained anew, for the checkpoint {interrupted.name} is damaged; it is kept as {interrupted.stem}.unusable"
    assert f"[0/1] digits · plif_mnist · plif init_tau=2 · seed 2020: {told}\n" in done.stdout
    assert finished(tmp_path / "store.db").reason == told
    assert interrupted.with_suffix(".unusable").read_bytes() == content
    assert not interrupted.exists()


def test_the_seconds_of_a_run_are_those_of_its_parts(reproduce: Command, interrupted: Path, tmp_path: Path) -> None:
    import torch

    from core import randomness
    from training import checkpoint

    state = torch.load(interrupted, weights_only=True)
    assert 0 < state["seconds"] < 120
    generators = state.pop("rng")[0]
    randomness.set_generators(generators)
    checkpoint.save(interrupted, {**state, "seconds": 5000.0})
    done = reproduce("long", "--only", "one")
    assert done.returncode == 0, done.stderr
    run = finished(tmp_path / "store.db")
    assert run.reason == ""
    assert run.seconds is not None
    assert 5000 < run.seconds < 5120
    assert re.search(r"in 5\d\d\d s$", done.stdout, re.M)


def test_what_another_process_runs_is_not_done(reproduce: Command, interrupted: Path, tmp_path: Path) -> None:
    with interrupted.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = reproduce("long", "--only", "one")
    assert done.returncode == 1
    assert "Not run: 1 of 1 experiments, which another process is running now; run the command again" in done.stdout
    with Store(tmp_path / "store.db") as store:
        assert store.runs()[-1].outcome == "skipped"
    assert reproduce("long", "--only", "one").returncode == 0


def test_two_commands_on_one_store_do_nothing_twice_wherever_their_files_are(
    reproduce: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    places = ["--store", str(stores.with_published(tmp_path / "store.db")), "--out", str(tmp_path / "first")]
    first = warm.Process(["-m", "bench.reproduce", "endless", *places, "--no-report"], environment)
    first.until(lambda: list(tmp_path.glob("first/checkpoints/*.pt")))
    second = reproduce("endless", "tiny", "--only", "one")
    assert second.returncode == 1
    since = r"since \d{4}-\d\d-\d\d \d\d:\d\d UTC"
    said = rf"skipped: it is being run by process {first.pid} on \S+, {since}; run the command"
    assert re.search(said, second.stdout)
    assert "Not run: 1 of 2 experiments, which another process is running now; run the command again" in second.stdout
    first.send_signal(signal.SIGKILL)
    first.wait()
    third = warm.Process(["-m", "bench.reproduce", "endless", *places, "--no-report"], environment)
    third.until(lambda: "started" in third.said()[0] or third.returncode is not None)
    third.send_signal(signal.SIGINT)
    assert third.wait(60) == 130, third.said()
    with Store(tmp_path / "store.db") as store:
        assert [run.outcome for run in store.runs()] == ["skipped", "ok", "interrupted"]
