"""Two sides of results held against each other: in the terminal, as a page and for programs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.plain import plain
from papers.differences import BETTER, EQUAL, MEANING, OPEN, WITHIN, WORDS, WORSE
from papers.measures import shown

from . import folder, wording
from .naming import names_of

if TYPE_CHECKING:
    from rich.console import Console

    from papers.differences import Compared, Difference
    from papers.measures import Measure
    from results import StoredRun

STYLES = {BETTER: "green", WORSE: "red", WITHIN: "", EQUAL: "dim", OPEN: "yellow"}
HEADINGS = ("B is", "measure", "A", "B", "difference [95 %]", "runs")


def figure(measure: Measure, value: float) -> str:
    """A figure as a reader gets it: "95.00 %", "12.3 ms", "1 min 5 s", "300.0 MiB"."""
    if measure.unit == "s":
        return f"{value * 1e3:.3g} ms" if value < 1 else wording.duration(value) if value >= 60 else f"{value:.3g} s"
    if measure.unit == "B":
        return wording.size(round(value))
    if measure.share:
        return wording.quantity(value, measure.unit)
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{digits} {measure.show}".rstrip()


def change(difference: Difference) -> str:
    """ "-1.20 [-2.00, -0.40] points", or "+3.1 % [+1.0 %, +5.2 %]" of what differs by a factor."""
    measure = difference.measure
    told = [value for value in (difference.change, difference.low, difference.high) if value is not None]
    if not told:
        return wording.NONE
    if measure.logarithmic:
        texts = [_factor(value) for value in told]
    else:
        width = told[-1] - told[1] if len(told) == 3 else 0.0
        places = _places(width or abs(told[0]))
        texts = [f"{round(value, places) + 0.0:+.{places}f}" for value in told]
    bounds = f" [{texts[1]}, {texts[2]}]" if len(texts) == 3 and texts[1] != texts[2] else ""
    return f"{texts[0]}{bounds}" + (
        f" {measure.difference or measure.show}".rstrip() if not measure.logarithmic else ""
    )


def _places(width: float) -> int:
    """Digits behind the point that show two of a number's own, at least one and at most six."""
    return min(6, max(1, 1 - math.floor(math.log10(width)))) if width else 1


def _factor(value: float) -> str:
    """By how much of the first the second differs; a large factor as itself."""
    more, unit = shown(value - 1, "fraction")
    return f"× {value:.3g}" if value >= 3 else f"{more:+.1f} {unit}"


def runs(difference: Difference) -> str:
    """How many runs count: "3", or "3 and 5"."""
    return " and ".join(map(str, dict.fromkeys(difference.runs)))


def about(compared: Compared) -> list[str]:
    """Sentences about the whole: what is in one side only, what does not count, and what chance does."""
    lines = []
    out, of, chance = compared.by_chance
    if of:
        lines.append(
            f"Of {of} difference{'s' * (of > 1)} with an interval, {out} leave{'s' * (out == 1)} out no change; "
            f"by chance alone {chance:.2g} would."
        )
    for name, only in zip(("A", "B"), compared.only, strict=True):
        if only:
            kinds = Counter(str(run.experiment.get("what") or run.experiment.get("kind", "training")) for run in only)
            of_kinds = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            lines.append(f"Only in {name}: {len(only)} experiment{'s' * (len(only) > 1)} ({of_kinds}).")
    if compared.unchanged:
        lines.append(f"The same runs on both sides: {compared.unchanged} experiment{'s' * (compared.unchanged > 1)}.")
    for name, side in (("A", compared.first), ("B", compared.second)):
        if side.left_out:
            those = f"{side.left_out} run{'s' * (side.left_out > 1)}"
            lines.append(f"Not counted in {name}: {those}, earlier or of other code or data.")
        if side.others:
            lines.append(f"Not compared in {name}: {side.others} run{'s' * (side.others > 1)} of other kinds.")
    return lines


def failures(compared: Compared) -> list[str]:
    """A sentence on each thing that came to nothing in B alone."""
    names = names_of(compared.failed)
    return [f"{run.outcome} in B: {names[run.experiment_key]}: {run.reason}" for run in compared.failed]


def verdict(compared: Compared, share: float | None) -> str:
    """What --fail-if-worse comes to; empty where it was not given."""
    if share is None:
        return ""
    worse, failed = len(compared.worse_than(share)), len(compared.failed)
    allowed = "{:g} {}".format(*shown(share, "fraction"))
    if not compared.shared and not failed:
        return f"Whether anything is worse by more than {allowed} is not known: both sides have nothing in common."
    if not worse and not failed:
        return f"Nothing is worse by more than {allowed} beyond its interval."
    parts = [f"{worse} figure{'s' * (worse > 1)} worse by more than {allowed} beyond the interval"] if worse else []
    parts += [f"{failed} experiment{'s' * (failed > 1)} failed in B alone"] if failed else []
    return f"Worse: {' and '.join(parts)}."


