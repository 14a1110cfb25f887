"""The command's work: checks neuron by neuron, each stored as it comes."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.parity_rule import WHOLE, closing

from .cases import CASES
from .checks import Check, Refusal, check

if TYPE_CHECKING:
    from results import Parity, Store

STEPS = {case.name: math.prod(case.shape) for case in CASES}  # of neurons, in each of which there is a spike or none


@dataclass
class Found:
    """What came of a command: the checks (without the records that close a grid), `used` by their ids (the largest
    share of what the rule allows), the combinations that were not checked, and sentences on neurons whose own
    definition raised an error."""

    checks: list[Parity] = field(default_factory=list)
    used: dict[str, float] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def carry_out(
    store: Store,
    names: list[str],
    backends: list[str],
    device: str,
    quick: bool,
    tell: Callable[[int, str], None],
) -> Found:
    """Checks these neurons on these backends and peers; what is finished of a neuron is stored at once.

    Where all checks of the grid were made, whatever came of them, a record says so (core.parity_rule.WHOLE); a backend
    that refuses one of them, for want of memory or a compiler, leaves its grid in that type open.

    `tell` hears how many neurons are through, and what has come of the one that is being checked.
    """
    found = Found()
    record = _recorder(device)
    for number, name in enumerate(names):
        own: list[Parity] = []
        closings: list[Parity] = []
        refused: set[tuple[str, str]] = set()
        red = 0
        try:
            for item in check(name, backends, device, quick):
                if isinstance(item, Refusal):
                    refused.add((item.backend, item.dtype))
                    told = replace(item, dtype="")
                    found.refusals += [told] * (told not in found.refusals)
                    continue
                row = record(item)
                own.append(row)
                found.used[row.id] = item.verdict.used
                red += not row.green
                tell(number, f"{name} · {row.backend} · {len(own)} checks, {red} red")
            if not quick:
                closings = _closings([row for row in own if (row.backend, row.dtype) not in refused])
        except Exception as error:  # a plug-in's mistake must not cost the others their proof
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error}"
            found.failures.append(f"{name} raised {text} ({place.filename}, line {place.lineno})")
        finally:
            found.checks += own
            store.record_all(parities=[*own, *closings])
        tell(number + 1, name)
    return found


def _closings(checks: list[Parity]) -> list[Parity]:
    """A record for each backend and dtype of these checks of one neuron, which are all that the grid has."""
    from results import new_id, timestamp

    sets: dict[tuple[str, str], list[Parity]] = {}
    for made in checks:
        sets.setdefault((made.backend, made.dtype), []).append(made)
    return [
        replace(
            found[0],
            id=new_id(),
            started=timestamp(),
            case=WHOLE,
            flips=None,
            first_step=None,
            threshold_distance=None,
            state_error=None,
            grad_error=None,
            kernel="",
            green=True,
            reason=closing(len(found), sum(STEPS.get(made.case, 0) for made in found)),
        )
        for found in sets.values()
    ]


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
