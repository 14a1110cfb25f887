"""What is done, what is to do, and what cannot be done here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import tasks
from papers.currency import stale
from papers.experiment import Experiment
from results.standing import Standing

from .fingerprint import here
from .present import Present

if TYPE_CHECKING:
    from results import Store, StoredRun

# A repetition on the same code and seed would end the same way.
FINAL = ("ok", "diverged", "unsupported")


@dataclass(frozen=True)
class Step:
    """One experiment of a plan: `done`, `to run`, `stale` (code, kernel or data changed since), `failed` (to be tried
    again), `paused` (interrupted, to be gone on with) or `unavailable`; `reason` says why, `run` is the run that
    decided it. `forced`: done, but asked for again. `now` is what a result must rest on to be current; its data are ""
    where nothing depended on them."""

    experiment: Experiment
    status: str
    reason: str
    now: Standing
    run: StoredRun | None = None
    forced: bool = False

    @property
    def implementation(self) -> str:
        """Fingerprint of the code behind the experiment."""
        return self.now.implementation

    @property
    def to_run(self) -> bool:
        return self.status in ("to run", "stale", "failed", "paused")


def plan(
    store: Store | None,
    experiments: Iterable[Experiment],
    data: str | None,
    force: bool = False,
    present: Present | None = None,
) -> list[Step]:
    """A step for each experiment, in order; `force` runs again what is done. Reads `store`, None for an empty one.

    `data` is the data root; what was measured on other data than are there now is stale. `present` remembers what was
    found out about them.
    """
    experiments = list(experiments)
    present = present or Present(data)
    by_key: dict[str, list[StoredRun]] = {}
    for run in store.runs([experiment.key for experiment in experiments]) if store else ():
        by_key.setdefault(run.experiment_key, []).append(run)
    stored = _Stored(store, [run.id for runs in by_key.values() for run in runs])
    code: dict[str, Standing] = {}  # those of a setting share it, however many seeds there are
    for one in experiments:
        if one.template not in code:
            now, of_kernels = here(one)
            code[one.template] = Standing(now, kernels=of_kernels)
    return [_step(one, code[one.template], by_key.get(one.key, []), stored, present, force) for one in experiments]


def done(store: Store, step: Step) -> bool:
    """Whether `store` holds by now what a step of an earlier plan is to find out."""
    runs = [run for run in store.runs([step.experiment.key]) if run.outcome in FINAL]
    stored = _Stored(store, [run.id for run in runs])
    return any(not stored.stale(run, step.now) for run in runs)


class _Stored:
    """What a plan reads of a store besides the runs; nothing where there is none."""

    def __init__(self, store: Store | None, runs: Sequence[str]) -> None:
        self._datasets = store.datasets(runs) if store else {}
        self._parities = cache(store.parity) if store else list

    def stale(self, run: StoredRun, now: Standing) -> str:
        """Why `run` is not current; empty if it is."""
        return stale(run, self._datasets[run.id], now, self._parities)


def _step(
    experiment: Experiment, now: Standing, runs: list[StoredRun], stored: _Stored, present: Present, force: bool
) -> Step:
    current = [run for run in runs if run.implementation == now.implementation]
    ended = [run for run in current if run.outcome in FINAL]
    if ended:
        now = replace(now, data=present.digest(experiment))
    other = {run.id: why for run in ended if (why := stored.stale(run, now))}
    final = [run for run in ended if run.id not in other]
    if final and not force:
        run = next((run for run in reversed(final) if run.outcome == "ok"), final[-1])
        return Step(experiment, "done", run.reason, now, run)
    last = runs[-1] if runs else None
    missing = tasks.available(experiment.task, present.root)
    if missing is not None:
        return Step(experiment, "unavailable", missing, now, last)
    if final:
        return Step(experiment, "to run", "asked for again with --force", now, last, forced=True)
    if current and current[-1].outcome == "interrupted":
        return Step(experiment, "paused", current[-1].reason, now, current[-1])
    if current and current[-1].id in other:
        return Step(experiment, "stale", other[current[-1].id], now, current[-1])
    if current:
        return Step(experiment, "failed", f"{current[-1].outcome}: {current[-1].reason}", now, current[-1])
    if runs:
        return Step(experiment, "stale", "the code behind it has changed since it was measured", now, last)
    return Step(experiment, "to run", "", now)
