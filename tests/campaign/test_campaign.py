"""The campaign notices a loss: a check that cannot fail proves nothing."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest import mock

import pytest
import warm

from results import Metric, Run, Store, content_key, new_id, timestamp
from tests.campaign import campaign
from tests.campaign.faults import readers
from tests.campaign.ground import Ground, Missing
from tests.campaign.judge import Lost, curves, kept, same, sound

SAID = "[1/1] digits · plif_mnist · plif · seed 1: A 9.8 % B 9.8 % in 1 s\n"


def a_run(seed: int, **changes: object) -> Run:
    experiment = {"task": "digits", "seed": seed}
    given: dict[str, object] = {
        "id": new_id(), "experiment": experiment, "experiment_key": content_key(experiment), "implementation": "code",
        "outcome": "ok", "reason": "", "started": timestamp(), "seconds": 1.0, "seed": seed, "device": "cpu",
        "backend": "torch", "command": "made up", "peak_memory": None, "machine": {}, "environment": {},
        "metrics": (Metric("test_accuracy", 0.5, "fraction", 0), Metric("train_seconds", seed + 0.5, "s", 0)),
    }  # fmt: skip
    return Run(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store of two runs."""
    with Store(path := tmp_path / "store.db") as opened:
        opened.record_all([a_run(1), a_run(2)])
    return str(path)


def spoil(store: str, *statements: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def struck(fault: campaign.Fault, tmp_path: Path) -> tuple[int, list[str]]:
    """Exit status and lines of a campaign of one fault, tried once: its clock moves a second whenever it is read."""
    said: list[str] = []
    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    with mock.patch.object(campaign, "time", clock):
        return campaign.run({"made up": fault}, Ground(tmp_path / "ground", Random(0)), 1.5, said.append), said


def test_what_survives_is_counted(store: str, tmp_path: Path) -> None:
    def harmless(_: Ground) -> None:
        before = sound(store)
        kept(before, sound(store), SAID)
        same(curves(sound(store)), curves(before))

    status, said = struck(harmless, tmp_path)
    assert (status, said[-1].split()) == (0, ["made", "up", "1", "1", "0"])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: spoil(path, "DELETE FROM metric", "DELETE FROM run WHERE seed = 1"), "is gone"),
        (lambda path: spoil(path, "UPDATE metric SET value = 0.5000001 WHERE step = 0"), "is another one now"),
        (lambda path: spoil(path, "DELETE FROM experiment"), "foreign_key_check of the store says"),
        (lambda path: Path(path).write_bytes(Path(path).read_bytes()[:-5000]), "the store cannot be read"),
    ],
)  # fmt: skip
def test_a_sabotaged_store_is_a_loss(
    store: str, tmp_path: Path, damage: Callable[[str], object], sentence: str
) -> None:
    def sabotage(_: Ground) -> None:
        before = sound(store)
        damage(store)
        kept(before, sound(store))

    status, said = struck(sabotage, tmp_path)
    assert (status, said[-1].split()) == (1, ["made", "up", "1", "0", "1"])
    assert "made up: LOST: " in said[0]
    assert sentence in said[0]


def test_what_was_said_to_be_finished_has_to_be_there() -> None:
    kept({}, {"a": a_run(1)}, SAID)
    with pytest.raises(Lost, match="2 experiments were said to be finished, 1 are stored"):
        kept({}, {"a": a_run(1)}, SAID * 2)


def test_results_are_held_against_those_of_an_undisturbed_run() -> None:
    expected = curves({"a": a_run(1)})
    same(curves({"b": a_run(1, metrics=(*a_run(1).metrics[:1], Metric("train_seconds", 9.0, "s", 0)))}), expected)
    with pytest.raises(Lost, match=r"not that of the undisturbed run: .'test_accuracy', 0.$"):
        same(curves({"b": a_run(1, metrics=(Metric("test_accuracy", 0.5 + 1e-15, "fraction", 0),))}), expected)
    with pytest.raises(Lost, match="1 of 1 experiments have no result"):
        same(curves({"b": replace(a_run(1), outcome="oom", reason="killed")}), expected)
    with pytest.raises(Lost, match="was done twice"):
        curves({"a": a_run(1), "b": a_run(1)})


def test_what_nobody_thought_of_is_a_loss(tmp_path: Path) -> None:
    status, said = struck(lambda ground: 1 / 0, tmp_path)
    assert status == 1
    assert "ZeroDivisionError" in said[0]


def test_what_cannot_be_tried_here_is_told(tmp_path: Path) -> None:
    def absent(_: Ground) -> None:
        raise Missing("needs what is not here")

    status, said = struck(absent, tmp_path)
    assert (status, said[-1].split(maxsplit=5)) == (0, ["made", "up", "0", "0", "0", "needs what is not here"])


def test_readers_read_what_is_whole(tmp_path: Path) -> None:
    """All of them, as they are found where they belong now; what is damaged is for the campaign."""
    done = warm.run(["-m", "tests.campaign.readers.child", "0", "1", str(tmp_path)], cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")


def test_readers_that_fall_leave_what_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the sentence says how to give them the same again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    died = subprocess.CompletedProcess([], -7, "", "Fatal Python error: Bus error")
    again = r"status -7 at the files in (\S+)/now: .* Bus error\n  again: python -m tests\.campaign\S+ \d+ 300 \1-again"
    with mock.patch.object(subprocess, "run", return_value=died), pytest.raises(Lost, match=again):
        readers.strike(Ground(tmp_path / "ground", Random(0)))
    assert [*tmp_path.glob("spikebench-inputs-*")]
