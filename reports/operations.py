"""Operations and energy of the networks behind a table, each figure by its definition, in the terminal and on pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.plain import plain
from papers.costs import Cost, costs
from papers.operations import DEFINITIONS, Layer, Operations, Row, Spiking, read

from . import grids, wording
from .grids import Grid

if TYPE_CHECKING:
    from rich.console import Console

    from results import Run

LARGE = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))
SMALL = ((1.0, " J"), (1e-3, " mJ"), (1e-6, " µJ"), (1e-9, " nJ"), (1e-12, " pJ"))
ABOUT = "For one sample of the test set, all steps of its sequence together, in evaluation mode after training."
ENERGY = (
    "An estimate: the effective operations times what a chip takes for each; beside it the same by the shortcut. "
    "Memory, leakage and all that is no product of inputs and weights are left out, so that estimates by different "
    "tables, and measured joules, must not be compared."
)
MEASURED = (
    "Measured: joules of the whole GPU board for a sample (NVML), and what it takes at rest in the same time. They are "
    "of another kind than the estimates."
)


@dataclass(frozen=True)
class Shown:
    """All that is shown of some networks: grids, definitions by name, sources by cost table, and remarks."""

    grids: tuple[Grid, ...]
    definitions: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]


def shown(rows: Sequence[Row]) -> Shown | None:
    """What a reader gets of `rows`; None where nothing was counted."""
    if not rows:
        return None
    names = [f"{row.name}{'*' if row.stale else ''}" for row in rows]

    def grid(title: str, about: str, columns: Sequence[tuple[str, list[str]]]) -> Grid:
        lines = zip(names, zip(*(cells for _, cells in columns), strict=True), strict=True)
        return Grid(title, about, tuple(heading for heading, _ in columns), tuple(lines))

    found = [row.operations for row in rows]
    made = [
        grid("Operations", f"{ABOUT} {_over(rows)}", _counts(found)),
        grid("Energy by cost table", ENERGY, [(cost.name, [_both(one, cost) for one in found]) for cost in costs()]),
    ]
    if any(one.joules is not None for one in found):
        columns = [("board", [_joules(one.joules) for one in found]), ("at rest", [_joules(one.idle) for one in found])]
        made.append(grid("Joules of a GPU", MEASURED, columns))
    sources = [
        (cost.name, f"multiply {cost.multiply:g} pJ, add {cost.add:g} pJ: {cost.source}; {cost.read}")
        for cost in costs()
    ]
    return Shown(tuple(made), tuple(DEFINITIONS.items()), tuple(sources), tuple(_remarks(rows)))


def of_run(run: Run) -> Shown | None:
    """What was counted in one run, layer by layer, too; None where nothing was."""
    operations = read({metric.name: metric.value for metric in run.metrics if metric.step is None})
    if operations is None:
        return None
    said = shown([Row("all", operations, (run,), "")])
    assert said is not None
    layers = Grid(
        "Operations of each layer",
        "In the order in which the network calls them. rate: the share of its inputs that are not zero; zeros: the "
        "share of its weights that are.",
        ("rate", "zeros", "dense", "AC", "MAC", "SynOps", "shortcut"),
        tuple((layer.name, _of_layer(layer)) for layer in operations.layers),
    )
    spiking = Grid(
        "Spikes of each layer",
        "Spikes of a neuron in a sample.",
        ("neurons", "spikes", "updates"),
        tuple((layer.name, _of_neurons(layer)) for layer in operations.spiking),
    )
    return replace(said, grids=(*said.grids, *(grid for grid in (layers, spiking) if grid.lines)))


def show(rows: Sequence[Row], console: Console) -> None:
    """Prints what `shown` says to `console`; nothing for nothing."""
    from rich.table import Table
    from rich.text import Text

    said = shown(rows)
    if said is None:
        return
    for grid in said.grids:
        grids.show(grid, console)
    terms = Table.grid(padding=(0, 2, 0, 0))
    terms.add_column(no_wrap=True)
    terms.add_column()
    for name, text in (*said.definitions, *said.sources):
        terms.add_row(Text(name, "dim"), Text(text, "dim"))
    console.print(terms)
    for remark in said.remarks:
        console.print(Text(plain(remark)))


def _counts(found: Sequence[Operations]) -> list[tuple[str, list[str]]]:
    return [
        ("parameters", [count(one.parameters) for one in found]),
        ("footprint", [_size(one.footprint) for one in found]),
        ("state", [_size(one.state) for one in found]),
        ("spikes", [wording.number(one.spikes_per_neuron, 3) for one in found]),
        ("updates", [count(one.updates) for one in found]),
        ("dense", [count(one.dense) for one in found]),
        ("AC", [count(one.ac) for one in found]),
        ("MAC", [count(one.mac) for one in found]),
        ("SynOps", [count(one.synops) for one in found]),
        ("shortcut", [_shortcut(one) for one in found]),
    ]


def _of_layer(layer: Layer) -> tuple[str, ...]:
    counts = None if layer.ac is None or layer.mac is None else layer.ac + layer.mac
    parts = (layer.dense, layer.ac, layer.mac, layer.synops)
    rate, zeros = wording.number(layer.rate, 3), wording.number(layer.zeros, 3)
    return (rate, zeros, *map(count, parts), _off(layer.shortcut, counts))


def _of_neurons(layer: Spiking) -> tuple[str, ...]:
    rate = None if layer.spikes is None or not layer.neurons else layer.spikes / layer.neurons
    return count(layer.neurons), wording.number(rate, 3), count(layer.updates)


def _shortcut(one: Operations) -> str:
    usual, counts = one.shortcut, one.counts
    return _off(None if usual is None else usual.all, None if counts is None else counts.all)


def _off(usual: float | None, counts: float | None) -> str:
    """What the usual formula takes for the number of operations, and how many times the true one that is."""
    return count(usual) if usual is None or not counts else f"{count(usual)} (×{usual / counts:.2f})"


def _both(one: Operations, cost: Cost) -> str:
    return f"{_joules(one.energy(cost))} / {_joules(one.shortcut_energy(cost))}"


def count(value: float | None) -> str:
    """ "12.3 M"; whole numbers below a thousand as they are."""
    if value is None:
        return wording.NONE
    return next((f"{value / unit:.3g}{name}" for unit, name in LARGE if value >= unit), f"{value:.3g}")


def _joules(value: float | None) -> str:
    if value is None:
        return wording.NONE
    return next((f"{value / unit:.3g}{name}" for unit, name in SMALL if value >= unit), f"{value:.3g} J")


def _size(value: float | None) -> str:
    return wording.size(None if value is None else int(value))


def _over(rows: Sequence[Row]) -> str:
    """Over how many samples, steps and seeds the counts are means."""
    said = {(int(row.operations.samples or 0), int(row.operations.T or 0), len(row.runs)) for row in rows}
    parts = [
        f"{samples:,} test samples, T = {T}, {seeds} seed{'s' * (seeds != 1)}" for samples, T, seeds in sorted(said)
    ]
    return f"Means over {'; '.join(parts)}."


def _remarks(rows: Sequence[Row]) -> list[str]:
    reasons = [reason for row in rows for reason in row.reasons]
    stale = [f"* {row.name}: {row.stale}" for row in rows if row.stale]
    return list(dict.fromkeys([*(f"{wording.NONE} {reason}" for reason in reasons), *stale]))
