"""Figures: same input, same bytes; nothing that a page could not carry."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
import synthetic_runs as invented
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.curves import of_run
from reports.figures import BOUND, FOOT, LEFT, RIGHT, TOP, Line, panel, swatch
from results import Metric

UP = Line("up", (0.0, 1.0, 2.0), (10.0, 20.0, 30.0))


def points(svg: str) -> list[tuple[float, float]]:
    """The corners of the first line."""
    numbers = re.findall(r"[0-9.]+", path_of(svg))
    return list(zip(map(float, numbers[::2]), map(float, numbers[1::2]), strict=True))


def path_of(svg: str) -> str:
    path = ET.fromstring(svg).find("g[@class='line']/path")
    assert path is not None
    return path.get("d", "")


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (("conv.10", "fc.1", "conv.2"), ("conv.2", "conv.10", "fc.1")),
        (("10", "0", "2"), ("layer 1", "layer 3", "layer 11")),  # results from before layers had names
    ],
)
def test_layers_of_a_run_stand_in_their_order(layers: tuple[str, ...], expected: tuple[str, ...]) -> None:
    experiment = invented.cell("PLIF 2 max", "MNIST").experiment
    units = {"rate": "1", "tau": "steps"}
    metrics = tuple(
        Metric(f"{name}_{layer}", 2.0 + epoch, unit, epoch)
        for name, unit in units.items()
        for layer in layers
        for epoch in range(3)
    )
    run = invented.run(experiment, metrics=metrics)
    assert [tuple(label for label, _ in legend) for _, legend in of_run(run, run.metrics)] == [expected, expected]


def test_same_lines_same_bytes() -> None:
    assert panel("a", [UP], "y") == panel("a", [UP], "y")


def test_points_lie_where_they_should() -> None:
    # y from 10 to 30 with 5 % margins spans 9 ... 31; a point at 20 lies in the middle of the frame.
    found = points(panel("a", [Line("x", (0.0, 1.0, 2.0), (10.0, 20.0, 30.0)), UP], "y"))
    assert found[0][0] == LEFT
    assert found[-1][0] == RIGHT
    middle = (FOOT + TOP) / 2
    bent = points(panel("a", [Line("x", (0.0, 1.0, 2.0), (10.0, 30.0, 20.0))], "y"))
    assert bent[-1][1] == middle
    logarithmic = points(panel("a", [Line("x", (0.0, 1.0, 2.0), (1.0, 100.0, 10.0))], "y", log=True))
    assert logarithmic[-1][1] == middle


def test_gaps_stay_gaps() -> None:
    assert panel("a", [Line("x", (0.0, 1.0), (None, None))], "y") == ""
    assert panel("a", [Line("x", (0.0, 1.0), (0.0, -1.0))], "y", log=True) == ""
    svg = panel("a", [Line("x", (0.0, 1.0, 2.0, 3.0, 4.0), (1.0, 2.0, None, 3.0, 1.0))], "y")
    assert path_of(svg).count("M") == 2


def test_a_point_without_neighbours_is_a_dot() -> None:
    svg = ET.fromstring(panel("a", [Line("x", (0.0, 1.0, 2.0, 3.0), (1.0, None, 3.0, 1.0))], "y"))
    assert len(svg.findall("g/circle")) == 1


def test_intervals_are_bars_inside_the_frame() -> None:
    line = Line("x", (0.0, 1.0), (1.0, 2.0), ends=((0.0, 4.0), None))
    svg = ET.fromstring(panel("a", [line], "y"))
    bars = svg.find("g/path[@class='bars']")
    assert bars is not None
    _, low, high = map(float, re.findall(r"[0-9.]+", bars.get("d", "")))
    assert FOOT > low > high > TOP
    assert len(svg.findall("g/circle")) == 2


def test_a_line_carries_its_values() -> None:
    line = ET.fromstring(panel("a", [UP, Line("faint", (0.0,), (1.0,), faint=True)], "y")).findall("g")
    assert [line[0].get(f"data-{name}") for name in ("label", "x", "y")] == ["up", "0 1 2", "10 20 30"]
    assert line[1].get("data-y") is None


def test_it_is_readable_by_machines_and_in_the_dark() -> None:
    svg = panel("Tau & <co>", [UP], "tau")
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Tau & <co>"
    assert [element.text for element in root.iter("title")] == ["Tau & <co>"]
    assert [e.text for e in root.iter("desc")] == ["tau over epoch, the first is 0. up: 10 at first, 30 at last"]
    assert {element.get("color") for element in root.iter("g")} == {"#2f7fd1"}  # all else has the page's


@settings(max_examples=25)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
    st.lists(st.none() | st.floats(-1e6, 1e6) | st.floats(), min_size=1, max_size=6),
    st.booleans(),
)
def test_any_line_gives_well_formed_svg_or_none(label: str, values: list[float | None], log: bool) -> None:
    svg = panel(label, [Line(label, tuple(map(float, range(len(values)))), tuple(values))], "y", log=log)
    drawable = [v for v in values if v is not None and abs(v) < BOUND and (v > 1 / BOUND or not log)]
    assert bool(svg) == bool(drawable)
    if svg:
        assert ET.fromstring(svg).find("title") is not None


def labels(svg: str) -> list[str]:
    """What is written on the drawing, title and description left out."""
    return ["".join(text.itertext()).strip() for text in ET.fromstring(svg).iter("text")]


@pytest.mark.parametrize("moves", [0.0, 1e-12, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("value", [0.1, -0.1, 99.87, 1234567.0, 3e-9])
def test_a_curve_that_barely_moves_has_distinct_labels(value: float, moves: float) -> None:
    curve = Line("x", (0.0, 1.0, 2.0), (value, value * (1 + moves), value * (1 - moves)))
    for log in (False, value > 0):
        ticks = labels(panel("a", [curve], "loss", log=log))[2:-3]  # without the names of the axes and the epochs
        assert len(ticks) >= 2
        assert len(ticks) == len(set(ticks)), ticks


@settings(max_examples=50)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=4), st.booleans())
def test_no_two_labels_of_an_axis_are_equal(values: list[float], log: bool) -> None:
    x = tuple(map(float, range(1000000, 1000000 + len(values))))
    figure = panel("a", [Line("x", x, tuple(values))], "y", log=log)
    if figure:
        found = labels(figure)[2:]
        assert len(found) == len(set(found))


def test_a_narrow_logarithmic_axis_is_labelled_too() -> None:
    curve = Line("x", (1100.0, 1500.0, 1900.0), (1.1, 1.2, 1.3))
    assert {"1200", "1400", "1600", "1800"} <= set(labels(panel("a", [curve], "y", log=True, x_log=True)))
    wide = Line("x", (1.0, 1e15), (1e-20, 1e20))
    assert {"1", "1e-20", "1e+20"} <= set(labels(panel("a", [wide], "y", log=True, x_log=True)))


def test_a_single_epoch_is_labelled_by_its_number_alone() -> None:
    assert labels(panel("a", [Line("x", (0.0,), (0.1,))], "y"))[-1] == "0"
    assert not {"-0.4", "0.2"} & set(labels(panel("a", [Line("x", (0.0,), (0.1,))], "y")))


def test_swatches_tell_styles_apart() -> None:
    assert len({swatch(style) for style in range(8)}) == 8
    assert swatch(8) == swatch(0)
