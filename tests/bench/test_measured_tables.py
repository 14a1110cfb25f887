"""Tables that belong to no paper are measured by their own commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from commands import Command

from bench import measured
from core.errors import FAILED, PARITY_RED


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        ("parity", "quick", ["bench.parity", "--device", "cpu", "--quick"]),
        ("kernels", "paper", ["bench.kernels", "--device", "cpu", "--out", "o"]),
        (
            "memory_frontier",
            "quick",
            ["bench.kernels", "--what", "frontier", "--device", "cpu", "--quick", "--out", "o"],
        ),
    ],
)
def test_the_command_behind_a_table(name: str, scale: str, expected: list[str]) -> None:
    with mock.patch.object(measured, "_carry_out", return_value=PARITY_RED) as carry_out:
        assert measured.COMMANDS[name].run(scale, "cpu", "s.db", Path("o")) == PARITY_RED
    carry_out.assert_called_once_with(expected, "s.db", None)


def test_speeds_of_psn_come_after_their_proof() -> None:
    with mock.patch.object(measured, "_carry_out", return_value=0) as carry_out:
        measured.COMMANDS["psn_speed"].run("quick", "cpu", None, Path("o"))
    proof, timing = (call.args[0] for call in carry_out.call_args_list)
    assert proof == ["bench.parity", "psn", "lif", "--device", "cpu"]  # a part of the grid would prove nothing
    assert timing[:3] == ["bench.kernels", "--what", "psn"]
    assert "--quick" in timing


MEASURES = """
import os, signal, sys, time

def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
try:
    os.kill(os.{whom}(), signal.{how})
    time.sleep(30)
except KeyboardInterrupt:
    time.sleep(1)  # longer than subprocess would wait
    print("what was measured", flush=True)
    sys.exit(130)
"""
PARENT = """
import signal
from bench import measured

signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    print(measured._carry_out(["measures"], None))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("whom", "how", "said"),
    [
        ("getppid", "SIGINT", "what was measured\ninterrupted\n"),
        ("getppid", "SIGTERM", "what was measured\ninterrupted\n"),
        ("getpid", "SIGTERM", "what was measured\ninterrupted\n"),
        ("getpid", "SIGKILL", f"{FAILED}\n"),
    ],
)
def test_a_stopped_command_shows_what_it_has(
    tmp_path: Path, hears_ctrl_c: Callable[[], None], whom: str, how: str, said: str
) -> None:
    (tmp_path / "measures.py").write_text(MEASURES.format(whom=whom, how=how))
    done = subprocess.run(
        [sys.executable, "-c", PARENT],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
        preexec_fn=hears_ctrl_c,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (said, "")


def test_the_store_is_told_where_the_list_of_processes_does_not_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tells.py").write_text("import os, sys; print(sys.argv[1:], os.environ.get('SPIKEBENCH_STORE'))")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    monkeypatch.setenv("SPIKEBENCH_STORE", "of the shell")
    assert measured._carry_out(["tells"], "postgresql://me:pw@host/db") == 0
    assert measured._carry_out(["tells"], None) == 0
    assert capfd.readouterr().out == "[] postgresql://me:pw@host/db\n[] of the shell\n"


def test_nothing_is_timed_after_an_interrupted_proof() -> None:
    with (
        mock.patch.object(measured, "_carry_out", side_effect=[KeyboardInterrupt, 0]) as carry_out,
        pytest.raises(KeyboardInterrupt),
    ):
        measured.COMMANDS["psn_speed"].run("quick", "cpu", None, Path("o"))
    assert carry_out.call_count == 1


@pytest.mark.parametrize("name", measured.COMMANDS)
def test_the_commands_have_these_options(name: str) -> None:
    command = measured.COMMANDS[name]
    shown = subprocess.run(
        [sys.executable, "-m", command.module, "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert all(option in shown for option in ("--device", "--quick", "--store"))
    assert ("--out" in shown) == command.takes_out


def test_a_plan_measures_nothing(reproduce: Command) -> None:
    done = reproduce("parity", "--plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert "parity: measured anew each time, by python -m bench.parity" in done.stdout
