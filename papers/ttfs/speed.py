"""C3 of the T2FSNN work: a step in closed form against one through time, as `python -m bench.kernels --what ttfs` has
measured it.

The work says that its training is as fast as that of a network without spikes and gives no number. Here all networks
have the same shape and the same images: the closed form, the closed form as the released code computes it, with two
operators for S and I, rectified linear units, and LIF neurons trained through T time steps.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from .. import trust
from ..claims import RESULTS, Comparison, Finding, conclude, nothing, times
from ..table import Claim

if TYPE_CHECKING:
    from results import Run

    from ..evidence import Evidence

WHAT = "ttfs"
CLOSED, TWO_OPERATORS, RELU, OPERATORS = "closed form", "two operators", "ReLU", "operators alone"
STEPS = (4, 8, 16, 32, 64)


def through(steps: int) -> str:
    """The name of the network that is trained through so many time steps."""
    return f"LIF, T={steps}"


Setting = tuple[str, str, int, str, str]  # device, dtype, threads, processor, size


def decide(evidence: Evidence) -> Finding:
    """C3 by setting; undecided where the network of time steps was timed without green parity."""
    groups: dict[Setting, dict[str, Run]] = {}
    for run in evidence.measurements:  # oldest first
        what = run.experiment
        if what.get("what") == WHAT:
            size = " ".join(f"{name} {number}" for name, number in sorted(what["size"].items()))
            setting = run.device, what["dtype"], what["threads"], run.machine.get("cpu", ""), size
            groups.setdefault(setting, {})[what["contender"]] = run
    found = []
    for (device, dtype, threads, _, size), group in groups.items():
        trusted = trust.trusted(group.values(), evidence.parities)
        where = f"{device} {dtype}" + (f", {threads} thread{'s' * (threads != 1)}" if device == "cpu" else "")
        found.append(_compared({name: run for name, run in group.items() if name in trusted}, f"{where}, {size}"))
    if not found:
        return nothing("nothing was measured yet; python -m bench.reproduce ttfs_speed")
    return conclude(found, TEST, unit="setting")


def _compared(group: dict[str, Run], where: str) -> Comparison:
    """Every number of time steps against the closed form; what the other networks took is told besides."""
    ratios = {steps: _ratio(group.get(through(steps))) for steps in STEPS}
    known = {steps: ratio for steps, ratio in ratios.items() if ratio is not None}
    if CLOSED not in group or len(known) < len(STEPS):
        missing = ", ".join(through(steps) for steps in STEPS if steps not in known)
        return Comparison(f"not measured with green parity: {missing}", False, None, lacks=RESULTS, column=where)
    told = ", ".join(f"{ratio:.3g} with T={steps}" for steps, (ratio, _, _) in known.items())
    text = f"through time a training step took {told} times as long"
    for name in (TWO_OPERATORS, RELU, OPERATORS):
        other = _ratio(group.get(name))
        text += f"; {name} {other[0]:.3g} times" if other else ""
    values = list(known.values())
    rises = all(first[0] < second[0] for first, second in itertools.pairwise(values))
    holds = rises and min(low for _, low, _ in values) > 1
    against = min(high for _, _, high in values) < 1
    return Comparison(text, holds, 0.0 if against else 1.0, column=where, lacks="", effects=times(values))


def _ratio(run: Run | None) -> tuple[float, float, float] | None:
    """Time of a training step over that of the closed form with its interval; None where it is not known."""
    values = {metric.name: metric.value for metric in run.metrics} if run else {}
    ratio, low, high = (values.get(f"training_ratio{end}") for end in ("", "_low", "_high"))
    return None if ratio is None or low is None or high is None else (ratio, low, high)


TEST = (
    f"the 95 % interval of its time over that of {CLOSED!r} lies above 1 for T of {', '.join(map(str, STEPS))}, and "
    "it rises with T"
)
C3 = Claim(
    "C3",
    "Training in closed form is faster than through time steps, at a cost that does not depend on their number",
    "README: ultra-fast training, analogous to that of a network without spikes, without a number",
    decide,
    about=WHAT,
)
