"""Results as data frames of pandas; docs/dataframes.md describes every column and shows how they are used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.registry import unknown

from .experiment import SCALES, Experiment
from .labels import labels
from .measurement import is_measurement
from .measures import of_metric
from .read_once import ReadOnce
from .seeds import template_of
from .sides import Backed, around, is_end

if TYPE_CHECKING:
    import pandas

    from results import Store, StoredRun

Rows = Iterator[tuple[Any, ...]]
AT_ONCE = 500  # runs whose metrics are read together
SETTING = ("task", "model", "neuron", "scheme", "scale")  # of the experiment of a training
RUNS = (
    "run", "started", "outcome", "reason", "kind", "experiment", "setting", "name", "seed", *SETTING, "what",
    "contender", "device", "backend", "seconds", "peak_memory", "implementation", "revision", "cpu", "cores", "command",
)  # fmt: skip
CURVES = ("run", "setting", "name", "seed", *SETTING, "metric", "split", "measure", "epoch", "value", "unit")
CELLS = (
    "paper", "table", "scale", "row", "column", "protocol", "measure", "unit", "published", "source", "measured", "low",
    "high", "runs", "verdict", "reason", "stale", "setting",
)  # fmt: skip
SPEED = (
    "run", "started", "what", "neuron", "contender", "T", "N", "size", "dtype", "threads", "allocator", "device",
    "cpu", "figure", "value", "low", "high", "unit", "verified",
)  # fmt: skip

TYPES = {  # of numbers that may be missing
    **dict.fromkeys(("seconds", "value", "published", "measured", "low", "high"), "float64"),
    **dict.fromkeys(("peak_memory", "cores", "T", "N"), "Int64"),
}


def frame(store: Store | str | Path, kind: str = "runs") -> pandas.DataFrame:
    """The results of `store`, which is open, a URL or the path of a file, as a data frame: "runs", "curves", "cells" or
    "speed". A missing value is None or NaN.

    Raises UnknownName for another kind, StoreError where the store cannot be read.
    """
    if kind not in FRAMES:
        raise unknown("kind of data frame", kind, FRAMES)
    import pandas

    from results import Store

    columns, rows = FRAMES[kind]
    if isinstance(store, Store):
        found = pandas.DataFrame.from_records(list(rows(store)), columns=list(columns))
        return found.astype({name: TYPES[name] for name in columns if name in TYPES})
    with Store(store, read_only=True) as opened:
        return frame(opened, kind)


def _names(runs: Iterable[StoredRun]) -> dict[str, str]:
    """The names of the settings of trainings."""
    trained = {key: run.experiment for run in runs if (key := template_of(run))}
    experiments = {key: Experiment.of({**document, "seed": 0}) for key, document in trained.items()}
    return labels(experiments.values())


def _runs(store: Store) -> Rows:
    runs = store.runs()
    names = _names(runs)
    for run in runs:
        what = run.experiment
        yield (
            run.id, run.started, run.outcome, run.reason, what.get("kind", "training"), run.experiment_key,
            template_of(run) or run.experiment_key, names.get(template_of(run) or ""), run.seed,
            *map(what.get, SETTING), what.get("what"), what.get("contender"), run.device, run.backend, run.seconds,
            run.peak_memory, run.implementation, run.environment.get("revision"), run.machine.get("cpu"),
            run.machine.get("cores"), run.command,
        )  # fmt: skip


def _curves(store: Store) -> Rows:
    trained = [run for run in store.runs() if template_of(run)]
    names = _names(trained)
    for start in range(0, len(trained), AT_ONCE):
        some = trained[start : start + AT_ONCE]
        metrics = store.metrics([run.id for run in some])
        for run in some:
            fixed = (
                run.id,
                template_of(run),
                names[template_of(run) or ""],
                run.seed,
                *map(run.experiment.get, SETTING),
            )
            for metric in metrics[run.id]:
                if metric.step is not None:
                    known = of_metric(metric.name)
                    split, measure = (known[0], known[1].name) if known else (None, None)
                    yield *fixed, metric.name, split, measure, metric.step, metric.value, metric.unit


def _cells(store: Store) -> Rows:
    """Of every table and scale of which anything is published or was run."""
    from . import registry
    from .evaluate import evaluate

    once = cast("Store", ReadOnce(store))
    for name in registry.names():
        table = registry.get(name)
        for scale in SCALES:
            for result in evaluate(once, table, scale).cells:
                cell = result.cell
                if not result.published and not result.attempts:
                    continue
                printed = next(iter(result.published), None)
                yield (
                    table.paper, name, scale, cell.row, cell.heading, cell.protocol.name, cell.measure.name,
                    cell.measure.show, printed and printed.value, printed and printed.source, result.measured,
                    result.low, result.high, len(result.runs), result.verdict, result.reason, result.stale,
                    cell.experiment.key,
                )  # fmt: skip


def _speed(store: Store) -> Rows:
    """One row for each figure; of a measurement that failed there is none."""
    backed = Backed(store)
    measured = [run for run in store.runs() if is_measurement(run) and run.outcome == "ok"]
    for start in range(0, len(measured), AT_ONCE):
        some = measured[start : start + AT_ONCE]
        metrics = store.metrics([run.id for run in some])
        for run in some:
            fixed, verified = _job(run), backed(run)
            values = {metric.name: metric.value for metric in metrics[run.id]}
            for metric in metrics[run.id]:
                if not is_end(metric.name):
                    low, high = around(metric.name, values) or (None, None)
                    yield *fixed, metric.name, metric.value, low, high, metric.unit, verified


def _job(run: StoredRun) -> tuple[Any, ...]:
    what = run.experiment
    size = what["size"]
    return (
        run.id, run.started, what["what"], what["neuron"], what["contender"], size.get("T"), size.get("N"),
        json.dumps(size, sort_keys=True), what["dtype"], what["threads"], what["allocator"], run.device,
        run.machine.get("cpu"),
    )  # fmt: skip


FRAMES: dict[str, tuple[tuple[str, ...], Callable[[Store], Rows]]] = {
    "runs": (RUNS, _runs),
    "curves": (CURVES, _curves),
    "cells": (CELLS, _cells),
    "speed": (SPEED, _speed),
}
