"""Whole training steps against each other: nobody is timed before its step is shown to be that of the first."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.compare import relative, tolerance, worse

from . import race
from .job import Job, Measured
from .rounds import Trial

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter

Step = Callable[[], object]


@dataclass(frozen=True)
class Contest:
    """Who computes one step, and what it comes to.

    `backends` are the contenders in order, each with what computes it. `check` makes the step of one and gives what a
    pass comes to, as tensors, which `compared` names; the first is what the others are held against. `products` are
    steps that compute less and are compared with nothing. A reason in `differs` lets a contender run though it is off.
    `code` are the modules of the suite's network: what is measured of it rests on them besides the neurons' kernels.
    `direction` is what a step is ("training", or "forward" without gradients).
    """

    backends: Mapping[str, str]
    check: Callable[[str], tuple[Step, list[Tensor]]]
    compared: str = "outputs or gradients are off by {:.1e} of their largest value"
    products: Mapping[str, Step] = field(default_factory=dict)
    differs: Mapping[str, str] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    direction: str = "training"


def network_code(network: str, *neurons: str) -> tuple[str, ...]:
    """The modules of a network of models and of its neurons, by their names; what they import counts, too."""
    import models
    import neurons as known

    return models.registry.module(network), *map(known.registry.module, neurons)


def measure(
    contest: Contest,
    job: Job,
    emitter: Emitter,
    label: str,
    size: dict[str, int],
    more: Callable[[Measured, race.Times], None] = lambda result, times: None,
) -> None:
    """Checks, times and tells of every contender; `more` adds what a measurement knows besides the usual figures."""
    results = {name: Measured(name, "torch", size, code=contest.code) for name in contest.products}
    steps = dict(contest.products)
    reference: list[Tensor] = []
    first = next(iter(contest.backends), "")
    for name, backend in contest.backends.items():
        emitter.note(f"{label} · {name}: checking")
        result = Measured(name, backend, size, differs=contest.differs.get(name, ""), code=contest.code)
        found = race.attempt(result, functools.partial(contest.check, name))
        if found is not None:
            step, outcome = found
            if name == first:
                reference = outcome
            if not reference:
                result.outcome = "unavailable"
                result.reason = f"Not timed: {first}, which it is held against, came to nothing."
            elif _right(result, outcome, reference, contest.compared):
                results[name], steps[name] = result, step
                continue
        emitter.measured(result)
    entries = {name: {contest.direction: Trial(step)} for name, step in steps.items()}
    times, surroundings = race.race(entries, job, emitter, label, job.base)
    for result in results.values():
        result.surroundings = surroundings
        race.figures(result, times, job.base)
        more(result, times)
        emitter.measured(result)


def _right(result: Measured, outcome: Iterable[Tensor], reference: list[Tensor], compared: str) -> bool:
    error = functools.reduce(worse, [relative(a, b) for a, b in zip(outcome, reference, strict=True)])
    result.metrics.append(("largest_difference", error, "fraction"))
    if result.differs or error <= tolerance("network", reference[0].dtype):
        return True
    result.outcome, result.reason = "parity_failed", f"Not timed: {compared.format(error)}."
    return False
