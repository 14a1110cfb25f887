"""What a plan says that experiments will cost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import data_files
import pytest
import typer
from commands import Command
from finished_runs import measured
from rich.console import Console

from bench import reproduce as command
from bench.cost import AUTHORS, BEFORE, OTHER_DATA, TIMED, Cost, Timed, costs, of_authors
from bench.plan import Step, plan
from bench.settings import Settings
from papers.plif.tables import PLIF_ABLATION, PLIF_TABLE
from reports import planned
from results import Dataset, Metric, Store, environment
from results.standing import Standing

EXPERIMENT = PLIF_ABLATION.experiments("quick", [2020])[0]
HERE = environment.machine()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as made:
        yield made


def of(step: Step, store: Store | None = None, root: Path | None = None, timed: Timed | None = None, **options: float):
    """The cost of a step, by the authors' seconds and the timed batches that are given."""
    name = step.experiment.template
    found = costs([step], store, "cpu", root and str(root), options, {name: timed} if timed else {})
    return found[step.experiment.key]


def to_run(experiment=EXPERIMENT, status: str = "to run", **changes) -> Step:
    return Step(experiment, status, "", Standing("code"), **changes)


def test_nothing_is_known_but_the_size() -> None:
    assert of(to_run()) == Cost(24, samples=1190, batches=18)  # 15 % of 1,400 held out, batches of 64


@pytest.mark.parametrize("held", ["x", None, [], 2, 1, -1, 1e308])
def test_a_part_that_cannot_be_held_out_leaves_the_size_open(held: object) -> None:
    options = {**EXPERIMENT.task_options, "validation": held}
    assert of(to_run(replace(EXPERIMENT, task_options=options))) == Cost(24)


def test_a_run_of_another_seed_on_such_a_machine_tells(store: Store) -> None:
    other = EXPERIMENT.with_seed(2024)
    store.record(measured(other, 0.9, seconds=5.0, machine={**HERE, "cpu": "another"}))
    store.record(measured(other, 0.9, seconds=6.0, machine=HERE, device="cuda"))
    store.record(measured(other, 0.9, seconds=7.0, machine=HERE, outcome="timeout", reason="stopped"))
    assert of(to_run(), store).seconds is None
    store.record(measured(other, 0.9, seconds=8.0, machine=HERE, peak_memory=2**30, implementation="of long ago"))
    cost = of(to_run(), store, timed=Timed(1.0, 2.0, 10, None))
    assert (cost.seconds, cost.memory, cost.basis) == (8.0, 2**30, BEFORE)


def test_a_run_on_less_of_the_data_tells_by_the_samples(store: Store) -> None:
    fewer = (Dataset("subset", "digits", False, {"train": 140, "test": 10}, note="a subset"),)
    store.record(measured(EXPERIMENT.with_seed(2024), 0.9, seconds=8.0, machine=HERE, datasets=fewer))
    assert (of(to_run(), store).seconds, of(to_run(), store).basis) == (80.0, OTHER_DATA)
    assert of(to_run(), store, timed=Timed(1.0, 2.0, 10, None)).basis == TIMED


def test_a_run_in_as_many_processes_tells(store: Store) -> None:
    four = (Metric("processes", 4, "count"),)
    store.record(measured(EXPERIMENT.with_seed(2024), 0.9, seconds=8.0, machine=HERE, metrics=four))
    step = to_run()
    (alone,) = costs([step], store, "cpu", None, {}, {}).values()
    (shared,) = costs([step], store, "cpu", None, {}, {}, processes=4).values()
    assert (alone.seconds, shared.seconds) == (None, 8.0)


def test_what_was_spent_already_is_not_spent_again(store: Store) -> None:
    store.record(measured(EXPERIMENT.with_seed(2024), 0.9, seconds=100.0, machine=HERE))
    store.record(measured(EXPERIMENT, 0.9, seconds=30.0, outcome="interrupted", reason="paused at epoch 7/24"))
    (step,) = plan(store, [EXPERIMENT], None)
    assert step.status == "paused"
    assert of(step, store).seconds == 70.0


def test_timed_batches_come_before_the_authors_clock() -> None:
    timed = of(to_run(), timed=Timed(start=3.0, epoch=2.0, samples=1152, memory=2**29), **{EXPERIMENT.template: 60.0})
    assert timed == Cost(24, 1152, 18, seconds=51.0, memory=2**29, basis=TIMED)


