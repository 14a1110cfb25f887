"""Times contenders in turn, so that whatever else happens on the machine happens to all of them."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from .stopwatch import by_clock

LEAST = 3  # readings that even a contender over its budget gives


@dataclass(frozen=True)
class Trial:
    """What is timed: `call`, after `prepare`, which is not."""

    call: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


def interleave(
    trials: Mapping[str, Trial],
    *,
    repeats: int,
    budget: float,
    window: AbstractContextManager[object],
    always: frozenset[str] = frozenset(),
    on_round: Callable[[int], None] = lambda done: None,
    watch: Callable[[Callable[[], object]], float] = by_clock,
) -> dict[str, list[float]]:
    """Seconds of each trial, one reading a round for `repeats` rounds; reading i of every trial is of round i.

    The order is drawn anew each round, so that nobody always follows the same one. A trial that has used up `budget`
    seconds leaves after LEAST readings, except those in `always`, which the others are compared with. `window`
    surrounds each timed call; `watch` makes it and gives its seconds.
    """
    names = list(trials)
    times: dict[str, list[float]] = {name: [] for name in names}
    order = random.Random(0)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for done in range(repeats):
            for name in order.sample(names, len(names)):
                own = times[name]
                if len(own) < done or (name not in always and len(own) >= LEAST and sum(own) > budget):
                    continue
                trials[name].prepare()
                with window:
                    own.append(watch(trials[name].call))
            gc.collect()
            on_round(done + 1)
    finally:
        if collecting:
            gc.enable()
    return times
