"""Experiments on a real Ray cluster of two nodes, one of which dies now and then."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray_nodes
import warm
from commands import plain_environment
from trained import Curves, curves

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
        if os.environ.get("SHOW"):
            for p in tree:
                print(p.name(), p.cpu_times())
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
