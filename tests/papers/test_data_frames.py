"""Results as data frames: the columns are as documented, the examples of the page run and print what they say."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

import results
from core.registry import UnknownName
from papers.frames import FRAMES
from results import Store, reading

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dataframes.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```\n\n```\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store that the page speaks of."""
    folder = tmp_path_factory.mktemp("frames")
    archives = re.findall(r"results/archive/\S+", PAGE)
    with Store(folder / "results" / "spikebench.db") as store:
        store.record_all(*reading.read([ROOT / archive for archive in archives]))
    return folder


def test_the_examples_run_as_written_and_print_what_the_page_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    known: dict[str, object] = {}
    assert len(EXAMPLES) == 3
    for code, printed in EXAMPLES:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(code, known)
        assert [line.rstrip() for line in said.getvalue().splitlines()] == printed.splitlines()
    assert (folder / "curves.png").stat().st_size > 0


@pytest.mark.parametrize("kind", FRAMES)
def test_every_column_is_described(kind: str) -> None:
    described = PAGE.partition(f'## Columns of `"{kind}"`')[2].partition("\n## ")[0]
    first_cells = [line.split("|")[1] for line in described.splitlines() if line.startswith("| `")]
    named = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(FRAMES[kind][0])


def test_an_empty_store_has_all_columns_and_a_missing_number_is_nan(folder: Path) -> None:
    with Store("sqlite://") as store:
        for kind, (columns, _) in FRAMES.items():
            found = results.frame(store, kind)
            assert (list(found.columns), len(found)) == (list(columns), 0)
            assert all(str(found[name].dtype) == "float64" for name in {"value", "low", "seconds"} & set(columns))


def test_rows_are_those_of_the_store(folder: Path) -> None:
    path = folder / "results" / "spikebench.db"
    with Store(path, read_only=True) as store:
        runs = store.runs()
        run = next(store.run(one.id) for one in runs if one.experiment.get("neuron") == "plif")
    found = results.frame(path)
    assert list(found.run) == [one.id for one in runs]
    curves = results.frame(str(path), "curves")
    own = curves[(curves.run == run.id) & (curves.metric == "test_accuracy")]
    assert list(zip(own.epoch, own.value, own.unit, strict=True)) == [
        (metric.step, metric.value, metric.unit) for metric in run.metrics if metric.name == "test_accuracy"
    ]
    cells = results.frame(path, "cells")
    assert {"plif_table", "plif_ablation"} <= set(cells.table[cells.runs > 0])
    speed = results.frame(path, "speed")
    assert not speed.figure.str.endswith(("_low", "_high")).any()
    timed = speed[speed.figure == "training_seconds"]
    assert (timed.low <= timed.value).all()
    assert (timed.value <= timed.high).all()


def test_another_kind_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"Unknown kind of data frame 'run'\. Did you mean 'runs'"):
        results.frame("nosuch.db", "run")


def test_pandas_is_loaded_when_a_frame_is_made() -> None:
    probe = "import sys, results; results.frame; assert not {'pandas', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=60)
