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


def change(folder: Path, **values: Any) -> str:
    """Puts another entry into the result file, as the first one with these columns changed; its name."""
    (file,) = folder.glob("machine/a*.json")
    document = json.loads(file.read_text())
    row = dict(zip(COLUMNS, document["results"]["neurons.Speed.time_forward"], strict=True))
    name = values.pop("name", "neurons.Other.time_other")
    document["results"] = {name: list((row | values).values()), **document["results"]}
    write(file, document)
    return name


@pytest.mark.parametrize(
    ("about", "values", "why"),
    [
        (None, {}, "benchmarks.json does not know it"),
        ({"param_names": ["layer"]}, {}, "measured over 2 parameters, benchmarks.json knows 1"),
        ({}, {}, "measured over 2 parameters, benchmarks.json knows 0"),
        ({"params": [["'4x65536'"], ["'lif torch'", "'lif fused'"]]}, {}, "'lif torch', which is no value of 'layer'"),
        ({"params": [["'lif torch'"], ["'4x65536'"]]}, {}, "'lif fused', which is no value of 'layer'"),
        ({"params": [["'lif torch'"]]}, {}, "left out"),
        ({"version": "v1"}, {"started_at": None}, "does not say when"),
        ({}, {"result": [0.1]}, "left out"),
        ({}, {"params": 7}, "left out"),
        ({}, {"started_at": 10**30}, "left out"),
        ({}, {"result": ["slow", "slower"]}, "left out"),
        (["odd"], {}, "left out"),
    ],
)
def test_an_entry_that_cannot_be_told_costs_only_itself(
    folder: Path, capsys: pytest.CaptureFixture[str], about: Any, values: dict[str, Any], why: str
) -> None:
    name = change(folder, **values)
    if about is not None:
        known = {"param_names": ["layer", "shape"], "unit": "seconds"}
        if about == {} and not values:
            known = {}
        write(folder / "benchmarks.json", ABOUT | {name: known | about if isinstance(about, dict) else about})
    (file,) = folder.glob("machine/a*.json")
    with pytest.raises(SystemExit) as ended:
        app(["import-asv", str(file), "--store", str(folder / "store.db")])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.out.startswith("3 new")
    assert said.err.startswith(f"{file}: {name} is left out: ")
    assert why in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_edited_benchmark_keeps_its_history(folder: Path, version: str) -> None:
    """What was measured with other code is told by the commit; a further value of a parameter changes nothing."""
    params = {
        "neurons.Speed.time_forward": [["'lif torch'", "'plif torch'", "'lif fused'"], ["'4x65536'", "'8x65536'"]],
        "neurons.Memory.track_saved": [["'lif fused'", "'lif torch'"]],
    }
    files = sorted(folder.glob("machine/*.json"))
    plain = asv_results.read(files)
    described = {name: about | {"version": version, "params": params[name]} for name, about in ABOUT.items()}
    write(folder / "benchmarks.json", described)
    assert asv_results.read(files) == plain


def test_other_files_are_refused_with_a_sentence(folder: Path) -> None:
    write(folder / "machine" / "other.json", {"results": {}, "hello": 1})
    write(folder / "machine" / "list.json", [1])
    (folder / "machine" / "broken.json").write_text("{")
    for name in ("other.json", "list.json"):
        with pytest.raises(StoreError, match=rf"{name} is no result file of asv .* Give files that asv run wrote"):
            asv_results.read([folder / "machine" / name])
    with pytest.raises(StoreError, match=r"broken\.json cannot be read"):
        asv_results.read([folder / "machine" / "broken.json"])
    with pytest.raises(StoreError, match=r"missing\.json cannot be read"):
        asv_results.read([folder / "machine" / "missing.json"])


def test_more_brackets_than_can_be_read(folder: Path) -> None:
    file = folder / "machine" / "aaaaaaaa-virtualenv-py3.11.json"
    file.write_text("[" * 100_000)
    with pytest.raises(StoreError, match=r"json cannot be read: maximum recursion depth exceeded .* Give the files"):
        asv_results.read([file])
