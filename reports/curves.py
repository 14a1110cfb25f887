"""Which curves stand together: our runs of a table, the authors' runs beside them, and the plots of a single run."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import figures
from .figures import Line

if TYPE_CHECKING:
    from bench.evaluate import CellResult, TableResult
    from results import Metric, Published, StoredRun

Curve = tuple[tuple[float, ...], tuple[float | None, ...]]  # epochs, values
AuthorsCurves = Mapping[str, Mapping[str, Curve]]  # by run of the authors and metric


@dataclass(frozen=True)
class Plot:
    """An SVG, and the words below it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Group:
    """The plots of the columns that one set of experiments stands for.

    `legend` gives a line style by row for the accuracies, `layers` one by layer for the time constants.
    """

    title: str
    legend: tuple[tuple[str, int], ...]
    accuracy: tuple[Plot, ...]
    layers: tuple[tuple[str, int], ...]
    taus: tuple[Plot, ...]


def by_name(metrics: Iterable[Metric]) -> dict[str, Curve]:
    """The metrics recorded by epoch, as curves in order of epoch."""
    found: dict[str, list[Metric]] = defaultdict(list)
    for metric in metrics:
        if metric.step is not None:
            found[metric.name].append(metric)
    return {
        name: (
            tuple(float(m.step or 0) for m in sorted(points, key=_step)),
            tuple(m.value for m in sorted(points, key=_step)),
        )
        for name, points in sorted(found.items())
    }


def _step(metric: Metric) -> int:
    return metric.step or 0


def authors_curves(published: Iterable[Published]) -> dict[str, dict[str, Curve]]:
    """The published training curves by run and metric."""
    found: dict[str, dict[str, dict[float, float]]] = defaultdict(lambda: defaultdict(dict))
    for value in published:
        if value.step is not None:
            found[value.row][value.column][float(value.step)] = value.value
    return {
        run: {
            name: (tuple(sorted(points)), tuple(points[x] for x in sorted(points))) for name, points in columns.items()
        }
        for run, columns in found.items()
    }


def groups(result: TableResult, metrics: Mapping[str, Sequence[Metric]], authors: AuthorsCurves) -> list[Group]:
    """The measured columns of a table; columns that the same runs stand for are one group.

    None for a table with more rows than lines can be told apart: the pages of its runs have their curves.
    """
    if len(result.rows) > len(figures.STYLES):
        return []
    columns: dict[tuple[str, ...], list[str]] = {}
    for column in result.columns:
        cells = [cell for cell in result.cells if cell.cell.column == column]
        if any(cell.runs for cell in cells):
            columns.setdefault(tuple(cell.cell.experiment.key for cell in cells), []).append(column)
    return [_group(result, names, metrics, authors) for names in columns.values()]


def _group(
    result: TableResult,
    columns: list[str],
    metrics: Mapping[str, Sequence[Metric]],
    authors: AuthorsCurves,
) -> Group:
    styles = {row: style for style, row in enumerate(result.rows)}
    cells = [cell for cell in result.cells if cell.cell.column == columns[0]]
    ours: dict[str, list[CellResult]] = {}
    for cell in cells:
        ours.setdefault(cell.cell.experiment.key, []).append(cell)
    curves = {run.id: by_name(metrics.get(run.id, ())) for cell in cells for run in cell.runs}
    accuracy = [_ours(ours.values(), curves, styles)]
    with_taus: list[tuple[str, Mapping[str, Curve], str]] = []
    for same in ours.values():
        if same[0].runs:
            run = same[0].runs[0]
            with_taus.append((f"Ours, {_rows(same)}, seed {run.seed}", curves[run.id], "tau_"))
    experiment = cells[0].cell.experiment
    # A small stand-in has epochs of its own; where the data are the paper's, the same epochs stand side by side.
    last = math.inf if experiment.scale == "quick" else experiment.epochs - 1
    span = "" if last == math.inf else f", first {experiment.epochs} epochs"
    remark = f"{span}; not the same experiment" if cells[0].cell.not_comparable else span
    shown: list[dict[str, str]] = []
    for column in columns:
        logs = {c.cell.row: c.cell.log for c in result.cells if c.cell.column == column and c.cell.log in authors}
        if logs in shown:  # the same runs read by another protocol
            continue
        shown.append(logs)
        theirs = {row: _until(authors[log], last) for row, log in logs.items()}
        accuracy.append(_theirs(column, theirs, styles, remark))
        with_taus += [(f"Authors, {column}, {row}{remark}", found, "tau") for row, found in theirs.items()]
    layers = max((len(_layers(found, prefix)) for _, found, prefix in with_taus), default=0)
    return Group(
        "; ".join(result.headings[column] for column in columns),
        tuple(styles.items()),
        tuple(plot for plot in accuracy if plot.svg),
        tuple((f"layer {layer + 1}", layer) for layer in range(layers)),
        tuple(plot for plot in (_taus(*one) for one in with_taus) if plot.svg),
    )


