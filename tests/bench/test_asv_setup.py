"""The asv set-up: its suites are generated from the registry, and a deliberate slow-down is found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import neurons
from bench.asv import neurons as suite
from bench.asv import steps
from neurons.backends.fused import pool

pytestmark = pytest.mark.xdist_group("processes")
ROOT = Path(__file__).parents[2]
SLOW = ("        leak = v - self.v_rest\n", "        leak = v - self.v_rest\n" + "        x = (x + 1) - 1\n" * 60)


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


@pytest.mark.walks
@pytest.mark.usefixtures("_own_process")
def test_whole_steps_learn_and_hold_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "CHANNELS", 2)
    for network in ("plif_mnist", "psn_sequential"):
        made = steps.Steps()
        made.setup(network)
        before = [p.clone() for p in made.network.parameters()]
        made.time_training_step(network)
        assert any(not torch.equal(a, b) for a, b in zip(before, made.network.parameters(), strict=True))
        made.time_inference_of_one_sample(network)
        assert made.track_live_peak(network) > sum(4 * p.numel() for p in made.network.parameters())
    with pytest.raises(NotImplementedError, match="nonesuch is not in this commit"):
        steps.Steps().setup("nonesuch")


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
    shutil.copy(ROOT / "asv.conf.json", folder)
    git(folder, "init", "-b", "topic")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "as it is")
    file = folder / "neurons" / "integrate_and_fire.py"
    text = file.read_text()
    assert SLOW[0] in text
    file.write_text(text.replace(*SLOW))
    git(folder, "commit", "-am", "slow")
    return folder


@pytest.mark.walks
@pytest.mark.slow
def test_a_slow_down_is_found_and_published_on_any_checkout(repository: Path, tmp_path: Path) -> None:
    """Both commits are measured with what these tests run with: environments of their own would want PyTorch anew."""
    variables = {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path)}

    def asv(*arguments: str) -> str:
        environment = {**os.environ, **variables, "ASV_PYTHONPATH": str(repository)}
        command = [sys.executable, "-m", "asv", *arguments]
        done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    asv("machine", "--yes")
    settings = ["--record-samples", "-a", "repeat=5", "-a", "warmup_time=0", "-a", "rounds=1"]
    benchmark = r"time_forward\('(lif|klif) torch', '100x2048'"
    commits = [git(repository, "rev-parse", revision).strip() for revision in ("topic~1", "topic")]
    for commit in commits:
        git(repository, "checkout", commit)
        asv("run", "--python=same", "--set-commit-hash", commit, "-b", benchmark, *settings)
    worse = [line for line in asv("compare", *commits, "--factor", "4").splitlines() if line.startswith("| +")]
    assert len(worse) == 1, worse
    assert "lif torch" in worse[0]
    assert "klif" not in worse[0]

    for place in (["topic"], ["--detach"], ["-b", "main"]):
        git(repository, "checkout", *place)
        asv("publish")
        index = json.loads((repository / ".asv" / "html" / "index.json").read_text())
        assert set(commits) <= set(index["revision_to_hash"].values())
        assert list((repository / ".asv" / "html" / "graphs").rglob("branch-*/**/neurons.Speed.time_forward.json"))
    assert (repository / ".asv" / "html" / "index.html").is_file()

    from results import asv_results

    runs = asv_results.read((repository / ".asv" / "results").glob("*/*.json"))
    assert len({run.implementation for run in runs if run.experiment["parameters"]["layer"] == "lif torch"}) == 2
    assert all(run.outcome == "ok" and run.samples for run in runs)
