"""Experiments on a real Ray cluster of two nodes, one of which dies now and then."""

from __future__ import annotations

import contextlib
import fcntl
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray_nodes
import warm
from commands import plain_environment, within
from trained import Curves, curves

from bench.on_ray import OnRay
from bench.reproduce import app
from bench.settings import Settings
from core.errors import UsageError
from results import Store

# Nothing is sent anywhere; and on a busy machine Ray's workers would hardly get a turn.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}


class Nodes:
    """The cluster of `ray_nodes`."""

    def __init__(self, folder: str, variables: dict[str, str]) -> None:
        command = [sys.executable, ray_nodes.__file__, folder]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=variables, text=True, bufsize=1, **pipes)
        self.address = self._answer()

    def kill_the_second(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("kill\n")
        assert self._answer() == "killed"

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        tree = psutil.Process(self.process.pid).children(recursive=True)
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait(60)
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture(scope="module")
def nodes(plugin: Path) -> Iterator[Nodes]:
    pytest.importorskip("ray", reason="needs ray")
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # a socket's path has to be short
        started = Nodes(folder, {**plain_environment(plugin), **SETTINGS})
        try:
            yield started
        finally:
            started.stop()


@pytest.fixture(scope="module")
def local(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Curves:
    """What the experiments of `long` measure on this machine."""
    folder = tmp_path_factory.mktemp("local")
    command = ["-m", "bench.reproduce", "long", f"--store={folder}/store.db", f"--out={folder}/out", "--no-report"]
    warm.run(command, env=plain_environment(plugin)).check_returncode()
    return curves(folder / "store.db")


def on_ray(nodes: Nodes, folder: Path, *arguments: str) -> list[str]:
    places = [f"--store={folder}/store.db", f"--out={folder}/out", "--no-report"]
    return ["-m", "bench.reproduce", *arguments, "--executor", "ray", "--ray", nodes.address, *places]


@pytest.mark.slow
def test_a_node_that_dies_costs_an_epoch(
    nodes: Nodes, environment: dict[str, str], local: Curves, tmp_path: Path
) -> None:
    running = warm.Process(on_ray(nodes, tmp_path, "long"), environment)
    running.until(lambda: len(list(tmp_path.glob("out/checkpoints/*.pt"))) == 2)
    nodes.kill_the_second()
    output, errors = running.communicate(120)
    assert running.returncode == 0, output + errors
    assert re.search(r"its node is gone \(NodeDiedError\); it goes on elsewhere$", output, re.M)
    assert curves(tmp_path / "store.db") == local
    with Store(tmp_path / "store.db") as store:
        reasons = sorted(run.reason for run in store.runs())
        (machine,) = {str(run.machine) for run in store.runs()}
    assert reasons[0] == ""
    assert re.fullmatch(r"begun again by the cluster after epoch [1-9]\d*", reasons[1])
    assert "cpu" in machine
    assert not list(tmp_path.glob("out/checkpoints/*.pt"))


@pytest.mark.slow
def test_what_goes_wrong_on_a_node_has_the_outcome_that_it_has_here(
    nodes: Nodes, environment: dict[str, str], tmp_path: Path
) -> None:
    chosen = [f"--only={name}" for name in ("segfault", "hog", "bug", "no data")]
    done = warm.run(on_ray(nodes, tmp_path, "broken", *chosen, "--memory", "1"), env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        found = {run.experiment["model"]: (run.outcome, run.reason) for run in store.runs()}
    assert found["segfault"] == ("crashed", "died of SIGSEGV")
    assert found["hog"][0] == "oom"
    assert found["hog"][1].endswith("(limit 1.0 GiB)")
    assert found["bug"][1].startswith("RuntimeError: first line; the traceback is in logs/")
    assert found["plif_mnist"][0] == "unavailable"
    (log,) = [log.read_text() for log in tmp_path.glob("out/logs/*") if "second line" in log.read_text()]
    assert "Traceback" in log


@pytest.mark.slow
def test_ctrl_c_and_a_time_out_end_what_runs_on_nodes(
    nodes: Nodes, environment: dict[str, str], tmp_path: Path
) -> None:
    running = warm.Process(on_ray(nodes, tmp_path, "endless"), environment)
    running.until(lambda: list(tmp_path.glob("out/checkpoints/*.pt")))
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(60)
    assert (running.returncode, "Traceback" in errors) == (130, False), output + errors
    (lock,) = tmp_path.glob("out/checkpoints/*.lock")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody trains any more
    out_of_time = warm.run(on_ray(nodes, tmp_path, "endless", "--timeout", "4"), env=environment)
    assert out_of_time.returncode == 1
    with Store(tmp_path / "store.db") as store:
        first, second = [(run.outcome, run.reason) for run in store.runs()]
    assert first[0] == "interrupted"
    assert re.fullmatch(r"paused at epoch \d+/4000", first[1])
    assert second == ("timeout", "stopped after 4 s; allow more with --timeout")


@pytest.mark.slow
def test_checkpoints_go_with_the_task_where_nodes_see_other_folders(
    nodes: Nodes, environment: dict[str, str], local: Curves, tmp_path: Path
) -> None:
    """The command has a file system of its own at its output, so that no node finds the token there."""
    (tmp_path / "out").mkdir()
    hidden = f"mount -t tmpfs none {tmp_path}/out && exec "
    if subprocess.run(["unshare", "-m", "sh", "-c", f"{hidden} true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    alone = [*on_ray(nodes, tmp_path, "long", "--only", "one")]
    command = ["unshare", "-m", "sh", "-c", hidden + shlex.join([sys.executable, *alone])]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        seen = Path(f"/proc/{running.pid}/root{tmp_path}/out/checkpoints")
        end = time.monotonic() + 120
        while not list(seen.glob("*.pt")) and running.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        nodes.kill_the_second()
        output, _ = running.communicate(timeout=120)
    assert running.returncode == 0, output
    found = curves(tmp_path / "store.db")
    assert found == {key: local[key] for key in found}


@pytest.mark.slow
def test_other_code_on_a_node_is_no_result(nodes: Nodes, environment: dict[str, str], tmp_path: Path) -> None:
    changed = "import runpy, bench.fingerprint as f; f.code = lambda *found: 'another'; import sys; "
    arguments = on_ray(nodes, tmp_path, "tiny", "--only", "one")[1:]
    run = f"sys.argv = {arguments!r}; runpy.run_module('bench.reproduce', run_name='__main__')"
    done = warm.run(["-c", changed + run], env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        (stored,) = store.runs()
    assert stored.outcome == "crashed"
    assert stored.reason.startswith("not run, for the node has other code: the digest of what is behind the experiment")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--threads", "2", "--scale", "short"], "An experiment asks for CPU 2, but of the 2 nodes of the Ray cluster"),
        (["--device", "cuda"], "Device 'cuda' was asked for, but the Ray cluster has no GPU."),
    ],
    ids=["threads", "cuda"],
)
def test_what_no_node_has_is_refused(
    nodes: Nodes, environment: dict[str, str], tmp_path: Path, asked: list[str], sentence: str
) -> None:
    done = warm.run(on_ray(nodes, tmp_path, "tiny", "--only", "one", *asked), env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {sentence}")


def test_options_of_another_executor_are_refused() -> None:
    done = within(app, "plif_table", "--ray", "127.0.0.1:6379")
    assert done.returncode == 2
    assert "--ray was given, but experiments run by --executor local. Add --executor ray, or leave" in done.stderr


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--executor ray needs the package ray, which is not installed here. Install"):
        OnRay(Settings(("plif_table",), executor="ray"))
