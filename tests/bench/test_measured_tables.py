"""Tables that belong to no paper are measured by their own commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from conftest import Command

from bench import measured
from bench.errors import FAILED, PARITY_RED


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        ("parity", "quick", ["bench.parity", "--device", "cpu", "--quick", "--store", "s.db"]),
        ("kernels", "paper", ["bench.kernels", "--device", "cpu", "--store", "s.db", "--out", "o"]),
        (
            "memory_frontier",
            "quick",
            ["bench.kernels", "--what", "frontier", "--device", "cpu", "--quick", "--store", "s.db", "--out", "o"],
        ),
    ],
)
def test_the_command_behind_a_table(name: str, scale: str, expected: list[str]) -> None:
    done = subprocess.CompletedProcess([], PARITY_RED)
    with mock.patch.object(subprocess, "run", return_value=done) as run:
        assert measured.TABLES[name].run(scale, "cpu", "s.db", Path("o")) == PARITY_RED
    assert run.call_args.args[0] == [sys.executable, "-m", *expected]


def test_a_measurement_that_was_killed_has_failed() -> None:
    with mock.patch.object(subprocess, "run", return_value=subprocess.CompletedProcess([], -9)):
        assert measured.TABLES["kernels"].run("quick", "cpu", None, Path("o")) == FAILED


def test_speeds_of_psn_come_after_their_proof() -> None:
    done = subprocess.CompletedProcess([], 0)
    with mock.patch.object(subprocess, "run", return_value=done) as run:
        measured.TABLES["psn_speed"].run("quick", "cpu", None, Path("o"))
    modules = [call.args[0][2:5] for call in run.call_args_list]
    assert modules == [["bench.parity", "psn", "lif"], ["bench.kernels", "--what", "psn"]]


@pytest.mark.parametrize("name", measured.TABLES)
def test_the_commands_have_these_options(name: str) -> None:
    table = measured.TABLES[name]
    shown = subprocess.run(
        [sys.executable, "-m", table.module, "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert all(option in shown for option in ("--device", "--quick", "--store"))
    assert ("--out" in shown) == table.takes_out


def test_a_plan_measures_nothing(reproduce: Command) -> None:
    done = reproduce("parity", "--plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert "parity: measured anew each time, by python -m bench.parity" in done.stdout
