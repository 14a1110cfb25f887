"""How often verdicts and cell intervals are right, where the truth is known.

A perfect replication differs from what was published by the chance between runs alone: 95 % of the published values
should lie inside. The numbers are those of an image data set: 10,000 test samples, 93 % right, 0.4 points between runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..measures import ACCURACY, Measure
from ..prediction import GROSS, alike, floor_of_share
from ..statistics import LEVEL, interval, quantile
from ..verdict import Printed, verdict
from .rates import Rate

if TYPE_CHECKING:
    from numpy.random import Generator

N, MEAN, SD = 10_000, 93.0, 0.4  # test samples; mean and spread in points
DIGITS = 0.005  # half the last one that is printed
RUNS = (3, 5, 10)
SHIFTS = (1, 2, 4)  # in standard deviations
LOSS = Measure("loss", "1", "lower", "student", logarithmic=True)
INSIDE = ("reproduced", "undecided")
VERDICT, POOLED, ALIKE, CELL = "verdict", "verdict, pooled spread", "pooling of spreads", "interval of a cell"


def simulate(simulations: int = 5000, seed: int = 0) -> list[Rate]:
    """Every rule in every setting; the same arguments give the same rates."""
    from numpy.random import default_rng

    found = []
    for place, (rule, setting, nominal, once) in enumerate(_settings()):
        random = default_rng([seed, place])
        right = sum(once(random) for _ in range(simulations))
        found.append(Rate(rule, setting, nominal, right / simulations, simulations))
    return found


def _settings() -> Iterator[tuple[str, str, float, Callable[[Generator], bool]]]:
    """Rule, setting, nominal rate, and one simulation."""
    for runs in RUNS:
        for shift in (0, 2):
            setting = f"off by {shift} sd" if shift else "perfect replication"
            once = partial(_reproduced, runs=runs, shift=shift)
            yield VERDICT, f"{setting}, {runs} runs: called reproduced", confirmed(shift, runs), once
        yield VERDICT, f"perfect replication, {runs} runs: inside", LEVEL, partial(_inside, runs=runs)
        for shift in SHIFTS:
            off = partial(_outside, runs=runs, shift=shift)
            yield VERDICT, f"off by {shift} sd, {runs} runs: outside", power(shift, runs), off
    yield VERDICT, "perfect replication, published mean of 3, 5 runs: inside", LEVEL, partial(_inside, runs=5, of=3)
    yield VERDICT, "perfect replication, published twice, 3 runs: inside", LEVEL, partial(_inside, runs=3, repeats=1)
    yield VERDICT, "perfect replication, other test set, 5 runs: inside", LEVEL, _other_test_set
    yield VERDICT, "perfect replication, a loss, 5 runs: inside", LEVEL, _loss
    one = "perfect replication, one run, 6 other cells of two"
    yield POOLED, f"{one}, equal spreads: inside", LEVEL, partial(_pooled, sds=[SD] * 6)
    several = [SD * 3 ** (place / 2.5 - 1) for place in range(6)]
    yield POOLED, f"{one}, from a third to 3 times as wide: inside", LEVEL, partial(_pooled, sds=several)
    yield POOLED, f"{one}, all half as wide: inside", LEVEL, partial(_pooled, sds=[SD / 2] * 6)
    for runs in (2, 3, 5):
        yield ALIKE, f"6 cells of {runs} runs, equal spreads: allowed", 1 - GROSS, partial(_alike, runs=runs, factor=1)
        wild = f"6 cells of {runs} runs, one 30 times as wide: refused"
        yield ALIKE, wild, refused(30, runs), partial(_wild, runs=runs)
    for runs in (1, 2, *RUNS):
        of_what = "the truth" if runs > 1 else "the truth of that run, not of the next"
        yield CELL, f"share, {runs} run{'s' * (runs > 1)}: holds {of_what}", LEVEL, partial(_covered, runs=runs)


def power(shift: float, runs: int, of: int = 1) -> float:
    """The chance that a published mean of `of` runs lies outside if it is off by `shift` sd (noncentral t)."""
    from scipy.stats import nct

    law = nct(runs - 1, shift / math.sqrt(1 / of + 1 / runs))
    return float(law.sf(quantile(runs - 1)) + law.cdf(-quantile(runs - 1)))


def confirmed(shift: float, runs: int) -> float:
    """The chance of the word reproduced if what was published is off by `shift` sd: that it lies inside, over all
    spreads that we may find whose interval is narrow enough."""
    from scipy.integrate import quad
    from scipy.stats import chi2, norm

    freedom, root = runs - 1, math.sqrt(1 + 1 / runs)
    widest = (ACCURACY.resolves(MEAN) - DIGITS) / SD / root / quantile(freedom)  # of our spread, in sd

    def at(squares: float) -> float:
        half = quantile(freedom) * math.sqrt(squares / freedom)
        off = shift / root
        return float((norm.cdf(half - off) - norm.cdf(-half - off)) * chi2.pdf(squares, freedom))

    return float(quad(at, 0, freedom * widest**2)[0])


def refused(factor: float, runs: int) -> float:
    """The chance that one of six spreads is not pooled with the rest if it is `factor` times as wide (F test)."""
    from scipy.stats import f

    freedom = runs - 1, 5 * (runs - 1)
    return float(f.sf(f.isf(GROSS / 2 / 6, *freedom) / factor**2, *freedom))


def _runs(random: Generator, count: int, mean: float = MEAN, sd: float = SD) -> list[float]:
    """Shares as runs show them: in steps of one test sample."""
    return [round(value * N / 100) * 100 / N for value in random.normal(mean, sd, count)]


def _published(value: float, *, of: int = 1, repeat: bool = False) -> Printed:
    return Printed(round(value, 2), DIGITS, runs=of, repeat=repeat)


def _reproduced(random: Generator, runs: int, shift: float) -> bool:
    return _word(random, runs, shift=shift) == "reproduced"


def _inside(random: Generator, runs: int, of: int = 1, repeats: int = 0, shift: float = 0.0) -> bool:
    return _word(random, runs, of, repeats, shift) in INSIDE


def _word(random: Generator, runs: int, of: int = 1, repeats: int = 0, shift: float = 0.0) -> str:
    theirs = [_published(sum(_runs(random, of, MEAN + shift * SD)) / of, of=of)]
    theirs += [_published(value, repeat=True) for value in _runs(random, repeats)]
    return verdict(ACCURACY, _runs(random, runs), theirs, test_samples=N).word


def _outside(random: Generator, runs: int, shift: float) -> bool:
    return not _inside(random, runs, shift=shift)


def _other_test_set(random: Generator) -> bool:
    noise = math.sqrt(MEAN * (100 - MEAN) / N)
    (theirs,), ours = _runs(random, 1, random.normal(MEAN, noise)), _runs(random, 5, random.normal(MEAN, noise))
    return verdict(ACCURACY, ours, [_published(theirs)], test_samples=N, other_test_set=True).word in INSIDE


def _loss(random: Generator) -> bool:
    theirs, *ours = (float(f"{math.exp(value):.3g}") for value in random.normal(-5, 0.5, 6))
    digits = 0.5 * 10.0 ** (math.floor(math.log10(theirs)) - 2)
    return verdict(LOSS, ours, [Printed(theirs, digits)]).word in INSIDE


def _pooled(random: Generator, sds: Sequence[float]) -> bool:
    others = [_runs(random, 2, MEAN, sd) for sd in sds]
    theirs, ours = _runs(random, 2)
    return verdict(ACCURACY, [ours], [_published(theirs)], test_samples=N, others=others).word in INSIDE


def _alike(random: Generator, runs: int, factor: float) -> bool:
    """Whether the spreads of six cells may be pooled, one of them `factor` times the others."""
    cells = [_runs(random, runs, MEAN, SD * sd) for sd in (factor, 1, 1, 1, 1, 1)]
    return alike(cells, ACCURACY.shown(floor_of_share(N)))


def _wild(random: Generator, runs: int) -> bool:
    return not _alike(random, runs, 30)


def _covered(random: Generator, runs: int) -> bool:
    """All runs see the same test set, which is a sample."""
    truth = MEAN / 100
    seen = random.normal(truth, math.sqrt(truth * (1 - truth) / N), 1)
    # A single run shows nothing of the spread between runs: the truth is then its own.
    sd = SD / 100 if runs > 1 else 0.0
    values = [round(value * N) / N for value in random.normal(seen, sd, runs)]
    low, high = interval("wilson", values, N) or (0.0, 0.0)
    return low <= truth <= high
