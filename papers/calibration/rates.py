"""The record of a simulated rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """How often a `rule` says what it should in a `setting`: `measured` in `simulations` of it, and `nominal`."""

    rule: str
    setting: str
    nominal: float
    measured: float
    simulations: int
