"""Which curves stand together: our runs of a table, the authors' runs beside them, and the plots of a single run."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from papers.layers import RATE, called, of_layers
from papers.measures import TEST, TRAIN, VALIDATION, shown

from . import figures
from .figures import Line

if TYPE_CHECKING:
    from papers.evaluate import CellResult, TableResult
    from papers.measures import Measure
    from papers.read_once import Value
    from results import Metric, Published, StoredRun

Curve = tuple[tuple[float, ...], tuple[float | None, ...]]  # epochs, values
TAU = "tau"
NO_MEASURES = ("train_seconds", "train_samples")  # kept for each epoch, but about the machine
AuthorsCurves = Mapping[str, Mapping[str, Curve]]  # by run of the authors and metric


@dataclass(frozen=True)
class Plot:
    """An SVG, and the words below it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Group:
    """The plots of the columns that one set of experiments stands for.

    `legend` gives a line style by row for what was measured, `layers` one by layer for the time constants.
    """

    title: str
    legend: tuple[tuple[str, int], ...]
    measured: tuple[Plot, ...]
    layers: tuple[tuple[str, int], ...]
    taus: tuple[Plot, ...]


def by_name(values: Iterable[Value]) -> dict[str, Curve]:
    """What was recorded by epoch, as curves in order of epoch."""
    found: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for name, step, value in values:
        if step is not None:
            found[name].append((float(step), value))
    curves: dict[str, Curve] = {}
    for name, points in sorted(found.items()):
        points.sort(key=itemgetter(0))
        curves[name] = tuple(step for step, _ in points), tuple(value for _, value in points)
    return curves


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


def groups(result: TableResult, values: Mapping[str, Sequence[Value]], authors: AuthorsCurves) -> list[Group]:
    """The measured columns of a table, from the `values` of its runs by id; columns that the same runs stand for are
    one group.

    None for a table with more rows than lines can be told apart (the pages of its runs have their curves), and none
    for columns without a curve.
    """
    if len(result.rows) > len(figures.STYLES):
        return []
    columns: dict[tuple[str, ...], list[str]] = {}
    for column in result.columns:
        cells = [cell for cell in result.cells if cell.cell.heading == column]
        if any(cell.runs for cell in cells):
            columns.setdefault(tuple(cell.cell.experiment.key for cell in cells), []).append(column)
    found = (_group(result, names, values, authors) for names in columns.values())
    return [group for group in found if group.measured or group.taus]


def _group(
    result: TableResult,
    columns: list[str],
    values: Mapping[str, Sequence[Value]],
    authors: AuthorsCurves,
) -> Group:
    styles = {row: style for style, row in enumerate(result.rows)}
    cells = [cell for cell in result.cells if cell.cell.heading == columns[0]]
    ours: dict[str, list[CellResult]] = {}
    for cell in cells:
        ours.setdefault(cell.cell.experiment.key, []).append(cell)
    curves = {run.id: by_name(values[run.id]) for cell in cells for run in cell.runs}
    measure = cells[0].cell.measure
    plots = [_ours(measure, ours.values(), curves, styles)]
    with_taus: list[tuple[str, Mapping[str, Curve]]] = []
    for same in ours.values():
        if same[0].runs:
            run = same[0].runs[0]
            with_taus.append((f"Ours, {_rows(same)}, seed {run.seed}", curves[run.id]))
    experiment = cells[0].cell.experiment
    # A small stand-in has epochs of its own; where the data are the paper's, the same epochs stand side by side.
    last = math.inf if experiment.scale == "quick" else experiment.epochs - 1
    span = "" if last == math.inf else f", first {experiment.epochs} epochs"
    remark = f"{span}; not the same experiment" if cells[0].cell.not_comparable else span
    shown: list[dict[str, str]] = []
    for column in columns:
        logs = {c.cell.row: c.cell.log for c in result.cells if c.cell.heading == column and c.cell.log in authors}
        if logs in shown:  # the same runs read by another protocol
            continue
        shown.append(logs)
        theirs = {row: _until(authors[log], last) for row, log in logs.items()}
        data = next(c.cell.of_paper for c in result.cells if c.cell.heading == column)
        plots.append(_theirs(measure, data, theirs, styles, remark))
        with_taus += [(f"Authors, {data}, {row}{remark}", found) for row, found in theirs.items()]
    layers = max((len(of_layers(found, TAU)) for _, found in with_taus), default=0)
    return Group(
        "; ".join(columns),
        tuple(styles.items()),
        tuple(plot for plot in plots if plot.svg),
        tuple((f"layer {layer + 1}", layer) for layer in range(layers)),
        tuple(plot for plot in (_taus(*one) for one in with_taus) if plot.svg),
    )


