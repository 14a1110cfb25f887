"""The process is killed that trainings are forked from."""

from __future__ import annotations

from contextlib import suppress

import psutil

from ..ground import Ground


def strike(ground: Ground) -> None:
    with ground.trial() as trial:
        running = trial.begin()
        ground.wait(trial, running)
        with suppress(psutil.Error):
            if found := server(running.pid):
                found.kill()
        trial.end(running)
        trial.conclude()


def server(command: int) -> psutil.Process | None:
    """The fork server of a command; None where there is none yet, or no more."""
    with suppress(psutil.Error):
        for process in psutil.Process(command).children():
            if "multiprocessing.forkserver" in " ".join(process.cmdline()):
                return process
    return None
