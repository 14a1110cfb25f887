"""The one number that a run is asked for first: of a training the first of its measures, of a measurement its time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from .measurement import DIRECTIONS, is_measurement
from .measures import EVERY, RATE, SAVED, TEST, USUAL, Measure, cost

if TYPE_CHECKING:
    from results import Store, StoredRun

TIMES = tuple(f"{direction}_seconds" for direction in reversed(DIRECTIONS))
OTHERWISE = ("live_peak", "largest_T", "first_use_seconds")  # of measurements that time nothing
ONCE = (SAVED.name, RATE.name)  # of experiments of other kinds than a training


@dataclass(frozen=True)
class Headline:
    """A value as stored, in the unit of its `measure`; of a training that of the last epoch on the test set."""

    measure: Measure
    value: float


def headlines(store: Store, runs: Iterable[StoredRun]) -> dict[str, Headline]:
    """Those of `runs` by their ids; none of a run that has no such number."""
    asked: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        if run.outcome == "ok":
            asked.setdefault(_metrics(run), []).append(run.id)
    found: dict[str, Headline] = {}
    for names, ids in asked.items():
        for run_id, metrics in store.last(ids, names).items():
            name = next(name for name in names if name in metrics)
            value, unit = metrics[name]
            if (measure := _measure(name, unit)) is not None:
                found[run_id] = Headline(measure, value)
    return found


def _metrics(run: StoredRun) -> tuple[str, ...]:
    """The metrics of which the first that is there counts."""
    what = run.experiment
    if is_measurement(run):
        return (*TIMES, *OTHERWISE)
    if what.get("kind") == "asv":
        return (str(what.get("benchmark")).rpartition(".")[2],)
    measures: Sequence[object] = what.get("measures") or USUAL
    known = [EVERY[name] for name in measures if isinstance(name, str) and name in EVERY]
    first = known[0] if known else None
    return (*([first.curve(TEST), first.name] if first else []), *ONCE)


@cache
def _measure(name: str, unit: str) -> Measure | None:
    return EVERY.get(name.removeprefix(f"{TEST}_")) or cost(name, unit)
