"""Claims of the first-spike work, decided on measured runs (section 7 of its specification has them all).

Known of the work are its abstract and its README; the tables behind them could not be read. F1 to F4, about neurons and
decisions, are shown by reference outputs (docs/first_spike.md).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Sequence

from ..claims import Comparison
from ..comparison import (
    AGAINST,
    MARGIN,
    WELCH,
    Reading,
    Score,
    above,
    absent,
    by_column,
    compare,
    lacking,
    last_epochs,
    near,
)
from ..evidence import Evidence
from ..hypotheses import ALPHA
from ..measures import ACCURACY_FS, SPIKES, TD50_FS
from ..table import Claim
from .arms import ADLIF, CULIF, CULIF_FORWARD, FR, FS, GESTURE, LIF, NTIDIGITS, PLANES, SHD, Arm
from .behaviour import CORRECTED, RELEASED
from .protocols import own_accuracy

LAST = 3  # epochs
PAIRS = [(network, behaviour) for network in (ADLIF, CULIF) for behaviour in (RELEASED, CORRECTED)]
PAIRS += [(network, CORRECTED) for network in (CULIF_FORWARD, LIF)]
OF_THE_WORK = tuple(data.name for data in (SHD, NTIDIGITS, GESTURE, PLANES))


def _swept(changed: str, output: dict[str, float], empty: int | None = None) -> Arm:
    return Arm(ADLIF, FS, CORRECTED, changed, dict(output), empty)


BASE = Arm(ADLIF, FS, CORRECTED)
EQUAL = _swept("output as hidden", {"tau_m": 5.0, "tau_s": 5.0, "v_threshold": 0.5})
LATE = _swept("threshold 4", {"v_threshold": 4.0})
EMPTIED = tuple(_swept(f"threshold 4, {empty} empty", {"v_threshold": 4.0}, empty) for empty in (10, 20))
SETTINGS = (  # of the output neurons: threshold 1 and time constants of 20 steps, but for one of the two
    BASE,
    _swept("threshold 0.5", {"v_threshold": 0.5}),
    _swept("threshold 2", {"v_threshold": 2.0}),
    LATE,
    _swept("tau 5", {"tau_m": 5.0, "tau_s": 5.0}),
    _swept("tau 60", {"tau_m": 60.0, "tau_s": 60.0}),
)
SWEPT = (*SETTINGS[1:], EQUAL, *EMPTIED)


def coding_of(row: str) -> str:
    """What a row was trained for."""
    return FR if row.split(", ")[1].startswith(FR) else FS


def _own(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
    return last_epochs(own_accuracy(coding_of(row)), LAST).value(evidence, row, column, seed)


OWN = Score(ACCURACY_FS, lambda scale: (Reading("in the coding of the row", _own),))
SPIKING = Score(SPIKES, lambda scale: (last_epochs(SPIKES, LAST),))


def _codings(evidence: Evidence, column: str) -> Iterable[Comparison]:
    for network, behaviour in PAIRS:
        first, second = (Arm(network, coding, behaviour).row for coding in (FS, FR))
        name = f"{network} {behaviour}"
        yield from compare(evidence, (first, column), (second, column), OWN, near(ACCURACY_FS), name)


def _spikes(evidence: Evidence, column: str) -> Iterable[Comparison]:
    for network, behaviour in PAIRS:
        first, second = (Arm(network, coding, behaviour).row for coding in (FR, FS))
        name = f"{network} {behaviour}"
        yield from compare(evidence, (first, column), (second, column), SPIKING, above(), name)


def _networks(evidence: Evidence, column: str) -> Iterable[Comparison]:
    for coding, behaviour in itertools.product((FS, FR), (RELEASED, CORRECTED)):
        first, second = (Arm(network, coding, behaviour).row for network in (ADLIF, CULIF))
        yield from compare(evidence, (first, column), (second, column), OWN, above(), f"{coding} {behaviour}")


def _constants(evidence: Evidence, column: str) -> Iterable[Comparison]:
    yield from compare(evidence, (BASE.row, column), (EQUAL.row, column), OWN, above())


def _empty(evidence: Evidence, column: str) -> Iterable[Comparison]:
    for arm in EMPTIED:
        yield from compare(evidence, (arm.row, column), (LATE.row, column), OWN, above(), f"{arm.empty} steps")


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    return [
        sum(other < value for other in values) + (1 + sum(other == value for other in values)) / 2 for value in values
    ]


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """The correlation of the ranks, 0 where one of both is constant."""
    a, b = ranks(x), ranks(y)
    if len(set(a)) == 1 or len(set(b)) == 1:
        return 0.0
    return statistics.correlation(a, b)


def by_chance(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """How often chance gives a correlation of ranks as high, and as low: over all orders of `y`."""
    found = spearman(x, y)
    others = [spearman(x, order) for order in itertools.permutations(y)]
    high = sum(other >= found - 1e-9 for other in others) / len(others)
    return high, sum(other <= found + 1e-9 for other in others) / len(others)


def _later(evidence: Evidence, column: str) -> Iterable[Comparison]:
    """One comparison of all settings of the output: the mean delay of each against its mean accuracy."""
    delays, accuracies, least, planned = [], [], [], True
    for arm in SETTINGS:
        seeds = evidence.seeds_of(arm.row, column)
        both = [
            (late, right)
            for seed in seeds.deciding
            if (late := last_epochs(TD50_FS, LAST).value(evidence, arm.row, column, seed)) is not None
            and (right := _own(evidence, arm.row, column, seed)) is not None
        ]
        if not both:
            yield from absent(evidence, *((arm.row, column) for arm in SETTINGS))
            return
        planned &= seeds.planned is not None
        least.append((len(both), seeds))
        delays.append(statistics.fmean(late for late, _ in both))
        accuracies.append(statistics.fmean(right for _, right in both))
    text = f"rank correlation {spearman(delays, accuracies):+.2f} over {len(delays)} settings"
    if why := next((why for count, of in least if (why := lacking(count, of))), ""):
        yield Comparison(f"{text}, {why}", False, None, planned=planned)
        return
    p_for, p_against = by_chance(delays, accuracies)
    yield Comparison(text, p_for <= ALPHA, p_against, planned=planned)


F5 = Claim(
    "F5",
    "Trained for the first spike and read by it, a network is as accurate as one trained for rates and read by them "
    f"(within {MARGIN})",
    "abstract; its tables could not be read",
    by_column(_codings, f"{WELCH}: within {MARGIN}, in every column; {AGAINST}", *OF_THE_WORK),
)
F6 = Claim(
    "F6",
    "Trained for the first spike a network fires less than one trained for rates",
    "abstract: on data with rich temporal structure; its tables could not be read",
    by_column(_spikes, f"{WELCH}: more spikes per neuron for rates, in every column; {AGAINST}", *OF_THE_WORK),
)
F7 = Claim(
    "F7",
    "Later first spikes go with a higher accuracy, over thresholds and time constants of the output neurons",
    "abstract; its tables could not be read",
    by_column(_later, f"rank correlation of td50 and accuracy over settings, all orders, 2.5 % a side; {AGAINST}"),
)
F8 = Claim(
    "F8",
    "Networks of AdLIF are more accurate than recurrent ones of CuLIF",
    "README: they perform best on SHD and N-TIDIGITS, without numbers",
    by_column(_networks, f"{WELCH}: higher in every column; {AGAINST}", "SHD", "N-TIDIGITS"),
)
F9 = Claim(
    "F9",
    "Other time constants and another threshold for the output than for the hidden layer make a network more accurate",
    "abstract; its tables could not be read",
    by_column(_constants, f"{WELCH}: higher in every column; {AGAINST}"),
)
F10 = Claim(
    "F10",
    "Empty steps behind the data make a network more accurate whose first spikes are late",
    "abstract; its tables could not be read",
    by_column(_empty, f"{WELCH}: higher in every column; {AGAINST}"),
)
