"""How contenders stand against each other over several tasks, as rliable defines it (Agarwal et al., NeurIPS 2021).

Scores are given by contender and task, one a run, more is better: `{name: [[run, run, ...], ...]}`, the tasks of all in
the same order. Resampling is stratified: within each task and contender by itself, always from the same seed, so that
the same scores give the same intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .statistics import LEVEL

Scores = Mapping[str, Sequence[Sequence[float]]]
RESAMPLES = 2000
MOST = 1000  # ways to part the runs of a task that are all looked at


class Estimate(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


def ranks(scores: Scores, resamples: int = RESAMPLES) -> dict[str, Estimate]:
    """The rank of each contender's mean in a task, 1 the best, equal ones share theirs; its mean over the tasks."""
    from scipy.stats import rankdata

    def of(means: np.ndarray) -> np.ndarray:  # [..., contenders, tasks] -> [..., contenders]
        return rankdata(-means, axis=-2).mean(-1)

    found = of(np.array([[np.mean(runs) for runs in tasks] for tasks in scores.values()]))
    drawn = of(np.stack([_means(tasks, resamples, number) for number, tasks in enumerate(scores.values())], 1))
    low, high = np.quantile(drawn, _ends(), axis=0)
    return {
        name: Estimate(*map(float, (value, *ends))) for name, value, *ends in zip(scores, found, low, high, strict=True)
    }


def _means(tasks: Sequence[Sequence[float]], resamples: int, number: int) -> np.ndarray:
    """Means of resampled runs [resamples, tasks] of the contender of that number."""
    generator = np.random.default_rng(number)
    return np.stack([_resampled(runs, resamples, generator).mean(-1) for runs in tasks], -1)


