"""The asv set-up: its suites are generated from the registry, and a deliberate slow-down is found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import neurons
from bench.asv import neurons as suite
from neurons.backends.fused import pool

pytestmark = pytest.mark.xdist_group("processes")
ROOT = Path(__file__).parents[2]
SLOW = ("        leak = v - self.v_rest\n", "        leak = v - self.v_rest\n" + "        x = (x + 1) - 1\n" * 60)
INSTALL = """
import site, sys
with open(site.getsitepackages()[0] + "/project.pth", "w") as file:
    print(*sys.argv[1:], sep="\\n", file=file)
"""  # what the tests run with takes the place of a download of PyTorch

Asv = Callable[..., "subprocess.CompletedProcess[str]"]


def test_every_neuron_and_backend_is_measured() -> None:
    assert {layer.split()[0] for layer in suite.LAYERS} == set(neurons.names())
    for name in neurons.names():
        assert [layer.split()[1] for layer in suite.LAYERS if layer.split()[0] == name] == [
            backend for backend in neurons.backends(name, "cpu") if backend not in neurons.backends.BY_NAME
        ]
    with pytest.raises(NotImplementedError, match="nonesuch torch does not run"):
        suite.Speed().setup("nonesuch torch", "4x65536")


@pytest.fixture
def _own_process() -> Iterator[None]:
    """asv gives each benchmark a process of its own, whose switches it turns; here they are turned back."""
    threads, pooled = torch.get_num_threads(), pool.enabled()
    yield
    torch.set_num_threads(threads)
    pool.enable(pooled)


@pytest.mark.usefixtures("_own_process")
def test_memory_of_a_layer_by_hand() -> None:
    """The unfused IF keeps for each element: the distance to threshold, the potential and 1 - S."""
    memory = suite.Memory()
    memory.setup("if torch", "100x2048")
    assert memory.track_saved_per_element() == pytest.approx(12, abs=0.5)
    assert memory.track_live_peak_per_element() >= memory.track_saved_per_element()


def test_no_module_of_bench_hides_a_standard_one() -> None:
    names = {path.stem for path in (ROOT / "bench").iterdir() if not path.name.startswith("_")}
    assert not names & sys.stdlib_module_names


def git(folder: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *settings, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """This checkout's neurons and suites as a repository of two commits, the second with a slow LIF."""
    folder = tmp_path / "repository"
    for package in ("bench", "core", "neurons"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    configuration = json.loads((ROOT / "asv.conf.json").read_text())
    libraries = " ".join(path for path in sys.path if path.endswith("site-packages"))
    (tmp_path / "install.py").write_text(INSTALL)
    configuration["install_command"] = [f"python {tmp_path / 'install.py'} {{build_dir}} {libraries}"]
    configuration["uninstall_command"] = []
    (folder / "asv.conf.json").write_text(json.dumps(configuration))
    git(folder, "init", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "as it is")
    file = folder / "neurons" / "integrate_and_fire.py"
    text = file.read_text()
    assert SLOW[0] in text
    file.write_text(text.replace(*SLOW))
    git(folder, "commit", "-am", "slow")
    return folder


@pytest.fixture
def asv(repository: Path, tmp_path: Path) -> Asv:
    """Runs asv in the repository, on a machine that it knows."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "asv", *arguments]
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300)

    assert run("machine", "--yes").returncode == 0
    return run


@pytest.mark.slow
def test_history_is_published_on_any_checkout(repository: Path, asv: Asv) -> None:
    git(repository, "branch", "--move", "main", "topic")
    commit = git(repository, "rev-parse", "HEAD").strip()
    once = ["--python=same", "--set-commit-hash", commit, "--quick", "-b", r"time_forward\('lif torch', '4x65536'"]
    done = asv("run", *once)
    assert done.returncode == 0, done.stdout + done.stderr
    for place in (["checkout", "topic"], ["checkout", "--detach"], ["checkout", "-b", "main"]):
        git(repository, *place)
        done = asv("publish")
        assert done.returncode == 0, done.stdout + done.stderr
        index = json.loads((repository / ".asv" / "html" / "index.json").read_text())
        assert commit in index["revision_to_hash"].values()
        assert list((repository / ".asv" / "html" / "graphs").rglob("branch-*/**/neurons.Speed.time_forward.json"))


@pytest.mark.slow
def test_a_slow_down_is_found_and_published(repository: Path, asv: Asv) -> None:
    settings = ["-a", "repeat=5", "-a", "warmup_time=0", "-a", "rounds=1"]
    benchmark = r"time_forward\('(lif|klif) torch', '100x2048'"
    done = asv("continuous", "main~1", "main", "-b", benchmark, "--factor", "4", "--record-samples", *settings)
    assert done.returncode == 1, done.stdout + done.stderr
    worse = [line for line in done.stdout.splitlines() if line.startswith("| +")]
    assert len(worse) == 1, done.stdout
    assert "lif torch" in worse[0]
    assert "klif" not in worse[0]

    assert asv("publish").returncode == 0
    graphs = list((repository / ".asv" / "html" / "graphs").rglob("neurons.Speed.time_forward.json"))
    assert graphs
    assert (repository / ".asv" / "html" / "index.html").is_file()

    from results import asv_results

    runs = asv_results.read((repository / ".asv" / "results").glob("*/*.json"))
    assert len({run.implementation for run in runs if run.experiment["parameters"]["layer"] == "lif torch"}) == 2
    assert all(run.outcome == "ok" and run.samples for run in runs)
