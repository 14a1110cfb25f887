"""F11 of the first-spike work, decided on what `python -m bench.kernels --what first-spike` stored.

The README says "much faster" and gives no figure; that five times as fast is much is our reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import trust
from ..claims import RESULTS, Comparison, Finding, conclude, nothing, times
from ..table import Claim

if TYPE_CHECKING:
    from results import Run

    from ..evidence import Evidence

WHAT, NETWORK, EAGER, FUSED = "first-spike", "first-spike-network", "torch", "fused"
MUCH = 5.0
NEURONS = ("adlif", "culif", "pculif")
TEST = f"the 95 % interval of the time of {EAGER!r} over that of {FUSED!r} lies above {MUCH:g} at each size"
Setting = tuple[str, str, str, int, str]  # neuron with its form, device, dtype, threads, processor
Interval = tuple[float, float, float]  # median, low, high


def decide(evidence: Evidence) -> Finding:
    """F11 by neuron and setting; undecided without verified figures."""
    groups: dict[tuple[Setting, str, tuple[int, int]], dict[str, Run]] = {}
    for run in evidence.measurements:  # oldest first
        document = run.experiment
        if document.get("what") == WHAT:
            form = document["options"].get("variant", "")
            neuron = f"{document['neuron']}, {form} form" if form else document["neuron"]
            setting = neuron, run.device, document["dtype"], document["threads"], run.machine.get("cpu", "")
            size = document["size"]["T"], document["size"]["N"]
            groups.setdefault((setting, document["allocator"], size), {})[document["contender"]] = run
    sound: dict[Setting, list[dict[str, Run]]] = {}
    unverified = 0
    for (setting, *_), group in groups.items():
        if {EAGER, FUSED} <= trust.trusted(group.values(), evidence.parities):
            sound.setdefault(setting, []).append(group)
        elif EAGER in group:
            unverified += 1
    found = []
    for (neuron, device, dtype, threads, _), measured in sound.items():
        where = f"{neuron}, {device} {dtype}" + (f", {threads} thread{'s' * (threads != 1)}" * (device == "cpu"))
        found += [replace(_phase(measured, phase), column=f"{where}, {phase}") for phase in ("forward", "training")]
    if found:
        return conclude(found, TEST, unit="setting")
    missing = f"{unverified} sizes were timed without green parity" if unverified else "nothing was measured yet"
    return nothing(f"{missing}; python -m bench.reproduce fs_speed")


def _phase(measured: Sequence[dict[str, Run]], phase: str) -> Comparison:
    ratios = [ratio for group in measured if (ratio := _ratio(group[EAGER], phase)) is not None]
    if not ratios:
        return Comparison("no ratio was measured", False, None, lacks=RESULTS)
    middles = [middle for middle, _, _ in ratios]
    text = f"the eager loop took {min(middles):.3g} to {max(middles):.3g} times as long at {len(ratios)} sizes"
    # The intervals come with the measurement: one wholly below the limit at every size speaks against the claim.
    against = 0.0 if max(high for _, _, high in ratios) < MUCH else 1.0
    return Comparison(text, min(low for _, low, _ in ratios) > MUCH, against, lacks="", effects=times(ratios, MUCH))


def _ratio(run: Run, phase: str) -> Interval | None:
    """Time over that of the fused kernel with its interval; None where it is not known."""
    values = {metric.name: metric.value for metric in run.metrics}
    middle, low, high = (values.get(f"{phase}_ratio{end}") for end in ("", "_low", "_high"))
    return None if middle is None or low is None or high is None else (middle, low, high)


F11 = Claim(
    "F11",
    f"The fused kernels are much faster (at least {MUCH:g} times) than autograd through the loop, forward and training",
    "README, without figures; what is much is our reading",
    decide,
    about=WHAT,
)
