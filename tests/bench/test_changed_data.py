"""A data set that changes between two commands, here an MNIST that grows."""

from __future__ import annotations

import signal
import struct
from pathlib import Path

import numpy as np
import pytest
import stores
import warm
from commands import Command

from results import Run, Store

PLUGIN = """
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.table import Cell, Table

def table(name, epochs):
    experiment = Experiment(
        task="mnist", model="plif_mnist", neuron="plif", scheme="bptt", epochs=epochs, batch_size=32, scale="quick",
        seed=0, model_options={"channels": 2, "hidden": 6, "T": 2}, scheme_options={"lr": 0.01},
    )
    cell = Cell("one", "MNIST", ACCURACY, experiment)
    return Table(name, "growing", "a table", lambda scale: [cell])

GROWING, LASTING = table("growing", 1), table("lasting", 60)
"""
POINTS = "[spikebench.tables]\ngrowing = growing_plugin:GROWING\nlasting = growing_plugin:LASTING\n"


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "plugin"
    info = folder / "growing_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "growing_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: growing-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return folder


def put(root: Path, samples: int) -> str:
    """Writes so many training images, and a few for the test; returns the option that names the place."""
    drawn = np.random.default_rng(0)
    for stem, n in (("train", samples), ("t10k", 20)):
        for kind, magic, shape in (("images-idx3", 3, (n, 28, 28)), ("labels-idx1", 1, (n,))):
            path = root / f"MNIST/raw/{stem}-{kind}-ubyte"
            path.parent.mkdir(parents=True, exist_ok=True)
            head = bytes([0, 0, 8, magic]) + struct.pack(f">{len(shape)}I", *shape)
            path.write_bytes(head + drawn.integers(0, 10, shape, dtype=np.uint8).tobytes())
    return f"--data={root}"


def runs(store: Path) -> list[Run]:
    with Store(store) as opened:
        return [opened.run(run.id) for run in opened.runs()]


@pytest.mark.slow
def test_a_result_of_a_subset_is_stale_when_more_is_at_hand(reproduce: Command, tmp_path: Path) -> None:
    data = put(tmp_path / "data", 32)
    assert reproduce("growing", data).returncode == 0
    assert reproduce("growing", data, "--plan").stdout.startswith("done ")
    put(tmp_path / "data", 64)
    planned = reproduce("growing", data, "--plan").stdout
    assert planned.startswith("stale ")
    assert "(other data: measured on " in planned
    again = reproduce("growing", data)
    assert again.returncode == 0
    assert "[1/1]" in again.stdout
    assert "*" not in again.stdout
    assert [run.datasets[0].counts["train"] for run in runs(tmp_path / "store.db")] == [32, 64]
    assert reproduce("growing", data, "--plan").stdout.startswith("done ")
    put(tmp_path / "data", 32)  # and back: the first is current again
    assert reproduce("growing", data, "--plan").stdout.startswith("done ")
    assert reproduce("growing", "--plan").stdout.startswith("done ")  # without data nothing tells
    assert "*" not in reproduce("growing", data).stdout  # no value shown is stale


@pytest.mark.faults
@pytest.mark.slow
def test_a_training_is_not_gone_on_with_on_other_data(
    reproduce: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    data = put(tmp_path / "data", 32)
    places = ["--store", str(stores.with_published(tmp_path / "store.db")), "--out", str(tmp_path / "out")]
    running = warm.Process(["-m", "bench.reproduce", "lasting", data, *places], environment)
    running.until(lambda: list(tmp_path.glob("out/checkpoints/*.pt")))
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    put(tmp_path / "data", 64)
    done = reproduce("lasting", data)
    assert done.returncode == 0, done.stderr
    assert "is of a training on other data (digest " in done.stdout
    last = runs(tmp_path / "store.db")[-1]
    assert last.outcome == "ok"
    assert "other data" in last.reason
    assert {metric.value for metric in last.metrics if metric.name == "train_samples"} == {64}
