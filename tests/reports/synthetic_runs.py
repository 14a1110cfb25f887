"""A store with invented runs of the real tables: accuracies follow a formula, so that pages can be checked by hand."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import stores

from bench.fingerprint import implementation
from papers.experiment import Experiment
from papers.plif.tables import PLIF_ABLATION, PLIF_TABLE
from papers.table import Cell
from results import Dataset, Metric, Run, Standing, Store

TEST_SAMPLES = 360
HOSTILE = "<script>alert('x')</script> & \"quoted\" \x1b[31m \x9b\u202e\u2066\u200b {{ 7*7 }} $x_1 %"
STEERING = re.compile(r"[^\n -~\u00a1-\U0010ffff]|[\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
FINAL = {("plif", 2.0): 0.95, ("plif", 16.0): 0.85, ("lif", 2.0): 0.94, ("lif", 16.0): 0.40}


def run(experiment: Experiment, seed: int = 0, final: float | None = None, **changes: Any) -> Run:
    """An invented run: test accuracy rises in equal steps to `final`, or else to FINAL less 0.01 a seed."""
    experiment = experiment.with_seed(seed)
    options = experiment.neuron_options
    tau = options.get("tau", options.get("init_tau"))
    final = FINAL[experiment.neuron, tau] - 0.01 * seed if final is None else final
    test = [final * (epoch + 1) / experiment.epochs for epoch in range(experiment.epochs)]
    metrics = [Metric("parameters", 12345, "count"), Metric("train_throughput", 812.5, "samples/s")]
    for epoch, value in enumerate(test):
        metrics += [
            Metric("test_accuracy", value, "fraction", epoch),
            Metric("validation_accuracy", value * 0.98, "fraction", epoch),
            Metric("train_accuracy", value * 1.02, "fraction", epoch),
            Metric("train_loss", 0.1 * (1 - value), "1", epoch),
            Metric("lr", 0.01, "1", epoch),
            Metric("train_seconds", 1.5, "s", epoch),
            *(Metric(f"rate_{layer}", 0.05 + 0.02 * layer, "fraction", epoch) for layer in range(4)),
        ]
        if experiment.neuron == "plif":
            metrics += [Metric(f"tau_{i}", tau + 0.02 * (i - 1) * epoch, "steps", epoch) for i in range(4)]
    fields: dict[str, Any] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, experiment.key)),
        "experiment": experiment.document(),
        "experiment_key": experiment.key,
        "implementation": implementation(experiment),
        "outcome": "ok",
        "reason": "",
        "started": f"2024-01-02T03:04:{seed:02d}.000000Z",
        "seconds": 61.0,
        "seed": seed,
        "device": "cpu",
        "backend": "torch",
        "command": "python -m bench.reproduce plif_table",
        "peak_memory": 300 * 2**20,
        "machine": {"cpu": "invented", "cores": 2, "memory": 8 * 2**30, "system": "none", "gpus": []},
        "environment": {"python": "CPython 3.11", "packages": {"torch": "2.11.0"}, "revision": None},
        "datasets": (Dataset("ab" * 32, experiment.task, True, {"train": 1437, "test": TEST_SAMPLES}),),
        "metrics": tuple(metrics),
    }
    return Run(**(fields | changes))


def failed(experiment: Experiment, outcome: str, reason: str, seed: int = 0, **changes: Any) -> Run:
    """An invented run that came to nothing."""
    return run(experiment, seed, outcome=outcome, reason=reason, metrics=(), datasets=(), **changes)


def runs_of(cells: Iterable[Cell], seeds: Iterable[int] = (0,)) -> list[Run]:
    """An invented run for every distinct experiment of the cells."""
    experiments = {cell.experiment.key: cell.experiment for cell in cells}
    return [run(experiment, seed) for seed in seeds for experiment in experiments.values()]


def cell(row: str, column: str, scale: str = "quick") -> Cell:
    """A cell of plif_ablation."""
    return next(c for c in PLIF_ABLATION.cells(scale) if (c.row, c.column) == (row, column))


def all_runs() -> list[Run]:
    """plif_table at quick scale, two seeds; of the ablation MNIST, three seeds, a failed run, one at short scale."""
    ablation = [c for c in PLIF_ABLATION.cells("quick") if c.column == "MNIST"]
    runs = runs_of(PLIF_TABLE.cells("quick"), (0, 1)) + runs_of(ablation, (0, 1, 2))
    runs.append(failed(cell("LIF 16 max", "N-MNIST").experiment, "diverged", HOSTILE, command=HOSTILE))
    runs += runs_of([cell("PLIF 2 max", "MNIST", "short")])
    return list({run.id: run for run in runs}.values())


def filled(path: Path, runs: list[Run]) -> Path:
    with Store(stores.with_published(path)) as store:
        store.record_all(runs)
    return path


def outdate(store: Store, experiment: Experiment) -> None:
    """Makes what `store` holds of `experiment` stale, as a later change of the code behind it does."""
    store.record_standing({experiment.with_seed(0).key: Standing("a later implementation")})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
