"""C13 of the PSN work: PSN simulates faster than LIF, decided on what `python -m bench.kernels --what psn` stored.

The paper shows curves over numbers of neurons and steps and, as far as is known, no numbers; its LIF goes step by step.
So LIF here is the plain loop over the steps in PyTorch; what a fused LIF does against it stands in the same tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bench.table import Finding, merge

if TYPE_CHECKING:
    from results import Parity, Run

WHAT, LIF, PSN = "psn", "lif torch", "psn fused"
FEWEST_STEPS, MOST_NEURONS = 4, 2**12  # at larger sizes the T^2 products of PSN weigh more (spec, section 7, E4)
STATEMENT = (
    f"PSN is faster than LIF step by step, forward and in training, at T >= {FEWEST_STEPS} and up to {MOST_NEURONS} "
    "neurons"
)
SOURCE = "Fang et al. 2023, curves of simulation time; beyond these sizes the sign depends on the machine"
Setting = tuple[str, str, int, str]  # device, dtype, threads, processor
TEST = f"the 95 % interval of the time of {LIF!r} over that of {PSN!r} lies above 1 at each of these sizes"


def decide(runs: Iterable[Run], parities: Sequence[Parity]) -> Finding:
    """C13 by device and setting; undecided without verified figures at such sizes."""
    from bench.speed import show

    groups: dict[tuple[Setting, str, tuple[int, int]], dict[str, Run]] = {}
    for run in runs:  # oldest first
        document = run.experiment
        if document.get("what") == WHAT:
            setting = run.device, document["dtype"], document["threads"], run.machine.get("cpu", "")
            size = document["size"]["T"], document["size"]["N"]
            groups.setdefault((setting, document["allocator"], size), {})[document["contender"]] = run
    ratios: dict[Setting, list[tuple[int, int, Run]]] = {}
    unverified = 0
    for (setting, _, (steps, neurons)), group in groups.items():
        trusted = show.trusted(group.values(), parities)
        unverified += LIF in group and not {LIF, PSN} <= trusted
        if {LIF, PSN} <= trusted:
            ratios.setdefault(setting, []).append((steps, neurons, group[LIF]))
    found = []
    for (device, dtype, threads, _), measured in ratios.items():
        where = f"{device} {dtype}" + (f", {threads} thread{'s' * (threads != 1)}" if device == "cpu" else "")
        found += [(f"{where}, {phase}", _phase(measured, phase)) for phase in ("forward", "training")]
    if found:
        return merge(found)
    missing = f"{unverified} sizes were timed without green parity" if unverified else "nothing was measured yet"
    return Finding("undecided", f"{missing}; python -m bench.parity psn lif and python -m bench.kernels --what psn", "")


def _phase(measured: Sequence[tuple[int, int, Run]], phase: str) -> Finding:
    """Whether LIF took longer at the sizes of the claim; all sizes are told."""
    inside: list[tuple[float, float, float]] = []
    outside: list[float] = []
    for steps, neurons, run in measured:
        values = {metric.name: metric.value for metric in run.metrics}
        ratio, low, high = (values.get(f"{phase}_ratio{end}") for end in ("", "_low", "_high"))
        if ratio is None or low is None or high is None:
            continue
        if steps >= FEWEST_STEPS and neurons <= MOST_NEURONS:
            inside.append((ratio, low, high))
        else:
            outside.append(ratio)
    if not inside:
        return Finding("undecided", "no size of the claim was measured", TEST)
    lows, highs = [low for _, low, _ in inside], [high for _, _, high in inside]
    status = "holds" if min(lows) > 1 else "fails" if min(highs) < 1 else "undecided"
    text = f"LIF took {_range([ratio for ratio, _, _ in inside])} times as long ({len(inside)} sizes)"
    if outside:
        text += f", at the other sizes {_range(outside)} times"
    return Finding(status, text, TEST)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}" if len(values) > 1 else f"{values[0]:.3g}"
