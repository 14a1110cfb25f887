"""Results as text, files of published values, configuration files of works."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from papers import registry
from results import Metric, Picture, Planned, Raster, Run, Sample, Store, asv_results, published, reading
from results.lines import dump
from results.run import Dataset, Parity, content_key

from .damage import damaged, other_values
from .reader import Reader

DATASET = Dataset("d1" * 32, "digits", True, {"train": 1400, "test": 397}, "")
YAML = """dataset: {name: shd, path_to_dataset: ../datasets, num_classes: 20, input_size: 700}
learning: {batch_size: 128, lr: 1e-3, lr_decay: False, weight_decay: 0.0001, epochs: 80, clip_norm: 10}
network: {neuron_type: adlif, hidden_size: [256 256]}
simulation: {dt: 10, T: 100, T_empty: 0}
neuron_params1: {tau_m: 5, tau_s: 5., theta: 0.5}
neuron_params2: {tau_m: 60., tau_s: 60., theta: 10.}
loss:
  loss_mode: first_time
  FS: {alpha: 0.2, D: 16, A: 200}
  FR: {alpha: 20}
  treg: {lambda: 0.01, beta: 0.02}
"""
JSON = {"epochs": 3, "batch_size": 20, "lr": 0.01, "w_decay": 0.2, "use_adam": False, "early_stopping": 4, "w_ei": True}
TOML = """paper = "made"
title = "A work"
reference = "Somebody"
[[table]]
id = "one"
caption = "A table"
source = "page 1"
provenance = "reported"
note = ""
[[table.block]]
protocol = "A"
unit = "%"
decimals = 2
columns = ["MNIST", "N-MNIST"]
rows = [["PLIF", 99.72, 99.61]]
"""


def lines() -> bytes:
    """What a store of one record of each kind is as text."""
    experiment = {"task": "digits", "options": {"T": 4}}
    common: dict[str, Any] = {
        "machine": {"cpu": "one"},
        "environment": {"python": "3"},
        "started": "2026-01-02T03:04:05Z",
    }
    run = Run(
        id="0f" * 16, experiment=experiment, experiment_key=content_key(experiment), implementation="f00d",
        outcome="ok", reason="", seconds=1.5, seed=7, device="cpu", backend="torch", command="made up",
        peak_memory=2**40, datasets=(DATASET,), metrics=(Metric("test_accuracy", 0.25, "fraction", 0),),
        samples=(Sample("step", 0, 1e-3, "s"),), kernels={"fused": {"code": "1"}},
        pictures=(
            Picture(3, 64, 48, "AAEC", (("dog", (1.5, 2, 30, 40), 0.75),), (("cat", (0, 0, 5, 5)),)),
            Raster(4, 2, (("out", 3, 2, "gA=="),), 1, 0),
        ),
        **common,
    )  # fmt: skip
    parity = Parity(
        id="0e" * 16, neuron="plif", backend="fused", step_mode="m", dtype="float32", device="cpu", detach_reset=True,
        case="one", flips=1, first_step=3, threshold_distance=1e-9, state_error=2e-7, grad_error=None, kernel="k",
        green=False, reason="one spike differs", implementation="f00d", **common,
    )  # fmt: skip
    plan = Planned(run.experiment_key, "f00d", (1, 2), "2026-01-02T03:04:05Z")
    with Store("sqlite://") as store:
        store.record_all([run], [parity], [plan])
        return "\n".join(dump(store)).encode()


def _import(folder: Path) -> None:
    """Takes lines into a store, shows and writes what is there."""
    from papers.headline import headlines
    from reports import listing

    records = reading.read([folder / "lines.jsonl"])
    with Store("sqlite://") as store:
        store.record_all(*records)
        runs = store.runs()
        found = headlines(store, runs)
        listing.write(runs, found)
        if runs:
            listing.show(runs, found)
        for run in store.full_runs():
            listing.show_one(run)
        list(dump(store))


def _yaml(folder: Path) -> None:
    from papers import ORIGINALS

    for scale in ("short", "paper"):
        table, _ = ORIGINALS.get("fs_table")(("--path_to_yaml", str(folder / "one.yaml")), scale)
        table.cells(scale)


def _json(folder: Path) -> None:
    table = registry.get("ttfs_table")
    assert table.configured is not None
    for scale in ("quick", "paper"):
        table.configured(table, folder / "asked.json").cells(scale)


def _asv() -> dict[str, bytes]:
    columns = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "samples"]
    row = [
        [0.002, None],
        [["'lif'", "'plif'"]],
        "v1",
        1790000000000,
        3.5,
        [0.0019, None],
        [0.0022, None],
        [[0.1], None],
    ]
    machine = {"arch": "x86_64", "cpu": "one", "machine": "m", "num_cpu": "2", "os": "Linux", "ram": "8"}
    document = {
        "version": 2, "commit_hash": "a" * 40, "env_name": "e", "date": 1789999999000, "params": machine,
        "python": "python", "requirements": {}, "env_vars": {}, "result_columns": columns, "results": {"s.S.t": row},
    }  # fmt: skip
    about = {"s.S.t": {"param_names": ["layer"], "unit": "seconds"}}
    return {
        "benchmarks.json": json.dumps(about).encode(),
        "m/machine.json": json.dumps(machine).encode(),
        "m/a.json": json.dumps(document).encode(),
    }


def _published(folder: Path) -> None:
    tables, values = published.load(folder / "made.toml")
    list(itertools.chain(tables, values))


def readers() -> list[Reader]:
    exported = {"lines.jsonl": lines()}
    return [
        Reader("lines", exported, _import, other_values),
        Reader("lines as bytes", exported, _import, damaged),
        Reader("asv", _asv(), lambda folder: asv_results.read([folder / "m/a.json"]), damaged),
        Reader("asv values", _asv(), lambda folder: asv_results.read([folder / "m/a.json"]), other_values),
        Reader("yaml", {"one.yaml": YAML.encode()}, _yaml, damaged),
        Reader("json", {"asked.json": json.dumps(JSON).encode()}, _json, damaged),
        Reader("json values", {"asked.json": json.dumps(JSON).encode()}, _json, other_values),
        Reader("published", {"made.toml": TOML.encode()}, _published, damaged),
    ]
