"""Line plots as inline SVG: the same bytes for the same lines, readable on light and dark ground.

The SVG is written here, because a canvas of matplotlib takes most of the time of a report for the few rules and lines
of a panel; matplotlib chooses the ticks. Text and rules have the colour and the font of the page. Each line carries its
values, from which the script of the page tells them.
"""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.plain import plain

# Contrast of at least 3 to 1 on white and on near-black; dashes tell lines apart where colours do not.
STYLES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("#2f7fd1", ()),
    ("#d2691e", (5, 2)),
    ("#2b9a66", (1.5, 1.5)),
    ("#a25fcf", (6, 2, 1.5, 2)),
    ("#d5466b", (3, 1.5)),
    ("#8a7a1f", (8, 2)),
    ("#1f93a0", (2, 3)),
    ("#7d7d86", (4, 1.5, 1, 1.5, 1, 1.5)),
)
WIDTH, HEIGHT = 260.0, 166.0  # of the drawing; letters are 8 high
LEFT, RIGHT, TOP, FOOT = 30.0, 254.0, 20.0, 141.0  # edges of the frame
BOUND = 1e100  # not drawn beyond: ticks and scales overflow
EPOCH = "epoch, the first is 0"
MOST_TICKS = 9  # of a logarithmic axis; beyond it powers of ten alone
LEAST_SPAN = 1e-3  # of the value: what moves less is drawn flat, because its labels would need more digits than fit


@dataclass(frozen=True)
class Line:
    """y over x, gaps where y is None; `style` counts through STYLES; `faint` for one of several seeds.

    With `ends`, the lower and upper end of the interval of each point, the points are marked and have error bars.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    style: int = 0
    faint: bool = False
    ends: tuple[tuple[float, float] | None, ...] = ()


def swatch(style: int) -> str:
    """A short piece of a line of that style, for legends."""
    colour, dashes = STYLES[style % len(STYLES)]
    dash = f' stroke-dasharray="{" ".join(f"{2 * d:g}" for d in dashes)}"' if dashes else ""
    line = f'<line x1="0" y1="4" x2="34" y2="4" stroke="{colour}" stroke-width="3"{dash}/>'
    return f'<svg class="swatch" viewBox="0 0 34 8" aria-hidden="true">{line}</svg>'


def panel(
    title: str, lines: Sequence[Line], y_label: str, *, x_label: str = EPOCH, log: bool = False, x_log: bool = False
) -> str:
    """One plot as an SVG element with title and description, empty if there is nothing to draw.

    `log` is of y, `x_log` of x, whose values must then be positive.
    """
    points = [(float(x), y) for line in lines for x, y in zip(line.x, line.y, strict=True) if _drawable(y, log)]
    if not points:
        return ""
    ends = [end for line in lines for pair in line.ends if pair for end in pair if _drawable(end, log)]
    heights = [y for _, y in points if y is not None] + ends
    window = _Window(*_span([x for x, _ in points], x_log), *_padded(heights, log), log, x_log)
    described = "; ".join(filter(None, (_described(line) for line in lines if not line.faint)))
    drawn = "".join(_drawn(line, window) for line in lines)
    return svg(title, y_label, x_label, described, window, drawn)


def svg(title: str, y_label: str, x_label: str, described: str, window: _Window, drawn: str) -> str:
    """What was `drawn` in a window, with its frame, its labels and what is said to those who do not see it."""
    frame = f"{LEFT:g} {RIGHT:g} {window.x_low:.5g} {window.x_high:.5g} {int(window.x_log)}"
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" data-frame="{frame}" '
        f'aria-label="{_text(title)}">'
        f"<title>{_text(title)}</title><desc>{_text(f'{y_label} over {x_label}. {described}')}</desc>"
        f"{_rules(window, y_label, x_label)}{drawn}</svg>"
    )


@dataclass(frozen=True)
class _Window:
    """The part of the plane that is shown, and how it maps to places of the drawing; `whole`: x has whole ticks."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    log: bool
    x_log: bool
    whole: bool = True

    def x(self, value: float) -> float:
        low, high = self.x_low, self.x_high
        if self.x_log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.y_low, self.y_high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return FOOT - (FOOT - TOP) * (value - low) / (high - low)


