"""How tests type a command: with its arguments, and what came of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from unittest import mock

from typer import Typer
from typer.testing import CliRunner

Command = Callable[..., "subprocess.CompletedProcess[str]"]


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
