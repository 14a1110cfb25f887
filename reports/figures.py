"""Line plots as inline SVG: the same bytes for the same lines, readable on light and dark ground.

Matplotlib's own axes take four times as long to draw as the rest of a panel, so ticks and labels are set as plain text.
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
LOG_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


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
    title: str,
    lines: Sequence[Line],
    y_label: str,
    *,
    x_label: str = "epoch",
    log: bool = False,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """One plot as an SVG element with title and description, empty if there is nothing to draw."""
    points = [(x, y) for line in lines for x, y in zip(line.x, line.y, strict=True) if _drawable(y, log)]
    if not points:
        return ""
    x_low, x_high = x_range or _span([x for x, _ in points])
    y_low, y_high = y_range or _padded([y for _, y in points if y is not None], log)
    figure, axes = _axes(log)
    axes.set_xlim(x_low, x_high)
    axes.set_ylim(y_low, y_high)
    _rules(axes, x_low, x_high, y_low, y_high, log)
    figure.text(0.012, 0.985, y_label, ha="left", va="top", fontsize=8, color=INK)
    figure.text(FRAME[0] + FRAME[2], 0.0, x_label, ha="right", va="bottom", fontsize=8, color=INK)
    for line in lines:
        _draw(axes, line, log)
    described = "; ".join(filter(None, (_described(line) for line in lines if not line.faint)))
    return _svg(figure, title, f"{y_label} over {x_label}. {described}")


def _axes(log: bool) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, facecolor="none")
    axes = figure.add_axes(FRAME)
    axes.set_axis_off()
    if log:
        axes.set_yscale("log")
    return figure, axes


def _rules(axes: Any, x_low: float, x_high: float, y_low: float, y_high: float, log: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
    y_ticks = LOG_TICKS if log else ticks.tick_values(y_low, y_high)
    y_ticks = [tick for tick in y_ticks if y_low <= tick <= y_high]
    axes.hlines(y_ticks, x_low, x_high, colors=INK, linewidths=0.5, alpha=0.16)
    for tick in y_ticks:
        axes.annotate(
            f"{tick:.6g}",
            (x_low, tick),
            (-4, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8,
            color=INK,
        )
    whole = MaxNLocator(5, integer=True, steps=[1, 2, 5, 10])
    for tick in whole.tick_values(x_low, x_high):
        if x_low <= tick <= x_high - 0.12 * (x_high - x_low):  # the far end belongs to the axis label
            place = axes.transData.transform((tick, y_low))
            x, y = axes.figure.transFigure.inverted().transform(place)
            axes.figure.text(x, y - 0.035, f"{tick:g}", ha="center", va="top", fontsize=8, color=INK)


def _draw(axes: Any, line: Line, log: bool) -> None:
    from matplotlib.lines import Line2D

    colour, dashes = STYLES[line.style % len(STYLES)]
    y = [value if value is not None and _drawable(value, log) else math.nan for value in line.y]
    lone = sum(map(math.isfinite, y)) == 1
    axes.add_line(
        Line2D(
            line.x,
            y,
            color=colour,
            linewidth=0.7 if line.faint else 1.5,
            alpha=0.45 if line.faint else 1.0,
            linestyle=(0, dashes) if dashes and not line.faint else "-",
            marker="o" if lone else "",
            markersize=3,
        )
    )


def _drawable(value: float | None, log: bool) -> bool:
    return value is not None and math.isfinite(value) and (value > 0 or not log)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _padded(values: Sequence[float], log: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if log:
        return low / 1.12, high * 1.12
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return low - pad, high + pad


def _described(line: Line) -> str:
    values = [value for value in line.y if value is not None]
    return f"{line.label}: {values[0]:.4g} at first, {values[-1]:.4g} at last" if values else ""


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
        f'xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{html.escape(title)}">'
        f"<title>{html.escape(title)}</title><desc>{html.escape(description)}</desc>"
    )
    return opening + drawing[drawing.index(">") + 1 :].strip()
