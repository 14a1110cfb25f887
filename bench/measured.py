"""The tables that no training measures: each is the work of a command of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import FAILED, INTERRUPTED
from .papers import psn_speed
from .table import Finding

if TYPE_CHECKING:
    from results import Parity, Run, Store


@dataclass(frozen=True)
class SpeedClaim:
    """A statement of a paper about time; `decide` takes the stored kernel runs, oldest first, and parity checks.

    It is shown with the measurements of kind `what`.
    """

    id: str
    statement: str
    source: str
    what: str
    decide: Callable[[Sequence[Run], Sequence[Parity]], Finding]


@dataclass(frozen=True)
class Measured:
    """A table name, what it shows, and the module and options that measure it.

    Before it is timed, the parity of the neurons `proves` is measured, so that the figures count.
    """

    title: str
    module: str
    options: tuple[str, ...] = ()
    takes_out: bool = True
    proves: tuple[str, ...] = ()
    claims: tuple[SpeedClaim, ...] = ()

    def run(self, scale: str, device: str, store: str | None, out: Path) -> int:
        """Measures and shows the table; its exit status. `quick` takes the command's own short form.

        Raises KeyboardInterrupt when it was interrupted, after the command has shown what it has.
        """
        common = [
            "--device",
            device,
            *(["--quick"] if scale == "quick" else []),
        ]
        commands = [["bench.parity", *self.proves, *common]] if self.proves else []
        commands.append([self.module, *self.options, *common, *(["--out", str(out)] if self.takes_out else [])])
        return max(_carry_out(command, store) for command in commands)

    def findings(self, store: Store) -> list[tuple[SpeedClaim, Finding]]:
        """The table's claims, decided on all that `store` holds."""
        if not self.claims:
            return []
        keys = sorted({run.experiment_key for run in store.runs() if run.experiment.get("kind") == "kernel"})
        runs = store.full_runs(keys)
        return [(claim, claim.decide(runs, store.parity())) for claim in self.claims]


def _carry_out(command: list[str], store: str | None) -> int:
    """Runs a module with options; its exit status."""
    # Everyone can read the list of processes, so the store's URL, which may hold a password, is not among the options.
    variables = {**os.environ, **({"SPIKEBENCH_STORE": store} if store else {})}
    # In a group of its own Ctrl-C does not reach it twice, which would cut short how it ends.
    with subprocess.Popen([sys.executable, "-m", *command], env=variables, process_group=0) as running:
        try:
            status = running.wait()
        except KeyboardInterrupt:
            running.terminate()  # our commands take it as Ctrl-C, and a shell's background jobs hear it, too
            try:
                running.wait()
            except KeyboardInterrupt:
                running.kill()
            raise
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return FAILED if status < 0 else status  # below 0: died of a signal


TABLES = {
    "parity": Measured(
        "Every neuron on every backend against its own step in float64", "bench.parity", takes_out=False
    ),
    "kernels": Measured("Speed and memory of neurons against other libraries", "bench.kernels"),
    "memory_frontier": Measured(
        "The largest sequences that fit in a memory limit", "bench.kernels", ("--what", "frontier")
    ),
    "psn_speed": Measured(
        "PSN against LIF: time of forward and training over neurons and steps",
        "bench.kernels",
        ("--what", psn_speed.WHAT),
        proves=("psn", "lif"),
        claims=(SpeedClaim("C13", psn_speed.STATEMENT, psn_speed.SOURCE, psn_speed.WHAT, psn_speed.decide),),
    ),
}
