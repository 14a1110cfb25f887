"""How tests type a command: with its arguments, and what came of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from typer import Typer
from typer.testing import CliRunner

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def plain_environment(path: Path) -> dict[str, str]:
    """For a command that finds a plug-in in `path` and none of the settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPIKEBENCH_")}
    return {**kept, "PYTHONPATH": str(path), "COLUMNS": "120"}


def within(app: Typer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in this process, for what ends before it starts another: wrong usage, help.

    An exception that the command does not turn into a sentence is raised.
    """
    stopped_by = signal.getsignal(signal.SIGTERM)
    try:
        with mock.patch.dict(os.environ):
            done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    finally:
        signal.signal(signal.SIGTERM, stopped_by)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)
