"""PSN against LIF in the terminal: a line for each size, a column for each contender, forward and training apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from papers import trust
from papers.measurement import DIRECTIONS

from . import fitted
from . import measurements as show

if TYPE_CHECKING:
    from rich.console import Console

    from results import Parity, Run


def tables(console: Console, runs: Sequence[Run], parities: Sequence[Parity]) -> bool:
    """The time of the base and the others' as its multiples; whether any figure is unverified."""
    settings: dict[str, dict[str, dict[str, Run]]] = {}
    for run in runs:
        setting = show.heading(run).replace(f" · {show.size(run)}", "")
        settings.setdefault(setting, {}).setdefault(show.size(run), {})[run.experiment["contender"]] = run
    unverified = False
    for setting, sizes in settings.items():
        base = runs[0].experiment["base"]
        names = list(dict.fromkeys([base, *(name for group in sizes.values() for name in group)]))
        for way in DIRECTIONS:
            rows = []
            for size, group in sizes.items():
                sound = trust.trusted(group.values(), parities)
                unverified |= any(show.status(run, parities).startswith("unverified") for run in group.values())
                cells = (_cell(group.get(name), way, name == base, {base, name} <= sound) for name in names)
                rows.append([size, *cells])
            headings = ["", *(name if name == base else f"{name} ×" for name in names)]
            console.print(f"\n[bold]{setting} · {way}[/bold]", highlight=False)
            fitted.show(console, headings, rows, last=0)
    return unverified


def _cell(run: Run | None, way: str, is_base: bool, sound: bool) -> str:
    if run is None or run.outcome != "ok":
        return show.NONE if run is None else run.outcome
    values = {metric.name: metric.value for metric in run.metrics}
    if is_base:
        return show.form("time", values.get(f"{way}_seconds")) + ("" if sound else " (unverified)")
    name = f"{way}_ratio"
    return show.form("ratio", *(values.get(name + end) for end in ("", "_low", "_high"))) if sound else show.NONE
