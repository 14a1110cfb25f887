"""Made-up runs of a ranked table, whose scores are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from finished_runs import measured

from papers.leaderboard.table import LEADERBOARD
from papers.table import Cell
from results import Metric, Run, Store

COLUMNS = ("8x8 digits by column", "adding")
ROWS = ("if", "lif", "psn", "lif, fptt")
SMALL = replace(
    LEADERBOARD,
    cells=lambda scale: [c for c in LEADERBOARD.cells(scale) if c.row in ROWS and c.column in COLUMNS],
)
SEEDS = range(2020, 2024)


def run(cell: Cell, seed: int, scores: tuple[float, ...], seconds: float, **changes: object) -> Run:
    """One whose score (0: guessed, 1: perfect) after each epoch is given, each epoch as long as another."""
    guessed, perfect = SMALL.ranked[cell.column]
    curve = cell.measure.curve("test")
    metrics = [Metric(curve, guessed + s * (perfect - guessed), cell.measure.unit, i) for i, s in enumerate(scores)]
    metrics += [Metric("train_seconds", seconds, "s", epoch) for epoch in range(len(scores))]
    metrics += [Metric("latency", 2 * seconds, "ms"), Metric("inference_throughput", 1 / seconds, "samples/s")]
    counts = {"ops_samples": 397, "ops_ac_1": 1000, "ops_mac_1": 0, "ops_ac_2": 0, "ops_mac_2": 2000}
    metrics += [Metric(name, count, "op" if count else "count") for name, count in counts.items()]
    given = {"metrics": tuple(metrics), "peak_memory": 2**20, **changes}
    return measured(cell.experiment.with_seed(seed), 0.5, **given)


def filled(path: Path, without: tuple[str, str] = ("", "")) -> Path:
    """A store in which psn is best and slow, lif second, if third; lif by fptt is a little better than lif by bptt.
    There are no runs of the cell `without`."""
    after = {"psn": (0.1, 0.5, 0.9), "lif": (0.5, 0.6, 0.7), "if": (0.3, 0.3, 0.3), "lif, fptt": (0.5, 0.7, 0.8)}
    seconds = {"psn": 2.0, "lif": 1.0, "if": 1.0, "lif, fptt": 1.0}
    runs = [
        run(cell, seed, tuple(s + 0.001 * number for s in after[cell.row]), seconds[cell.row])
        for cell in SMALL.cells("quick")
        if (cell.row, cell.column) != without
        for number, seed in enumerate(SEEDS)
    ]
    with Store(path) as store:
        store.record_all(runs)
    return path
