"""What experiments will cost, before they run: epochs, samples, batches, time and memory.

The time is that of the newest run of the same setting on such a machine and device, in as many processes, whatever
its seed and the code that it was made with; where more or less of the data was there, it is as much longer or shorter
by the samples. Where there is none it is reckoned from batches that were timed for it (`--measure`), else from
the seconds that an epoch took the authors, less what a subset of the data lacks: their machine is another one, so that
says whether it takes hours or weeks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.amount import amount

from .settings import FIRST_SEED

if TYPE_CHECKING:
    from papers.experiment import Experiment
    from papers.table import Table
    from results import Store, StoredRun
    from tasks.amount import Amount

    from .plan import Step

LONG = 6 * 3600.0  # seconds above which a command asks before it begins
ALIKE = ("cpu", "cores", "gpus")  # of machines that take equally long
USUAL_SEEDS = range(FIRST_SEED, FIRST_SEED + 10)
BEFORE, TIMED, AUTHORS = "as before on this machine", "by timed batches", "the authors' epochs on their machine"
OTHER_DATA = "as before on this machine, by the samples that are here now"


@dataclass(frozen=True)
class Cost:
    """That of one experiment. `samples` and `batches` are of an epoch, to within a few where a part is
    held out class by class, `seconds` of the whole, `memory` in bytes, and
    `basis` says where the time comes from; None and "" where nothing is known. `subset` says what of the data is
    here where that is not all."""

    epochs: int
    samples: int | None = None
    batches: int | None = None
    seconds: float | None = None
    memory: int | None = None
    basis: str = ""
    subset: str = ""


def costs(
    steps: Sequence[Step],
    store: Store | None,
    device: str,
    root: str | None,
    authors: Mapping[str, float],
    timed: Mapping[str, Timed],
    processes: int = 1,
) -> dict[str, Cost]:
    """The costs of the steps that are to run, by key; `authors` and `timed` are by the key of the setting, `processes`
    share the batches of an experiment. `store` is None where no run of it tells.

    `device` is as it was asked for; for "auto" the drivers tell, since loading PyTorch takes seconds.
    """
    to_run = [step for step in steps if step.to_run]
    before = _before(store, [step.experiment for step in to_run], device, processes)
    found = {}
    for step in to_run:
        experiment = step.experiment
        (cost, data), name = _size(experiment, root), experiment.template
        run, samples = before.get(name, (None, None))
        more = data.here / samples if data and samples else 1.0
        if run is not None and run.seconds and (more == 1.0 or name not in timed):
            basis = BEFORE if more == 1.0 else OTHER_DATA
            cost = replace(cost, seconds=run.seconds * more, memory=run.peak_memory, basis=basis)
        elif name in timed:
            one = timed[name]
            seconds = experiment.epochs * one.epoch + one.start
            cost = replace(cost, seconds=seconds, memory=one.memory, basis=TIMED, samples=one.samples)
        elif name in authors:
            share = data.here / data.published if data else 1.0
            cost = replace(cost, seconds=experiment.epochs * authors[name] * share, basis=AUTHORS)
        if step.status == "paused" and step.run and step.run.seconds and cost.seconds:
            cost = replace(cost, seconds=max(0.0, cost.seconds - step.run.seconds))  # what it has spent by now
        found[experiment.key] = cost
    return found


@dataclass(frozen=True)
class Timed:
    """What timed batches came to: seconds until training begins and of an epoch, samples of one, bytes of memory."""

    start: float
    epoch: float
    samples: int
    memory: int | None


def of_authors(tables: Iterable[Table], scale: str) -> dict[str, float]:
    """The seconds that an epoch took the authors, by the key of the setting; only where they logged it."""
    from results.published import number

    found = {}
    for table in tables:
        for cell in table.cells(scale):
            if cell.epoch_seconds is not None:
                place = cell.epoch_seconds
                found[cell.experiment.template] = number(table.paper, place.table, place.row, place.column)
    return found


def _size(experiment: Experiment, root: str | None) -> tuple[Cost, Amount | None]:
    """Epochs, samples and batches, and the data that an epoch goes through; None where it is not known or goes through
    so many updates."""
    size = experiment.batch_size
    if not experiment.epochs:
        return Cost(0), None
    if experiment.updates is not None:
        return Cost(experiment.epochs, experiment.updates * size, experiment.updates), None
    try:
        found = amount(experiment.task, root, experiment.task_options)
        samples = found.here - math.ceil(found.here * experiment.task_options.get("validation", 0.0)) if found else 0
    except (ArithmeticError, TypeError, ValueError):  # options that the task does not take: the training says so
        found, samples = None, 0
    if found is None or not 0 < samples <= found.here:
        return Cost(experiment.epochs), None
    batches = samples // size if experiment.batching.get("drop_last", True) else math.ceil(samples / size)
    return Cost(experiment.epochs, samples, batches, subset=found.subset), found


def _before(
    store: Store | None, experiments: Sequence[Experiment], device: str, processes: int
) -> dict[str, tuple[StoredRun, int | None]]:
    """The newest complete run of each setting, of any seed, on a machine like this one, and of how many samples its
    training set was."""
    from results import environment

    if store is None or not experiments:
        return {}
    seeds = {*USUAL_SEEDS, *(experiment.seed for experiment in experiments)}
    settings = {experiment.template: experiment for experiment in experiments}
    keys = {one.with_seed(seed).key: name for name, one in settings.items() for seed in seeds}
    here = environment.machine()
    if device == "auto":
        device = "cuda" if here["gpus"] else "cpu"
    runs = [
        run
        for run in store.runs(keys, outcome="ok")
        if run.seconds and run.device == device and all(run.machine.get(part) == here[part] for part in ALIKE)
    ]
    shared = store.last([run.id for run in runs], ["processes"])
    newest = {keys[run.experiment_key]: run for run in runs if _processes(shared.get(run.id, {})) == processes}
    datasets = store.datasets([run.id for run in newest.values()])
    samples = {run_id: [one.counts.get("train") for one in found] for run_id, found in datasets.items()}
    return {name: (run, next(iter(samples[run.id]), None)) for name, run in newest.items()}


def _processes(last: Mapping[str, tuple[float, str]]) -> float:
    return last["processes"][0] if "processes" in last else 1
