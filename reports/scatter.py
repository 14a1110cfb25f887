"""Points with names as inline SVG, as `reports.figures` draws lines; those on the front are filled and joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .figures import LEFT, RIGHT, STYLES, _drawable, _padded, _span, _text, _Window, svg

ON, OFF = STYLES[0][0], STYLES[7][0]


def scatter(
    title: str, points: Mapping[str, tuple[float, float]], front: Sequence[str], y_label: str, x_label: str
) -> str:
    """One plot of `points` (x, y), x logarithmic, as an SVG element; empty if there is nothing to draw."""
    shown = {name: (x, y) for name, (x, y) in points.items() if _drawable(x, True) and _drawable(y, False)}
    if not shown:
        return ""
    low, high = _span([x for x, _ in shown.values()], True)
    room = (high / low) ** 0.08  # for names on both sides
    window = _Window(low / room, high * room, *_padded([y for _, y in shown.values()], False), False, True, False)
    places = {name: (window.x(x), window.y(y)) for name, (x, y) in shown.items()}
    kept = [name for name in front if name in shown]
    line = "L".join(f"{x:.2f} {y:.2f}" for x, y in map(places.__getitem__, kept))
    drawn = [f'<path class="front" color="{ON}" d="M{line}"/>'] if len(kept) > 1 else []
    for name, (x, y) in sorted(places.items(), key=lambda item: item[0] in kept):
        colour = ON if name in kept else OFF
        drawn.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="2.2" fill="{colour}"/>')
        if name in kept:  # names of all would lie over each other
            left = x > LEFT + 0.7 * (RIGHT - LEFT)
            place = f'class="end" x="{x - 3:.2f}"' if left else f'x="{x + 3:.2f}"'
            drawn.append(f'<text {place} y="{y - 3:.2f}">{_text(name)}</text>')
    told = "; ".join(f"{name}: {y:.3g} at {x:.3g}" for name, (x, y) in shown.items())
    return svg(title, y_label, x_label, f"{told}. On the front: {', '.join(kept)}", window, "".join(drawn))
