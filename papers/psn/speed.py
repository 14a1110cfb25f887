"""C13 of the PSN work: PSN simulates faster than LIF, decided on what `python -m bench.kernels --what psn` stored.

The paper shows curves over numbers of neurons and steps and, as far as is known, no numbers; its LIF goes step by step.
So LIF here is the plain loop over the steps in PyTorch; what a fused LIF takes is told beside it.
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

WHAT, LIF, FUSED_LIF, PSN = "psn", "lif torch", "lif fused", "psn fused"
FEWEST_STEPS, MOST_NEURONS = 4, 2**12  # at larger sizes the T^2 products of PSN weigh more (spec, section 7, E4)
STATEMENT = (
    f"PSN is faster than LIF step by step, forward and in training, at T >= {FEWEST_STEPS} and up to {MOST_NEURONS} "
    "neurons"
)
SOURCE = "Fang et al. 2023, curves of simulation time; beyond these sizes the sign depends on the machine"
Setting = tuple[str, str, int, str]  # device, dtype, threads, processor
TEST = f"the 95 % interval of the time of {LIF!r} over that of {PSN!r} lies above 1 at each of these sizes"


def decide(evidence: Evidence) -> Finding:
    """C13 by device and setting; undecided without verified figures at such sizes."""
    groups: dict[tuple[Setting, str, tuple[int, int]], dict[str, Run]] = {}
    for run in evidence.measurements:  # oldest first
        document = run.experiment
        if document.get("what") == WHAT:
            setting = run.device, document["dtype"], document["threads"], run.machine.get("cpu", "")
            size = document["size"]["T"], document["size"]["N"]
            groups.setdefault((setting, document["allocator"], size), {})[document["contender"]] = run
    sound: dict[Setting, list[tuple[int, int, dict[str, Run]]]] = {}
    unverified = 0
    for (setting, _, (steps, neurons)), group in groups.items():
        trusted = trust.trusted(group.values(), evidence.parities)
        if {LIF, PSN} <= trusted:
            kept = {name: run for name, run in group.items() if name in trusted}
            sound.setdefault(setting, []).append((steps, neurons, kept))
        elif LIF in group:
            unverified += 1
    found = []
    for (device, dtype, threads, _), measured in sound.items():
        where = f"{device} {dtype}" + (f", {threads} thread{'s' * (threads != 1)}" if device == "cpu" else "")
        found += [replace(_phase(measured, phase), column=f"{where}, {phase}") for phase in ("forward", "training")]
    if found:
        return conclude(found, TEST, unit="setting")
    missing = f"{unverified} sizes were timed without green parity" if unverified else "nothing was measured yet"
    return nothing(f"{missing}; python -m bench.parity psn lif and python -m bench.kernels --what psn")


def _phase(measured: Sequence[tuple[int, int, dict[str, Run]]], phase: str) -> Comparison:
    """Whether LIF took longer at the sizes of the claim; what a fused LIF and the other sizes give is told besides."""
    claimed = [group for steps, neurons, group in measured if steps >= FEWEST_STEPS and neurons <= MOST_NEURONS]
    others = [group for _, _, group in measured if group not in claimed]
    inside, fused, outside = (
        [ratio for group in groups if (ratio := _ratio(group.get(name), phase)) is not None]
        for groups, name in ((claimed, LIF), (claimed, FUSED_LIF), (others, LIF))
    )
    if not inside:
        return Comparison("no size of the claim was measured", False, None, lacks=RESULTS)
    lows, highs = [low for _, low, _ in inside], [high for _, _, high in inside]
    text = f"{LIF} took {_range(inside)} times as long at {len(inside)} sizes"
    text += f", {FUSED_LIF} {_range(fused)} times" if fused else ""
    text += f", {LIF} at {len(outside)} other sizes {_range(outside)} times" if outside else ""
    # The intervals come with the measurement and are taken as they are: one wholly below 1 speaks against the claim.
    against = 0.0 if min(highs) < 1 else 1.0
    return Comparison(text, min(lows) > 1, against, lacks="", effects=times(inside))


def _ratio(run: Run | None, phase: str) -> tuple[float, float, float] | None:
    """Time over that of PSN with its interval; None where it is not known."""
    values = {metric.name: metric.value for metric in run.metrics} if run else {}
    ratio, low, high = (values.get(f"{phase}_ratio{end}") for end in ("", "_low", "_high"))
    return None if ratio is None or low is None or high is None else (ratio, low, high)


def _range(ratios: Sequence[tuple[float, float, float]]) -> str:
    values = [ratio for ratio, _, _ in ratios]
    return f"{min(values):.3g} to {max(values):.3g}" if len(values) > 1 else f"{values[0]:.3g}"


C13 = Claim("C13", STATEMENT, SOURCE, decide, about=WHAT)
