"""How results are put into words and digits, the same in the terminal, on the pages and in the files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from papers.claims import FAILS, HOLDS, MIXED, NOT_SHOWN, SEEDS, SHOWN, UNDECIDED
from papers.hypotheses import MIN_SEEDS
from papers.measures import shown
from papers.statistics import LEVEL
from papers.verdict import distinct, documents

if TYPE_CHECKING:
    from papers.claims import Finding
    from papers.evaluate import CellResult, PublishedValue, TableResult
    from papers.measures import Measure
    from papers.table import Claim

NONE = "–"
Places = int | None  # digits behind the point; None: three digits of each number
COLUMN = "\0"  # stands for the name of a column
STATES = (
    "reproduced",
    "higher",
    "lower",
    "undecided",
    "sources disagree",
    "not comparable",
    "missing",
    "failed",
    "paused",
    "not run",
)
FINDINGS = {  # the words of findings, those on stand-ins apart
    False: (HOLDS, FAILS, UNDECIDED),
    True: (SHOWN, NOT_SHOWN, MIXED, UNDECIDED),
}
KINDS = {False: "claims", True: "on stand-ins"}


def decimals(result: TableResult) -> dict[Measure, Places]:
    """Digits behind the point for the measured values of a table, by their measure.

    As many as its narrowest interval deserves: one, and below 1 as many as make two digits of the interval's width.
    Without intervals three digits of the values. At least two where values are compared to the printed digits. None,
    which is three digits of each number, where it counts by which factor they differ.
    """
    of_measures: dict[Measure, list[CellResult]] = {}
    for cell in result.cells:
        of_measures.setdefault(cell.cell.measure, []).append(cell)
    return {measure: None if measure.logarithmic else _decimals(cells) for measure, cells in of_measures.items()}


def _decimals(cells: Sequence[CellResult]) -> int:
    widths = [cell.high - cell.low for cell in cells if cell.low is not None and cell.high is not None]
    fine = widths or [abs(cell.measured) / 10 for cell in cells if cell.measured is not None]
    least = min((width for width in fine if width > 0), default=1.0)
    return max(2 if cells[0].cell.measure.exact else 1, 1 - math.floor(math.log10(least)))


def number(value: float | None, places: Places) -> str:
    return NONE if value is None else three(value) if places is None else f"{value:.{places}f}"


def measured(cell: CellResult, places: Places, unit: str) -> str:
    """The measured value of a cell, with a star where it is not current, and with its unit where that is not
    the `unit` of the whole table."""
    star = "*" * bool(cell.stale)
    own = "" if cell.measured is None or cell.cell.measure.show == unit else cell.cell.measure.show
    return f"{number(cell.measured, places)}{star} {own}".rstrip()


def three(value: float) -> str:
    """Three digits, and those of whole numbers: "0.160", "57.0", "1,240", "3.85e-06"."""
    return f"{value:,.0f}" if value == 0 or abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def interval(low: float | None, high: float | None, places: Places) -> str:
    """The bounds as "[91.2, 95.1]", or nothing where there is none."""
    return "" if low is None or high is None else f"[{number(low, places)}, {number(high, places)}]"


def published(cell: CellResult) -> str:
    """The published values of a cell, all that differ: "97.72 / 99.72", "81.5, 79.85 (repeat)"; marked as below."""
    printed = " / ".join(published_value(value) for value in distinct([v for v in cell.published if not v.repeat]))
    repeats = [published_value(value) for value in cell.published if value.repeat]
    return ", ".join([*([printed] if printed else []), *repeats]) or NONE


def published_value(value: PublishedValue) -> str:
    """Recollections, pilots, repeats and means are marked so; a unit that is not the measure's is named."""
    marks = [value.provenance.replace("_", " ")] if value.recalled else []
    marks += ["repeat"] if value.repeat else []
    marks += [f"mean of {value.runs}"] if value.runs > 1 else []
    digits = f"{value.value:.4g}" if abs(value.value) < 10_000 else f"{value.value:,.0f}"
    return f"{digits} {value.unit}".rstrip() + (f" ({', '.join(marks)})" if marks else "")


def verdict(cell: CellResult) -> str:
    """The verdict; where a run was tried in vain, with what became of it: "missing (diverged)"."""
    if cell.measured is None and cell.attempts and cell.attempts[-1].outcome != "ok":
        return f"{cell.verdict} ({cell.attempts[-1].outcome})"
    return cell.verdict


