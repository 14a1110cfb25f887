"""What is done, what is to do, and what cannot be done here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tasks

from .experiment import Experiment
from .fingerprint import implementation

if TYPE_CHECKING:
    from results import Store, StoredRun

# A repetition on the same code and seed would end the same way.
FINAL = ("ok", "diverged", "unsupported")


@dataclass(frozen=True)
class Step:
    """One experiment of a plan: `done`, `missing`, `stale` (the code changed since), `failed` (to be tried again),
    `paused` (interrupted, to be gone on with) or `unavailable`; `reason` says why, `run` is the run that
    decided it. `forced`: done, but asked for again."""

    experiment: Experiment
    status: str
    reason: str
    implementation: str
    run: StoredRun | None = None
    forced: bool = False

    @property
    def to_run(self) -> bool:
        return self.status in ("missing", "stale", "failed", "paused")


def plan(store: Store | None, experiments: Iterable[Experiment], data: str | None, force: bool = False) -> list[Step]:
    """A step for each experiment, in order; `force` runs again what is done. Reads `store`, None for an empty one."""
    experiments = list(experiments)
    by_key: dict[str, list[StoredRun]] = {}
    for run in store.runs([experiment.key for experiment in experiments]) if store else ():
        by_key.setdefault(run.experiment_key, []).append(run)
    return [_step(experiment, by_key.get(experiment.key, []), data, force) for experiment in experiments]


def done(store: Store, step: Step) -> bool:
    """Whether `store` holds by now what a step of an earlier plan is to find out."""
    runs = store.runs([step.experiment.key])
    return any(run.implementation == step.implementation and run.outcome in FINAL for run in runs)


def _step(experiment: Experiment, runs: list[StoredRun], data: str | None, force: bool) -> Step:
    code = implementation(experiment)
    current = [run for run in runs if run.implementation == code]
    final = [run for run in current if run.outcome in FINAL]
    if final and not force:
        run = next((run for run in reversed(final) if run.outcome == "ok"), final[-1])
        return Step(experiment, "done", run.reason, code, run)
    last = runs[-1] if runs else None
    missing = tasks.available(experiment.task, data)
    if missing is not None:
        return Step(experiment, "unavailable", missing, code, last)
    if final:
        return Step(experiment, "missing", "asked for again with --force", code, last, forced=True)
    if current and current[-1].outcome == "interrupted":
        return Step(experiment, "paused", current[-1].reason, code, current[-1])
    if current:
        return Step(experiment, "failed", f"{current[-1].outcome}: {current[-1].reason}", code, current[-1])
    if runs:
        return Step(experiment, "stale", "the code behind it has changed since it was measured", code, last)
    return Step(experiment, "missing", "", code)
