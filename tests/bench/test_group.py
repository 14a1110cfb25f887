"""One experiment in two processes, under torchrun's agent: what one process gives, and no orphans."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
import warm

import models
import tasks
from bench.executor import Quiet
from bench.job import Request, Result
from bench.local import Local
from bench.settings import Settings
from papers.experiment import Experiment
from tests.campaign.judge import OF_TIME
from training.bptt import BPTT
from training.loop import evaluate
from training.measures import Accuracy

# Neither batch norm nor dropout: nothing depends on how a batch is shared.
pytestmark = pytest.mark.xdist_group("processes")
PLAIN = Experiment(
    task="digits",
    model="sequential_fc",
    neuron="masked_psn",
    scheme="bptt",
    epochs=3,
    batch_size=64,
    scale="quick",
    seed=5,
    task_options={"validation": 0.15},
    model_options={"order": "columns", "side": 8, "hidden": 24},
    neuron_options={"T": 8, "k": 3, "scheduled": True},
    scheme_options={"loss": "cross_entropy", "optimizer": "sgd", "lr": 0.3, "momentum": 0.9},
)
CHUNKS = replace(
    PLAIN,
    neuron="plif",
    scheme="fptt",
    neuron_options={},
    scheme_options={
        "loss": {"name": "last_cross_entropy"},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "regulariser": {"alpha": 0.5},
        "clip": 1.0,
        "chunks": 4,
        "average_every": 1,
    },
)
# Both, so every process has statistics and masks of its own; long enough to be hit in the middle.
RANDOM = replace(
    PLAIN,
    model="plif_mnist",
    neuron="plif",
    epochs=10,
    model_options={"side": 8, "channels": 3, "hidden": 12, "T": 3},
    neuron_options={"detach_reset": True},
    scheme_options={"lr": 0.01},
)


def request(experiment: Experiment, processes: int, folder: Path) -> Request:
    return Request(
        experiment,
        "cpu",
        None,
        folder / "cache",
        folder / f"{processes}.pt",
        folder / f"{processes}.log",
        threads=1,
        memory=None,
        processes=processes,
    )


OnEpoch = Callable[[int], None]


class Heard(Quiet):
    """Hears of epochs alone."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.on_epoch = on_epoch

    def epoch(self, request: Request, epoch: int, record: dict[str, float]) -> None:
        self.on_epoch(epoch)


def run(asked: Request, on_epoch: OnEpoch = lambda epoch: None) -> Result:
    results: list[Result] = []
    try:
        Local(Settings(("plif_table",))).execute(
            [asked],
            jobs=1,
            timeout=300,
            listener=Heard(on_epoch),
            on_result=lambda request, result: results.append(result),
        )
    except KeyboardInterrupt:
        assert results[0].outcome == "interrupted"
    (result,) = results
    return result


def values(result: Result) -> dict[tuple[str, int | None], float | None]:
    return {(m.name, m.step): m.value for m in result.metrics if m.name not in (*OF_TIME, "processes")}


