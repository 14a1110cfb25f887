"""A plan in the terminal: what would be run, why, and what it will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from papers.labels import labels

from .wording import rough

if TYPE_CHECKING:
    from rich.console import Console

    from papers.experiment import Experiment
    from results import StoredRun


class Planned(Protocol):
    """An experiment with its place in the plan; `run` is the run that decided it."""

    @property
    def experiment(self) -> Experiment: ...
    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def to_run(self) -> bool: ...
    @property
    def run(self) -> StoredRun | None: ...


class Cost(Protocol):
    """What an experiment will cost, as `bench.cost.Cost`."""

    @property
    def epochs(self) -> int: ...
    @property
    def samples(self) -> int | None: ...
    @property
    def batches(self) -> int | None: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def memory(self) -> int | None: ...
    @property
    def basis(self) -> str: ...
    @property
    def subset(self) -> str: ...


def show(console: Console, steps: Sequence[Planned], costs: Mapping[str, Cost]) -> None:
    """A line for each step, with the cost of those that are to run, and what all of them cost."""
    names = labels(step.experiment for step in steps)
    for step in steps:
        reason = f" ({step.reason})" if step.reason else ""
        cost = f": {said(costs[step.experiment.key])}" if step.to_run else ""
        line = f"{step.status:12} {names[step.experiment.key]} · seed {step.experiment.seed}{reason}{cost}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    to_run = [costs[step.experiment.key] for step in steps if step.to_run]
    whole = f": {summed(to_run)}" if to_run else ""
    console.print(
        f"{len(to_run)} of {counted(len(steps), 'experiment')} to run{whole}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def said(cost: Cost) -> str:
    """ "1024 epochs of 60,000 samples in 3,750 batches, about 42 h (as before on this machine), 1.9 GiB"."""
    parts = []
    if cost.epochs:
        parts.append(counted(cost.epochs, "epoch"))
        if cost.samples is not None:
            parts[0] += f" of {counted(cost.samples, 'sample')} in {counted(cost.batches or 0, 'batch', 'batches')}"
        if cost.subset:
            parts.append(f"of the data {cost.subset} are here")
    parts.append(f"about {rough(cost.seconds)} ({cost.basis})" if cost.seconds is not None else "time not known")
    if cost.memory is not None:
        parts.append(f"{cost.memory / 2**30:.1f} GiB")
    return ", ".join(parts)


def summed(costs: Sequence[Cost]) -> str:
    """The time of all, one after another: "about 3 h 20 min one after another; of 2 nothing is known"."""
    known = [cost.seconds for cost in costs if cost.seconds is not None]
    unknown = len(costs) - len(known)
    if not known:
        return "how long they take is not known; --plan --measure times a few batches of each"
    found = f"about {rough(sum(known))}{' one after another' if len(known) > 1 else ''}"
    return f"{found}; of {unknown} the time is not known" if unknown else found


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 epoch", "60,000 samples"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def records(steps: Sequence[Planned], costs: Mapping[str, Cost]) -> list[dict[str, Any]]:
    """Each step for programs, docs/json.md."""
    names = labels(step.experiment for step in steps)
    fields = ("epochs", "samples", "batches", "subset", "seconds", "basis", "memory")
    return [
        {
            "experiment": names[step.experiment.key],
            "experiment_key": step.experiment.key,
            "seed": step.experiment.seed,
            "status": step.status,
            "reason": step.reason,
            "to_run": step.to_run,
            "run": step.run and step.run.id,
            **{field: getattr(costs.get(step.experiment.key), field, None) for field in fields},
        }
        for step in steps
    ]


def summary(steps: Sequence[Planned], costs: Mapping[str, Cost]) -> dict[str, Any]:
    """What is true of all of them, docs/json.md."""
    seconds = [costs[step.experiment.key].seconds for step in steps if step.to_run]
    known = [value for value in seconds if value is not None]
    return {"experiments": len(steps), "to_run": len(seconds), "seconds": sum(known), "timed": len(known)}
