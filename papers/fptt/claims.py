"""Claims of the FPTT work, decided on measured runs (section 7 of its specification has them all).

On the adding problem they are about the best mean over 100 updates, on a logarithmic scale, for errors of solved and of
unsolved runs differ by orders of magnitude. A run that diverged learned nothing: it counts as one that always says 1.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..claims import TIMES, Comparison, Effect, Finding, conclude
from ..comparison import (
    AGAINST,
    MARGIN,
    WELCH,
    Decide,
    Reading,
    Rule,
    Score,
    above,
    absent,
    bounds,
    by_column,
    compare,
    counted,
    decided_at,
    effect,
    greater,
    lacking,
    level,
    not_worse,
    sample,
)
from ..evidence import Evidence
from ..hypotheses import ALPHA, student
from ..measures import ACCURACY, AVERAGE_PRECISION, MSE, RATE, SAVED, TEST
from ..protocols import BEST, LAST, Protocol
from ..table import Claim
from .protocols import BEST_100, CHANCE, LAST_100, SOLVED, SOLVED_BELOW, UPDATES, WINDOW

LTC_FPTT, LTC_CORRECTED, LTC_ONLINE, LTC_BPTT = "LTC, FPTT", "LTC, FPTT corrected", "LTC, online", "LTC, BPTT"
ALIF_FPTT, ALIF_BPTT = "ALIF, FPTT", "ALIF, BPTT"
CNN_FPTT, CNN_CORRECTED = "LTC CNN, FPTT", "LTC CNN, FPTT corrected"
CNN_ONLINE, CNN_BPTT = "LTC CNN, online", "LTC CNN, BPTT"
LSTM_FPTT, LSTM_BPTT, RNN_FPTT, RNN_BPTT = "LSTM, FPTT", "LSTM, BPTT", "tanh RNN, FPTT", "tanh RNN, BPTT"
DETECTOR_FPTT, DETECTOR_BPTT, DETECTOR_UNTRAINED = "SPYv4, FPTT", "SPYv4, BPTT", "SPYv4, untrained"
LTC_CELL, LIF_CELL = "LTC", "LIF"
BPTT, TEN_CHUNKS, ONE_STEP = "BPTT", "FPTT, 10 chunks", "FPTT, one step"

GESTURE_20, GESTURE_100, CIFAR10_DVS = "DVS128 Gesture, T=20", "DVS128 Gesture, T=100", "CIFAR10-DVS, T=100"
TOLD = 90.0  # percent of the gestures

LONG = ("T=500", "T=1000")
EVERY_LENGTH = ("T=200", *LONG)
BELOW = f"below {SOLVED_BELOW:g}"
STUDENT = f"mean over seeds of the logarithm of the best {WINDOW} updates, Student at 2.5 % a side"
SHARES = "mean over seeds, Student at 2.5 % a side"
_of_the_work = decided_at("paper")


def _updates(evidence: Evidence, row: str, column: str, seed: int) -> int | None:
    """After how many updates the task was solved; None if it was not."""
    name = MSE.curve(TEST)
    found = SOLVED.select({name: evidence.curves.get((row, column, seed, name), {})}, MSE)
    return None if found is None else (found.step + 1) * UPDATES


def _level(
    evidence: Evidence, row: str, column: str, bound: float, below: bool, protocol: Protocol = BEST_100, name: str = ""
) -> list[Comparison]:
    """One comparison: the errors of a place lie below `bound`, or above; none where nothing was measured."""
    seeds = evidence.seeds_of(row, column)
    planned = seeds.planned is not None
    diverged = sum((row, column, seed) in evidence.diverged for seed in seeds.deciding)
    values = [evidence.value(row, column, seed, MSE, protocol) for seed in seeds.deciding]
    errors = [value for value in values if value is not None] + [CHANCE] * diverged
    if not errors:
        return absent(evidence, (row, column), name=name)
    solved = [found for seed in seeds.deciding if (found := _updates(evidence, row, column, seed)) is not None]
    text = f"{len(solved)} of {len(errors)} seeds solved it"
    text += f" after {', '.join(f'{updates:,}' for updates in sorted(solved))} updates" if solved else ""
    text += f", {diverged} diverged" if diverged else ""
    logs = [math.log10(max(error, sys.float_info.min)) for error in errors]
    text += f", {protocol.label} {10 ** statistics.fmean(logs):.3g}"
    if why := lacking(len(errors), seeds):
        return [Comparison(f"{text}, {why}", False, None, name, planned=planned)]
    estimate = student(logs)
    low, high = (10**end for end in estimate.interval())
    under, over = estimate.below(math.log10(bound)), estimate.above(math.log10(bound))
    p_for, p_against = (under, over) if below else (over, under)
    middle = 10 ** statistics.fmean(logs)
    against = Effect(low / bound, middle / bound, high / bound, f"{TIMES} {bound:.4g}", 1.0)
    text = f"{text} [{low:.3g}, {high:.3g}]"
    return [Comparison(text, p_for <= ALPHA, p_against, name, planned=planned, effects=(against,))]


def _solves(row: str, *where: str) -> Decide:
    return by_column(
        lambda evidence, column: _level(evidence, row, column, SOLVED_BELOW, below=True),
        f"{STUDENT}: {BELOW} in every column; {AGAINST}",
        *where,
    )


def _fails(row: str, *where: str) -> Decide:
    return by_column(
        lambda evidence, column: _level(evidence, row, column, SOLVED_BELOW, below=False),
        f"{STUDENT}: not {BELOW} in every column; {AGAINST}",
        *where,
    )


def _c4(evidence: Evidence, column: str) -> Iterable[Comparison]:
    """What the work's runs show of networks that do not spike."""
    solved = {LSTM_BPTT: ("T=200",), LSTM_FPTT: LONG, RNN_FPTT: (), RNN_BPTT: ()}
    for row, where in solved.items():
        if column == "T=200" and row != LSTM_BPTT:
            continue  # the work has no such run
        yield from _level(evidence, row, column, SOLVED_BELOW, below=column in where, name=row)


