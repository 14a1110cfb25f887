"""A plug-in of small and of broken experiments, found through entry points like any user's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import stores
import warm
from commands import Command, plain_environment

PLUGIN = """
import os, signal, time
from dataclasses import replace
from functools import partial
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.protocols import LAST
from papers.psn import claims as psn_claims
from papers.table import Cell, Source, Table

def cell(name, model="plif_mnist", epochs=2, task="digits", sources=(), **options):
    net = {"side": 8, "channels": 3, "hidden": 12, "T": 3}
    experiment = Experiment(
        task=task, model=model, neuron="plif", scheme="bptt", epochs=epochs, batch_size=128, scale="quick", seed=0,
        task_options={"validation": 0.15}, model_options={**net, **options},
        neuron_options={"init_tau": 2.0, "detach_reset": True}, scheme_options={"lr": 0.01},
    )
    return Cell(name, "digits", ACCURACY, experiment, sources)

def table(name, *cells):
    return Table(name, "tiny", "a small table", lambda scale: list(cells))

def segfault(neuron, **options):
    os.kill(os.getpid(), signal.SIGSEGV)

def hang(neuron, **options):
    time.sleep(600)

def hog(neuron, **options):
    import torch
    torch.zeros(2**34)

def bug(neuron, **options):
    raise RuntimeError("first line\\nsecond line")

def nan(neuron, **options):
    import models.plif
    network = models.plif.mnist(neuron, **options)
    network.fc[6].register_forward_hook(lambda module, args, out: out * float("nan"))
    return network

def parallel(name, neuron, **options):
    experiment = Experiment(
        task="digits_recall", model="psn_sequential", neuron=neuron, scheme="bptt", epochs=2, batch_size=256,
        scale="quick", seed=0, task_options={"T": 9},
        model_options=dict(side=8, width=9, answer=1, inputs=1, channels=4, hidden=8, blocks=1, depth=1),
        neuron_options=options, scheme_options={"loss": "cross_entropy", "optimizer": "adamw"},
        checks=("psn_identities",),
    )
    return Cell(name, "recall", ACCURACY, experiment, protocol=LAST)

PARALLEL = Table(
    "parallel", "psn", "parallel neurons", lambda scale: [
        parallel("PSN", "psn", T=9), parallel("masked PSN", "masked_psn", T=9, k=3, scheduled=True),
        parallel("sliding PSN", "sliding_psn", k=3),
        parallel("LIF without reset", "lif", without_reset=True, v_reset=None),
    ],
    (psn_claims.C1, psn_claims.C2_STEPS, psn_claims.C2_FORMS, psn_claims.C3, psn_claims.C4, psn_claims.C14),
)
def detector():
    from papers.fptt.trained_detector import FPTT_DETECTOR
    made = FPTT_DETECTOR.cells("quick")[0]
    experiment = replace(
        made.experiment, task_options={"train": 8, "test": 5}, epochs=2, batch_size=4, evaluation={"repeats": 2},
        model_options={"T": 2, "classes": 3, "divisor": 32},
    )
    return replace(made, experiment=experiment)

DETECTOR = table("detector", detector())
TINY = table("tiny", cell("one"), cell("other", channels=4))
LONG = table("long", cell("one", epochs=20), cell("other", epochs=20, channels=4))
ENDLESS = table("endless", cell("one", epochs=4000))  # so long that it can be stopped at any moment
BROKEN = table(
    "broken", cell("good"), *[cell(name, model=name) for name in ("segfault", "hang", "hog", "bug", "nan")],
    cell("no data", task="mnist"),
)
"""
ENTRY_POINTS = """
[spikebench.tables]
tiny = tiny_plugin:TINY
detector = tiny_plugin:DETECTOR
parallel = tiny_plugin:PARALLEL
long = tiny_plugin:LONG
endless = tiny_plugin:ENDLESS
broken = tiny_plugin:BROKEN

[spikebench.models]
segfault = tiny_plugin:segfault
hang = tiny_plugin:hang
hog = tiny_plugin:hog
bug = tiny_plugin:bug
nan = tiny_plugin:nan
"""


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that makes the plug-in's tables and models known to processes that have it on their path."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "tiny_plugin.py").write_text(PLUGIN)
    info = folder / "tiny_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture
def environment(plugin: Path) -> dict[str, str]:
    return plain_environment(plugin)


@pytest.fixture
def reproduce(environment: dict[str, str], tmp_path: Path) -> Command:
    """Runs `python -m bench.reproduce` with its store and output in `tmp_path`; pages only where they are asked for.

    A command that may write finds the published values in its store, where it would put them.
    """

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        command = ["-m", "bench.reproduce", *arguments]
        if "--report" not in arguments:
            command.append("--no-report")
        if not any(argument.startswith("--store") for argument in arguments):
            place = tmp_path / "store.db"
            if "--plan" not in arguments and not place.exists():
                stores.with_published(place)
            command += ["--store", str(place)]
        if "--out" not in arguments:
            command += ["--out", str(tmp_path / "out")]
        return warm.run(command, env={**environment, **changes})

    return run
