"""The forest plots of claims say what their words say, and the page of all claims has every one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from papers.claims import Comparison, Effect, conclude
from reports.forest import EDGE, WIDTH, forest


def drawn(*comparisons: Comparison) -> list[list[float]]:
    """Where the line that decides, the ends and the point of each part of a finding lie."""
    found = []
    for line in forest(conclude(comparisons, "t")).lines:
        none, left, right = re.findall(r'd="M([\d.]+) .*?"/><path d="M([\d.]+) [\d.]+H([\d.]+)"', line.svg)[0]
        found.append([float(none), float(left), float(re.findall(r'cx="([\d.]+)"', line.svg)[0]), float(right)])
    return found


def test_parts_share_an_axis_on_which_the_numbers_lie() -> None:
    first = Comparison("1", True, 0.1, column="a", effects=(Effect(0.0, 5.0, 10.0, "points"),))
    second = Comparison("2", False, 0.1, column="b", effects=(Effect(-10.0, -5.0, 0.0, "points"),))
    middle, quarter = WIDTH / 2, (WIDTH - 2 * EDGE) / 4
    assert drawn(first, second) == [
        [middle, middle, middle + quarter, WIDTH - EDGE],
        [middle, EDGE, middle - quarter, middle],
    ]


def test_half_the_time_is_as_far_from_the_line_as_twice() -> None:
    (found,) = drawn(Comparison("1", True, 0.1, column="a", effects=(Effect(0.5, 1.0, 2.0, "times", 1.0),)))
    assert found == [WIDTH / 2, EDGE, WIDTH / 2, WIDTH - EDGE]


def test_the_margin_of_a_claim_is_drawn_and_told() -> None:
    part = Comparison("1", False, 0.1, column="a", effects=(Effect(1.0, 5.0, 10.0, "points", limits=(4.0,)),))
    found = forest(conclude([part], "t"))
    (limit,) = re.findall(r'class="limit" d="M([\d.]+) ', found.lines[0].svg)
    assert float(limit) == pytest.approx(EDGE + (WIDTH - 2 * EDGE) * 0.4, abs=0.05)
    assert found.axis == "line at 0 points, dashed at 4"
    other = Comparison("2", False, 0.1, column="b", effects=(Effect(1.0, 5.0, 10.0, "points", limits=(-2.0, 2.0)),))
    assert forest(conclude([part, other], "t")).axis == "line at 0 points, dashed where each is decided"


def test_every_number_of_a_part_is_drawn() -> None:
    effects = tuple(Effect(1.0, 2.0, 3.0, "times", 1.0) for _ in range(25))
    (line,) = forest(conclude([Comparison("25 sizes", True, 0.0, column="a", effects=effects)], "t")).lines
    assert line.svg.count("<circle") == 25


def test_what_is_not_measured_is_said_once() -> None:
    parts = [Comparison("not measured yet", False, None, column=column) for column in ("a", "b")]
    found = forest(conclude(parts, "t"))
    assert [(line.name, line.svg) for line in found.lines] == [("a, b", "")]
    assert found.axis == ""


def test_the_page_has_every_claim_of_the_tables_that_were_run(built: Path) -> None:
    page = (built / "claims.html").read_text()
    on_tables, plots = 0, 0
    for path in built.glob("*-*.html"):
        text = path.read_text()
        if "Nothing was run at this scale yet" not in text:
            on_tables += text.count('<article class="claim">')
            plots += text.count('<svg class="forest"')
    assert page.count('<tr>\n<td data-sort="') == on_tables > 0
    assert page.count('<svg class="forest"') == plots > 0  # the pages of the tables have the same ones


def test_the_index_says_first_what_came_out(built: Path) -> None:
    head = (built / "index.html").read_text().partition('<dl class="head">')[2].partition("</dl>")[0]
    for said in ("not comparable", "undecided", "Never run", "invented", "2024-01-02 03:04 UTC"):
        assert said in head, said
