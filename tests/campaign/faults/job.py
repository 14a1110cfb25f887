"""A job of SLURM dies, and the command that waits for it."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

from tests.bench import slurm_server

from ..ground import Ground, Missing


def strike(ground: Ground) -> None:
    if why := slurm_server.missing() or ("" if find_spec("submitit") else "needs submitit"):
        raise Missing(why)
    with tempfile.TemporaryDirectory(prefix="spikebench-slurm-") as folder:  # a socket's path has to be short
        Path(folder).chmod(0o755)
        server = slurm_server.Server(Path(folder))
        try:
            with ground.trial(("--executor=slurm",), **server.variables) as trial:
                running = trial.begin()
                ground.wait(trial, running)
                _kill_one(ground, [process for process in trial.processes() if process.pid != running.pid])
                if ground.random.random() < 0.5:
                    running.kill()
                trial.end(running)
                trial.check()
                trial.end(trial.begin())  # which is told how the job has ended
                trial.conclude()
        finally:
            server.stop()


def _kill_one(ground: Ground, processes: list[psutil.Process]) -> None:
    """One of what runs for the trial besides the command: a job's script, its attendant, a training."""
    if processes:
        with suppress(psutil.NoSuchProcess):
            ground.random.choice(processes).kill()
