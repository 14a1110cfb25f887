"""Writes down how many seeds an experiment is to have before it is run, for `papers.seeds`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from papers.hypotheses import MIN_SEEDS
from papers.seeds import WITH_RESULT, deciding, template_of
from results import Planned, timestamp

if TYPE_CHECKING:
    from results import Store

    from .plan import Step


def record(store: Store, steps: Iterable[Step]) -> int:
    """Keeps the seeds of the steps of each experiment as its plan, unless it has one already.

    Experiments that have enough finished seeds without a plan get none: it would come after the fact. Returns how many
    of the seeds that were asked for are beyond a plan, the largest number of any experiment.
    """
    asked: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        asked[step.experiment.template, step.implementation].append(step)
    plans = store.planned({template for template, _ in asked})
    finished: dict[tuple[str, str], list[str]] = defaultdict(list)  # of any seed
    for run in store.runs():
        if run.outcome in WITH_RESULT and (key := template_of(run)):
            finished[key, run.implementation].append(run.started)
    new, beyond = [], 0
    for (template, implementation), of_one in asked.items():
        seeds = {step.experiment.seed for step in of_one}
        begun = finished[template, implementation]
        planned = deciding(plans, template, implementation, begun) or ()
        if len(planned) >= MIN_SEEDS:
            beyond = max(beyond, len(seeds.difference(planned)))
        elif len(begun) < MIN_SEEDS and not seeds <= set(planned):
            new.append(Planned(template, implementation, tuple(seeds), timestamp()))
    store.record_all(planned=new)
    return beyond
