"""Where we do something else than the authors did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Departure:
    """`number` is the work's own count from 1; the work's page in docs/ lists all of them with the same numbers."""

    number: int
    text: str

    @property
    def mark(self) -> str:
        """The short name: "D3"."""
        return f"D{self.number}"
