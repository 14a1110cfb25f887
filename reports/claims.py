"""One page of all claims of all works: what was found, with the numbers of its parts around the line that decides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from papers.claims import FAILS, HOLDS, MIXED, NOT_SHOWN, SHOWN, UNDECIDED
from papers.measurement import is_measurement

from . import kernels

if TYPE_CHECKING:
    from papers.claims import Effect, Finding
    from papers.evaluate import TableResult
    from papers.table import Claim
    from results import Parity, Run

ORDER = (FAILS, NOT_SHOWN, MIXED, UNDECIDED, SHOWN, HOLDS)  # what a reader must not miss comes first
WIDTH, ROW, EDGE = 200.0, 9.0, 6.0  # of a plot, of an effect in it, and of its margins
MOST = 12  # effects of a part that are drawn


@dataclass(frozen=True)
class Line:
    """A part of a finding: in words, and its effects as SVG, empty where it has none."""

    name: str
    status: str
    text: str
    svg: str


@dataclass(frozen=True)
class Row:
    """A claim of a work, where it was tested, and what was found; `axis` says what the plots of its lines show."""

    work: str
    table: str
    scale: str
    href: str
    claim: Claim
    finding: Finding
    lines: tuple[Line, ...]
    axis: str

    @property
    def place(self) -> int:
        """Where its status stands when sorted."""
        return ORDER.index(self.finding.status)


def rows(results: Iterable[tuple[str, TableResult]], runs: Sequence[Run], parities: Sequence[Parity]) -> list[Row]:
    """The claims of the tables (with the name of each page) that were run, and those about measurements.

    By work, then as the tables have them.
    """
    found = [
        _row(result.table.paper, result.table.name, result.scale, f"{page}.html", claim, finding)
        for page, result in results
        if result.seeds
        for claim, finding in result.claims
    ]
    found += _measured(runs, parities)
    return sorted(found, key=lambda row: row.work)


def _measured(runs: Sequence[Run], parities: Sequence[Parity]) -> Iterator[Row]:
    from papers import measured

    timed = [run for run in runs if is_measurement(run)]
    by_kind = {run.experiment["what"]: run.experiment["neuron"] for run in timed}
    for name, table in measured.TABLES.items():
        claims = [claim for claim in table.claims if claim.about in by_kind]
        for claim, finding in measured.findings(claims, timed, parities):
            page = kernels.page_of(by_kind[claim.about])
            yield _row(table.paper or "", name, "", f"{page}.html#{claim.about}", claim, finding)


def _row(work: str, table: str, scale: str, href: str, claim: Claim, finding: Finding) -> Row:
    effects = [effect for part in finding.parts for effect in part.effects[:MOST]]
    windows = {kind: _window(e for e in effects if _kind(e) == kind) for kind in dict.fromkeys(map(_kind, effects))}
    alike: dict[tuple[str, str, tuple[Effect, ...]], list[str]] = {}  # what is not measured yet is said once
    for part in finding.parts:
        name = part.name + " (further evidence)" * part.further
        alike.setdefault((part.status, part.evidence, part.effects[:MOST]), []).append(name)
    lines = tuple(
        Line(", ".join(filter(None, names)), status, text, _drawn(shown, windows))
        for (status, text, shown), names in alike.items()
    )
    axis = "; ".join(f"line at {none:g} {unit}".rstrip() for unit, none in windows)
    return Row(work, table, scale, href, claim, finding, lines, axis)


def _kind(effect: Effect) -> tuple[str, float]:
    return effect.unit, effect.none


def _window(effects: Iterable[Effect]) -> tuple[float, float]:
    """The ends of the axis that all parts of a claim share."""
    ends = [_scaled(end, effect) for effect in effects for end in (effect.low, effect.high, effect.none)]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (low - 1, high + 1)


def _scaled(value: float, effect: Effect) -> float:
    """Ratios of times lie on a logarithmic axis: half is as far from the line as twice."""
    return math.log(max(value, 1e-9)) if effect.unit == "times" else value


def _drawn(effects: Sequence[Effect], windows: Mapping[tuple[str, float], tuple[float, float]]) -> str:
    """A whisker for each effect, one below the other, with the line that decides; what it says stands beside it."""
    if not effects:
        return ""
    parts = []
    for number, effect in enumerate(effects):
        low, high = windows[_kind(effect)]
        middle = (number + 0.5) * ROW
        ends = (effect.low, effect.mean, effect.high, effect.none)
        left, point, right, none = (
            EDGE + (WIDTH - 2 * EDGE) * (_scaled(end, effect) - low) / (high - low) for end in ends
        )
        parts.append(f'<path class="none" d="M{none:.1f} {number * ROW:g}v{ROW:g}"/>')
        parts.append(f'<path d="M{left:.1f} {middle:g}H{right:.1f}"/>')
        parts.append(f'<circle cx="{point:.1f}" cy="{middle:g}" r="2.6"/>')
    height = ROW * len(effects)
    return f'<svg class="forest" viewBox="0 0 {WIDTH:g} {height:g}" aria-hidden="true">{"".join(parts)}</svg>'
