"""Points with names as inline SVG, as `reports.figures` draws lines; those on the front are filled and joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.plain import plain

from .figures import INK, SIZE, STYLES, _drawable, _padded, _rules, _span, _svg, _Window

ON, OFF = STYLES[0][0], STYLES[7][0]


def scatter(
    title: str, points: Mapping[str, tuple[float, float]], front: Sequence[str], y_label: str, x_label: str
) -> str:
    """One plot of `points` (x, y), x logarithmic, as an SVG element; empty if there is nothing to draw."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    drawn = {name: (x, y) for name, (x, y) in points.items() if _drawable(x, True) and _drawable(y, False)}
    if not drawn:
        return ""
    low, high = _span([x for x, _ in drawn.values()], True)
    room = (high / low) ** 0.08  # for names on both sides
    window = _Window(low / room, high * room, *_padded([y for _, y in drawn.values()], False), False, True)
    figure = Figure(figsize=SIZE, facecolor="none")
    _rules(figure, window, y_label, x_label)
    kept = [name for name in front if name in drawn]
    line = [(window.x(x), window.y(y)) for x, y in map(drawn.__getitem__, kept)]
    figure.add_artist(Line2D([x for x, _ in line], [y for _, y in line], color=ON, linewidth=0.8, alpha=0.6))
    for name, (x, y) in sorted(drawn.items(), key=lambda item: item[0] in kept):
        colour = ON if name in kept else OFF
        place = window.x(x), window.y(y)
        figure.add_artist(Line2D([place[0]], [place[1]], color=colour, marker="o", markersize=3.2, linestyle=""))
        if name in kept:  # names of all would lie over each other
            left = place[0] > 0.7
            figure.text(
                place[0] + (-0.012 if left else 0.012), place[1], plain(name),
                ha="right" if left else "left", va="bottom", fontsize=6.5, color=INK, parse_math=False,
            )  # fmt: skip
    told = "; ".join(f"{name}: {y:.3g} at {x:.3g}" for name, (x, y) in drawn.items())
    return _svg(figure, title, f"{y_label} over {x_label}. {told}. On the front: {', '.join(kept)}")
