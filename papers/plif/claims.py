"""Claims of the PLIF work as functions over the measured results (numbers C1 ... as in Fang et al. 2021, Sec. 4)."""

from __future__ import annotations

import math
import statistics

from ..claims import SEEDS, Finding
from ..evidence import Evidence
from ..measures import ACCURACY, TEST
from ..paired import MIN_SEEDS, Differences, Score, by, by_column, comparable, decided_at, greater, needs_seeds
from ..protocols import BEST, CHOSEN
from ..table import Claim

FIRST_EPOCHS = 16  # learning speed: mean test accuracy over these
_of_whole_trainings = decided_at("quick", "paper")


def _early(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
    curve = evidence.curve(row, column, seed, ACCURACY.curve(TEST))
    return statistics.fmean(curve[:FIRST_EPOCHS]) if curve else None


BEST_ACCURACY, EARLY_ACCURACY = by(ACCURACY, BEST), Score(ACCURACY, _early)


def _c2(evidence: Evidence, column: str) -> Finding | None:
    rows = ("LIF 16 max", "PLIF 16 max", "LIF 2 max")
    seeds = evidence.seeds_of(column, *rows)
    if not seeds:
        return None
    test = f"95 % intervals (Wilson on the test set, Student over seeds) do not overlap; {len(seeds)} seed(s)"
    found = {row: [BEST_ACCURACY.value(evidence, row, column, seed) for seed in seeds] for row in rows}
    scores = {row: [value for value in values if value is not None] for row, values in found.items()}
    lif16, plif16, lif2 = (evidence.interval(column, ACCURACY, scores[row]) if scores[row] else None for row in rows)
    if lif16 is None or plif16 is None or lif2 is None:
        return None
    if lif16[1] < plif16[0] and lif16[1] < lif2[0]:
        status = "holds"
    elif lif16[0] > plif16[1] or lif16[0] > lif2[1]:
        status = "fails"
    else:
        status = "undecided"
    means = {row.removesuffix(" max"): ACCURACY.shown(statistics.fmean(scores[row])) for row in rows}
    numbers = ", ".join(f"{row} {mean:.1f} {ACCURACY.show}" for row, mean in means.items())
    return Finding(status, numbers, test)


def _last_taus(evidence: Evidence, row: str, column: str, seed: int) -> list[float]:
    """The time constants after the last epoch, by layer."""
    return [curve[-1] for curve in evidence.layers(row, column, seed, "tau")]


def _c3(evidence: Evidence, column: str) -> Finding | None:
    distances = []
    for seed in evidence.seeds_of(column, "PLIF 2 max", "PLIF 16 max"):
        from_2, from_16 = (_last_taus(evidence, f"PLIF {tau} max", column, seed) for tau in (2, 16))
        if from_2 and from_16:
            distances.append(statistics.fmean(abs(math.log(a / b)) for a, b in zip(from_2, from_16, strict=True)))
    if not distances:
        return None
    start, end = math.log(16 / 2), statistics.fmean(distances)
    status = "holds" if end < 2 / 3 * start else "fails" if end >= start else "undecided"
    evidence_text = f"mean |ln ratio| {start:.2f} at the start, {end:.2f} at the end ({len(distances)} seed(s))"
    return Finding(status, evidence_text, "below two thirds of the start holds, no decrease fails")


def _c4(evidence: Evidence, column: str) -> Finding | None:
    by_seed = [_last_taus(evidence, "PLIF 2 max", column, s) for s in evidence.seeds_of(column, "PLIF 2 max")]
    by_seed = [taus for taus in by_seed if len(taus) > 1]
    if not by_seed:
        return None
    hits = sum(max(taus) == taus[-2] for taus in by_seed)  # the layer after the first fully connected one
    test = "largest tau in the layer after the first fully connected one, for every seed"
    # In the authors' logs this takes dozens of epochs, so a short run that does not show it decides nothing.
    status = "holds" if hits == len(by_seed) else "fails" if evidence.scale == "paper" else "undecided"
    taus = " ".join(f"{tau:.2f}" for tau in by_seed[0])
    return Finding(status, f"{hits} of {len(by_seed)} seed(s), tau by layer {taus}", test)


def _c9(evidence: Evidence, column: str) -> Finding | None:
    gaps = []
    for seed in evidence.seeds_of(column, "accuracy-A", "accuracy-B"):
        a = evidence.value("accuracy-A", column, seed, ACCURACY, BEST)
        b = evidence.value("accuracy-B", column, seed, ACCURACY, CHOSEN)
        if a is not None and b is not None:
            gaps.append(ACCURACY.shown(a - b))
    found = Differences(gaps, ACCURACY.difference)
    if not gaps:
        return None
    test = "A minus B is positive for every seed (never negative by construction when both come from one run)"
    if len(gaps) < MIN_SEEDS:
        return needs_seeds(found, test)
    status = "holds" if min(gaps) > 0 else "fails" if max(gaps) < 0 else "undecided"
    return Finding(status, str(found), test, lacks=SEEDS if status == "undecided" else "")


C1_TAU2 = Claim(
    "C1 (tau 2)",
    "PLIF is more accurate than LIF at tau 2",
    "Sec. 4.3 and table 4; the authors' own N-MNIST numbers say the opposite",
    _of_whole_trainings(greater("PLIF 2 max", "LIF 2 max", BEST_ACCURACY)),
)
C1_TAU16 = Claim(
    "C1 (tau 16)",
    "PLIF is more accurate than LIF at tau 16",
    "Sec. 4.3 and table 4",
    _of_whole_trainings(greater("PLIF 16 max", "LIF 16 max", BEST_ACCURACY)),
)
C2 = Claim(
    "C2",
    "A badly chosen tau (16) ruins LIF; PLIF started there learns",
    "Sec. 4.3 and table 4",
    _of_whole_trainings(by_column(_c2)),
)
C3 = Claim(
    "C3",
    "Time constants gather: what tau0 was 2 or 16 matters less and less",
    "Fang et al. 2021, robustness to the initial tau",
    by_column(_c3),
)
C4 = Claim(
    "C4",
    "The layer after the first fully connected one gets the largest tau",
    "Fang et al. 2021, supplement",
    by_column(_c4),
)
C5_TAU2 = Claim(
    "C5 (tau 2)",
    f"PLIF learns faster than LIF at tau 2 (mean accuracy of the first {FIRST_EPOCHS} epochs)",
    "Fang et al. 2021, learning curves; clear in the authors' logs on CIFAR-10 only",
    greater("PLIF 2 max", "LIF 2 max", EARLY_ACCURACY),
)
C5_TAU16 = Claim(
    "C5 (tau 16)",
    f"PLIF learns faster than LIF at tau 16 (mean accuracy of the first {FIRST_EPOCHS} epochs)",
    "Fang et al. 2021, learning curves",
    greater("PLIF 16 max", "LIF 16 max", EARLY_ACCURACY),
)
C6 = Claim(
    "C6",
    "Max pooling is comparable to average pooling",
    "table 5",
    _of_whole_trainings(comparable("PLIF 2 max", "PLIF 2 avg", BEST_ACCURACY)),
)
C9 = Claim(
    "C9",
    "Choosing the epoch on the test set (accuracy A) overestimates accuracy B",
    "table 7",
    by_column(_c9),
)
