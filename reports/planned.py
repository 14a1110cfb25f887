"""A plan in the terminal: what would be run, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from papers.labels import labels

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


def show(console: Console, steps: Sequence[Planned]) -> None:
    """A line for each step, and how many are to run, with the time that those took which ran before."""
    names = labels(step.experiment for step in steps)
    for step in steps:
        reason = f" ({step.reason})" if step.reason else ""
        line = f"{step.status:12} {names[step.experiment.key]} · seed {step.experiment.seed}{reason}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    seconds = _seconds(steps)
    known = f"; {len(seconds)} of them took {sum(seconds):.0f} s last time" if seconds else ""
    to_run = sum(step.to_run for step in steps)
    console.print(f"{to_run} of {len(steps)} experiments to run{known}.", highlight=False, markup=False)


def records(steps: Sequence[Planned]) -> list[dict[str, Any]]:
    """Each step for programs, docs/json.md."""
    names = labels(step.experiment for step in steps)
    return [
        {
            "experiment": names[step.experiment.key],
            "experiment_key": step.experiment.key,
            "seed": step.experiment.seed,
            "status": step.status,
            "reason": step.reason,
            "to_run": step.to_run,
            "run": step.run and step.run.id,
            "seconds": step.run and step.run.seconds,
        }
        for step in steps
    ]


def summary(steps: Sequence[Planned]) -> dict[str, Any]:
    """What is true of all of them, docs/json.md."""
    seconds = _seconds(steps)
    to_run = sum(step.to_run for step in steps)
    return {"experiments": len(steps), "to_run": to_run, "ran_before": len(seconds), "seconds_before": sum(seconds)}


def _seconds(steps: Sequence[Planned]) -> list[float]:
    """How long those took that are to run and ran before."""
    return [s.run.seconds for s in steps if s.to_run and s.run and s.run.seconds and s.run.outcome == "ok"]
