"""A training is killed, as by a machine that runs out of memory: its own result is lost, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import psutil

from ..ground import Ground
from .server import server


def strike(ground: Ground) -> None:
    with ground.trial() as trial:
        running = trial.begin()
        ground.wait(trial, running)
        with suppress(psutil.Error):
            found = server(running.pid)
            children = found.children() if found else []
            if children:
                ground.random.choice(children).kill()
        trial.end(running)
        trial.conclude()
