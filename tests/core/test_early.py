"""Ctrl-C while a command still imports what it needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "bench",
    "results",
    "reports",
    *(f"bench.{name}" for name in ("reproduce", "parity", "kernels", "calibrate")),
]
PRESSED = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(20)\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_one_sentence(command: str, tmp_path: Path, hears_ctrl_c: Callable[[], None]) -> None:
    (tmp_path / "typer.py").write_text(PRESSED)  # what every command imports first of what takes long
    variables = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", command], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60,
        preexec_fn=hears_ctrl_c,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Interrupted before anything was begun.\n"


def test_other_programs_keep_their_answer() -> None:
    before = signal.getsignal(signal.SIGINT)
    import bench.reproduce  # noqa: F401

    assert signal.getsignal(signal.SIGINT) is before
