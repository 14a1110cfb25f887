"""The disk of store and output is full for a while: a file system of its own for root, else a limit of each file."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ..ground import Ground, Trial
from ..judge import sound

SIZE = "64m"


def strike(ground: Ground) -> None:
    with _disk(ground.folder) as own, ground.trial(folder=own) as trial:
        running = trial.begin()
        ground.wait(trial, running)
        with _full(own, trial):
            trial.end(running)
            if os.path.exists(trial.url):
                _readable(trial.url)
        trial.conclude()


def _readable(url: str) -> None:
    """Lost where what is in the store cannot be read while the disk is full."""
    if os.path.getsize(url):
        sound(url)


@contextmanager
def _disk(folder: Path) -> Iterator[Path | None]:
    """A small file system; None without the right to mount one."""
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", place]).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def _full(own: Path | None, trial: Trial) -> Iterator[None]:
    """Within, nothing is written any more."""
    if own is None:
        for process in trial.processes():
            with suppress(psutil.Error):
                process.rlimit(resource.RLIMIT_FSIZE, (0, 0))
        yield
        return
    ballast = own / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**12))
    try:
        yield
    finally:
        ballast.unlink()
