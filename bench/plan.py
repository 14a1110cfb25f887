"""What is done, what is to do, and what cannot be done here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tasks
from papers.experiment import Experiment
from results.standing import other_data

from .fingerprint import implementation
from .present import Present

if TYPE_CHECKING:
    from results import Dataset, Store, StoredRun

# A repetition on the same code and seed would end the same way.
FINAL = ("ok", "diverged", "unsupported")


@dataclass(frozen=True)
class Step:
    """One experiment of a plan: `done`, `missing`, `stale` (code or data changed since), `failed` (to be tried again),
    `paused` (interrupted, to be gone on with) or `unavailable`; `reason` says why, `run` is the run that decided it.
    `forced`: done, but asked for again. `data` is the digest of the data at hand, "" where nothing depended on it."""

    experiment: Experiment
    status: str
    reason: str
    implementation: str
    run: StoredRun | None = None
    forced: bool = False
    data: str = ""

    @property
    def to_run(self) -> bool:
        return self.status in ("missing", "stale", "failed", "paused")


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
    datasets = store.datasets if store else lambda run_id: ()
    return [_step(experiment, by_key.get(experiment.key, []), datasets, present, force) for experiment in experiments]


def done(store: Store, step: Step) -> bool:
    """Whether `store` holds by now what a step of an earlier plan is to find out."""
    runs = store.runs([step.experiment.key])
    final = [run for run in runs if run.implementation == step.implementation and run.outcome in FINAL]
    return any(not other_data(store.datasets(run.id), step.data) for run in final)


def _step(
    experiment: Experiment,
    runs: list[StoredRun],
    datasets: Callable[[str], tuple[Dataset, ...]],
    present: Present,
    force: bool,
) -> Step:
    code = implementation(experiment)
    current = [run for run in runs if run.implementation == code]
    ended = [run for run in current if run.outcome in FINAL]
    data = present.digest(experiment) if ended else ""
    other = {run.id: reason for run in ended if (reason := other_data(datasets(run.id), data))}
    final = [run for run in ended if run.id not in other]
    if final and not force:
        run = next((run for run in reversed(final) if run.outcome == "ok"), final[-1])
        return Step(experiment, "done", run.reason, code, run)
    last = runs[-1] if runs else None
    missing = tasks.available(experiment.task, present.root)
    if missing is not None:
        return Step(experiment, "unavailable", missing, code, last)
    if final:
        return Step(experiment, "missing", "asked for again with --force", code, last, forced=True, data=data)
    if current and current[-1].outcome == "interrupted":
        return Step(experiment, "paused", current[-1].reason, code, current[-1])
    if current and current[-1].id in other:
        return Step(experiment, "stale", other[current[-1].id], code, current[-1], data=data)
    if current:
        reason = f"{current[-1].outcome}: {current[-1].reason}"
        return Step(experiment, "failed", reason, code, current[-1], data=data)
    if runs:
        return Step(experiment, "stale", "the code behind it has changed since it was measured", code, last)
    return Step(experiment, "missing", "", code)
