"""`python -m bench.reproduce --operations --rasters` from end to end: a real training, counted, stored and shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command, within

from bench.reproduce import app
from papers.operations import read
from results import Raster, Store


@pytest.mark.slow
def test_a_cell_is_counted_beside_what_is_stored_of_it(reproduce: Command, tmp_path: Path) -> None:
    first = reproduce("tiny", "--only", "one")
    assert first.returncode == 0, first.stderr
    assert "Operations" not in first.stdout
    done = reproduce("tiny", "--only", "one", "--operations", "--rasters", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "[1/1] " in done.stdout  # what was stored is not trained again
    for said in ("Energy by cost table", "45 nm FP32", "shortcut", "397 test samples, T = 3, 1 seed"):
        assert said in done.stdout, said
    assert "– joules are not measured: they are an NVIDIA GPU's, and this ran on cpu" in done.stdout
    with Store(tmp_path / "store.db") as store:
        plain, counted = (store.run(run.id) for run in store.runs())
    curves, others = (
        {(m.name, m.step): m.value for m in run.metrics if m.step is not None and m.name != "train_seconds"}
        for run in (plain, counted)
    )
    assert curves == others  # neither decides anything of the training
    assert [type(one) for one in counted.pictures] == [Raster] * 10
    assert plain.pictures == ()
    assert counted.experiment == {**plain.experiment, "measures": counted.experiment["measures"]}
    assert not [metric for metric in plain.metrics if metric.name.startswith("ops_")]
    found = read({metric.name: metric.value for metric in counted.metrics})
    assert found is not None
    assert [layer.name for layer in found.layers] == ["static_conv.0", "conv.2", "fc.2", "fc.5"]
    assert found.layers[0].dense == 3 * (6 * 6 * 9 + 4 * 6 * 6 + 4 * 4)  # once, as it computes
    assert found.layers[-1].dense == 3 * 12 * 100
    assert (found.samples, found.T, found.state) == (397, 3, 4 * (3 * 64 + 3 * 16 + 12 + 100))
    assert (found.ac, found.mac) == (sum(one.ac or 0 for one in found.layers[1:]), found.layers[0].mac)
    again = reproduce("tiny", "--only", "one", "--operations", "--rasters", COLUMNS="200")
    assert "[1/" not in again.stdout
    assert "--rasters keeps spikes of what is trained now; 2 of 2 experiments are done. --force" in again.stdout


@pytest.mark.parametrize(("option", "purpose"), [("--operations", "counted"), ("--rasters", "watched")])
def test_there_has_to_be_something_to_count(option: str, purpose: str) -> None:
    done = within(app, "parity", option)
    assert done.returncode == 2
    said = f"{option} was given, but nothing of parity is a training whose network could be {purpose}"
    assert said in " ".join(done.stderr.split())