def members(asked: Request) -> list[psutil.Process]:
    """The agent and its workers, in the order in which they were started: what they print goes to the log."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{process.pid}/fd/1").removesuffix(" (deleted)") == str(asked.log):
                found.append(process)
    return sorted(found, key=lambda process: (process.create_time(), process.pid))


@pytest.fixture
def alone() -> Iterator[Callable[[Request], None]]:
    """Asserts that the group of a request ends within seconds; ends it where it does not."""
    seen: list[psutil.Process] = []

    def check(asked: Request) -> None:
        seen.extend(members(asked))
        _, alive = psutil.wait_procs(seen, timeout=20)
        assert not alive

    yield check
    for process in seen:
        if process.is_running():
            process.kill()


def test_a_request_survives_being_text(tmp_path: Path) -> None:
    asked = request(RANDOM, 2, tmp_path)
    assert Request.of_json(asked.to_json()) == asked


Pair = Callable[[Experiment], tuple[Path, Result, Result]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """What one and what two processes make of an experiment, and the folder of their checkpoints."""

    made: dict[str, tuple[Path, Result, Result]] = {}

    def trained(experiment: Experiment) -> tuple[Path, Result, Result]:
        if experiment.key not in made:
            folder = tmp_path_factory.mktemp("pair")
            one, two = (run(request(experiment, processes, folder)) for processes in (1, 2))
            made[experiment.key] = folder, one, two
        return made[experiment.key]

    return trained


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [PLAIN, CHUNKS], ids=["whole", "chunks"])
def test_two_processes_train_as_one_does(pair: Pair, experiment: Experiment, alone: Callable[[Request], None]) -> None:
    folder, one, two = pair(experiment)
    alone(request(experiment, 2, folder))
    assert (one.outcome, two.outcome, two.reason) == ("ok", "ok", "")
    first, second = values(one), values(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        # accuracies are counts of the same samples, losses and rates are sums in another order
        rounding = 1e-3 if name[0] == "train_regulariser" else 1e-5  # a square of what two near numbers differ by
        assert second[name] == (value if "accuracy" in name[0] else pytest.approx(value, rel=rounding)), name
    assert len({first["train_loss", epoch] for epoch in range(3)}) == 3
    assert {m.value for result in (one, two) for m in result.metrics if m.name == "processes"} == {1, 2}

    weights, shared = (torch.load(folder / f"{n}.pt", weights_only=True)["scheme"]["network"] for n in (1, 2))
    assert weights.keys() == shared.keys()
    for name, weight in weights.items():
        torch.testing.assert_close(shared[name], weight, rtol=1e-4, atol=1e-6)
    assert not list(folder.glob("*.log"))


@pytest.mark.faults
@pytest.mark.slow
def test_a_group_that_was_killed_goes_on_as_if_uninterrupted(tmp_path: Path, alone: Callable[[Request], None]) -> None:
    (tmp_path / "whole").mkdir()
    whole = run(request(RANDOM, 2, tmp_path / "whole"))
    assert whole.outcome == "ok", whole.reason
    asked = request(RANDOM, 2, tmp_path)

    parent = "import sys; from test_group import Request, run; run(Request.of_json(sys.argv[1]))"
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    killed = warm.Process(["-c", parent, asked.to_json()], {**os.environ, "PYTHONPATH": paths})
    killed.until(asked.checkpoint.exists)
    killed.send_signal(signal.SIGKILL)
    alone(asked)
    assert asked.checkpoint.exists()

    def kill_the_second(epoch: int) -> None:
        _agent, _first, second = members(asked)
        second.send_signal(signal.SIGKILL)

    crashed = run(asked, kill_the_second)
    alone(asked)
    assert (crashed.outcome, crashed.reason) == (
        "crashed",
        f"one of the 2 processes died; more is in {asked.log_place}",
    )
    assert "SIGKILL" in asked.log.read_text()

    def ctrl_c(epoch: int) -> None:
        raise KeyboardInterrupt

    assert run(asked, ctrl_c).outcome == "interrupted"
    alone(asked)

    finished = run(asked)
    assert finished.outcome == "ok", finished.reason
    assert values(finished) == values(whole)
    assert not asked.log.exists()

    # what was saved, running statistics included, is what all processes evaluated
    network = models.create(RANDOM.model, neuron=models.factory("plif"), **RANDOM.model_options)
    network.load_state_dict(torch.load(asked.checkpoint, weights_only=True)["scheme"]["network"])
    task = tasks.load("digits")
    found = evaluate(BPTT(network), task.test, 100, "cpu", lambda: [Accuracy(task.target)])
    assert values(finished)["test_accuracy", RANDOM.epochs - 1] == found["accuracy"].value


@pytest.mark.slow
def test_what_goes_wrong_in_a_group_has_its_own_sentence(tmp_path: Path, alone: Callable[[Request], None]) -> None:
    asked = request(replace(PLAIN, batch_size=63), 2, tmp_path)
    failed = run(asked)
    alone(asked)
    assert failed.outcome == "crashed"
    assert failed.reason.startswith("ValueError: A batch of 63 cannot be shared equally by 2 processes; choose ")
    assert "Traceback" in asked.log.read_text()


@pytest.mark.slow
def test_a_group_starts_anew_together(tmp_path: Path, pair: Pair, alone: Callable[[Request], None]) -> None:
    folder, _, expected = pair(PLAIN)
    asked = request(PLAIN, 2, tmp_path)
    damaged = bytearray((folder / asked.checkpoint.name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    asked.checkpoint.write_bytes(damaged)
    again = run(asked)
    alone(asked)
    assert again.outcome == "ok", again.reason
    assert again.reason == "trained anew, for the checkpoint 2.pt is damaged; it is kept as 2.unusable"
    assert values(again) == values(expected)
