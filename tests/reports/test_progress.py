"""What is said while experiments run, with a clock of the test's own."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from papers.experiment import Experiment
from papers.labels import labels
from reports.progress import Progress
from reports.wording import rough
from results import Metric, Run, new_id, timestamp

EXPERIMENT = Experiment("digits", "net", "lif", "bptt", epochs=24, batch_size=8, scale="quick", seed=2020)


def run_of(experiment: Experiment, outcome: str, reason: str = "", *metrics: Metric) -> Run:
    """A run of 5 s."""
    return Run(
        new_id(), experiment.document(), experiment.key, "code", outcome, reason, timestamp(), 5.0, experiment.seed,
        "cpu", "torch", "made up", None, {}, {}, metrics=metrics,
    )  # fmt: skip


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Told:
    """A progress without a terminal, and the lines it has said so far."""

    def __init__(self, scale: str = "quick", terminal: bool = False) -> None:
        self.experiment = replace(EXPERIMENT, scale=scale)
        self.stream, self.clock = io.StringIO(), Clock()
        console = Console(file=self.stream, width=200, force_terminal=terminal, color_system=None)
        self.progress = Progress(console, labels([self.experiment]), 1, self.clock)

    def epochs(self, numbers: range, seconds: float) -> None:
        for number in numbers:
            self.clock.now += seconds
            record = {"test_accuracy": 0.5 + number / 100, "train_seconds": 0.8 * max(seconds, 1.0)}
            self.progress.epoch(self.experiment, number, record)

    @property
    def lines(self) -> list[str]:
        return [
            line.removeprefix("[0/1] digits · net · lif · seed 2020: ") for line in self.stream.getvalue().splitlines()
        ]


@pytest.fixture
def begun(request: pytest.FixtureRequest) -> Told:
    told = Told(getattr(request, "param", "quick"))
    with told.progress as progress:
        progress.started(told.experiment)
        progress.stage(told.experiment, "training")
    return told


def test_a_quick_experiment_tells_of_itself_every_half_minute(begun: Told) -> None:
    begun.epochs(range(12), 10.0)
    assert begun.lines == [
        "started",
        "training, epoch 4/24, test accuracy 52.0 %, about 4 min left",
        "training, epoch 7/24, test accuracy 55.0 %, about 3 min left",
        "training, epoch 10/24, test accuracy 58.0 %, about 2 min left",
        "training, epoch 13/24, test accuracy 61.0 %, about 2 min left",
    ]


@pytest.mark.parametrize("begun", ["short", "paper"], indirect=True)
def test_a_long_experiment_tells_of_each_epoch(begun: Told) -> None:
    begun.epochs(range(2), 3600.0)
    assert begun.lines == [
        "started",
        "training, epoch 2/24, test accuracy 50.0 %, about 23 h 0 min left",
        "training, epoch 3/24, test accuracy 51.0 %, about 22 h 0 min left",
    ]


@pytest.mark.parametrize(("begun", "pause"), [("quick", 30.0), ("paper", 300.0)], indirect=["begun"])
def test_silence_is_broken(begun: Told, pause: float) -> None:
    for _ in range(20):
        begun.clock.now += pause / 10
        begun.progress.beat()
    assert begun.lines == ["started", "training, epoch 1/24", "training, epoch 1/24"]


@pytest.mark.parametrize("begun", ["paper"], indirect=True)
def test_epochs_of_an_earlier_run_say_nothing_of_the_time_left(begun: Told) -> None:
    begun.epochs(range(10), 0.001)
    assert begun.lines == ["started"]
    begun.epochs(range(10, 11), 60.0)
    assert begun.lines[1:] == ["training, epoch 12/24, test accuracy 60.0 %, about 13 min left"]


@pytest.mark.parametrize("begun", ["paper"], indirect=True)
def test_within_an_epoch_the_batches_tell(begun: Told) -> None:
    begun.clock.now += 300
    begun.progress.batches(begun.experiment, 100, 1000)
    begun.progress.beat()
    begun.epochs(range(1), 3600.0)
    begun.clock.now += 600
    begun.progress.batches(begun.experiment, 200, 1000)
    begun.progress.beat()
    assert begun.lines[1:] == [
        "training, epoch 1/24, batch 100/1,000, 3 s each, at least 19 h 55 min left",
        "training, epoch 2/24, test accuracy 50.0 %, about 24 h 55 min left",
        "training, epoch 2/24, batch 200/1,000, 3 s each, test accuracy 50.0 %, about 24 h 45 min left",
    ]


def test_after_the_last_epoch_it_is_measured(begun: Told) -> None:
    begun.epochs(range(24), 1.0)
    begun.progress.stage(begun.experiment, "measuring")
    begun.clock.now += 31
    begun.progress.beat()
    assert begun.lines[-1] == "measuring, test accuracy 73.0 %"


def test_an_interrupted_run_is_not_through(begun: Told) -> None:
    begun.progress.finished(begun.experiment, run_of(begun.experiment, "interrupted", "paused at epoch 3/24"))
    assert begun.lines[-1] == "paused at epoch 3/24"  # behind "[0/1]"


def test_a_run_that_is_through_tells_its_values_and_time(begun: Told) -> None:
    metrics = [Metric("test_accuracy", value, "fraction", epoch) for epoch, value in enumerate((0.5, 0.75, 0.625))]
    begun.progress.finished(begun.experiment, run_of(begun.experiment, "ok", "", *metrics))
    assert begun.stream.getvalue().splitlines()[-1] == "[1/1] digits · net · lif · seed 2020: A 75.0 % in 5 s"


def test_values_of_several_measures_have_their_names(begun: Told) -> None:
    metrics = [Metric(f"test_accuracy_{coding}", 0.75, "fraction", 0) for coding in ("fs", "fr")]
    begun.progress.finished(begun.experiment, run_of(begun.experiment, "ok", "", *metrics))
    assert begun.lines[-1].endswith("accuracy fr A 75.0 %, accuracy fs A 75.0 % in 5 s")


def test_a_failure_tells_why(begun: Told) -> None:
    begun.progress.finished(begun.experiment, run_of(begun.experiment, "crashed", "died of SIGSEGV"))
    assert begun.stream.getvalue().splitlines()[-1].endswith("seed 2020: crashed: died of SIGSEGV in 5 s")


def test_a_terminal_shows_at_a_bar_what_is_done_now() -> None:
    told = Told(terminal=True)
    with told.progress as progress:
        progress.started(told.experiment)
        progress.bars.refresh()
        assert "0/24 loading" in told.stream.getvalue()
        progress.data(told.experiment, 10, 1797)
        progress.bars.refresh()
        assert "0/24 preparing data 10/1,797" in told.stream.getvalue()
        progress.stage(told.experiment, "training")
        progress.bars.refresh()
        assert "0/24 training" in told.stream.getvalue()
        told.epochs(range(1), 10.0)
        progress.bars.refresh()
        assert "1/24 test accuracy 50.0 %, about 4 min left" in told.stream.getvalue()
    assert "seed 2020" not in told.stream.getvalue()  # the bar says it all


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (89.4, "89 s"), (90, "2 min"), (5300, "88 min"), (12_000, "3 h 20 min"), (187_000, "2 d 3 h")],
)
def test_times_to_come(seconds: float, text: str) -> None:
    assert rough(seconds) == text