def show(console: Console, compared: Compared, limit: int, share: float | None) -> None:
    """Prints the largest differences, each with its experiment below it, and what has to be known about all."""
    from rich.text import Text

    def line(content: str, style: str = "", indent: str = "") -> None:
        console.print(Text(indent + plain(content), style=style), soft_wrap=True)

    line(f"A: {compared.first.name}")
    line(f"B: {compared.second.name}")
    largest = compared.differences[:limit]
    names = names_of([difference.run for difference in largest])
    rows = [HEADINGS, *(_cells(difference) for difference in largest)] if largest else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if number == 0:
            line("")
            console.print(Text("  ".join(padded).rstrip(), "bold"), soft_wrap=True)
            continue
        difference = largest[number - 1]
        text = Text(plain(padded[0]).ljust(widths[0]), STYLES[difference.word])
        console.print(text.append("  " + "  ".join(padded[1:]).rstrip(), "not bold"), soft_wrap=True)
        line(" · ".join([names[difference.run.experiment_key], *difference.notes]), "dim", "       ")
    line("")
    if further := len(compared.differences) - len(largest):
        line(f"{further} smaller differences are not shown; --limit shows more, --out and --json all of them.")
    line(counts(compared))
    for sentence in (*about(compared), *failures(compared)):
        line(sentence)
    if told := verdict(compared, share):
        line(told, "red" if told.startswith("Worse") else "green")
    if largest:
        line(f"{MEANING[0].upper()}{MEANING[1:]}.", "dim")


def counts(compared: Compared) -> str:
    """How many differences are what, in one sentence."""
    if not compared.differences:
        return "Nothing was measured on both sides."
    told = ", ".join(f"{count} {word}" for word in WORDS if (count := compared.count(word)))
    return f"{len(compared.differences)} figures on both sides: {told}."


def _cells(difference: Difference) -> tuple[str, ...]:
    measure = difference.measure
    a, b = (figure(measure, value) for value in (difference.first, difference.second))
    return difference.word, measure.title, a, b, change(difference), runs(difference)


def records(compared: Compared) -> list[dict[str, Any]]:
    """Every difference for programs, docs/json.md."""
    names = names_of([difference.run for difference in compared.differences])
    return [
        {
            "experiment": names[difference.run.experiment_key],
            "experiment_key": difference.run.experiment_key,
            "measure": difference.measure.name,
            "unit": difference.measure.unit,
            "better": difference.measure.better,
            "a": difference.first,
            "b": difference.second,
            "runs": list(difference.runs),
            "change": difference.change,
            "low": difference.low,
            "high": difference.high,
            "change_is": "factor" if difference.measure.logarithmic else difference.measure.difference or "difference",
            "word": difference.word,
            "worse_by": difference.worse_by,
            "surely_worse_by": difference.surely_worse_by,
            "notes": list(difference.notes),
        }
        for difference in compared.differences
    ]


def summary(compared: Compared, share: float | None, page: Path | None) -> dict[str, Any]:
    """What is true of all of them, docs/json.md."""
    out, of, chance = compared.by_chance
    names = names_of([*compared.only[0], *compared.only[1], *compared.failed])

    def named(runs: Sequence[StoredRun]) -> list[dict[str, str]]:
        return [{"experiment": names[run.experiment_key], "experiment_key": run.experiment_key} for run in runs]

    return {
        "a": compared.first.name,
        "b": compared.second.name,
        "counts": {word: compared.count(word) for word in WORDS},
        "with_interval": of,
        "leave_out_no_change": out,
        "by_chance": round(chance, 3),
        "only_in_a": named(compared.only[0]),
        "only_in_b": named(compared.only[1]),
        "failed_in_b": [
            {**name, "outcome": run.outcome, "reason": run.reason}
            for name, run in zip(named(compared.failed), compared.failed, strict=True)
        ],
        "same_runs": compared.unchanged,
        "left_out": [compared.first.left_out, compared.second.left_out],
        "other_kinds": [compared.first.others, compared.second.others],
        "allowed": share,
        "worse": None if share is None else len(compared.worse_than(share)) + len(compared.failed),
        "page": None if page is None else str(page),
    }


def write(compared: Compared, out: Path) -> Path:
    """Write a page of all differences to `out`/comparison and return it. ReportError if it cannot be written."""
    from .site import renderer

    every = [difference.run for difference in compared.differences]
    render = renderer(names_of([*every, *compared.only[0], *compared.only[1], *compared.failed]), (), {})
    page = render(
        "differences.html",
        compared=compared,
        rows=[(difference, _cells(difference), whisker(difference)) for difference in compared.differences],
        words=[(word, compared.count(word)) for word in WORDS if compared.count(word)],
        about=about(compared),
        failures=failures(compared),
        meaning=MEANING,
        more=[(side, only) for side, only in zip("AB", compared.only, strict=True) if only],
    )
    place = Path(out) / "comparison"
    folder.write(place, {"index.html": page}, {}, folder.earlier(place))
    return place / "index.html"


def whisker(difference: Difference) -> tuple[float, float, float] | None:
    """Ends and middle of the interval on a line from 0, worse, to 100, better; no change is at 50.

    Each line has a scale of its own, on which the far end of the interval lies at the edge. None without an interval.
    """
    if difference.low is None or difference.high is None or difference.change is None:
        return None
    places = [difference.place(value) for value in (difference.low, difference.change, difference.high)]
    most = max(map(abs, places))
    if not most:
        return None
    left, middle, right = sorted(50 + 46 * difference.measure.sign * place / most for place in places)
    return left, middle, right
