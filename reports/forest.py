"""What a claim came to, part by part: in words, and as a forest plot of its numbers around the line that decides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from papers.claims import TIMES

if TYPE_CHECKING:
    from papers.claims import Effect, Finding

WIDTH, ROW, EDGE = 200.0, 9.0, 6.0  # of a plot, of an effect in it, and of its margins
BEYOND = 99.0  # how far the line goes on above and below a plot, to be cut off by what holds it


@dataclass(frozen=True)
class Line:
    """A part of a finding: in words, and its effects as SVG, empty where it has none."""

    name: str
    status: str
    text: str
    svg: str


@dataclass(frozen=True)
class Forest:
    """The parts of a finding; parts that say the same are one line. `axis` says what the plots show."""

    lines: tuple[Line, ...]
    axis: str


def forest(finding: Finding) -> Forest:
    """All plots of a finding share an axis for each unit."""
    effects = [effect for part in finding.parts for effect in part.effects]
    windows = {kind: _window(e for e in effects if _kind(e) == kind) for kind in dict.fromkeys(map(_kind, effects))}
    alike: dict[tuple[str, str, tuple[Effect, ...]], list[str]] = {}  # what is not measured yet is said once
    for part in finding.parts:
        name = part.name + " (further evidence)" * part.further
        alike.setdefault((part.status, part.evidence, part.effects), []).append(name)
    lines = tuple(
        Line(", ".join(filter(None, names)), status, text, _drawn(shown, windows))
        for (status, text, shown), names in alike.items()
    )
    return Forest(lines, "; ".join(_axis(kind, [e for e in effects if _kind(e) == kind]) for kind in windows))


def _axis(kind: tuple[str, float], effects: Sequence[Effect]) -> str:
    """What the lines of the plots are: "line at 0 points, dashed at 5"."""
    unit, none = kind
    limits = {effect.limits for effect in effects}
    told = ""
    if limits != {()}:
        same = len(limits) == 1 and [f"{limit:.3g}" for limit in limits.pop()]
        told = f", dashed at {' and '.join(same)}" if same else ", dashed where each is decided"
    of_bound = unit.removeprefix(TIMES).strip() if unit.startswith(TIMES) else ""  # what the ratio is to
    return f"line at {of_bound or f'{none:g} {unit}'.rstrip()}{told}"


def _kind(effect: Effect) -> tuple[str, float]:
    return effect.unit, effect.none


def _window(effects: Iterable[Effect]) -> tuple[float, float]:
    """The ends of the axis that all parts of a claim share."""
    ends = [
        _scaled(end, effect) for effect in effects for end in (effect.low, effect.high, effect.none, *effect.limits)
    ]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (low - 1, high + 1)


def _scaled(value: float, effect: Effect) -> float:
    """Ratios of times lie on a logarithmic axis: half is as far from the line as twice."""
    return math.log(max(value, 1e-9)) if effect.unit.startswith(TIMES) else value


def _drawn(effects: Sequence[Effect], windows: Mapping[tuple[str, float], tuple[float, float]]) -> str:
    """A whisker for each effect, one below the other, with the line that decides; what it says stands beside it."""
    if not effects:
        return ""
    parts = []
    for number, effect in enumerate(effects):
        low, high = windows[_kind(effect)]
        middle = (number + 0.5) * ROW
        ends = (effect.low, effect.mean, effect.high, effect.none, *effect.limits)
        left, point, right, none, *limits = (
            EDGE + (WIDTH - 2 * EDGE) * (_scaled(end, effect) - low) / (high - low) for end in ends
        )
        top = number * ROW if number else -BEYOND
        bottom = (number + 1) * ROW + (BEYOND if number == len(effects) - 1 else 0)
        parts.append(f'<path class="none" d="M{none:.1f} {top:g}V{bottom:g}"/>')
        parts += [f'<path class="limit" d="M{limit:.1f} {top:g}V{bottom:g}"/>' for limit in limits]
        parts.append(f'<path d="M{left:.1f} {middle:g}H{right:.1f}"/>')
        parts.append(f'<circle cx="{point:.1f}" cy="{middle:g}" r="2.6"/>')
    height = ROW * len(effects)
    return f'<svg class="forest" viewBox="0 0 {WIDTH:g} {height:g}" aria-hidden="true">{"".join(parts)}</svg>'