def _c6(evidence: Evidence) -> Finding:
    """Slopes over T, exact."""
    by_length: dict[str, dict[float, float]] = {}
    for (row, column, _, name), value in evidence.finals.items():
        if name == SAVED.name and row in evidence.at:
            by_length.setdefault(column, {})[evidence.at[row]] = value
    found = []
    for column, expected in ((BPTT, "in proportion"), (TEN_CHUNKS, "a tenth of that"), (ONE_STEP, "not at all")):
        points = sorted(by_length.get(column, {}).items())
        whole = sorted(by_length.get(BPTT, {}).items())
        if len(points) < 2 or len(whole) < 2:
            places = [(row, name) for row in evidence.at for name in (column, BPTT)]
            found += [replace(one, column=column) for one in absent(evidence, *places)]
            continue
        slope, of_whole = (_slope(line) for line in (points, whole))
        right = (
            _straight(points)
            and {
                BPTT: slope > 0,
                TEN_CHUNKS: math.isclose(slope, of_whole / 10, rel_tol=0.02),
                ONE_STEP: slope == 0,
            }[column]
        )
        text = f"grows {expected}: {1024 * slope:.2f} KiB a step from T = {points[0][0]:g} to {points[-1][0]:g}"
        found.append(Comparison(text, right, float(right), column=column))
    return conclude(found, "exact: what autograd saves, over T")


def _straight(points: Sequence[tuple[float, float]]) -> bool:
    """Whether every point lies on the line through the first and the last, to a hundredth."""
    (start, low), slope = points[0], _slope(points)
    return all(math.isclose(low + slope * (T - start), value, rel_tol=0.01) for T, value in points)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    (first, low), (last, high) = points[0], points[-1]
    return (high - low) / (last - first)


