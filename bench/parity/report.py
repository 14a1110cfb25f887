"""The command's work between store and terminal: checks are stored neuron by neuron and shown in one table."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.parity_rule import RULE
from reports import fitted

from .checks import Check, Refusal, check

if TYPE_CHECKING:
    from rich.console import Console

    from results import Parity, Store

HEADINGS = ["neuron", "backend", "checks", "flips", "worst check", "distance", "state", "gradient", "used", "verdict"]


def carry_out(
    console: Console, store: Store, names: list[str], backends: list[str], device: str, quick: bool
) -> tuple[list[Check], list[Refusal], list[str]]:
    """Checks these neurons on these backends and peers with live progress; what is finished is stored at once.

    The last list tells of neurons whose own definition raised an error: there was nothing to compare with.
    """
    from rich.progress import Progress

    checks: list[Check] = []
    refusals: list[Refusal] = []
    failures: list[str] = []
    record = _recorder(device)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("parity", total=len(names))
        for number, name in enumerate(names):
            own: list[Parity] = []
            red = 0
            try:
                for item in check(name, backends, device, quick):
                    if isinstance(item, Refusal):
                        refusals.append(item)
                        continue
                    checks.append(item)
                    own.append(record(item))
                    red += not item.verdict.green
                    progress.update(task, description=f"{name} · {item.backend} · {len(own)} checks, {red} red")
            except Exception as error:  # a plug-in's mistake must not cost the others their proof
                place = traceback.extract_tb(error.__traceback__)[-1]
                text = f"{type(error).__name__}: {error}"
                failures.append(f"{name} raised {text} ({place.filename}, line {place.lineno})")
            finally:
                store.record_all(parities=own)
            progress.update(task, completed=number + 1)
    return checks, refusals, failures


def _recorder(device: str) -> Callable[[Check], Parity]:
    from results import Parity, environment, new_id, timestamp

    from ..fingerprint import kernel_implementation

    machine, surroundings = environment.machine(), environment.environment()

    def record(made: Check) -> Parity:
        return Parity(
            id=new_id(),
            started=timestamp(),
            neuron=made.neuron,
            backend=made.backend,
            step_mode=made.step_mode,
            dtype=made.dtype,
            device=device,
            detach_reset=made.detach_reset,
            case=made.case,
            flips=made.verdict.flips,
            first_step=made.verdict.first_step,
            threshold_distance=made.verdict.threshold_distance,
            state_error=made.verdict.state_error,
            grad_error=made.verdict.grad_error,
            kernel=made.kernel,
            green=made.verdict.green,
            reason=made.verdict.reason or made.verdict.note,
            implementation=kernel_implementation(made.neuron, made.backend),
            machine=machine,
            environment=surroundings,
        )

    return record


def show(console: Console, checks: list[Check], refusals: list[Refusal], failures: list[str]) -> None:
    """The rule, one line per neuron and backend with the check that came nearest to red, what is red or unchecked."""
    _say(console, RULE + "\n")
    groups: dict[tuple[str, str], list[Check]] = {}
    for made in checks:
        groups.setdefault((made.neuron, made.backend), []).append(made)
    rows = [[*of, *_summary(group)] for of, group in groups.items()]
    fitted.show(console, HEADINGS, rows, first=2, words=["worst check"])
    for line in failures:
        _say(console, f"FAILED {line}")
    for made in checks:
        if not made.verdict.green:
            _say(console, f"RED {_where(made)} ran {made.kernel}: {made.verdict.reason}")
    left_out: dict[str, list[str]] = {}
    for made in checks:
        if made.verdict.note:
            left_out.setdefault(made.verdict.note, []).append(_where(made))
    for note, places in left_out.items():
        _say(console, f"note {'; '.join(places)}: {note}")
    unchecked: dict[tuple[str, str], list[str]] = {}
    for refusal in refusals:
        reason = refusal.reason.replace(repr(refusal.neuron), "such a neuron")
        unchecked.setdefault((refusal.backend, reason), []).append(refusal.neuron)
    for (backend, reason), neurons in unchecked.items():
        _say(console, f"not checked {', '.join(neurons)} · {backend}: {reason}")
    red = sum(not made.verdict.green for made in checks)
    _say(console, f"{len(checks)} checks, {red} red; {len(refusals)} combinations not checked.")


def _summary(group: list[Check]) -> tuple[str, ...]:
    """The cells from "checks" on."""
    red = sum(not made.verdict.green for made in group)
    worst = max(group, key=lambda made: (not made.verdict.green, made.verdict.used))
    return (
        str(len(group)),
        str(sum(made.verdict.flips or 0 for made in group)),
        f"{worst.dtype} {worst.case}",
        _figure(worst.verdict.threshold_distance),
        _figure(worst.verdict.state_error),
        _figure(worst.verdict.grad_error),
        f"{worst.verdict.used:.0%}" if worst.verdict.used < 10 else ">10x",
        f"RED ({red})" if red else "green",
    )


def _where(made: Check) -> str:
    detach = "detached" if made.detach_reset else "not detached"
    return f"{made.neuron} · {made.backend} · {made.dtype} · {made.step_mode} · {detach} · {made.case}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
