"""The tables that belong to no paper: each is measured by a command of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """A table name, what it shows, and the module and options that measure it."""

    title: str
    module: str
    options: tuple[str, ...] = ()
    takes_out: bool = True

    def run(self, scale: str, device: str, store: str | None, out: Path) -> int:
        """Measures and shows the table; its exit status. `quick` takes the command's own short form."""
        command = [sys.executable, "-m", self.module, *self.options, "--device", device]
        command += ["--quick"] if scale == "quick" else []
        command += ["--store", store] if store else []
        command += ["--out", str(out)] if self.takes_out else []
        return subprocess.run(command, check=False).returncode


TABLES = {
    "parity": Measured(
        "Every neuron on every backend against its own step in float64", "bench.parity", takes_out=False
    ),
    "kernels": Measured("Speed and memory of neurons against other libraries", "bench.kernels"),
    "memory_frontier": Measured(
        "The largest sequences that fit in a memory limit", "bench.kernels", ("--what", "frontier")
    ),
}
