"""asv's result files as runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from results import Store, StoreError, asv_results
from results.__main__ import app

COMMIT = "a" * 40
COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "samples"]
ABOUT = {
    "neurons.Speed.time_forward": {"param_names": ["layer", "shape"], "unit": "seconds"},
    "neurons.Memory.track_saved": {"param_names": ["layer"], "unit": "bytes"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder as asv leaves it: two layers and one shape timed, one layer's memory tracked."""
    nan = float("nan")
    results = {
        "neurons.Speed.time_forward": [
            [0.002, nan],
            [["'lif torch'", "'lif fused'"], ["'4x65536'"]],
            "v1",
            1790000000000,
            3.5,
            [0.0019, nan],
            [0.0022, nan],
            [[0.0021, 0.002, 0.0019], None],
        ],
        "neurons.Memory.track_saved": [[12.0, None], [["'lif torch'", "'lif fused'"]], "v1", 1790000001000, 1.0],
    }
    document = {
        "version": 2,
        "commit_hash": COMMIT,
        "env_name": "virtualenv-py3.11",
        "date": 1789999999000,
        "params": {
            "arch": "x86_64",
            "cpu": "one",
            "machine": "somebody-laptop",
            "num_cpu": "2",
            "os": "Linux",
            "ram": "8",
        },
        "python": "/somewhere/python",
        "requirements": {},
        "env_vars": {},
        "result_columns": COLUMNS,
        "results": results,
    }
    write(tmp_path / "benchmarks.json", ABOUT)
    write(tmp_path / "machine" / "machine.json", document["params"])
    write(tmp_path / "machine" / "aaaaaaaa-virtualenv-py3.11.json", document)
    return tmp_path


def write(file: Path, document: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document))


def test_each_benchmark_and_parameters_is_a_run(folder: Path) -> None:
    runs = asv_results.read(sorted(folder.glob("machine/*.json")))
    assert [(run.experiment["benchmark"], run.experiment["parameters"], run.outcome) for run in runs] == [
        ("neurons.Speed.time_forward", {"layer": "lif torch", "shape": "4x65536"}, "ok"),
        ("neurons.Memory.track_saved", {"layer": "lif torch"}, "ok"),
        ("neurons.Memory.track_saved", {"layer": "lif fused"}, "crashed"),
    ]  # what asv skipped (NaN) is no run
    timed, tracked, failed = runs
    assert [(m.name, m.value, m.unit) for m in timed.metrics] == [
        ("time_forward", 0.002, "s"),
        ("time_forward_ci99_high", 0.0022, "s"),
        ("time_forward_ci99_low", 0.0019, "s"),
    ]
    assert [sample.value for sample in timed.samples] == [0.0021, 0.002, 0.0019]
    assert timed.started == "2026-09-21T14:13:20.000000Z"
    assert (timed.implementation, timed.backend) == (COMMIT, "torch")
    assert [(m.name, m.value, m.unit) for m in tracked.metrics] == [("track_saved", 12.0, "B")]
    assert failed.metrics == ()
    assert failed.reason
    assert "somebody" not in json.dumps([timed.machine, timed.environment])
    assert "somewhere" not in json.dumps([timed.machine, timed.environment])


def test_importing_twice_adds_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(folder / "store.db")
    files = [str(file) for file in folder.glob("machine/*.json")]
    for new in (3, 0):
        with pytest.raises(SystemExit) as ended:
            app(["import-asv", *files, "--store", store])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"{new} new")
    with Store(store, read_only=True) as opened:
        assert len(opened.runs()) == 3


def test_other_files_are_refused_with_a_sentence(folder: Path) -> None:
    write(folder / "machine" / "other.json", {"results": {}, "hello": 1})
    write(folder / "machine" / "odd.json", {"results": {"x.time_y": [[1]]}, "result_columns": ["result", "params"]})
    (folder / "machine" / "broken.json").write_text("{")
    assert asv_results.read([folder / "machine" / "other.json"]) == []
    with pytest.raises(StoreError, match=r"odd\.json is no result file of asv .* Give files that asv run wrote"):
        asv_results.read([folder / "machine" / "odd.json"])
    with pytest.raises(StoreError, match=r"broken\.json cannot be read"):
        asv_results.read([folder / "machine" / "broken.json"])
    with pytest.raises(StoreError, match=r"missing\.json cannot be read"):
        asv_results.read([folder / "machine" / "missing.json"])
