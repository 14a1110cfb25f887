"""The tables that no training measures: the command behind each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import FAILED, INTERRUPTED
from papers.first_spike import speed as first_spike
from papers.psn import speed
from papers.ttfs import speed as ttfs

Say = Callable[[str], object]


@dataclass(frozen=True)
class Command:
    """The module and options that measure a table.

    Before it is timed, the whole grid of parity is measured for the neurons `proves`, so that the figures count.
    """

    module: str
    options: tuple[str, ...] = ()
    takes_out: bool = True
    proves: tuple[str, ...] = ()

    def run(self, scale: str, device: str, store: str | None, out: Path, say: Say | None = None) -> int:
        """Measures and shows the table, or has `say` do so line by line; its exit status. `quick` takes the command's
        own short form.

        Raises KeyboardInterrupt when it was interrupted, after the command has shown what it has.
        """
        where = ["--device", device]
        short = ["--quick"] if scale == "quick" else []
        proof = ["bench.parity", *self.proves, *where]  # never the short form, which proves nothing
        timing = [self.module, *self.options, *where, *short, *(["--out", str(out)] if self.takes_out else [])]
        commands = [proof, timing] if self.proves else [timing]
        return max(_carry_out(command, store, say) for command in commands)


def _carry_out(command: list[str], store: str | None, say: Say | None = None) -> int:
    """Runs a module with options; its exit status."""
    # Everyone can read the list of processes, so the store's URL, which may hold a password, is not among the options.
    variables = {**os.environ, **({"SPIKEBENCH_STORE": store} if store else {})}
    # In a group of its own Ctrl-C does not reach it twice, which would cut short how it ends.
    heard: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} if say else {}
    with subprocess.Popen([sys.executable, "-m", *command], env=variables, process_group=0, **heard) as running:
        try:
            for line in running.stdout or ():
                if say is not None:
                    say(line.rstrip("\n"))
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


COMMANDS = {
    "parity": Command("bench.parity", takes_out=False),
    "kernels": Command("bench.kernels"),
    "memory_frontier": Command("bench.kernels", ("--what", "frontier")),
    "psn_speed": Command("bench.kernels", ("--what", speed.WHAT), proves=("psn", "lif")),
    "ttfs_speed": Command("bench.kernels", ("--what", ttfs.WHAT), proves=("lif",)),
    "fs_speed": Command(
        "bench.kernels",
        ("--what", first_spike.WHAT, "--what", first_spike.NETWORK),
        proves=first_spike.NEURONS,
    ),
}
