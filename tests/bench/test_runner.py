"""What a run is asked for and what it does with an executor that only pretends."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bench import reproduce, settings
from bench.executor import Executor, Listener, OnResult
from bench.job import Request, Result
from bench.plan import Step
from bench.runner import Runner, Tally
from bench.settings import Settings, Share
from core.errors import UsageError
from core.registry import UnknownName
from papers.experiment import Experiment
from results import Metric, Run, Standing, Store, content_key

EXPERIMENT = Experiment("digits", "net", "lif", "bptt", epochs=2, batch_size=8, scale="quick", seed=2020)
OTHER = replace(EXPERIMENT, model="other net")
RESULTS = {
    EXPERIMENT.key: Result("ok", seconds=1.0, backend="torch", metrics=(Metric("test_accuracy", 0.5, "fraction", 0),)),
    OTHER.key: Result("crashed", "died", seconds=2.0),
}


class Heard:
    """An audience that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.said.append((name, *arguments))


class Pretend:
    """An executor that knows the results beforehand, with checkpoints as a worker leaves them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def device(self) -> str:
        return "cpu"

    def share(self, device: str, experiments: int) -> Share:
        return Share.of(self.settings, device, experiments)

    def execute(
        self,
        requests: Iterable[Request],
        *,
        jobs: int | None,
        timeout: float | None,
        listener: Listener,
        on_result: OnResult,
    ) -> None:
        for request in requests:
            listener.started(request)
            listener.data(request, 1, 2)
            listener.stage(request, "training")
            listener.note(request, "a note")
            listener.epoch(request, 0, {"test_accuracy": 0.5})
            listener.beat()
            request.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            request.checkpoint.touch()
            on_result(request, RESULTS.get(request.experiment.key, Result("skipped", "another process")))


@pytest.fixture
def store(tmp_path: Path) -> Iterable[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


def runner(store: Store, out: Path, *steps: Step, **changes: Any) -> Runner:
    settings = Settings(("plif_table",), out=out, **changes)
    return Runner(settings, list(steps), store, Pretend(settings), "cpu", "python -m made.up")


def missing(experiment: Experiment, **changes: Any) -> Step:
    return Step(experiment, "to run", "", Standing("code"), **changes)


def test_every_outcome_is_stored_and_told(store: Store, tmp_path: Path) -> None:
    lacking = replace(EXPERIMENT, task="mnist")
    audience = Heard()
    steps = [missing(EXPERIMENT), missing(OTHER), Step(lacking, "unavailable", "no MNIST", Standing("code"))]
    assert runner(store, tmp_path, *steps).carry_out(audience) == Tally(failed=1, elsewhere=0)
    runs = {run.experiment_key: run for run in store.full_runs()}
    assert {key: (run.outcome, run.reason) for key, run in runs.items()} == {
        EXPERIMENT.key: ("ok", ""),
        OTHER.key: ("crashed", "died"),
        lacking.key: ("unavailable", "no MNIST"),
    }
    run = runs[EXPERIMENT.key]
    assert (run.seed, run.device, run.backend, run.implementation) == (2020, "cpu", "torch", "code")
    assert (run.command, run.metrics) == ("python -m made.up", RESULTS[EXPERIMENT.key].metrics)
    assert audience.said[:6] == [
        ("started", EXPERIMENT),
        ("data", EXPERIMENT, 1, 2),
        ("stage", EXPERIMENT, "training"),
        ("note", EXPERIMENT, "a note"),
        ("epoch", EXPERIMENT, 0, {"test_accuracy": 0.5}),
        ("beat",),
    ]
    name, experiment, told = audience.said[6]
    assert (name, experiment) == ("finished", EXPERIMENT)
    assert isinstance(told, Run)
    assert told.id == run.id
    kept = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert kept == [f"{OTHER.key}-code-{content_key({})[:8]}.pt"]  # to go on from; of what ended well nothing is left


def test_what_is_known_to_be_unavailable_is_not_stored_twice(store: Store, tmp_path: Path) -> None:
    step = Step(EXPERIMENT, "unavailable", "no data", Standing("code"))
    runner(store, tmp_path, step).carry_out(Heard())
    again = replace(step, run=store.runs()[0])
    runner(store, tmp_path, again).carry_out(Heard())
    assert len(store.runs()) == 1
    runner(store, tmp_path, replace(again, reason="another reason")).carry_out(Heard())
    assert len(store.runs()) == 2


def test_what_is_done_meanwhile_is_told_and_not_run(store: Store, tmp_path: Path) -> None:
    runner(store, tmp_path, missing(EXPERIMENT)).carry_out(Heard())
    audience = Heard()
    assert runner(store, tmp_path, missing(EXPERIMENT)).carry_out(audience) == Tally(0, 0)
    assert audience.said == [("known", EXPERIMENT)]
    assert len(store.runs()) == 1
    runner(store, tmp_path, missing(EXPERIMENT, forced=True)).carry_out(audience)
    assert len(store.runs()) == 2


def test_the_threads_of_the_trainings_are_recorded(store: Store, tmp_path: Path) -> None:
    known = replace(EXPERIMENT, scale="paper")
    for experiment, changes in ((EXPERIMENT, {}), (known, {"scale": "paper", "threads": 3, "force": True})):
        runner(store, tmp_path, missing(experiment), **changes).carry_out(Heard())
    assert [run.environment["torch_threads"] for run in store.runs()] == [1, 3]


def test_what_another_process_runs_is_counted(store: Store, tmp_path: Path) -> None:
    third = replace(EXPERIMENT, model="a third net")
    assert runner(store, tmp_path, missing(third)).carry_out(Heard()) == Tally(failed=0, elsewhere=1)


def test_processes_divide_every_batch_that_is_to_run(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--processes 3 does not divide the batch of 8 samples of digits"):
        runner(store, tmp_path, missing(EXPERIMENT), processes=3)
    runner(store, tmp_path, Step(EXPERIMENT, "done", "", Standing("code")), processes=3)


@pytest.mark.parametrize(
    ("changes", "device", "experiments", "expected"),
    [
        ({}, "cpu", 10, (8, 1, 10)),
        ({}, "cpu", 2, (2, 1, 40)),
        ({}, "cpu", 0, (1, 1, 80)),
        ({"scale": "paper"}, "cpu", 2, (2, 1, 40)),
        ({"scale": "paper"}, "cuda", 10, (1, 8, 80)),
        ({"jobs": 3}, "cuda", 10, (3, 1, 80 / 3)),
        ({"jobs": 2, "scale": "short"}, "cpu", 10, (2, 1, 40)),
        ({"processes": 2, "scale": "short"}, "cpu", 10, (4, 1, 10)),
        ({"processes": 16, "scale": "short"}, "cpu", 10, (1, 1, 5)),
        ({"threads": 1}, "cpu", 10, (8, 1, 10)),
        ({"threads": 2, "scale": "paper"}, "cpu", 10, (4, 2, 20)),
        ({"threads": 3, "scale": "short", "jobs": 8}, "cpu", 10, (8, 3, 10)),
        ({"threads": 16, "scale": "paper"}, "cpu", 10, (1, 16, 80)),
        ({"threads": 2, "scale": "paper"}, "cuda", 10, (1, 2, 80)),
        ({"jobs": 1}, "cpu", 10, (1, 1, 80)),
        ({"memory": 6.0}, "cpu", 10, (8, 1, 6)),
        ({"memory": 6.0, "processes": 2}, "cpu", 10, (4, 1, 3)),
    ],
)
def test_the_machine_is_shared_out(
    changes: dict[str, Any], device: str, experiments: int, expected: tuple[int, int, float]
) -> None:
    """Eight cores and 100 GiB, of which a fifth is left to others."""
    with (
        mock.patch("os.sched_getaffinity", return_value=range(8)),
        mock.patch("psutil.virtual_memory", return_value=mock.Mock(total=100 * 2**30)),
    ):
        share = Share.of(Settings(("plif_table",), **changes), device, experiments)
    assert (share.jobs, share.threads) == expected[:2]
    assert share.memory == int(expected[2] * 2**30)


def test_what_is_asked_for_stands_in_one_place() -> None:
    asked = Settings(("parity", "plif_table", "plif_ablation", "plif_table"), seeds=2, only=("MNIST",))
    assert [table.name for table in asked.tables] == ["plif_table", "plif_ablation"]
    assert asked.measured == ("parity",)
    assert asked.seed_range == range(2020, 2022)
    found = asked.experiments()
    assert len({experiment.key for experiment in found}) == len(found)
    assert {experiment.seed for experiment in found} == {2020, 2021}
    assert (asked.root, asked.cache, asked.seconds) == (None, Path("out/cache"), 1800.0)
    assert Settings(("plif_table",), scale="paper").seconds is None
    assert Settings(("plif_table",), scale="paper", timeout=5.0).seconds == 5.0


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"asked": ()}, UsageError, "Name a table to reproduce. Known: plif_table"),
        ({"asked": ("plif_tabel",)}, UnknownName, "Unknown table 'plif_tabel'. Did you mean 'plif_table'"),
        ({"scale": "quik"}, UnknownName, "Unknown scale 'quik'"),
        ({"device": "gpu"}, UnknownName, "Unknown device 'gpu'"),
        ({"executor": "slrm"}, UnknownName, "Unknown executor 'slrm'"),
        ({"only": ("nowhere",)}, UnknownName, "Unknown row or column 'nowhere'"),
        ({"jobs": 0}, UsageError, "--jobs was given 0; it must be at least 1"),
        ({"threads": 0, "scale": "paper"}, UsageError, "--threads was given 0; it must be at least 1"),
        ({"threads": 2}, UsageError, "--threads was given 2; at scale quick every training computes with one thread"),
        ({"memory": 0.0}, UsageError, "--memory was given 0; it must be more than 0"),
        ({"data": Path("/does/not/exist")}, UsageError, "The data root /does/not/exist is not a folder"),
    ],
    ids=lambda value: "",
)
def test_what_cannot_be_is_refused_when_settings_are_made(
    changes: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        Settings(**{"asked": ("plif_table",), **changes})
    assert sentence in str(caught.value)


def test_every_executor_is_there_and_takes_what_the_runner_gives() -> None:
    for name in settings.EXECUTORS.names():
        found = settings.EXECUTORS.get(name)
        for method in ("__init__", "device", "share", "execute"):
            asked, taken = (inspect.signature(getattr(kind, method)).parameters for kind in (Executor, found))
            assert list(taken) == list(asked), (name, method)


def test_every_wish_has_an_option() -> None:
    options = set(inspect.signature(reproduce.main).parameters)
    assert set(inspect.signature(Settings).parameters) - options == {"asked", "original"}  # words without an option
