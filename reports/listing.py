"""Runs of a store in lists: for a terminal, for a pipe and for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.plain import plain
from papers.machines import machine

from .wording import quantity

if TYPE_CHECKING:
    from papers.headline import Headline
    from results import Metric, Run, StoredRun

HEADINGS = ("run", "started", "experiment", "seed", "outcome", "seconds", "result", "reason")
RIGHT = ("seconds",)  # stands to the right
COLUMNS = ("run", "started", "experiment", "seed", "outcome", "seconds", "measure", "result", "unit", "reason")
Headlines = Mapping[str, "Headline"]


def show(runs: Sequence[StoredRun], found: Headlines) -> None:
    """A line for each run, however wide the terminal is; ids stand whole at its beginning."""
    from rich.cells import cell_len, set_cell_size

    lines = [HEADINGS]
    for run in runs:
        when, took = run.started[:19], figure(run.seconds, 1)
        result = _result(found.get(run.id))
        lines.append((run.id[:8], when, plain(title(run)), str(run.seed), run.outcome, took, result, plain(run.reason)))
    # rich's own table measures and wraps each cell several times: seven seconds for ten thousand runs.
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    right = [HEADINGS.index(heading) for heading in RIGHT]
    for line in lines:
        cells = [set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)]
        for place in right:
            cells[place] = " " * (widths[place] - cell_len(line[place])) + line[place]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def write(runs: Sequence[StoredRun], found: Headlines) -> None:
    """COLUMNS and then a run on each line, separated by tabs; numbers as stored, nothing where there is none."""
    sys.stdout.write("\t".join(COLUMNS) + "\n")
    for run in runs:
        seconds = "" if run.seconds is None else repr(run.seconds)
        cells = (run.id, run.started, plain(title(run)), str(run.seed), run.outcome, seconds)
        sys.stdout.write("\t".join((*cells, *_stored(found.get(run.id)), plain(run.reason))) + "\n")


def records(runs: Iterable[StoredRun], found: Headlines) -> list[dict[str, Any]]:
    """Each run for programs, docs/json.md."""
    return [record(run, found.get(run.id)) for run in runs]


def record(run: StoredRun, headline: Headline | None) -> dict[str, Any]:
    """A run without its metrics, for programs."""
    return {
        "run": run.id,
        "started": run.started,
        "experiment": title(run),
        "experiment_key": run.experiment_key,
        "seed": run.seed,
        "outcome": run.outcome,
        "reason": run.reason,
        "seconds": run.seconds,
        "peak_memory": run.peak_memory,
        "device": run.device,
        "backend": run.backend,
        "machine": machine(run),
        "revision": run.environment.get("revision"),
        "measure": headline and headline.measure.name,
        "result": headline and headline.value,
        "unit": headline and headline.measure.unit,
    }


def whole(run: Run, headline: Headline | None) -> dict[str, Any]:
    """A run with everything that is known of it but its pictures, for programs."""
    return {
        **record(run, headline),
        "document": run.experiment,
        "implementation": run.implementation,
        "command": run.command,
        "data": [{"name": d.name, "complete": d.complete, "counts": d.counts, "note": d.note} for d in run.datasets],
        "metrics": [[metric.name, metric.step, metric.value, metric.unit] for metric in run.metrics],
        "samples": [[sample.name, sample.index, sample.value, sample.unit] for sample in run.samples],
    }


def title(run: StoredRun) -> str:
    """What was run, in the words that stand in its document."""
    names = ("task", "model", "what", "neuron", "contender", "scheme", "scale", "benchmark")
    parts = [run.experiment.get(name) for name in names]
    if isinstance(parameters := run.experiment.get("parameters"), dict):  # of a benchmark of asv
        parts += parameters.values()
    return " ".join(part for part in parts if part and isinstance(part, str)) or run.experiment_key[:12]


def _result(headline: Headline | None) -> str:
    """ "93.35 % accuracy", "0.0125 s training seconds"; nothing where there is none."""
    if headline is None:
        return ""
    measure = headline.measure
    unit = measure.unit
    return plain(f"{quantity(headline.value, unit)} {measure.title}")


def _stored(headline: Headline | None) -> tuple[str, str, str]:
    if headline is None:
        return "", "", ""
    return plain(headline.measure.name), repr(headline.value), headline.measure.unit


def show_one(run: Run) -> None:
    """Everything about a run: its facts, and a line for each metric."""
    from rich.table import Table

    from core.console import Console

    # Where the output is no terminal a fact takes one line, however long, and nothing is cut.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 10_000)
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    memory = "not measured" if run.peak_memory is None else f"{run.peak_memory / 2**20:.1f} MiB"
    for name, value in (
        ("run", run.id),
        ("outcome", f"{run.outcome}: {run.reason}" if run.reason else run.outcome),
        ("started", run.started),
        ("seconds", figure(run.seconds, 1)),
        ("peak memory", memory),
        ("experiment", run.experiment_key),
        *((f"  {name}", str(value)) for name, value in sorted(run.experiment.items())),
        ("device, backend", f"{run.device}, {run.backend}"),
        ("code", run.implementation),
        ("command", run.command),
        *(("data", f"{d.name}{'' if d.complete else ' (a subset)'}: {d.counts} {d.note}") for d in run.datasets),
        ("machine", ", ".join(str(value) for value in run.machine.values())),
        ("python", str(run.environment.get("python", "unknown"))),
        ("revision", str(run.environment.get("revision", "unknown"))),
    ):
        facts.add_row(plain(name), plain(value))
    console.print(facts)
    if run.metrics:
        console.print()
        console.print(_metric_table(run.metrics))
    if run.samples:
        console.print(f"\n{len(run.samples)} raw samples: {plain(', '.join(sorted({s.name for s in run.samples})))}")


def _metric_table(metrics: Sequence[Metric]) -> Any:
    """One line per metric: its value for the whole run, and how it went over the epochs."""
    from rich.table import Table

    from results.units import unit_of

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True)
    for heading in ("whole run", "epochs", "first", "last", "lowest", "highest"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for name in sorted({metric.name for metric in metrics}):
        own = [metric for metric in metrics if metric.name == name]
        of_run = [metric.value for metric in own if metric.step is None]
        steps = [metric.value for metric in own if metric.step is not None]
        known = [value for value in steps if value is not None]
        cells = [figure(of_run[0]) if of_run else "", str(len(steps) or "")]
        cells += [figure(steps[0]), figure(steps[-1])] if steps else ["", ""]
        cells += [figure(min(known)), figure(max(known))] if known else ["", ""]
        unit = unit_of(name, own[0].unit)
        table.add_row(plain(name), *cells, f"{unit}, the first is 0" if unit == "epoch" else unit)
    return table


def figure(value: float | None, digits: int | None = None) -> str:
    """A number, or "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.6g}" if digits is None else f"{value:.{digits}f}"