def _rate(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
    return evidence.finals.get((row, column, seed, RATE.name))


def _c8(evidence: Evidence) -> Finding:
    """The same at every scale: single neurons that nothing stands in for."""
    score = Score(RATE, lambda scale: (Reading("as measured", _rate),))
    found = [
        replace(comparison, column=column)
        for column in evidence.columns
        for comparison in compare(evidence, (LIF_CELL, column), (LTC_CELL, column), score, above())
    ]
    return conclude(found, f"{WELCH}: higher with LIF at every current; {AGAINST}")


SCORE = level(ACCURACY, BEST)
GESTURES = level(ACCURACY, BEST, last=10)


def _told(evidence: Evidence, column: str) -> list[Comparison]:
    """One comparison: the CNN tells more than TOLD of the gestures; none where it was not measured."""
    if column not in (GESTURE_20, GESTURE_100):
        return []
    texts: list[str] = []
    supports, against = [], []
    effects: list[Effect] = []
    readings = GESTURES.readings(evidence.scale)
    planned = True
    for reading in readings:
        ours = sample(evidence, (CNN_FPTT, column), ACCURACY, reading)
        if not ours.values:
            return absent(evidence, (CNN_FPTT, column))
        planned = ours.planned
        says = f"{ACCURACY.show} {reading.says} ({counted(ours)})"
        if ours.lacking:
            texts.append(f"{statistics.fmean(ours.values):.1f} {says}, {ours.lacking}")
            continue
        estimate = student(ours.values, evidence.resolution(column, ACCURACY))
        supports.append(estimate.above(TOLD) <= ALPHA)
        against.append(estimate.below(TOLD))
        effects.append(effect(estimate, ACCURACY.show, TOLD))
        texts.append(f"{bounds(estimate, '')} {says}")
    tested = len(against) == len(readings)
    supported = tested and all(supports)
    p_against = max(against) if tested else None
    return [Comparison("; ".join(texts), supported, p_against, planned=planned, effects=tuple(effects))]


def _fptt_against(ltc: str, cnn: str, rule: Rule, says: str) -> Decide:
    """FPTT against another scheme, of the LTC network and of the one with convolutions, where each was measured."""
    pairs = {"": (LTC_FPTT, ltc), "CNN": (CNN_FPTT, cnn)}
    return by_column(
        lambda evidence, column: [
            comparison
            for name, (fptt, other) in pairs.items()
            for comparison in compare(evidence, (fptt, column), (other, column), SCORE, rule, name)
        ],
        f"{WELCH}: {says} in every column; {AGAINST}",
    )


C1 = Claim(
    "C1",
    "FPTT solves the adding problem with LTC at T = 200, 500 and 1000",
    "the authors' stored runs: six of 10,000 updates",
    _of_the_work(_solves(LTC_FPTT, *EVERY_LENGTH)),
)
C1_CHANCE = Claim(
    "C1 (chance)",
    "With FPTT an LTC network learns to add: its last 100 updates are better than who always says 1",
    "the same runs",
    by_column(
        lambda evidence, column: _level(evidence, LTC_FPTT, column, CHANCE, below=True, protocol=LAST_100),
        f"{STUDENT.replace('best', 'last')}: below {CHANCE:.4f} in every column; {AGAINST}",
        *EVERY_LENGTH,
    ),
)
C2 = Claim(
    "C2",
    "Backpropagation through time does not solve it with LTC at T = 500 and 1000",
    "the authors' stored runs: six, of which five become NaN",
    _of_the_work(_fails(LTC_BPTT, *LONG)),
)
C3 = Claim(
    "C3",
    "FPTT does not solve it with ALIF",
    "the authors' stored runs: six; one at T = 200 reaches 0.038",
    _of_the_work(_fails(ALIF_FPTT, *EVERY_LENGTH)),
)
C4 = Claim(
    "C4",
    "With an LSTM backpropagation solves T = 200 and not 500 and 1000, which FPTT solves; a tanh RNN solves none of "
    "them",
    "the authors' stored runs: one of each",
    _of_the_work(by_column(_c4, f"{STUDENT}: {BELOW} or not, as the claim says, in every row and column; {AGAINST}")),
)
C5 = Claim(
    "C5",
    f"Trained with FPTT the LTC CNN tells more than {TOLD:g} % of the gestures of DVS128 Gesture, from 20 frames and "
    "from 100",
    "the authors' logs, one run each: 97.22 and 96.53 % in the epoch that is best on the test set, 96.04 and 93.02 % "
    "over the last ten",
    _of_the_work(by_column(_told, f"{SHARES}: above {TOLD:g} % in every column, by both readings; {AGAINST}")),
)
C6 = Claim(
    "C6",
    "Memory for the backward pass grows with T in backpropagation, with T / K in FPTT of K chunks, and not at all with "
    "an update after each step",
    "abstract: constant in T; measured on the released network",
    _c6,
)
C7_TRAINED = Claim(
    "C7 (trained)",
    "FPTT trains a spiking detector: it is more precise than an untrained one",
    "the released detector and its detections, 53.17 % on VOC 2007",
    greater(DETECTOR_FPTT, DETECTOR_UNTRAINED, level(AVERAGE_PRECISION, LAST)),
)
C8 = Claim(
    "C8",
    "A liquid neuron fires less than a LIF neuron at the same noisy current",
    "demo notebook of the release: 0.034 and 0.114 spikes a step at a current of 1",
    _c8,
)
C9_OFFLINE = Claim(
    "C9 (offline)",
    f"FPTT with LTC approaches or exceeds backpropagation through time (not below it by more than {MARGIN})",
    "abstract; its tables could not be read",
    _fptt_against(LTC_BPTT, CNN_BPTT, not_worse(ACCURACY), f"higher, or lower by less than {MARGIN},"),
)
C9_ONLINE = Claim(
    "C9 (online)",
    "FPTT with LTC is better than online learning without its regulariser",
    "abstract: better than approximations of backpropagation that learn online; its tables could not be read",
    _fptt_against(LTC_ONLINE, CNN_ONLINE, above(), "higher"),
)
