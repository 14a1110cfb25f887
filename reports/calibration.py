"""How often the rules of judgement are wrong: a table in the terminal, a page of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from papers.calibration.rates import is_calibration, rates_of
from papers.statistics import wilson

from . import wording

if TYPE_CHECKING:
    from rich.console import Console

    from papers.calibration.rates import Rate
    from results import Run

EXPLAINED = (
    "Runs are made up around a known truth, and the code that judges measured results judges them. Of a wrong decision "
    "the nominal rate is what it may be at most, of a right one what the formula promises."
)


@dataclass(frozen=True)
class Line:
    """A rate in words."""

    setting: str
    nominal: str
    measured: str
    interval: str


def line(rate: Rate) -> Line:
    """The rate with its Wilson interval, for the number of simulations."""
    low, high = wilson(rate.measured, rate.simulations)
    nominal, measured = (wording.quantity(value, "fraction") for value in (rate.nominal, rate.measured))
    bounds = " to ".join(wording.quantity(value, "fraction") for value in (low, high))
    return Line(rate.setting, nominal, measured, bounds)


@contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar over `total` parts; gives what tells how many are through, and what is being simulated."""
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bars:
        task = bars.add_task("calibration", total=total)
        yield lambda through, what: bars.update(task, completed=through, description=what)


def show(console: Console, rates: Sequence[Rate]) -> None:
    """The lines of each rule."""
    console.print(EXPLAINED, soft_wrap=True)
    for rule, lines in _by_rule(rates).items():
        console.print(f"\n{rule.capitalize()}: nominal, measured, 95 % interval of the measured rate", soft_wrap=True)
        for one in lines:
            said = f"{one.nominal:>8} {one.measured:>8}  {one.interval:20} {one.setting}"
            console.print(said, soft_wrap=True)


def _by_rule(rates: Sequence[Rate]) -> dict[str, list[Line]]:
    return {rate.rule: [line(other) for other in rates if other.rule == rate.rule] for rate in rates}


def links(runs: Sequence[Run]) -> dict[str, str]:
    """The page to link from every page, if there is one."""
    return {"Calibration": "calibration"} if any(map(is_calibration, runs)) else {}


def pages(runs: Sequence[Run], render: Callable[..., str]) -> Iterator[tuple[str, str]]:
    """The page of the newest calibration, if there is one; `runs` with the newest last."""
    found = [run for run in runs if is_calibration(run)]
    if found:
        rates = rates_of(found[-1])
        yield "calibration.html", render("calibration.html", rules=_by_rule(rates), run=found[-1], explained=EXPLAINED)