def reasons(result: TableResult) -> dict[str, int]:
    """Every reason behind a verdict once, numbered from 1 in table order."""
    found = dict.fromkeys(cell.reason for cell in result.cells if cell.reason)
    return {reason: place for place, reason in enumerate(found, start=1)}


def failures(result: TableResult) -> list[str]:
    """Failed latest runs of cells that have a value all the same, from other seeds or from before: one line a run."""
    found = {
        run.id: f"{run.outcome}, seed {run.seed}, {cell.cell.row}, {cell.cell.heading}: {run.reason}"
        for cell in reversed(result.cells)
        if cell.measured is not None
        for run in cell.attempts
        if run.outcome not in ("ok", "interrupted")
    }
    return list(found.values())[::-1]


def evidence_lines(finding: Finding) -> list[str]:
    """The evidence of a claim by column, columns with the same evidence on one line."""
    lines: dict[tuple[str, bool], list[str]] = {}
    for part in finding.parts:
        lines.setdefault((f"{part.status}, {part.evidence}", part.further), []).append(part.name)
    grouped = [
        f"{', '.join(names)}{' (further evidence)' * further}: {text}" for (text, further), names in lines.items()
    ]
    return [*([finding.evidence] if finding.evidence else []), *grouped]


def claims(result: TableResult) -> dict[str, dict[str, int]]:
    """How many claims come to what; what was found on stand-ins for the work's data is counted by itself."""
    found: dict[str, dict[str, int]] = {}
    for stand_in, words in FINDINGS.items():
        statuses = [finding.status for _, finding in result.claims if finding.stand_in == stand_in]
        if statuses:
            found[KINDS[stand_in]] = {word: statuses.count(word) for word in words if word in statuses}
    return found


def authors(claim: Claim) -> str:
    """What the authors' own numbers say of a claim that they do not support; empty where they do."""
    return f"The authors' own numbers do not support this: {claim.authors}" if claim.authors else ""


def expected(cell: CellResult, places: Places) -> str:
    """Where the verdict looked for a published value: "[91.2, 95.1]", or nothing."""
    return interval(*cell.expected, places) if cell.expected else ""


def disagreement(cell: CellResult) -> str:
    """What documents print for one result, where that differs; else empty."""
    printed = documents(cell.published)
    return " and ".join(f"{value.value:.6g}" for value in printed) if len(printed) > 1 else ""


def by_chance(result: TableResult) -> str:
    """How many published values lie outside, and how many would if all results were the same; empty for none."""
    out, compared, chance = result.outside
    if not compared:
        return ""
    lie = "1 lies" if out == 1 else f"{out} lie"
    cells = f"{compared} published value{'s' * (compared > 1)} held against an interval"
    return f"Of {cells}, {lie} outside; by chance alone {chance:.2g} would, one in {1 / (1 - LEVEL):.0f}."


def best(result: TableResult) -> set[int]:
    """The places of the cells with the best measured value of their column, where all of its rows are read by one
    protocol. None of what chance has no part in, as memory at different lengths: such rows do not compete."""
    columns: dict[str, list[int]] = {}
    for place, cell in enumerate(result.cells):
        columns.setdefault(cell.cell.heading, []).append(place)
    found: set[int] = set()
    for places in columns.values():
        ways = {(cell.protocol.name, cell.measure) for cell in (result.cells[place].cell for place in places)}
        values = {place: value for place in places if (value := result.cells[place].measured) is not None}
        measure = result.cells[places[0]].cell.measure
        if len(ways) == 1 and not measure.exact and len(set(values.values())) > 1:
            top = max(values.values(), key=lambda value: measure.sign * value)
            found |= {place for place, value in values.items() if value == top}
    return found


def apart(cell: CellResult, places: Places) -> str:
    """How far the measured value is from the first published one, where the two may be held against each other."""
    firm = [value.value for value in cell.published if value.firm]
    if cell.measured is None or not firm or cell.verdict == "not comparable":
        return ""
    difference = cell.measured - firm[0]
    told = f"{difference:+#.3g}" if places is None else f"{round(difference, places) + 0.0:+.{places}f}"  # no -0.0
    return f"{told} to published"