def _rows(cells: Sequence[CellResult]) -> str:
    return " and ".join(cell.cell.row for cell in cells)


def _percent(curve: Curve) -> Curve:
    return curve[0], tuple(None if value is None else 100 * value for value in curve[1])


def _ours(
    series: Iterable[list[CellResult]], curves: Mapping[str, Mapping[str, Curve]], styles: Mapping[str, int]
) -> Plot:
    lines: list[Line] = []
    shared, seeds = [], []
    for same in series:
        style = styles[same[0].cell.row]
        found = [_percent(curves[run.id]["test_accuracy"]) for run in same[0].runs if "test_accuracy" in curves[run.id]]
        seeds.append(len(same[0].runs))
        if len(found) > 1:
            lines += [Line(_rows(same), x, y, style, faint=True) for x, y in found]
            found = [_mean(found)]
        lines += [Line(_rows(same), x, y, style) for x, y in found]
        if len(same) > 1 and found:
            shared.append(f"{_rows(same)} share their runs")
    most, least = max(seeds), min(filter(None, seeds), default=0)
    number = f"{least} to {most}" if least < most else f"{most}"
    many = f"mean (thick) and each of {number} seeds" if most > 1 else "one seed"
    caption = "; ".join([f"Our runs, {many}", *shared])
    return Plot(figures.panel("Test accuracy by epoch, our runs", lines, "test accuracy, %"), caption)


def _mean(curves: Sequence[Curve]) -> Curve:
    """Mean over the curves at the epochs that all of them reached."""
    values = [dict(zip(x, y, strict=True)) for x, y in curves]
    epochs = sorted(set.intersection(*(set(v) for v in values)))
    columns = [[v[epoch] for v in values] for epoch in epochs]
    means = (statistics.fmean(v for v in c if v is not None) if None not in c else None for c in columns)
    return tuple(epochs), tuple(means)


def _theirs(column: str, runs: Mapping[str, Mapping[str, Curve]], styles: Mapping[str, int], remark: str) -> Plot:
    lines = [Line(row, *_percent(found["test_acc"]), styles[row]) for row, found in runs.items() if "test_acc" in found]
    svg = figures.panel(f"Test accuracy by epoch, the authors' runs on {column}", lines, "test accuracy, %")
    return Plot(svg, f"The authors' runs on {column}{remark}")


def _until(curves: Mapping[str, Curve], last: float) -> dict[str, Curve]:
    """The curves up to epoch `last`."""
    kept = {name: [point for point in zip(*curve, strict=True) if point[0] <= last] for name, curve in curves.items()}
    return {name: (tuple(x for x, _ in points), tuple(y for _, y in points)) for name, points in kept.items()}


def _layers(curves: Mapping[str, Curve], prefix: str) -> list[str]:
    """Names of the metrics `prefix`0, `prefix`1 ... that there are, in this order."""
    numbers = sorted(int(n) for name in curves if name.startswith(prefix) and (n := name[len(prefix) :]).isdecimal())
    return [f"{prefix}{n}" for n in numbers]


def _taus(what: str, curves: Mapping[str, Curve], prefix: str) -> Plot:
    """Time constants by layer; `prefix` is how their metrics begin, followed by the layer's number."""
    lines = [Line(f"layer {place + 1}", *curves[name], place) for place, name in enumerate(_layers(curves, prefix))]
    svg = figures.panel(f"Time constant of each layer by epoch. {what}", lines, "tau, steps (log)", log=True)
    return Plot(svg, what)


def of_run(run: StoredRun, metrics: Sequence[Metric]) -> list[tuple[Plot, tuple[tuple[str, int], ...]]]:
    """The plots of one run, each with its legend: accuracy, loss, time constants, firing rates."""
    curves = by_name(metrics)
    percent = {name: _percent(curve) for name, curve in curves.items()}
    wanted = (
        ("Accuracy", "accuracy, %", percent, ["test_accuracy", "validation_accuracy", "train_accuracy"], False),
        ("Training loss", "loss", curves, ["train_loss"], False),
        ("Time constants by layer", "tau, steps (log)", curves, _layers(curves, "tau_"), True),
        ("Firing rates by layer", "spikes per neuron and step, %", percent, _layers(curves, "rate_"), False),
    )
    found = []
    for title, y_label, source, names, log in wanted:
        present = [name for name in names if name in source]
        lines = [Line(_label(name), *source[name], style) for style, name in enumerate(present)]
        svg = figures.panel(f"{title} by epoch, run {run.id[:8]}", lines, y_label, log=log)
        if svg:
            found.append((Plot(svg, title), tuple((line.label, line.style) for line in lines)))
    return found


def _label(name: str) -> str:
    head, _, tail = name.rpartition("_")
    return f"layer {int(tail) + 1}" if head and tail.isdecimal() else name.replace("_accuracy", "").replace("_", " ")
