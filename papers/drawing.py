"""What a table draws of its runs beside their curves, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Drawing:
    """Lines over x, both axes logarithmic; `caption` says what they show and what was fitted to them."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]  # label and points
    caption: str
