"""Measurements in the terminal: calm tables at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from papers import trust

from . import fitted
from . import measurements as show
from . import measurements_over_sizes as show_psn

if TYPE_CHECKING:
    from rich.console import Console

    from results import Parity, Run

WIDE = 150  # columns where nobody's window decides
BASE_NOTE = "{}: its time as a multiple of {}'s, with its 95 % interval."
COPY_NOTE = "× copy: its time as a multiple of that of a copy of as many bytes as must move."
UNVERIFIED = (
    "unverified: the grid of parity checks is not stored whole and green for this code on this processor (red: one "
    "failed), so it is compared with nothing; python -m bench.parity (without --quick) makes it."
)


def show_all(console: Console, runs: Sequence[Run], parities: Sequence[Parity]) -> None:
    """A table for each group of measurements that can be compared, with numbered remarks under them."""
    groups: dict[str, list[Run]] = {}
    over_sizes = [run for run in runs if run.experiment["what"] == "psn"]
    for run in runs:
        if run.experiment["what"] != "psn":
            groups.setdefault(show.heading(run), []).append(run)
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    remarks: dict[str, int] = {}
    unverified = show_psn.tables(console, over_sizes, parities)
    for name, group in groups.items():
        console.print(f"\n[bold]{name}[/bold]", highlight=False)
        rows = []
        sound = trust.trusted(group, parities)
        for run in group:
            said = show.status(run, parities)
            unverified |= said.startswith("unverified")
            if remark := show.reservation(run):
                said += f" ({remarks.setdefault(remark, len(remarks) + 1)})"
            rows.append([run.experiment["contender"], *(text for _, text in show.shown(run, sound)), said])
        base = group[0].experiment["base"]
        fitted.show(console, ["", *(column.replace("base", base) for column, _ in show.cells(group[0])), ""], rows)
    if runs:
        console.print()
    for remark, number in remarks.items():
        console.print(f"({number}) {remark}", highlight=False, markup=False)
    for note in dict.fromkeys(note for run in runs for note in _notes(run)):
        console.print(note, highlight=False, markup=False)
    if unverified:
        console.print(UNVERIFIED, highlight=False)


def _notes(run: Run) -> Iterator[str]:
    """What the headings of a run's ratios mean."""
    columns = [column for column, _ in show.cells(run)]
    base = run.experiment["base"]
    if "× base" in columns:
        yield BASE_NOTE.format("×" if run.experiment["what"] == "psn" else f"× {base}", base)
    if "× copy" in columns:
        yield COPY_NOTE
