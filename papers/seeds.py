"""Which seeds decide: those of the first recorded plan that has enough of them.

Who adds seeds until a test says what was hoped for finds a difference where there is none in 10 to 23 of 100 cases. So
the number of seeds is written down before the first training (`results.run.Planned`), and seeds beyond it are shown
and decide nothing. A plan of fewer than MIN_SEEDS allows no test, so a larger one may follow it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results import Planned

MIN_SEEDS = 3  # fewer say too little of the spread between runs


def deciding(plans: Iterable[Planned], template: str, implementation: str) -> tuple[int, ...] | None:
    """The seeds that decide about an experiment (key with seed 0) on that code; None where no plan says.

    `plans` are those of the store, the oldest first.
    """
    return next(
        (
            plan.seeds
            for plan in plans
            if (plan.experiment_key, plan.implementation) == (template, implementation) and len(plan.seeds) >= MIN_SEEDS
        ),
        None,
    )
