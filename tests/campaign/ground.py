"""What a fault is tried on: a store, and a command that fills it, undisturbed once and then again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from random import Random

import psutil

from results import Run

from . import table
from .judge import Curves, Lost, curves, kept, same, sound

PATIENCE = 300.0  # seconds until a command counts as hanging
STARTED = ": started\n"
MARK = "CAMPAIGN_TRIAL"  # variable by which the processes of a trial are known


class Missing(Exception):
    """A fault cannot be tried here."""


class Trial:
    """A command on a store and a folder of its own, told by `options` and `variables`, and what is known of it."""

    def __init__(self, ground: Ground, folder: Path, options: tuple[str, ...] = (), **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ground, self.folder = ground, folder
        self.url, self.out = str(folder / "store.db"), folder / "out"
        self.options = options
        self.variables = {**ground.variables, MARK: str(folder), **variables}
        self._seen: dict[str, Run] = {}
        self._said = ground.folder / f"{folder.name}.said"

    def begin(self, **variables: str) -> subprocess.Popen[bytes]:
        """Starts the command."""
        places = [f"--out={self.out}", "--no-report", "--jobs=2", *self.options]
        command = [sys.executable, "-m", "bench.reproduce", "campaign", *places]
        environment = {**self.variables, "SPIKEBENCH_STORE": self.url, **variables}
        with self._said.open("wb") as said:
            return subprocess.Popen(
                command, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )

    def end(self, command: subprocess.Popen[bytes], disturbed: bool = True) -> int:
        """Waits for the command; its status. Lost where it hangs or ends in a traceback."""
        try:
            status = command.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(command.pid, signal.SIGKILL)
            command.wait()
            raise Lost(f"the command hangs; it said: {self.said()[-500:]}") from None
        if "Traceback" in self.said():
            raise Lost(f"the command ended in a traceback: {self.said()[-1500:]}")
        if not disturbed and status != 0:
            raise Lost(f"the command, started again, ended with status {status}: {self.said()[:1500]}")
        return status

    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def check(self) -> None:
        """Lost where the store is not whole, or lacks what was in it or was said to be finished."""
        said = self.said()
        runs = sound(self.url) if self.url.startswith("postgresql") or Path(self.url).exists() else {}
        kept(self._seen, runs, said)
        self._seen = runs

    def conclude(self) -> None:
        """Starts the command again, undisturbed. Lost where its results are not those that it always has."""
        self.check()
        self.end(self.begin(), disturbed=False)
        self.check()
        same(curves(self._seen), self.ground.expected)

    def processes(self) -> list[psutil.Process]:
        """All that belong to the trial."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get(MARK) == str(self.folder):
                    found.append(process)
        return found


class Ground:
    """Where a campaign takes place; chance is `random`'s; at once readers are given so many damaged `inputs`."""

    def __init__(self, folder: Path, random: Random, inputs: int = 300) -> None:
        self.folder, self.random, self.inputs = folder, random, inputs
        plugin = folder / "plugin"
        info = plugin / "campaign_table-1.0.dist-info"
        info.mkdir(parents=True)
        (plugin / "campaign_table.py").write_text(Path(table.__file__).read_text())
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: campaign-table\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(table.ENTRY_POINTS)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SPIKEBENCH_")}
        self.variables = {**kept, "PYTHONPATH": str(plugin), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        self._trials = 0

    @cached_property
    def _undisturbed(self) -> tuple[Curves, float, float]:
        trial = Trial(self, self.folder / "undisturbed")
        begun = time.monotonic()
        running = trial.begin()
        while STARTED not in trial.said() and running.poll() is None:
            time.sleep(0.01)
        until_started = time.monotonic() - begun
        trial.end(running, disturbed=False)
        return curves(sound(trial.url)), until_started, time.monotonic() - begun

    @property
    def expected(self) -> Curves:
        """What the command measures when nothing happens."""
        return self._undisturbed[0]

    @property
    def seconds(self) -> float:
        """How long the command takes when nothing happens."""
        return self._undisturbed[2]

    def wait(self, trial: Trial, running: subprocess.Popen[bytes]) -> None:
        """Waits for a random moment of the command's life, three times of four one after its first training began."""
        if self.random.random() < 0.25:
            time.sleep(self.random.uniform(0, self.seconds))
            return
        end = time.monotonic() + PATIENCE
        while STARTED not in trial.said() and running.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(self.random.uniform(0, self.seconds - self._undisturbed[1]))

    @contextmanager
    def trial(self, options: tuple[str, ...] = (), folder: Path | None = None, **variables: str) -> Iterator[Trial]:
        """A trial, of which no process is left at the end."""
        _ = self._undisturbed
        self._trials += 1
        trial = Trial(self, (folder or self.folder) / f"trial-{self._trials}", options, **variables)
        try:
            yield trial
        finally:
            for process in trial.processes():
                with suppress(psutil.Error):
                    process.kill()
