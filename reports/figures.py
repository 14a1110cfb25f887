"""Line plots as inline SVG: the same bytes for the same lines, readable on light and dark ground.

Matplotlib's axes take many times as long as all the rest of a panel, so the few rules and ticks are placed here.
Text and rules carry a placeholder colour that becomes `currentColor`; fonts come from the page.
"""

from __future__ import annotations

import hashlib
import html
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.plain import plain

INK = "#010203"  # becomes currentColor
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
SIZE = (3.6, 2.3)  # inches
FRAME = (0.115, 0.15, 0.865, 0.73)  # of the figure: left, bottom, width, height
BOUND = 1e100  # not drawn beyond: ticks and scales overflow
EPOCH = "epoch, the first is 0"
MOST_TICKS = 9  # of a logarithmic axis; beyond it powers of ten alone
LEAST_SPAN = 1e-3  # of the value: what moves less is drawn flat, because its labels would need more digits than fit


@dataclass(frozen=True)
class Line:
    """y over x, gaps where y is None; `style` counts through STYLES; `faint` for one of several seeds."""

    label: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    style: int = 0
    faint: bool = False


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
    from matplotlib.figure import Figure

    points = [(float(x), y) for line in lines for x, y in zip(line.x, line.y, strict=True) if _drawable(y, log)]
    if not points:
        return ""
    x_ends = _span([x for x, _ in points], x_log)
    window = _Window(*x_ends, *_padded([y for _, y in points if y is not None], log), log, x_log)
    figure = Figure(figsize=SIZE, facecolor="none")
    _rules(figure, window, y_label, x_label)
    for line in lines:
        figure.add_artist(_drawn(line, window))
    described = "; ".join(filter(None, (_described(line) for line in lines if not line.faint)))
    return _svg(figure, title, f"{y_label} over {x_label}. {described}")


@dataclass(frozen=True)
class _Window:
    """The part of the plane that is shown, and how it maps to fractions of the figure."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    log: bool
    x_log: bool

    def x(self, value: float) -> float:
        low, high = self.x_low, self.x_high
        if self.x_log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return FRAME[0] + FRAME[2] * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.y_low, self.y_high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return FRAME[1] + FRAME[3] * (value - low) / (high - low)


def _rules(figure: Any, window: _Window, y_label: str, x_label: str) -> None:
    from matplotlib.lines import Line2D

    left, right = FRAME[0], FRAME[0] + FRAME[2]
    text = {"fontsize": 8, "color": INK, "parse_math": False}
    figure.text(0.012, 0.985, plain(y_label), ha="left", va="top", **text)
    figure.text(right, 0.005, plain(x_label), ha="right", va="bottom", **text)
    for tick in _ticks(window.y_low, window.y_high, window.log):
        y = window.y(tick)
        figure.add_artist(Line2D((left, right), (y, y), color=INK, linewidth=0.5, alpha=0.16))
        figure.text(left - 0.015, y, f"{tick:.6g}", ha="right", va="center", **text)
    for tick in _ticks(window.x_low, window.x_high, window.x_log, whole=True):
        figure.text(window.x(tick), FRAME[1] - 0.035, _short(tick), ha="center", va="top", **text)


def _ticks(low: float, high: float, log: bool, whole: bool = False) -> list[float]:
    """Round values from `low` to `high`, integers if `whole`; on a logarithmic axis 1, 2, 5, 10 ... if two fit."""
    from matplotlib.ticker import MaxNLocator

    if log and len(round_ones := _log_ticks(low, high)) > 1:
        return round_ones
    steps = [1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10]
    ticks = MaxNLocator(5, integer=whole, steps=steps).tick_values(low, high)  # which breaks whole ones where few fit
    return [tick for tick in ticks if low <= tick <= high and not (whole and tick % 1)]


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


def _drawn(line: Line, window: _Window) -> Any:
    from matplotlib.lines import Line2D

    colour, dashes = STYLES[line.style % len(STYLES)]
    y = [window.y(v) if v is not None and _drawable(v, window.log) else math.nan for v in line.y]
    return Line2D(
        [window.x(value) for value in line.x],
        y,
        color=colour,
        linewidth=0.7 if line.faint else 1.5,
        alpha=0.45 if line.faint else 1.0,
        linestyle=(0, dashes) if dashes and not line.faint else "-",
        marker="o" if sum(map(math.isfinite, y)) == 1 else "",
        markersize=3,
    )


def _drawable(value: float | None, log: bool) -> bool:
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


def _svg(figure: Any, title: str, description: str) -> str:
    import matplotlib

    buffer = io.StringIO()
    salt = hashlib.sha256(f"{title}\n{description}".encode()).hexdigest()[:10]
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": salt, "path.simplify": True}
    with matplotlib.rc_context(settings):
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", drawing, flags=re.DOTALL)
    keep = {name for pair in re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", drawing) for name in pair}
    drawing = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in keep else "", drawing)
    drawing = re.sub(r" font-family: [^;\"]*;| transform=\"rotate\(-?0 [^)]*\)\"", "", drawing)
    drawing = drawing.replace(INK, "currentColor")
    drawing = re.sub(r"\s*\n\s*", " ", drawing)
    width, height = (72 * inches for inches in SIZE)
    opening = (
        f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{_text(title)}">'
        f"<title>{_text(title)}</title><desc>{_text(description)}</desc>"
    )
    return opening + drawing[drawing.index(">") + 1 :].strip()
