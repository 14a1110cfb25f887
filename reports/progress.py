"""Live progress of running experiments; plain lines where there is no terminal."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich import progress as rich_progress
from rich.table import Column

from papers.measures import TEST, Measure, of_metric
from papers.protocols import BEST, CHOSEN

from .wording import rough

if TYPE_CHECKING:
    from rich.console import Console

    from papers.experiment import Experiment
    from results import Metric, Run

QUIET = {"quick": 30.0, "short": 300.0, "paper": 300.0}  # seconds after which a line says how far an experiment is
LAST = 5  # epochs whose mean time tells what is left


@dataclass
class _Running:
    """An experiment on its way; times are readings of the clock in seconds."""

    experiment: Experiment
    bar: Any
    moved: float  # when it last came to something new
    told: float  # when a line last told of it
    stage: str = "loading"
    epochs: int = 0  # that are over
    batches: tuple[int, int] = (0, 0)  # of the present epoch, over and all
    spent: float = 0.0  # seconds that these took
    score: str = ""
    lasted: deque[float] = field(default_factory=lambda: deque(maxlen=LAST))  # seconds of its last epochs

    @property
    def state(self) -> str:
        """What it does, its last score and the time left, as far as they are known."""
        training = self.stage == "training" and self.epochs < self.experiment.epochs
        stage = f"training, epoch {self.epochs + 1}/{self.experiment.epochs}" if training else self.stage
        return _joined(stage, self._batch, self.score, self._left)

    @property
    def note(self) -> str:
        """The same in the few words that have room beside a bar, which shows the epoch."""
        training = self.stage == "training" and self.score
        return _joined("" if training else self.stage, self._batch, self.score, self._left)

    @property
    def _batch(self) -> str:
        over, of = self.batches
        return f"batch {over:,}/{of:,}, {self.spent / over:.2g} s each" if self.stage == "training" and over else ""

    @property
    def _left(self) -> str:
        """From the epochs that are over; in the first one from its batches, which leaves out the evaluation."""
        epochs, (over, of) = self.experiment.epochs - self.epochs, self.batches
        if self.stage != "training" or not epochs or not (self.lasted or over):
            return ""
        if not self.lasted:
            return f"at least {rough(self.spent * (of / over * epochs - 1))} left"
        return f"about {rough(max(0.0, statistics.fmean(self.lasted) * epochs - self.spent))} left"


class Progress:
    """One bar for all experiments, one for each that runs, and a line for each that is through.

    Where there is no terminal: a line when an experiment starts, after each epoch at long scales, and now and then
    where nothing else is said of it. `names` are those of the experiments by key; `clock` gives seconds.
    """

    def __init__(
        self, console: Console, names: Mapping[str, str], total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console
        self.names = names
        self.total = total
        self.clock = clock
        self.through = 0
        whole = [Column(no_wrap=True) for _ in range(4)]  # where it is narrow, the names take several lines
        self.bars = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False, table_column=Column()),
            rich_progress.BarColumn(bar_width=10, table_column=whole[0]),
            rich_progress.MofNCompleteColumn(table_column=whole[1]),
            rich_progress.TextColumn("{task.fields[note]}", markup=False, table_column=whole[2]),
            rich_progress.TimeElapsedColumn(table_column=whole[3]),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.running: dict[str, _Running] = {}

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

    def started(self, experiment: Experiment) -> None:
        """Its process has been started."""
        now = self.clock()
        one = _Running(experiment, None, now, now)
        one.bar = self.bars.add_task(self.names[experiment.key], total=experiment.epochs, note=one.note)
        self.running[experiment.key] = one
        self._tell(one, "started")

    def data(self, experiment: Experiment, done: int, of: int) -> None:
        """The preparation of the data has come to `done` of `of` samples."""
        self.stage(experiment, f"preparing data {done:,}/{of:,}")

    def stage(self, experiment: Experiment, name: str) -> None:
        """It has come to another part of its work, called `name`."""
        one = self.running[experiment.key]
        one.stage, one.moved = name, self.clock()
        self.bars.update(one.bar, note=one.note)

    def note(self, experiment: Experiment, text: str) -> None:
        """Something that the user is to know of an experiment that runs."""
        self._say(experiment, text)

    def batches(self, experiment: Experiment, done: int, of: int) -> None:
        """So many batches of the present epoch are over."""
        one = self.running[experiment.key]
        one.batches, one.spent = (done, of), self.clock() - one.moved
        self.bars.update(one.bar, note=one.note)

    def epoch(self, experiment: Experiment, epoch: int, record: dict[str, float]) -> None:
        """An epoch, from 0, is over, here or in an earlier run that is gone on with."""
        one, now = self.running[experiment.key], self.clock()
        # Those of an earlier run come within no time, which tells nothing of the time that is left.
        here = now - one.moved >= record.get("train_seconds", 0.0) / 2
        if here:
            one.lasted.append(now - one.moved)
        one.epochs, one.moved, one.score = epoch + 1, now, _score(record)
        one.batches, one.spent = (0, 0), 0.0
        self.bars.update(one.bar, completed=one.epochs, note=one.note)
        if here and (one.experiment.scale != "quick" or now - one.told >= QUIET["quick"]):
            self._tell(one, one.state)

    def beat(self) -> None:
        """Tells of the experiments that were not spoken of for long."""
        for one in self.running.values():
            if self.clock() - one.told >= QUIET[one.experiment.scale]:
                self._tell(one, one.state)

    def finished(self, experiment: Experiment, run: Run) -> None:
        """It is through, or was interrupted; `run` is what is stored of it."""
        self.bars.remove_task(self.running.pop(experiment.key).bar)
        interrupted = run.outcome == "interrupted"
        self.through += not interrupted
        self.bars.update(self.all, completed=self.through)
        what = _measured(run.metrics)
        if run.outcome != "ok":
            what = run.reason if interrupted else f"{run.outcome}: {run.reason}"
        timed = run.seconds is not None and not interrupted
        self._say(experiment, what + (f" in {run.seconds:.0f} s" if timed else ""))
        for dataset in run.datasets:
            if not dataset.complete:
                self.console.print(f"Warning: {dataset.name} is a subset: {dataset.note}", markup=False, soft_wrap=True)

    def _tell(self, one: _Running, what: str) -> None:
        """A line on the way, where no bar shows it."""
        one.told = self.clock()
        if not self.console.is_terminal:
            self._say(one.experiment, what)

    def _say(self, experiment: Experiment, what: str) -> None:
        line = f"[{self.through}/{self.total}] {self.names[experiment.key]} · seed {experiment.seed}: {what}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _score(record: Mapping[str, float]) -> str:
    """What an epoch came to on the test set, by each measure: "test accuracy 91.2 %"."""
    found = [(name, value, of_metric(name)) for name, value in record.items() if name.startswith(f"{TEST}_")]
    return ", ".join(
        f"test {known[1].title} {_brief(value, known[1])}" if known else f"{name} {value:.4g}"
        for name, value, known in found
    )


def _brief(value: float, measure: Measure) -> str:
    """ "91.2 %", "0.0234"."""
    of_unit = measure.show if measure.show != "1" else ""
    return f"{measure.shown(value):.1f} {of_unit}" if measure.unit == "fraction" else f"{value:.3g} {of_unit}".rstrip()


def _measured(metrics: Iterable[Metric]) -> str:
    """The values of a training by the protocols that it has curves for: "A 91.2 % B 90.7 %"; of several measures each
    with its name, "accuracy fr A 91.2 %, accuracy fs A 90.7 %".
    """
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for metric in metrics:
        if metric.step is not None and metric.value is not None:
            curves[metric.name][metric.step] = metric.value
    found: dict[str, str] = {}
    for _, measure in filter(None, map(of_metric, curves)):
        chosen = [(protocol.name, protocol.select(curves, measure)) for protocol in (BEST, CHOSEN)]
        said = [f"{name} {_brief(selected.value, measure)}" for name, selected in chosen if selected]
        if said:
            found[measure.title] = " ".join(said)
    named = [f"{title} {said}" for title, said in found.items()]
    return ", ".join(named if len(named) > 1 else found.values()) or "done"
