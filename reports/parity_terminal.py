"""Checks of parity in the terminal: live progress, then one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import fitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from results import Parity

WORDS = (
    "flips: spikes that differ because rounding decides them, and how near the threshold they were at most (distance). "
    "state, gradient: the largest differences from float64, relative to the size. used: the largest share of what the "
    "rule allows; the check that used it is the worst. python -m bench.parity --rule prints the rule."
)
HEADINGS = ["neuron", "backend", "checks", "flips", "worst check", "distance", "state", "gradient", "used", "verdict"]


@contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar over `total` neurons; gives what tells how many are through, and what is being done now."""
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bars:
        task = bars.add_task("parity", total=total)
        yield lambda through, what: bars.update(task, completed=through, description=what)


def show(
    console: Console,
    checks: Sequence[Parity],
    used: Mapping[str, float],
    refusals: Iterable[tuple[str, str, str]],
    failures: Iterable[str],
    whole: bool = True,
) -> None:
    """One line per neuron and backend with the check that came nearest to red, what the words mean, what is red or
    unchecked.

    `used` is the largest share of what the rule allows, by the id of a check; `refusals` are neuron, backend and reason
    of what was not checked; `failures` are sentences on neurons that could not be run; `whole` says that the checks
    are the whole grid.
    """
    refusals = list(refusals)
    groups: dict[tuple[str, str], list[Parity]] = {}
    for check in checks:
        groups.setdefault((check.neuron, check.backend), []).append(check)
    rows = [[*of, *_summary(group, used)] for of, group in groups.items()]
    fitted.show(console, HEADINGS, rows, first=2, words=["worst check"])
    if rows:
        _say(console, WORDS)
    for line in failures:
        _say(console, f"FAILED {line}")
    for check in checks:
        if not check.green:
            _say(console, f"RED {_where(check)} ran {check.kernel}: {check.reason}")
    left_out: dict[str, list[str]] = {}
    for check in checks:
        if check.green and check.reason:
            left_out.setdefault(check.reason, []).append(_where(check))
    for note, places in left_out.items():
        _say(console, f"note {'; '.join(places)}: {note}")
    unchecked: dict[tuple[str, str], list[str]] = {}
    for neuron, backend, reason in refusals:
        unchecked.setdefault((backend, reason.replace(repr(neuron), "such a neuron")), []).append(neuron)
    for (backend, reason), neurons in unchecked.items():
        _say(console, f"not checked {', '.join(neurons)} · {backend}: {reason}")
    red = sum(not check.green for check in checks)
    _say(console, f"{len(checks)} checks, {red} red; {len(refusals)} combinations not checked.")
    if not whole:
        _say(console, "These are a part of the grid, so their kernels stay unchecked; without --quick it is whole.")


def records(checks: Sequence[Parity], used: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each check for programs, docs/json.md."""
    hidden = ("machine", "environment")
    return [
        {**{name: value for name, value in vars(check).items() if name not in hidden}, "used": used[check.id]}
        for check in checks
    ]


def summary(
    checks: Sequence[Parity], refusals: Iterable[tuple[str, str, str]], failures: Iterable[str], whole: bool
) -> dict[str, Any]:
    """What is true of all of them, docs/json.md."""
    return {
        "checks": len(checks),
        "red": sum(not check.green for check in checks),
        "whole": whole,
        "not_checked": [
            {"neuron": neuron, "backend": backend, "reason": reason} for neuron, backend, reason in refusals
        ],
        "failures": list(failures),
    }


def _summary(group: Sequence[Parity], used: Mapping[str, float]) -> tuple[str, ...]:
    """The cells from "checks" on."""
    red = sum(not check.green for check in group)
    worst = max(group, key=lambda check: (not check.green, used[check.id]))
    return (
        str(len(group)),
        str(sum(check.flips or 0 for check in group)),
        f"{worst.dtype} {worst.case}",
        _figure(worst.threshold_distance),
        _figure(worst.state_error),
        _figure(worst.grad_error),
        f"{used[worst.id]:.0%}" if used[worst.id] < 10 else ">10x",
        f"RED ({red})" if red else "green",
    )


def _where(check: Parity) -> str:
    detach = "detached" if check.detach_reset else "not detached"
    return f"{check.neuron} · {check.backend} · {check.dtype} · {check.step_mode} · {detach} · {check.case}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
