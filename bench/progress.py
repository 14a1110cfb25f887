"""Live progress of running experiments; plain lines where there is no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import progress as rich_progress

if TYPE_CHECKING:
    from rich.console import Console

    from .experiment import Experiment
    from .job import Request, Result


class Progress:
    """One bar for all experiments, one for each that runs, and a line for each that is through."""

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self.through = 0
        self.bars = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(bar_width=20),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("{task.fields[note]}"),
            rich_progress.TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.running: dict[str, Any] = {}

    def __enter__(self) -> Progress:
        self.bars.start()
        if self.total:
            self.all = self.bars.add_task("experiments", total=self.total, note="")
        return self

    def __exit__(self, *exc: object) -> None:
        self.bars.stop()

    def known(self, experiment: Experiment) -> None:
        """An experiment that another command has done meanwhile."""
        self.through += 1
        self.bars.update(self.all, completed=self.through)
        self._say(experiment, "done meanwhile by another command")

    def _say(self, experiment: Experiment, what: str) -> None:
        line = f"[{self.through}/{self.total}] {experiment.label} · seed {experiment.seed}: {what}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def started(self, request: Request) -> None:
        experiment = request.experiment
        self.running[experiment.key] = self.bars.add_task(experiment.label, total=experiment.epochs, note="loading")

    def data(self, request: Request, done: int, of: int) -> None:
        """The preparation of the data has come to `done` of `of` samples."""
        self.bars.update(self.running[request.experiment.key], note=f"preparing data {done:,}/{of:,}")

    def note(self, request: Request, text: str) -> None:
        """Something that the user is to know of an experiment that runs."""
        self._say(request.experiment, text)

    def epoch(self, request: Request, epoch: int, record: dict[str, float]) -> None:
        note = f"test {100 * record['test_accuracy']:.1f} %"
        self.bars.update(self.running[request.experiment.key], completed=epoch + 1, note=note)

    def finished(self, request: Request, result: Result) -> None:
        self.through += 1
        self.bars.remove_task(self.running.pop(request.experiment.key))
        self.bars.update(self.all, completed=self.through)
        experiment = request.experiment
        final = {metric.name: metric.value for metric in result.metrics if metric.step is None}
        protocols = {"A": final.get("accuracy_a"), "B": final.get("accuracy_b")}
        what = " ".join(f"{name} {100 * value:.1f} %" for name, value in protocols.items() if value is not None)
        self._say(
            experiment,
            (what if result.outcome == "ok" else f"{result.outcome}: {result.reason}")
            + (f" in {result.seconds:.0f} s" if result.seconds is not None else ""),
        )
        for dataset in result.datasets:
            if not dataset.complete:
                self.console.print(f"Warning: {dataset.name} is a subset: {dataset.note}", markup=False, soft_wrap=True)