def _resampled(runs: Sequence[float], resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Runs drawn with replacement [resamples, runs]."""
    return np.asarray(runs, float)[generator.integers(len(runs), size=(resamples, len(runs)))]


def _ends() -> tuple[float, float]:
    return (1 - LEVEL) / 2, (1 + LEVEL) / 2


def estimated(
    tasks: Sequence[Sequence[float]], statistic: Callable[[np.ndarray], np.ndarray], resamples: int = RESAMPLES
) -> Estimate:
    """`statistic` of all runs of one contender; it takes runs side by side, task by task [..., runs of all tasks]."""
    generator = np.random.default_rng(0)
    found = float(statistic(np.concatenate([np.asarray(runs, float) for runs in tasks])))
    drawn = statistic(np.concatenate([_resampled(runs, resamples, generator) for runs in tasks], -1))
    return Estimate(found, *map(float, np.quantile(drawn, _ends())))


def interquartile_mean(runs: np.ndarray) -> np.ndarray:
    """The mean without the lowest and the highest quarter of the runs [..., runs]."""
    from scipy.stats import trim_mean

    return trim_mean(runs, 0.25, axis=-1)


def profile(tasks: Sequence[Sequence[float]], at: Sequence[float], resamples: int = RESAMPLES) -> list[Estimate]:
    """The share of runs whose score is above each of `at`, each task counting as much as another."""
    generator = np.random.default_rng(0)
    levels = np.asarray(at, float)
    found, drawn = np.zeros(len(levels)), np.zeros((resamples, len(levels)))
    for runs in tasks:
        found += (np.asarray(runs, float)[:, None] > levels).mean(0) / len(tasks)
        taken = _resampled(runs, resamples, generator)
        drawn += np.stack([(taken > level).mean(-1) for level in levels], -1) / len(tasks)
    low, high = np.quantile(drawn, _ends(), axis=0)
    return [Estimate(*map(float, row)) for row in zip(found, low, high, strict=True)]


def improvement(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], resamples: int = RESAMPLES
) -> Estimate:
    """P(a run of `first` is better than one of `second`), equal ones counting half; its mean over the tasks."""
    generator = np.random.default_rng(0)
    found, drawn = 0.0, np.zeros(resamples)
    for a, b in zip(first, second, strict=True):
        found += float(_above(np.asarray(a, float), np.asarray(b, float))) / len(first)
        drawn += _above(_resampled(a, resamples, generator), _resampled(b, resamples, generator)) / len(first)
    return Estimate(found, *map(float, np.quantile(drawn, _ends())))


def _above(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The share of pairs of the last axes in which `a` is greater, half of those that are equal with them."""
    return (np.sign(a[..., :, None] - b[..., None, :]) / 2 + 0.5).mean((-2, -1))


def no_difference(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> float:
    """Two-sided p of the mean over tasks of P(first > second) if both were the same in every task.

    Within each task all ways to part the runs in two are as likely (a rank test of Wilcoxon, stratified by task; van
    Elteren 1960): exact, with all ties. Where a task has more than MOST ways, a normal distribution stands for them.
    """
    pairs = [(np.asarray(a, float), np.asarray(b, float)) for a, b in zip(first, second, strict=True)]
    observed = sum(float(_above(a, b)) for a, b in pairs)
    if any(math.comb(len(a) + len(b), len(a)) > MOST for a, b in pairs):
        return _normal(pairs, observed)
    whole = math.lcm(*(2 * len(a) * len(b) for a, b in pairs))  # of which every P is a whole number
    chances = np.ones(1)
    for a, b in pairs:
        chances = np.convolve(chances, _chances(np.concatenate([a, b]), len(a), whole))
    away = np.abs(np.arange(len(chances)) - len(pairs) * whole / 2)
    return min(1.0, float(chances[away >= abs(observed - len(pairs) / 2) * whole - 0.5].sum()))


def _chances(runs: np.ndarray, count: int, whole: int) -> np.ndarray:
    """How likely each P, in parts of `whole`, is when `count` of the `runs` are chosen by chance."""
    from scipy.stats import rankdata

    ways = _ways(len(runs), count)
    other = len(runs) - count
    better = rankdata(runs)[ways].sum(1) - count * (count + 1) / 2  # Mann and Whitney's U
    parts = np.rint(better * (whole / (count * other))).astype(int)
    return np.bincount(parts, minlength=whole + 1) / len(ways)


@cache
def _ways(runs: int, count: int) -> np.ndarray:
    return np.array(list(combinations(range(runs), count)))


def _normal(pairs: Sequence[tuple[np.ndarray, np.ndarray]], observed: float) -> float:
    from scipy.special import ndtr

    variance = 0.0
    for a, b in pairs:
        n, m = len(a), len(b)
        _, equal = np.unique(np.concatenate([a, b]), return_counts=True)
        ties = float((equal**3 - equal).sum()) / ((n + m) * (n + m - 1))
        variance += (n + m + 1 - ties) / (12 * n * m)
    if variance <= 0:
        return 1.0
    return min(1.0, 2 * float(ndtr(-abs(observed - len(pairs) / 2) / math.sqrt(variance))))


def groups(names: Sequence[str], apart: Collection[frozenset[str]]) -> list[tuple[str, ...]]:
    """The largest groups of `names` in which no two are `apart`, in the order of their first; they may overlap.

    Each name is in at least one: two names share a group exactly if they are not apart.
    """
    together = {name: {o for o in names if o != name and frozenset((name, o)) not in apart} for name in names}
    found = _cliques(set(), set(names), set(), together)
    place = {name: number for number, name in enumerate(names)}
    ordered = [tuple(sorted(group, key=place.__getitem__)) for group in found]
    return sorted(ordered, key=lambda group: [place[name] for name in group])


def _cliques(
    taken: set[str], open_: set[str], closed: set[str], together: Mapping[str, set[str]]
) -> Iterable[frozenset[str]]:
    """Bron and Kerbosch 1973, with a pivot."""
    if not open_ and not closed:
        if taken:
            yield frozenset(taken)
        return
    pivot = max(sorted(open_ | closed), key=lambda name: len(open_ & together[name]))
    for name in sorted(open_ - together[pivot]):
        yield from _cliques(taken | {name}, open_ & together[name], closed & together[name], together)
        open_ = open_ - {name}
        closed = closed | {name}


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Those of `points` (score, more is better, and cost, less is better) that no other beats in one and matches in the
    other, the cheapest first."""
    kept = [
        name
        for name, (score, cost) in points.items()
        if not any(s >= score and c <= cost and (s, c) != (score, cost) for s, c in points.values())
    ]
    return sorted(kept, key=lambda name: (points[name][1], name))
