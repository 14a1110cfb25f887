"""The simulation against the closed form over the steps of a window, drawn from what the runs have stored (C1)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from ..drawing import Drawing
from ..evidence import Evidence
from .protocols import STEPS

Points = tuple[tuple[float, float], ...]  # steps of a window, value


def drawings(evidence: Evidence) -> tuple[Drawing, ...]:
    """How late a neuron is seen to fire at most, with the order fitted to it, where all inputs come in their window;
    and the exception, the share of neurons that fire wrongly where they do not. Of several seeds the largest."""
    late: list[tuple[str, Points]] = []
    wrong: list[tuple[str, Points]] = []
    ends: list[float] = []
    outside: list[float] = []
    places = dict.fromkeys((row, column) for row, column, _, name in evidence.finals if name == "late_inputs")
    for row, column in places:
        seeds = [seed for seed in evidence.seeds if evidence.final(row, column, seed, "late_inputs") is not None]
        label = f"{row}, {evidence.heading(column)}"
        after = [evidence.final(row, column, seed, "late_inputs") or 0.0 for seed in seeds]
        if column not in evidence.columns:
            continue
        if any(after):
            outside += after
            wrong.append((label, _points(evidence, row, column, seeds, "wrong", "neurons")))
        else:
            late.append((label, _points(evidence, row, column, seeds, "late")))
            firsts = [evidence.layers(row, column, seed, "end")[:1] for seed in seeds]
            ends += [curve[-1] for curves in firsts for curve in curves if curve]
    late, wrong = ([(label, points) for label, points in found if len(points) == len(STEPS)] for found in (late, wrong))
    found = []
    if late:
        orders = "; ".join(f"{label} {order(points):.2f}" for label, points in late)
        empty = f" ({_range(ends)} % of the first layer fire there)" if ends else ""
        caption = (
            "The largest difference of a spike time, each layer with its own inputs, which all come in their window. "
            f"Order in 1 / steps that a line through the logarithms has: {orders}. A neuron that no input reaches, the "
            f"second exception, meets the threshold at the last step{empty}, whatever the steps"
        )
        found.append(
            Drawing("Simulation against closed form", "steps of a window", "windows late", tuple(late), caption)
        )
    if wrong:
        caption = (
            "The first exception: where inputs come after their window, more steps do not mend the neurons that fire a "
            f"step or more early or late, or differ in silence. {_range(outside)} % of the pixels are late"
        )
        found.append(Drawing("Late inputs", "steps of a window", "share of neurons", tuple(wrong), caption))
    return tuple(found)


def _points(evidence: Evidence, row: str, column: str, seeds: Sequence[int], what: str, of: str = "") -> Points:
    """The metric `what` of so many steps, in windows or, with `of`, as a share of that metric; the largest of `seeds`.

    Values of 0 have no logarithm and no point.
    """
    found = []
    for steps in STEPS:
        values = []
        for seed in seeds:
            value = evidence.final(row, column, seed, f"{what}_{steps}")
            whole = evidence.final(row, column, seed, of) if of else float(steps)
            if value is not None and whole:
                values.append(value / whole)
        if values and max(values) > 0:
            found.append((float(steps), max(values)))
    return tuple(found)


def order(points: Points) -> float:
    """Minus the slope of the line fitted to the logarithms: 1 where the value falls in proportion to 1 / steps."""
    x, y = ([math.log(point[i]) for point in points] for i in range(2))
    return -statistics.linear_regression(x, y).slope


def _range(shares: Sequence[float]) -> str:
    low, high = (f"{100 * share:.0f}" for share in (min(shares), max(shares)))
    return low if low == high else f"{low} to {high}"