def _rows(cells: Sequence[CellResult]) -> str:
    return " and ".join(cell.cell.row for cell in cells)


def _shown(curve: Curve, unit: str) -> Curve:
    """The curve in the unit that a reader gets."""
    return curve[0], tuple(None if value is None else shown(value, unit)[0] for value in curve[1])


def _ours(
    measure: Measure,
    series: Iterable[list[CellResult]],
    curves: Mapping[str, Mapping[str, Curve]],
    styles: Mapping[str, int],
) -> Plot:
    name = measure.curve(TEST)
    lines: list[Line] = []
    shared, seeds = [], []
    for same in series:
        style = styles[same[0].cell.row]
        found = [_shown(curves[run.id][name], measure.unit) for run in same[0].runs if name in curves[run.id]]
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
    title = f"Test {_over(measure)}, our runs"
    return Plot(figures.panel(title, lines, _axis(measure), x_label=measure.over), caption)


def _over(measure: Measure) -> str:
    return f"{measure.title} by {measure.over}"


def _axis(measure: Measure) -> str:
    return ", ".join([f"test {measure.title}", *([measure.show] if measure.show else [])])


def _mean(curves: Sequence[Curve]) -> Curve:
    """Mean over the curves at the epochs that all of them reached."""
    values = [dict(zip(x, y, strict=True)) for x, y in curves]
    epochs = sorted(set.intersection(*(set(v) for v in values)))
    columns = [[v[epoch] for v in values] for epoch in epochs]
    means = (statistics.fmean(v for v in c if v is not None) if None not in c else None for c in columns)
    return tuple(epochs), tuple(means)


def _theirs(
    measure: Measure, column: str, runs: Mapping[str, Mapping[str, Curve]], styles: Mapping[str, int], remark: str
) -> Plot:
    name = measure.curve(TEST)
    lines = [Line(row, *_shown(found[name], measure.unit), styles[row]) for row, found in runs.items() if name in found]
    title = f"Test {_over(measure)}, the authors' runs on {column}"
    svg = figures.panel(title, lines, _axis(measure), x_label=measure.over)
    return Plot(svg, f"The authors' runs on {column}{remark}")


def _until(curves: Mapping[str, Curve], last: float) -> dict[str, Curve]:
    """The curves up to epoch `last`."""
    kept = {name: [point for point in zip(*curve, strict=True) if point[0] <= last] for name, curve in curves.items()}
    return {name: (tuple(x for x, _ in points), tuple(y for _, y in points)) for name, points in kept.items()}


def _taus(what: str, curves: Mapping[str, Curve]) -> Plot:
    """Time constants by layer."""
    lines = [Line(f"layer {place + 1}", *curves[name], place) for place, name in enumerate(of_layers(curves, TAU))]
    svg = figures.panel(f"Time constant of each layer by epoch. {what}", lines, "tau, steps (log)", log=True)
    return Plot(svg, what)


def of_run(run: StoredRun, metrics: Sequence[Metric]) -> list[tuple[Plot, tuple[tuple[str, int], ...]]]:
    """The plots of one run, each with its legend: measures by split, loss, time constants, firing rates."""
    raw = by_name((metric.name, metric.step, metric.value) for metric in metrics)
    units = {metric.name: metric.unit for metric in metrics}
    curves = {name: _shown(curve, units[name]) for name, curve in raw.items()}
    by_measure: dict[str, dict[str, str]] = defaultdict(dict)
    for split in (TEST, VALIDATION, TRAIN):
        for name in curves:
            if name.startswith(f"{split}_") and name not in NO_MEASURES:
                by_measure[name.removeprefix(f"{split}_")][name] = split
    wanted = [(_words(name).capitalize(), _words(name), splits, False) for name, splits in by_measure.items()]
    wanted += [
        ("Time constants by layer", "tau (log)", _by_layer(curves, TAU), True),
        ("Firing rates by layer", "spikes per neuron and step", _by_layer(curves, RATE), False),
    ]
    found = []
    for title, what, labels, log in wanted:
        unit = shown(0.0, units[next(iter(labels))])[1] if labels else ""
        label = f"{what}, {unit}" if unit else what
        lines = [Line(said, *curves[name], style) for style, (name, said) in enumerate(labels.items())]
        svg = figures.panel(f"{title} by epoch, run {run.id[:8]}", lines, label, log=log)
        if svg:
            found.append((Plot(svg, title), tuple((line.label, line.style) for line in lines)))
    return found


def _words(name: str) -> str:
    return name.replace("_", " ")


def _by_layer(curves: Mapping[str, Curve], metric: str) -> dict[str, str]:
    """What a reader calls the layer of each of these metrics."""
    return {name: called(name, metric) for name in of_layers(curves, metric)}
