"""What an operation costs on a chip: tables of energies, each with its source (costs.toml)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".toml")
PICO = 1e-12


@dataclass(frozen=True)
class Cost:
    """Picojoules of one multiplication and one addition in a process and a number format.

    `source` printed the numbers, `read` says where they were read.
    """

    name: str
    multiply: float
    add: float
    source: str
    read: str

    @property
    def mac(self) -> float:
        """Picojoules of a multiply-accumulate."""
        return self.multiply + self.add

    @property
    def ac(self) -> float:
        """Picojoules of an accumulate."""
        return self.add

    def joules(self, ac: float, mac: float) -> float:
        """Joules of so many accumulates and multiply-accumulates, and of nothing else."""
        return (ac * self.ac + mac * self.mac) * PICO


@cache
def costs() -> tuple[Cost, ...]:
    """All cost tables, in the order of the file."""
    return tuple(Cost(**entry) for entry in tomllib.loads(FILE.read_text(encoding="utf-8"))["cost"])
