"""Experiments on a real SLURM of one node, by the command that a user types."""

from __future__ import annotations

import json
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slurm_server
import warm
from commands import plain_environment, within
from trained import Curves, curves

from bench.job import Result
from bench.reproduce import app
from bench.sbatch import minutes
from bench.settings import Settings
from bench.slurm_job import Work
from core.errors import UsageError
from results import Store, new_id

needs_slurm = pytest.mark.skipif(bool(slurm_server.missing()), reason=slurm_server.missing())
pytestmark = pytest.mark.xdist_group("slurm")


@pytest.fixture(scope="module")
def slurm() -> Iterator[slurm_server.Server]:
    pytest.importorskip("submitit", reason="needs submitit")
    with tempfile.TemporaryDirectory(prefix="spikebench-slurm-") as folder:  # a socket's path has to be short
        Path(folder).chmod(0o755)
        server = slurm_server.Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def local(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Curves:
    """What the experiments of `long` measure on this machine."""
    folder = tmp_path_factory.mktemp("local")
    command = ["-m", "bench.reproduce", "long", f"--store={folder}/store.db", f"--out={folder}/out", "--no-report"]
    warm.run(command, env=plain_environment(plugin)).check_returncode()
    return curves(folder / "store.db")


Start = Callable[..., warm.Process]


@pytest.fixture
def start(slurm: slurm_server.Server, plugin: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts `python -m bench.reproduce` on SLURM with its store and output in `tmp_path`."""
    environment = {**plain_environment(plugin), **slurm.variables}

    def started(*arguments: str) -> warm.Process:
        places = [f"--store={tmp_path}/store.db", f"--out={tmp_path}/out", "--no-report", "--executor", "slurm"]
        return warm.Process(["-m", "bench.reproduce", *arguments, *places], environment)

    yield started
    assert slurm.jobs() == []


def outcomes(folder: Path) -> list[tuple[str, str]]:
    with Store(folder / "store.db") as store:
        return [(run.outcome, run.reason) for run in store.runs()]


@needs_slurm
@pytest.mark.slow
def test_jobs_outlive_the_command_and_are_collected_once(
    slurm: slurm_server.Server, start: Start, local: Curves, tmp_path: Path
) -> None:
    first = start("long")
    first.until(lambda: len(list(tmp_path.glob("out/checkpoints/*.pt"))) == 2)
    first.send_signal(signal.SIGKILL)
    numbers = slurm.jobs()
    assert sorted(number.partition("_")[2] for number in numbers) == ["0", "1"]
    slurm.ask("scontrol", "requeue", numbers[0])  # as after the death of a node
    slurm.ask("scancel", "--signal=USR2", numbers[1])  # as before the end of its time, or where it has to make room
    first.until(lambda: len(list(tmp_path.glob("out/slurm/*/*/result.json"))) == 2)
    shutil.copytree(tmp_path / "out" / "slurm", tmp_path / "kept")

    again = start("long")
    output, errors = again.communicate(60)
    assert again.returncode == 0, output + errors
    assert len(re.findall(r"seed 2020: begun again by the cluster after [1-9]\d* epochs$", output, re.M)) == 2
    assert curves(tmp_path / "store.db") == local
    for _, reason in outcomes(tmp_path):
        assert re.fullmatch(r"begun again by the cluster after epoch [1-9]\d*", reason)
    assert not list(tmp_path.glob("out/slurm/*"))

    shutil.rmtree(tmp_path / "out" / "slurm")
    (tmp_path / "kept").rename(tmp_path / "out" / "slurm")
    assert start("long", "--force").wait(60) == 0
    assert [outcome for outcome, _ in outcomes(tmp_path)] == ["ok", "ok"]


@needs_slurm
@pytest.mark.slow
def test_the_ends_of_command_and_controller(slurm: slurm_server.Server, start: Start, tmp_path: Path) -> None:
    """A session that ends leaves its jobs, a controller that dies ends nobody, Ctrl-C pauses."""
    first = start("endless")
    first.until(lambda: list(tmp_path.glob("out/checkpoints/*.pt")))
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 130
    assert first.said()[1].startswith("Ended. 1 job goes on in SLURM; the same command collects its result. To end it:")
    (number,) = slurm.jobs()

    again = start("endless")
    again.until(lambda: "started" in again.said()[0])
    other = start("endless")
    assert other.wait(60) == 1
    assert "Not run: 1 of 1 experiments, which another process is running now" in other.said()[0]
    slurm.kill_controller()
    again.until(lambda: "Its jobs go on, and it is asked again" in again.said()[0])
    slurm.start_controller()
    slurm.until_idle()
    assert slurm.jobs() == [number]
    again.send_signal(signal.SIGINT)
    assert again.wait(60) == 130
    assert "Traceback" not in again.said()[1]
    skipped, interrupted = outcomes(tmp_path)
    assert (skipped[0], interrupted[0]) == ("skipped", "interrupted")
    assert re.fullmatch(r"paused at epoch \d+/4000", interrupted[1])
    assert not list(tmp_path.glob("out/slurm/*"))


@needs_slurm
@pytest.mark.slow
def test_a_job_that_others_cancel_is_paused(slurm: slurm_server.Server, start: Start, tmp_path: Path) -> None:
    running = start("tiny", "--only=one", "--slurm", "begin=now+1hour", "--slurm", "comment=an option of sbatch")
    running.until(slurm.jobs)
    slurm.ask("scancel", *slurm.jobs())
    assert running.wait(60) == 1, running.said()
    reason = "cancelled in SLURM; paused before its first epoch was over, so it starts anew"
    assert outcomes(tmp_path) == [("interrupted", reason)]


@needs_slurm
@pytest.mark.slow
def test_what_goes_wrong_in_a_job_has_the_outcome_that_it_has_here(start: Start, tmp_path: Path) -> None:
    done = start("broken", "--only=hang", "--only=hog", "--memory=0.9", "--timeout=8")
    assert done.wait(120) == 1, done.said()
    with Store(tmp_path / "store.db") as store:
        found = {run.experiment["model"]: (run.outcome, run.reason) for run in store.runs()}
    assert found["hang"] == ("timeout", "stopped after 8 s; allow more with --timeout")
    assert found["hog"][0] == "oom"
    assert found["hog"][1].endswith("(limit 0.9 GiB)")


@needs_slurm
def test_what_slurm_refuses_is_a_sentence(start: Start, tmp_path: Path) -> None:
    done = start("tiny", "--slurm", "partition=nosuch")
    assert done.wait(60) == 2
    sentence = (
        "SLURM refused the jobs: invalid partition specified: nosuch. Batch job submission failed: Invalid partition"
    )
    assert done.said()[1].startswith(f"Error: {sentence}")
    assert not list(tmp_path.glob("out/slurm/*"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["partition"], "--slurm was given 'partition'; it takes an option of sbatch without its dashes and its value"),
        (["--partition=gpu"], "--slurm was given '--partition=gpu'; it takes"),
        (["partition="], "--slurm was given 'partition='; it takes"),
        (["comment=a\nb"], "--slurm was given"),
        (["account=a", "account=b"], "--slurm was given account twice, 'a' and 'b'; give it once."),
        (["cpus-per-task=2"], "cpus-per-task is set for each experiment; say --threads instead."),
        (["output=x"], "output is set for each experiment."),
        (["time=soon"], "--slurm time was given 'soon'; sbatch takes minutes, H:M:S or D-H:M:S."),
        (["time=0"], "--slurm time was given '0'; give a job some time"),
    ],
    ids=lambda value: "",
)
def test_options_that_sbatch_could_not_take(given: list[str], sentence: str) -> None:
    done = within(app, "plif_table", "--executor", "slurm", *(word for one in given for word in ("--slurm", one)))
    assert done.returncode == 2
    assert sentence in done.stderr


def test_options_of_another_executor_are_refused() -> None:
    with pytest.raises(UsageError, match="--slurm was given, but experiments run by --executor local"):
        Settings(("plif_table",), slurm=("partition=gpu",))


@pytest.mark.parametrize(
    ("time", "expected"),
    [("30", 30), ("1:30", 2), ("2:00:00", 120), ("1-0", 1440), ("1-12", 2160), ("1-12:30", 2190), ("0-0:0:1", 1)],
)
def test_times_are_read_as_sbatch_reads_them(time: str, expected: int) -> None:
    assert minutes(time) == expected


def test_a_job_that_comes_to_nothing_in_its_time_is_not_begun_for_ever(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="needs submitit")
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "request.json").write_text(json.dumps({"id": new_id(), "minutes": 5}))
    work = Work(tmp_path)
    for seconds, epochs, known in ((120, 0, -1), (160, 0, 0), (120, 0, 0), (210, 3, 3)):  # told 90 s before the end
        work.begun, work.epochs = time.monotonic() - seconds, epochs
        work = work.checkpoint(0).function
        assert work.known == known
    work.begun, work.epochs = time.monotonic() - 210, 3
    assert work.checkpoint(0) is None
    result = Result.of_json((tmp_path / "0" / "result.json").read_text())
    assert (result.outcome, result.reason[:45]) == ("timeout", "the time limit of its job ran out twice withi")
