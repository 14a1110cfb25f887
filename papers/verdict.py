"""The one rule by which a measured value is held against a published one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

RULE = (
    "reproduced: the published value lies within the 95 % interval of the measured one; higher or lower: the measured "
    "interval lies wholly above or below it; not comparable: scale, protocol or data differ, nothing was published, or "
    "the published value is a recollection or our own pilot; sources disagree: the sources print different values; "
    "undecided: too few runs for an interval; missing: nothing was measured. The interval of a share is Wilson's for "
    "the true size of the test set, widened to Student's over seeds where several were run; of other numbers Student's."
)
ROUNDING = 1e-9  # of numbers that are exact in decimal and not in binary


@dataclass(frozen=True)
class Printed:
    """A published value and half a unit of its last printed digit, by which equal values may differ."""

    value: float
    tolerance: float = 0.0


Value = TypeVar("Value", bound=Printed)


def distinct(values: Sequence[Value]) -> list[Value]:
    """The values that differ by more than their last digits, the first of each kept."""
    kept: list[Value] = []
    for value in values:
        if all(abs(value.value - other.value) > value.tolerance + other.tolerance + ROUNDING for other in kept):
            kept.append(value)
    return kept


def verdict(
    published: Sequence[Printed], measured: float | None, interval: tuple[float, float] | None, not_comparable: str
) -> tuple[str, str]:
    """Verdict and reason of a cell.

    `published` are the values the sources print; `measured` and its `interval` are in the same unit, None where nothing
    was measured, or too little for an interval.
    """
    values = distinct(published)
    if measured is None:
        return "missing", "nothing measured"
    if not values:
        return "not comparable", f"nothing published; {not_comparable}" if not_comparable else "nothing published"
    if not_comparable:
        return "not comparable", not_comparable
    if len(values) > 1:
        ordered = sorted(value.value for value in values)
        return "sources disagree", "printed as " + " and ".join(f"{value:g}" for value in ordered)
    if interval is None:
        return "undecided", "too few runs for an interval"
    (value,), (low, high) = values, interval
    if value.value > high + value.tolerance:
        return "lower", ""
    if value.value < low - value.tolerance:
        return "higher", ""
    return "reproduced", ""
