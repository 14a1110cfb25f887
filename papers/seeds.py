"""Which seeds decide: those of the first recorded plan that has enough of them.

Who adds seeds until a test says what was hoped for finds a difference where there is none in 10 to 23 of 100 cases. So
the number of seeds is written down before the first training (`results.run.Planned`), and seeds beyond it are shown
and decide nothing. A plan of fewer than MIN_SEEDS allows no test, so a larger one may follow it. A plan that came when
so many runs were there already was made after the fact and does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .experiment import Experiment
from .hypotheses import MIN_SEEDS

if TYPE_CHECKING:
    from results import Planned, StoredRun

WITH_RESULT = ("ok", "diverged")  # outcomes of a run that tells something of its setting


@dataclass(frozen=True)
class Seeds:
    """The seeds that decide; how many were planned, None without a plan; how many are beyond it and left out; why what
    was measured cannot be held against anything, empty if it can."""

    deciding: tuple[int, ...]
    planned: int | None
    beyond: int
    unfit: str = ""


def template_of(run: StoredRun) -> str | None:
    """Key of the run's experiment with seed 0; None for a document that this version does not understand."""
    if run.experiment_key not in _TEMPLATES:
        try:
            _TEMPLATES[run.experiment_key] = Experiment.of(run.experiment).template
        except (TypeError, AttributeError, ValueError):
            _TEMPLATES[run.experiment_key] = None
    return _TEMPLATES[run.experiment_key]


_TEMPLATES: dict[str, str | None] = {}  # every table asks for those of all runs of a store


def deciding(
    plans: Iterable[Planned], template: str, implementation: str, begun: Collection[str]
) -> tuple[int, ...] | None:
    """The seeds that were planned for an experiment (key with seed 0) on that code; None where no plan counts.

    `plans` are those of the store, the oldest first; `begun` is when each run of the experiment on that code began that
    has a result. Where no plan has enough seeds, the last one counts.
    """
    own = [
        plan.seeds
        for plan in plans
        if (plan.experiment_key, plan.implementation) == (template, implementation)
        and sum(start < plan.created for start in begun) < MIN_SEEDS
    ]
    enough = (seeds for seeds in own if len(seeds) >= MIN_SEEDS)
    return next(enough, own[-1] if own else None)


def chosen(found: Collection[int], plan: tuple[int, ...] | None, unfit: str = "") -> Seeds:
    """Of the seeds that were `found`, those that decide.

    They are the planned ones, for adding seeds until a test decides makes it decide wrongly. A plan of fewer than
    MIN_SEEDS can decide nothing and is filled up to that many, no further. Without a plan all count.
    """
    seeds = sorted(found)
    if plan is None:
        return Seeds(tuple(seeds), None, 0, unfit)
    whole = (*plan, *[seed for seed in seeds if seed not in plan][: max(0, MIN_SEEDS - len(plan))])
    return Seeds(tuple(s for s in seeds if s in whole), len(whole), sum(s not in whole for s in seeds), unfit)
