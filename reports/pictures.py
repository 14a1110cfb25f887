"""Pictures of a test set with the boxes that a run found in them, as inline SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.plain import visible

if TYPE_CHECKING:
    from results import Picture

LETTER = 0.055  # height of letters as a share of the picture's


@dataclass(frozen=True)
class Drawn:
    """A picture as an SVG element, and in words."""

    svg: str
    caption: str


def drawn(picture: Picture) -> Drawn:
    """The picture with the true boxes dashed, and those that were found with class and score beside them."""
    found = [f"{kind} {score:.2f}" for kind, _, score in picture.found]
    there = [kind for kind, _ in picture.there]
    caption = f"Test picture {picture.index}. True: {_listed(there)}. Found: {_listed(found)}."
    letter = LETTER * picture.height
    parts = [_box(edges, "true") for _, edges in picture.there]
    for (_, edges, _), text in zip(picture.found, found, strict=True):
        left, top, right, lower = edges
        above = top >= letter  # else below
        y = top - letter / 4 if above else min(lower + 1 + letter, picture.height - letter / 4)
        begins = left < picture.width / 2  # else its end is where the box ends, so that it stays in the picture
        x, anchor = (left, "start") if begins else (right + 1, "end")
        parts.append(_box(edges, "found"))
        parts.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{letter:g}">{_text(text)}</text>')
    return Drawn(
        f'<svg class="picture" viewBox="0 0 {picture.width} {picture.height}" role="img" aria-label="{_text(caption)}">'
        f'<image width="{picture.width}" height="{picture.height}" href="data:image/jpeg;base64,{picture.jpeg}"/>'
        f"{''.join(parts)}</svg>",
        caption,
    )


def _box(edges: Sequence[float], kind: str) -> str:
    left, top, right, lower = edges
    width, height = max(0.0, right - left + 1), max(0.0, lower - top + 1)
    return f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}"/>'


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def _text(text: str) -> str:
    return html.escape(visible(text))
