"""Experiments on a real SLURM of one node, by the command that a user types."""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slurm_server
import warm
from commands import plain_environment
from trained import Curves, curves

from results import Store

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
    numbers = slurm.jobs()
    assert sorted(number.partition("_")[2] for number in numbers) == ["0", "1"]
    first.send_signal(signal.SIGKILL)
    first.wait()
    slurm.ask("scontrol", "requeue", numbers[0])  # as after a preemption, or the death of a node
    again = start("long")
    output, errors = again.communicate(120)
    assert again.returncode == 0, output + errors
    assert re.search(r"seed 2020: begun again by the cluster after [1-9]\d* epochs$", output, re.M)
    assert curves(tmp_path / "store.db") == local
    reasons = sorted(reason for _, reason in outcomes(tmp_path))
    assert reasons[0] == ""
    assert re.fullmatch(r"begun again by the cluster after epoch [1-9]\d*", reasons[1])
    assert not list(tmp_path.glob("out/slurm/*"))
