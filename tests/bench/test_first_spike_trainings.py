"""Trainings of the first-spike work end to end: they learn from times alone; a table of them is measured and shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import warm
from commands import plain_environment

from bench import worker
from bench.job import Request, Result
from papers.experiment import Experiment
from papers.first_spike.arms import ADLIF, FR, FS, MANIFOLDS, MEASURES, Arm, experiment
from papers.first_spike.behaviour import CORRECTED, RELEASED

FEW = {"train": 240, "test": 60}


def small(arm: Arm, **task_options: object) -> Experiment:
    made = experiment(arm, MANIFOLDS, "quick")
    scheme = {**made.scheme_options, "optimizer": {**made.scheme_options["optimizer"], "lr": 0.01}}
    few = {**made.task_options, **FEW, **task_options}
    return replace(made, task_options=few, scheme_options=scheme, epochs=4, batch_size=20)


def run(folder: Path, made: Experiment) -> Result:
    request = Request(
        made, "cpu", str(folder), folder / "cache", folder / "c.pt", folder / "logs/c.log", threads=1, memory=None
    )
    return worker._guarded(request, lambda sent: None)


def last(result: Result) -> dict[str, float | None]:
    assert result.outcome == "ok", result.reason
    return {metric.name: metric.value for metric in result.metrics if metric.step in (None, 3)}


@pytest.mark.parametrize(("coding", "behaviour"), [(FS, RELEASED), (FR, CORRECTED)])
def test_a_network_learns_from_times_alone(coding: str, behaviour: str, tmp_path: Path) -> None:
    found = last(run(tmp_path, small(Arm(ADLIF, coding, behaviour))))
    own = found[f"test_accuracy_{coding.lower()}"]
    assert own is not None
    assert own > 0.5, "chance is 0.25"
    assert {f"test_{name}" for name in MEASURES} <= set(found)
    assert 0 < found[f"test_td50_{coding.lower()}"] <= found[f"test_td90_{coding.lower()}"] < 40
    assert 0 < found["test_spikes_per_neuron"] < 40


def test_nothing_is_learned_where_the_times_are_shuffled(tmp_path: Path) -> None:
    found = last(run(tmp_path, small(Arm(ADLIF, FS, CORRECTED), shuffled=True)))
    assert found["test_accuracy_fs"] < 0.5
    assert found["test_accuracy_fr"] < 0.5


PLUGIN = """
from dataclasses import replace
from papers.first_spike.arms import CULIF, FS, MANIFOLDS, Arm, experiment
from papers.first_spike.protocols import READINGS, protocol
from papers.table import Cell, Table

def cells(scale):
    found = []
    made = experiment(Arm(CULIF, FS), MANIFOLDS, "quick")
    made = replace(made, epochs=1, task_options={**made.task_options, "train": 40, "test": 20})
    for reading in ("by first spike", "td50", "spikes per neuron"):
        way = protocol(reading, FS, "quick")
        found.append(Cell(CULIF, "times", READINGS[reading][FS], made, (), way, "small"))
    return found

TABLE = Table("times", "first_spike", "A small table", cells)
"""


@pytest.mark.slow
def test_a_table_is_measured_and_shown(tmp_path: Path) -> None:
    (tmp_path / "times_plugin.py").write_text(PLUGIN)
    info = tmp_path / "times_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: times-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spikebench.tables]\ntimes = times_plugin:TABLE\n")
    places = ["--store", str(tmp_path / "store.db"), "--out", str(tmp_path / "out")]
    done = warm.run(["-m", "bench.reproduce", "times", *places], env=plain_environment(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in ("times, by first spike", "times, td50", "times, spikes per neuron"):
        assert done.stdout.count(word) == 1, done.stdout
    page = (tmp_path / "out" / "report" / "index.html").read_text(encoding="utf-8")
    assert "times" in page
