"""Points with names as inline SVG, as `reports.figures` draws lines; those on the front are filled and joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .figures import LEFT, STYLES, TOP, WIDTH, _drawable, _padded, _span, _text, _Window, svg

ON, OFF = STYLES[0][0], STYLES[7][0]
LETTER, LINE = 4.7, 8.0  # room of a letter and of a line
Box = tuple[float, float, float, float]  # left, top, right, bottom


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
    tellings = {name: f"{name}: {y:.3g} at {x:.3g}" for name, (x, y) in shown.items()}
    said = {name: _text(telling) for name, telling in tellings.items()}
    line = "L".join(f"{x:.2f} {y:.2f}" for x, y in map(places.__getitem__, kept))
    drawn = [f'<path class="front" color="{ON}" d="M{line}"/>'] if len(kept) > 1 else []
    for name, (x, y) in sorted(places.items(), key=lambda item: item[0] in kept):
        colour = ON if name in kept else OFF
        drawn.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="2.2" fill="{colour}"><title>{said[name]}</title></circle>')
    drawn += _names({name: places[name] for name in kept})  # names of all would lie over each other
    told = "; ".join(tellings.values())
    return svg(title, y_label, x_label, f"{told}. On the front: {', '.join(kept)}", window, "".join(drawn))


def _names(places: Mapping[str, tuple[float, float]]) -> list[str]:
    """The name of each point beside it, where it lies over no other point or name as far as there is room."""
    taken: list[Box] = [(x - 2, y - 2, x + 2, y + 2) for x, y in places.values()]
    drawn = []
    for name, (x, y) in places.items():
        width = LETTER * len(name)
        ways = [
            (side, (left, y + down - LINE, left + width, y + down))
            for down in (-2, 9, -10, 17, -18, 25, -26, 33)
            for side, left in (("start", x + 3), ("end", x - 3 - width))
        ]
        inside = [way for way in ways if way[1][0] >= LEFT and way[1][2] <= WIDTH and way[1][1] >= TOP - LINE]
        side, box = min(inside or ways, key=lambda way: sum(_over(way[1], other) for other in taken))  # the first
        taken.append(box)
        place = f'class="end" x="{box[2]:.2f}"' if side == "end" else f'x="{box[0]:.2f}"'
        drawn.append(f'<text {place} y="{box[3] - 1:.2f}">{_text(name)}</text>')
    return drawn


def _over(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)
