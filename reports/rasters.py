"""Spikes as inline SVG: rasters of a sample with the first output spike marked, accuracy by step, bars of counts."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.plain import visible
from papers.layers import called, of_layers
from papers.measures import RIGHT_BY_STEP, TEST
from papers.measures import SPIKES as ALL_SPIKES

from . import figures
from .figures import Line
from .pictures import Drawn

if TYPE_CHECKING:
    from results import Metric, Raster, Sample

WIDTH, LEFT, RIGHT = 360.0, 74.0, 8.0  # of the drawing, and of its margins
ROW, LEAST, MOST = 7.0, 24.0, 110.0  # height of a neuron, and of a layer at least and at most
GAP, FOOT = 6.0, 18.0
LETTERS = 13  # of a name that fit beside its layer
BY_STEP = dict(zip(RIGHT_BY_STEP, ("by first spike", "by rate"), strict=True))
SPIKES, TOGETHER = "spikes", ALL_SPIKES.curve(TEST)
STEP = "step, the first is 0"


def drawn(raster: Raster) -> Drawn:
    """A dot for each spike; where the output spikes, a ring around its first one and a line through all layers at its
    step."""
    first = _first(raster) if raster.output else None
    what = f"the output of class {first[1]} fires first, at step {first[0]}" if first else "no output neuron fires"
    fires = f": {what}" if raster.output else ""
    caption = f"Test sample {raster.index}, of class {raster.there}{fires}; decided for class {raster.found}."
    width = (WIDTH - LEFT - RIGHT) / max(raster.steps, 1)
    parts, top = [], 4.0
    for number, (name, neurons, kept, spikes) in enumerate(raster.layers):
        height = min(max(ROW * kept, LEAST), MOST)
        row = height / max(kept, 1)
        output = raster.output and number == len(raster.layers) - 1
        parts.append(
            f'<rect class="layer" x="{LEFT:g}" y="{top:g}" width="{WIDTH - LEFT - RIGHT:g}" height="{height:g}"/>'
        )
        if output and raster.there < kept:
            y = top + raster.there * row
            parts.append(
                f'<rect class="label" x="{LEFT:g}" y="{y:g}" width="{WIDTH - LEFT - RIGHT:g}" height="{row:g}"/>'
            )
        gap = 0.12 if row > 3 else 0.0  # between rows, where they are not too low for one
        marks = "".join(
            f"M{LEFT + (step + 0.5) * width:.2f} {top + (neuron + gap) * row:.2f}v{(1 - 2 * gap) * row:.2f}"
            for step, neuron in places(raster.steps, kept, spikes)
        )
        if marks:
            parts.append(f'<path class="spikes" style="stroke-width:{min(max(0.5 * width, 1.3), 5):g}px" d="{marks}"/>')
        if output and first:
            x, y = LEFT + (first[0] + 0.5) * width, top + (first[1] + 0.5) * row
            parts.append(f'<circle class="first" cx="{x:.2f}" cy="{y:.2f}" r="5"/>')
        parts += _named(name, neurons, kept, top + height / 2)
        top += height + GAP
    if first:
        x = LEFT + (first[0] + 0.5) * width
        parts.append(f'<line class="first" x1="{x:.2f}" y1="4" x2="{x:.2f}" y2="{top - GAP:g}"/>')
    parts.append(f'<text x="{LEFT:g}" y="{top + 9:g}">step 0</text>')
    parts.append(
        f'<text x="{WIDTH - RIGHT:g}" y="{top + 9:g}" text-anchor="end">step {max(raster.steps - 1, 0)}</text>'
    )
    svg = (
        f'<svg class="raster" viewBox="0 0 {WIDTH:g} {top + FOOT:g}" role="img" aria-label="{_text(caption)}">'
        f"{''.join(parts)}</svg>"
    )
    return Drawn(svg, caption)


def places(steps: int, neurons: int, spikes: str) -> list[tuple[int, int]]:
    """Step and neuron of each spike of [steps, neurons] bits in base64."""
    bits = base64.b64decode(spikes)
    found = (place for place in range(steps * neurons) if bits[place // 8] >> (7 - place % 8) & 1)
    return [divmod(place, neurons) for place in found]


def _first(raster: Raster) -> tuple[int, int] | None:
    """Step and neuron of the first spike of the output, the lowest neuron among equals; None where none fires."""
    _, _, kept, spikes = raster.layers[-1]
    return min(places(raster.steps, kept, spikes), default=None)


def _named(name: str, neurons: int, kept: int, y: float) -> list[str]:
    count = f"{kept} of {neurons:,}" if kept < neurons else f"{neurons}"
    short = name if len(name) <= LETTERS else f"…{name[1 - LETTERS :]}"
    return [
        f'<text x="{LEFT - 5:g}" y="{y - 1:g}" text-anchor="end">{_text(short)}</text>',
        f'<text x="{LEFT - 5:g}" y="{y + 9:g}" text-anchor="end">{count}</text>',
    ]


def over_time(samples: Sequence[Sample]) -> list[tuple[Drawn, tuple[tuple[str, int], ...]]]:
    """The accuracy at each step by first spike and by rate, with its legend; none where it was not kept."""
    found: dict[str, dict[int, float]] = {name: {} for name in BY_STEP}
    for sample in samples:
        if sample.name in BY_STEP and sample.value is not None:
            found[sample.name][sample.index] = RIGHT_BY_STEP[sample.name].shown(sample.value)
    lines = [
        Line(BY_STEP[name], tuple(map(float, of)), tuple(of.values()), style)
        for style, (name, of) in enumerate(found.items())
        if of
    ]
    unit = next(iter(RIGHT_BY_STEP.values())).show
    svg = figures.panel("Told right by each step", lines, f"of the test set, {unit}", x_label=STEP)
    caption = "Share of the test set that is told right by each step, after the last epoch"
    return [(Drawn(svg, caption), tuple((line.label, line.style) for line in lines))] if svg else []


def bars(metrics: Sequence[Metric]) -> list[Drawn]:
    """Spikes of a neuron in a sample, of each layer and of all together, in the last epoch; none where not measured."""
    last: dict[str, tuple[int, float]] = {}
    for metric in metrics:
        if metric.step is not None and metric.value is not None and metric.step >= last.get(metric.name, (0,))[0]:
            last[metric.name] = metric.step, metric.value
    if TOGETHER not in last:
        return []
    entries = [(called(name, SPIKES), last[name][1]) for name in of_layers(last, SPIKES)]
    entries.append(("all layers", last[TOGETHER][1]))
    most = max(value for _, value in entries) or 1.0
    row, room = 18.0, WIDTH - LEFT - 54
    parts = []
    for place, (name, value) in enumerate(entries):
        y = 4 + place * row
        parts.append(f'<text x="{LEFT - 5:g}" y="{y + 11:g}" text-anchor="end">{_text(name)}</text>')
        parts.append(
            f'<rect class="bar" x="{LEFT:g}" y="{y:g}" width="{room * value / most:.2f}" height="{row - 4:g}"/>'
        )
        parts.append(f'<text x="{LEFT + room * value / most + 4:.2f}" y="{y + 11:g}">{value:.3g}</text>')
    caption = f"Spikes of a neuron in a test sample, epoch {last[TOGETHER][0]}"
    told = "; ".join(f"{name} {value:.3g}" for name, value in entries)
    drawing = Drawn(
        f'<svg class="raster" viewBox="0 0 {WIDTH:g} {8 + row * len(entries):g}" role="img" '
        f'aria-label="{_text(f"{caption}: {told}")}">{"".join(parts)}</svg>',
        caption,
    )
    return [drawing]


def _text(text: str) -> str:
    return html.escape(visible(text))
