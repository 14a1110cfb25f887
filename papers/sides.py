"""One side of a comparison: of the runs of a store those that count, and what they measured.

Trainings count by setting, the experiment without its seed: of each seed the newest that finished, all of the code and
data of the newest. Measurements of speed and memory, and benchmarks of asv, count by job: the newest of each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from . import trust
from .measurement import DIRECTIONS, is_measurement
from .measures import COSTS, EVERY, PEAK_MEMORY, SECONDS, TEST, THROUGHPUT, Measure, cost
from .seeds import template_of
from .statistics import Interval

if TYPE_CHECKING:
    from results import Metric, Parity, Store, StoredRun

FAILED = ("oom", "timeout", "crashed", "diverged", "parity_failed")  # outcomes of a run that came to nothing
ENDS = (("_low", "_high"), ("_ci99_low", "_ci99_high"))  # of the interval of a median: ours, and the wider one of asv
GIVEN = tuple(f"{direction}_bytes" for direction in DIRECTIONS)  # what a job has to move; not measured
NAMES = {measure.curve(TEST) if measure.over else measure.name: measure for measure in (*EVERY.values(), THROUGHPUT)}


@dataclass(frozen=True)
class Values:
    """What a side measured, one value a run, as stored; `around` is the interval that a single run found itself."""

    measure: Measure
    values: tuple[float, ...]
    around: Interval | None = None


@dataclass(frozen=True)
class Counted:
    """A setting or a job with the `runs` that count, the newest last, and what they measured by name.

    `data` are the ids of their data sets, `test_samples` the size of the test set; `diverged` counts trainings of the
    same code of which nothing came. `unverified`: a kernel that its parity checks do not back.
    """

    runs: tuple[StoredRun, ...]
    measured: Mapping[str, Values]
    data: frozenset[str] = frozenset()
    test_samples: int | None = None
    diverged: int = 0
    unverified: bool = False

    @property
    def job(self) -> bool:
        """Whether it is no training."""
        return group_of(self.runs[-1]) != template_of(self.runs[-1])


@dataclass(frozen=True)
class Side:
    """What counts of a store, by setting or job. `failed` has the newest run of what came to nothing, `left_out` counts
    runs of other code or data and earlier ones, `shared` those that the other side has, `others` those of which nothing
    is known that could be compared."""

    name: str
    counted: Mapping[str, Counted]
    failed: Mapping[str, StoredRun] = field(default_factory=dict)
    left_out: int = 0
    shared: frozenset[str] = frozenset()  # settings and jobs
    others: int = 0


def group_of(run: StoredRun) -> str | None:
    """The setting or job of a run; None for one that is neither."""
    if is_measurement(run) or run.experiment.get("kind") == "asv":
        return run.experiment_key
    return template_of(run)


def side(
    store: Store, name: str, wanted: Callable[[StoredRun], bool] = lambda run: True, without: Collection[str] = ()
) -> Side:
    """The wanted runs of `store`; those whose ids are in `without` belong to the other side."""
    groups: dict[str, list[StoredRun]] = defaultdict(list)
    shared: dict[str, StoredRun] = {}  # the newest of each
    others = 0
    for run in store.runs():  # oldest first
        if not wanted(run):
            continue
        group = group_of(run)
        if group is None:
            others += 1
        elif run.id in without:
            shared[group] = run
        else:
            groups[group].append(run)
    finished = {group: [run for run in runs if run.outcome == "ok"] for group, runs in groups.items()}
    ids = [run.id for runs in finished.values() for run in runs]
    datasets = store.datasets(ids)
    data = {run_id: frozenset(dataset.id for dataset in found) for run_id, found in datasets.items()}
    counting = {group: _counting(runs, data) for group, runs in finished.items() if runs}
    trained = [run.id for group, runs in counting.items() for run in runs if group == template_of(run)]
    last = store.last(trained, NAMES)
    measured = {group: runs[-1].id for group, runs in counting.items() if group != template_of(runs[-1])}
    metrics = store.metrics(measured.values())
    backed = Backed(store)
    counted = {}
    for group, runs in counting.items():
        newest = runs[-1]
        sizes = (one.counts["test"] for one in datasets[newest.id] if "test" in one.counts)
        own = _of_job(metrics[newest.id]) if group in measured else _of_setting(runs, last)
        diverged = [r for r in groups[group] if r.outcome == "diverged" and r.implementation == newest.implementation]
        seeds = {run.seed for run in diverged} - {run.seed for run in runs}
        unverified = is_measurement(newest) and not backed(newest)
        counted[group] = Counted(tuple(runs), own, data[newest.id], next(sizes, None), len(seeds), unverified)
    failed = {
        group: runs[-1]
        for group, runs in groups.items()
        if group not in counted
        and runs[-1].outcome in FAILED
        and not (group in shared and shared[group].started > runs[-1].started)
    }
    left_out = len(ids) - sum(len(runs) for runs in counting.values())
    return Side(name, counted, failed, left_out, frozenset(shared), others)


class Backed:
    """Whether the speed of a kernel may be called fast, by the parity checks of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, run: StoredRun) -> bool:
        known = self._checks.get((run.backend, trust.checked(run)), ())
        return trust.counts(trust.state(run, known))

    @cached_property
    def _checks(self) -> Mapping[tuple[str, str], list[Parity]]:
        """By the kernel that was checked: there are thousands."""
        found: dict[tuple[str, str], list[Parity]] = defaultdict(list)
        for check in self._store.parity():
            found[check.backend, check.implementation].append(check)
        return found


def _counting(runs: Sequence[StoredRun], data: Mapping[str, frozenset[str]]) -> list[StoredRun]:
    """Of the finished runs of a group, oldest first, those that count."""
    newest = runs[-1]
    if group_of(newest) != template_of(newest):
        return [newest]
    alike = {
        run.seed: run for run in runs if run.implementation == newest.implementation and data[run.id] == data[newest.id]
    }
    return sorted(alike.values(), key=lambda run: run.started)


def _of_setting(runs: Sequence[StoredRun], last: Mapping[str, Mapping[str, tuple[float, str]]]) -> dict[str, Values]:
    found: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for name, (value, _) in last.get(run.id, {}).items():
            found[name].append(value)
        for measure, cost_of in ((SECONDS, run.seconds), (PEAK_MEMORY, run.peak_memory)):
            if cost_of is not None:
                found[measure.name].append(float(cost_of))
    known = {**NAMES, **{measure.name: measure for measure in COSTS}}
    return {name: Values(known[name], tuple(values)) for name, values in found.items()}


def _of_job(metrics: Iterable[Metric]) -> dict[str, Values]:
    values = {metric.name: metric.value for metric in metrics if metric.value is not None}
    found = {}
    for metric in metrics:
        measure = cost(metric.name, metric.unit)
        if measure is None or metric.value is None or metric.name in GIVEN or is_end(metric.name):
            continue
        found[metric.name] = Values(measure, (metric.value,), around(metric.name, values))
    return found


def is_end(name: str) -> bool:
    """Whether a metric is the end of the interval of another one."""
    return name.endswith(tuple(end for ends in ENDS for end in ends))


def around(name: str, values: Mapping[str, float | None]) -> Interval | None:
    """The interval that stands beside the metric `name` among the values of its run."""
    pairs = ((values.get(name + low), values.get(name + high)) for low, high in ENDS)
    return next(((low, high) for low, high in pairs if low is not None and high is not None), None)
