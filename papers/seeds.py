"""Which seeds decide: those of the first recorded plan that has enough of them.

Who adds seeds until a test says what was hoped for finds a difference where there is none in 10 to 23 of 100 cases. So
the number of seeds is written down before the first training (`results.run.Planned`), and seeds beyond it are shown
and decide nothing. A plan of fewer than MIN_SEEDS allows no test, so a larger one may follow it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .hypotheses import MIN_SEEDS

if TYPE_CHECKING:
    from results import Planned


def deciding(plans: Iterable[Planned], template: str, implementation: str) -> tuple[int, ...] | None:
    """The seeds that were planned for an experiment (key with seed 0) on that code; None where no plan was recorded.

    `plans` are those of the store, the oldest first. Where none has enough seeds, the last one counts.
    """
    own = [plan.seeds for plan in plans if (plan.experiment_key, plan.implementation) == (template, implementation)]
    enough = (seeds for seeds in own if len(seeds) >= MIN_SEEDS)
    return next(enough, own[-1] if own else None)
