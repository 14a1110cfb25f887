"""Experiments on a real Ray cluster of two nodes, one of which dies now and then."""

from __future__ import annotations

import fcntl
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from commands import plain_environment, within
from ray_nodes import SETTINGS, Nodes
from trained import Curves, curves

from bench.on_ray import OnRay
from bench.reproduce import app
from bench.settings import Settings
from core.errors import UsageError
from results import Store


@pytest.fixture(scope="module")
def nodes(plugin: Path) -> Iterator[Nodes]:
    pytest.importorskip("ray", reason="needs ray")
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # a socket's path has to be short
        started = Nodes(folder, plain_environment(plugin))
        try:
            yield started
        finally:
            started.stop()


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, **SETTINGS}


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


def with_folders_of_its_own(arguments: list[str], out: Path) -> list[str]:
    """The command with a file system of its own at its output, so that no node finds the token there."""
    out.mkdir()
    hide = f"mount -t tmpfs none {shlex.quote(str(out))} && exec "
    command = ["unshare", "-m", "sh", "-c", hide]
    if subprocess.run([*command[:-1], f"{hide} true"], capture_output=True).returncode:
        return [sys.executable, *arguments]  # without the right to mount nodes share the folder
    return [*command[:-1], hide + shlex.join([sys.executable, *arguments])]


@pytest.mark.slow
def test_a_node_that_dies_costs_an_epoch(
    nodes: Nodes, environment: dict[str, str], local: Curves, tmp_path: Path
) -> None:
    """Also where nodes see nothing of the command's folders, so that checkpoints go home with the tasks."""
    out = tmp_path / "out"
    command = with_folders_of_its_own(on_ray(nodes, tmp_path, "long"), out)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as running:
        checkpoints = Path(f"/proc/{running.pid}/root{out}/checkpoints")
        end = time.monotonic() + 120
        while len(list(checkpoints.glob("*.pt"))) < 2:
            assert running.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        nodes.kill_the_second()
        output, errors = running.communicate(timeout=120)
    assert running.returncode == 0, output + errors
    assert "Traceback" not in errors
    assert re.search(r"its node is gone \(\w+\); it goes on elsewhere$", output, re.M)
    assert curves(tmp_path / "store.db") == local
    with Store(tmp_path / "store.db") as store:
        first, second = sorted(run.reason for run in store.runs())
        (cores,) = {run.machine["cores"] for run in store.runs()}
    assert first == ""
    assert re.fullmatch(r"begun again by the cluster after epoch [1-9]\d*", second)
    assert cores


@pytest.mark.slow
def test_what_goes_wrong_on_a_node_has_the_outcome_that_it_has_here(
    nodes: Nodes, environment: dict[str, str], tmp_path: Path
) -> None:
    chosen = [f"--only={name}" for name in ("segfault", "hang", "hog", "bug", "no data")]
    done = warm.run(on_ray(nodes, tmp_path, "broken", *chosen, "--memory=1", "--timeout=8"), env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        found = {run.experiment["model"]: (run.outcome, run.reason) for run in store.runs()}
    assert found["segfault"] == ("crashed", "died of SIGSEGV")
    assert found["hang"] == ("timeout", "stopped after 8 s; allow more with --timeout")
    assert found["hog"][0] == "oom"
    assert found["hog"][1].endswith("(limit 1.0 GiB)")
    assert found["bug"][1].startswith("RuntimeError: first line; the traceback is in logs/")
    assert found["plif_mnist"][0] == "unavailable"
    assert any("second line" in log.read_text() for log in tmp_path.glob("out/logs/*"))


@pytest.mark.slow
def test_ctrl_c_ends_what_runs_on_nodes(nodes: Nodes, environment: dict[str, str], tmp_path: Path) -> None:
    running = warm.Process(on_ray(nodes, tmp_path, "endless"), environment)
    running.until(lambda: list(tmp_path.glob("out/checkpoints/*.pt")))
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(60)
    assert (running.returncode, "Traceback" in errors) == (130, False), output + errors
    (lock,) = tmp_path.glob("out/checkpoints/*.lock")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody trains any more
    with Store(tmp_path / "store.db") as store:
        (run,) = store.runs()
    assert run.outcome == "interrupted"
    # The file of an epoch may be here a moment before the word that it is over.
    assert re.fullmatch(r"paused(?: at epoch \d+/4000|; it goes on from the epochs that are kept)", run.reason)


@pytest.mark.slow
def test_other_code_on_a_node_is_no_result(nodes: Nodes, environment: dict[str, str], tmp_path: Path) -> None:
    changed = "import runpy, bench.runner as r; r.code = lambda *found: 'another'; import sys; "
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


@pytest.mark.slow
def test_a_cluster_of_its_own_is_for_this_machine_alone(environment: dict[str, str]) -> None:
    pytest.importorskip("ray", reason="needs ray")
    code = """
        import psutil
        from bench.on_ray import OnRay
        from bench.settings import Settings
        with OnRay(Settings(("plif_table",), executor="ray"))._cluster() as ray:
            assert ray.get(ray.remote(lambda: 1).remote()) == 1
            started = [psutil.Process(), *psutil.Process().children(recursive=True)]
            open_to = {c.laddr.ip for p in started for c in p.net_connections("tcp") if c.status == "LISTEN"}
        print(*open_to)
    """
    kept = {name: value for name, value in environment.items() if name not in SETTINGS}
    done = warm.run(["-c", textwrap.dedent(code)], env=kept)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert done.stderr == ""


def test_options_of_another_executor_are_refused() -> None:
    done = within(app, "plif_table", "--ray", "127.0.0.1:6379")
    assert done.returncode == 2
    assert "--ray was given, but experiments run by --executor local. Add --executor ray, or leave" in done.stderr


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        (
            "127.0.0.1:1",
            1,
            "There is no Ray cluster to be reached at 127.0.0.1:1: [Errno 111] Connection refused. Start",
        ),
        ("ray://here:1", 2, "The Ray cluster was named 'ray://here:1'; give the address of its head as HOST:PORT"),
    ],
)
def test_where_there_is_no_cluster(address: str, status: int, sentence: str, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray")
    places = [f"--store={tmp_path}/store.db", f"--out={tmp_path}/out"]
    done = within(app, "plif_table", "--only=MNIST", "--executor=ray", "--ray", address, *places)
    assert done.returncode == status
    assert done.stderr.startswith(f"Error: {sentence}")
    assert not (tmp_path / "store.db").exists()


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--executor ray needs the package ray, which is not installed here. Install"):
        OnRay(Settings(("plif_table",), executor="ray"))