def test_the_authors_epochs_are_scaled_to_the_data_that_are_here(tmp_path: Path) -> None:
    data_files.put_cifar(tmp_path)
    experiment = next(c for c in PLIF_TABLE.cells("paper") if c.column == "CIFAR-10").experiment
    seconds = of_authors([PLIF_TABLE], "paper")
    assert seconds[experiment.template] == 506.0
    cost = of(to_run(experiment), root=tmp_path, **seconds)
    assert cost.seconds == pytest.approx(1024 * 506.0 * 2 / 50_000)
    assert (cost.basis, cost.subset) == (AUTHORS, "2 of 50,000 training samples")
    assert of_authors([PLIF_TABLE], "quick") == {}


def test_in_words() -> None:
    cost = Cost(1, 60_000, 3750, 7300.0, 2**30, BEFORE, "1 of 2 training samples")
    assert planned.said(cost) == (
        "1 epoch of 60,000 samples in 3,750 batches, of the data 1 of 2 training samples are here, about 2 h 2 min "
        "(as before on this machine), 1.0 GiB"
    )
    assert planned.said(Cost(0)) == "time not known"
    assert planned.summed([cost, cost, Cost(0)]) == "about 4 h 3 min one after another; of 1 the time is not known"
    assert "--plan --measure" in planned.summed([Cost(0)])


class Asked:
    """A terminal, or none, with somebody before it who answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store, terminal: bool, answer: bool) -> None:
        self.questions: list[str] = []
        self.stream = io.StringIO()
        self.console = Console(file=self.stream, force_terminal=terminal, color_system=None, width=200)
        monkeypatch.setattr("sys.stdin", type("Input", (), {"isatty": lambda self: terminal})())
        monkeypatch.setattr(typer, "confirm", lambda text: self.questions.append(text) or answer)
        self.store = store

    def agreed(self, jobs: int = 1) -> bool:
        return command._agreed(self.console, Settings(("plif_ablation",)), [to_run()], self.store, jobs)


@pytest.mark.parametrize("answer", [True, False])
def test_what_takes_more_than_six_hours_is_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked = Asked(monkeypatch, store, True, answer)
    assert asked.agreed()
    assert (asked.questions, asked.stream.getvalue()) == ([], "")  # nothing is known
    store.record(measured(EXPERIMENT.with_seed(2021), 0.9, seconds=6.5 * 3600, machine=HERE))
    assert asked.agreed(jobs=2)
    assert asked.questions == []
    assert asked.agreed() is answer
    assert asked.questions == ["Begin?"]
    assert asked.stream.getvalue().splitlines()[-1] == "To run: 1 experiment, about 6 h 30 min."


def test_nobody_is_asked_where_there_is_no_terminal(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, store, False, False)
    store.record(measured(EXPERIMENT.with_seed(2021), 0.9, seconds=6.5 * 3600, machine=HERE))
    assert asked.agreed()
    assert asked.questions == []
    assert "about 6 h 30 min" in asked.stream.getvalue()


def test_measuring_times_batches_and_stores_nothing(reproduce: Command, tmp_path: Path) -> None:
    done = reproduce("tiny", "--plan", "--measure")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("to run")]
    assert len(lines) == 2
    assert all(
        "2 epochs of 1,152 samples in 9 batches, about" in line and "(by timed batches), " in line for line in lines
    )
    assert not (tmp_path / "store.db").exists()
    assert not (tmp_path / "out").exists()
    wrong = reproduce("tiny", "--measure")
    assert wrong.returncode == 2
    assert "--measure was given without --plan" in wrong.stderr
    wrong = reproduce("tiny", "--plan", "--measure", "--processes", "2")
    assert wrong.returncode == 2
    assert "--measure times batches in one process of this machine" in wrong.stderr


def test_a_setting_that_cannot_be_timed_is_named(reproduce: Command) -> None:
    done = reproduce("broken", "--only", "bug", "--plan", "--measure")
    assert done.returncode == 0
    assert "Not timed: " in done.stdout
    assert "crashed: RuntimeError: first line" in done.stdout
    assert "time not known" in done.stdout