def _rules(window: _Window, y_label: str, x_label: str) -> str:
    at_y = [(tick, window.y(tick)) for tick in _ticks(window.y_low, window.y_high, window.log)]
    at_x = [(tick, window.x(tick)) for tick in _ticks(window.x_low, window.x_high, window.x_log, whole=window.whole)]
    grid = "".join(f"M{LEFT:g} {y:.2f}H{RIGHT:g}" for _, y in at_y)
    return "".join(
        (
            f'<path class="grid" d="{grid}"/>',
            f'<text x="3" y="9">{_text(y_label)}</text>',
            f'<text class="end" x="{RIGHT:g}" y="163">{_text(x_label)}</text>',
            *(f'<text class="end" x="{LEFT - 4:g}" y="{y + 2.8:.2f}">{tick:.6g}</text>' for tick, y in at_y),
            *(f'<text class="mid" x="{x:.2f}" y="{FOOT + 12:g}">{_short(tick)}</text>' for tick, x in at_x),
        )
    )


def _ticks(low: float, high: float, log: bool, whole: bool = False) -> list[float]:
    """Round values from `low` to `high`, integers if `whole`; on a logarithmic axis 1, 2, 5, 10 ... if two fit."""
    if log and len(round_ones := _log_ticks(low, high)) > 1:
        return round_ones
    ticks = _locator(whole).tick_values(low, high)  # which breaks whole ones where few fit
    return [tick for tick in ticks if low <= tick <= high and not (whole and tick % 1)]


@functools.cache
def _locator(whole: bool) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, integer=whole, steps=[1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10])


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [tick for power in powers for digit in (1, 2, 5) if low <= (tick := float(f"{digit}e{power}")) <= high]
    if len(ticks) <= MOST_TICKS:
        return ticks
    ones = [tick for power in powers if low <= (tick := float(f"1e{power}")) <= high]
    return ones[:: math.ceil(len(ones) / MOST_TICKS)]


def _short(value: float) -> str:
    """20000 as 20k, 1e6 as 1M; in full what that would round."""
    for least, factor, unit in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if least <= value < 1e10 and value == float(f"{value:.3g}"):
            return f"{value / factor:g}{unit}"
    return f"{value:.10g}"


def _drawn(line: Line, window: _Window) -> str:
    colour, dashes = STYLES[line.style % len(STYLES)]
    drawable = [(x, y) if _drawable(y, window.log) else None for x, y in zip(line.x, line.y, strict=True)]
    places = [point and (window.x(point[0]), window.y(point[1])) for point in drawable]
    path, alone = _path(places)
    bars = [
        f"M{place[0]:.2f} {window.y(pair[0]):.2f}V{window.y(pair[1]):.2f}"
        for place, pair in zip(places, line.ends, strict=False)
        if place and pair and all(_drawable(end, window.log) for end in pair)
    ]
    marked = [place for place in places if place] if line.ends else alone
    dash = f' stroke-dasharray="{" ".join(f"{1.5 * d:g}" for d in dashes)}"' if dashes and not line.faint else ""
    parts = [f'<path d="{path}"{dash}/>'] if path else []
    parts += [f'<path class="bars" d="{"".join(bars)}"/>'] if bars else []
    parts += [f'<circle cx="{x:.2f}" cy="{y:.2f}" r="1.8"/>' for x, y in marked]
    if not parts:
        return ""
    if line.faint:
        return f'<g class="line faint" color="{colour}">{"".join(parts)}</g>'
    told = [point for point in drawable if point]
    at, values = _listed(x for x, _ in told), _listed(y for _, y in told)
    data = f'data-label="{_text(line.label)}" data-x="{at}" data-y="{values}"'
    return f'<g class="line" color="{colour}" {data}>{"".join(parts)}</g>'


def _path(places: Sequence[tuple[float, float] | None]) -> tuple[str, list[tuple[float, float]]]:
    """The lines between neighbours, and the places that have none."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for place in places:
        if place:
            pieces[-1].append(place)
        elif pieces[-1]:
            pieces.append([])
    drawn = ("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in piece) for piece in pieces if len(piece) > 1)
    return "".join(drawn), [piece[0] for piece in pieces if len(piece) == 1]


def _listed(values: Iterable[float]) -> str:
    return " ".join(f"{value:.5g}" for value in values)


def _drawable(value: float | None, log: bool) -> TypeGuard[float]:
    return value is not None and abs(value) < BOUND and (value > 1 / BOUND or not log)


def _span(values: Sequence[float], log: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high > low:
        return low, high
    return (low / 2, high * 2) if log else (low - 0.5, high + 0.5)


def _padded(values: Sequence[float], log: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if log:
        return low / 1.12, high * 1.12
    largest = max(abs(low), abs(high))
    pad = 0.05 * (high - low) or 0.05 * largest or 0.5
    pad = max(pad, (LEAST_SPAN * largest - (high - low)) / 2)
    return low - pad, high + pad


def _described(line: Line) -> str:
    values = [value for value in line.y if value is not None]
    return f"{line.label}: {values[0]:.4g} at first, {values[-1]:.4g} at last" if values else ""


def _text(text: str) -> str:
    return html.escape(plain(text))