def few(cell: CellResult) -> str:
    """That a cell rests on too few seeds for a verdict, or for an interval; empty where it does not."""
    number = len(cell.values)
    short = cell.verdict == "undecided" or (cell.low is None and not cell.cell.measure.exact)
    return f"too few seeds: {number} of at least {MIN_SEEDS}" if short and 0 < number < MIN_SEEDS else ""


def incomparable(result: TableResult) -> list[str]:
    """Why cells are not comparable, each reason once with the columns that it is about and the number of cells."""
    found: dict[str, list[str]] = {}
    for cell in result.cells:
        if cell.measured is not None and cell.verdict == "not comparable" and cell.reason:
            found.setdefault(cell.reason.replace(f" {cell.cell.column} ", COLUMN), []).append(cell.cell.column)
    said = []
    for reason, columns in found.items():
        number = f"{len(columns)} cell{'s' * (len(columns) > 1)}"
        said.append(f"{reason.replace(COLUMN, f' {listed(dict.fromkeys(columns))} ')} ({number})")
    return said


def listed(words: Iterable[str]) -> str:
    """ "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def hints(result: TableResult) -> list[str]:
    """What a reader can do about gaps in the table."""
    again = f"python -m bench.reproduce {result.table.name} --scale {result.scale}"
    found = []
    if unrun := sum(cell.measured is None and not cell.attempts for cell in result.cells):
        found.append(f"{unrun} of {len(result.cells)} cells have not been run: {again}")
    few = sum(cell.verdict == "undecided" and 0 < len(cell.values) < MIN_SEEDS for cell in result.cells)
    if few:
        found.append(f"undecided cells ({few}) rest on fewer than {MIN_SEEDS} runs: {again} --seeds {MIN_SEEDS}")
    undecided = sum(finding.lacks == SEEDS for _, finding in result.claims)
    if undecided and 0 < len(result.seeds) < MIN_SEEDS:
        seeds = f"{len(result.seeds)} seed{'s' * (len(result.seeds) > 1)}"
        found.append(
            f"undecided claims ({undecided}) rest on {seeds}; more may decide them: {again} --seeds {MIN_SEEDS}"
        )
    for reason in dict.fromkeys(cell.stale for cell in result.cells if cell.stale):
        found.append(f"values marked * are not current, {reason}: {again}")
    if len(threads := _threads(result)) > 1:
        like = "" if result.scale == "quick" else f" --threads {threads[0]}"
        told = f"runs used {' or '.join(map(str, threads))} threads, which round differently; to compare like with like"
        found.append(f"{told}: {again}{like} --force")
    return found


def _threads(result: TableResult) -> list[int]:
    """The numbers of threads that the runs of a table on the CPU are known to have used."""
    runs = (run for cell in result.cells for run in cell.runs if run.device == "cpu")
    return sorted({number for run in runs if isinstance(number := run.environment.get("torch_threads"), int)})


def summary(result: TableResult) -> dict[str, int]:
    """How many cells are what: verdicts; those without a measurement are told apart as failed, paused or not run."""
    states = [state(cell) for cell in result.cells]
    return {word: states.count(word) for word in STATES if word in states}


def state(cell: CellResult) -> str:
    if cell.measured is not None:
        return cell.verdict
    outcomes = {run.outcome for run in cell.attempts} - {"ok", "skipped"}
    return "failed" if outcomes - {"interrupted"} else "paused" if outcomes else "not run"


def quantity(value: float | None, unit: str) -> str:
    """A measured value with its unit: "95.00 %", "4.5 MiB", "12,345", "epoch 18 (the first is 0)", "0.5 s"."""
    if value is None:
        return NONE
    if unit == "epoch":
        return f"epoch {value:g} (the first is 0)"
    if unit == "B":
        return size(int(value))
    if unit == "count":
        return f"{value:,.0f}"
    shown_value, name = shown(value, unit)
    share = name != unit and name
    return f"{shown_value:.2f} {name}" if share else f"{value:.6g} {name}".rstrip()


def printed(value: float, unit: str) -> str:
    """A published value with its unit and all its digits: "94.3728 %", "1,024 epochs", "epoch 899 (the first is 0)"."""
    if unit == "epoch":
        return quantity(value, unit)
    digits = f"{value:g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return digits if unit in ("1", "count") else f"{digits} {unit}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: int | None) -> str:
    """Bytes in the largest binary unit that leaves a number from 1."""
    if count is None:
        return NONE
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def rough(seconds: float) -> str:
    """A time to come: "40 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 36 else f"{hours // 24} d {hours % 24} h"
