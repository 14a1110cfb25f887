"""How often claims are decided wrongly, and how often rightly, where the truth is known.

The claims are those of the works, decided by the code that decides them on measured results. Runs are normal around
their truth; unless said their spread is 0.4 points, at 93 % of 10,000 test samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..claims import FAILS, HOLDS
from ..evidence import Evidence
from ..hypotheses import ALPHA, MIN_SEEDS
from ..measures import ACCURACY, TEST
from ..plif import claims as plif
from ..psn import claims as psn
from ..table import Claim
from .rates import Rate

if TYPE_CHECKING:
    from numpy.random import Generator

N, MEAN, SD = 10_000, 93.0, 0.4  # test samples; mean and spread in points
MARGIN = 1.75  # of comparable at that mean: a quarter of 7
SEEDS = (3, 5, 10)
ADDED = 10  # seeds that someone adds one by one, looking each time
COLUMN = "CIFAR100"
FIRST, SECOND = "LIF", psn.NO_RESET
Truth = Mapping[tuple[str, str], float]  # points above MEAN, by row and column


@dataclass(frozen=True)
class Setting:
    """A `claim` on runs that `draw` makes up: the share of `status` it should have, at most so if that is wrong."""

    rule: str
    says: str
    claim: Claim
    draw: Callable[[Generator], Evidence]
    status: str
    nominal: float


def simulate(simulations: int = 2000, seed: int = 0) -> list[Rate]:
    """Every rule in every setting; the same arguments give the same rates.

    The nominal rate of a wrong status is its upper limit, that of a right one the power by the formula.
    """
    from numpy.random import default_rng

    found = []
    for place, setting in enumerate(settings()):
        random = default_rng([seed, place])
        hits = sum(setting.claim.decide(setting.draw(random)).status == setting.status for _ in range(simulations))
        found.append(
            Rate(setting.rule, f"{setting.says}: {setting.status}", setting.nominal, hits / simulations, simulations)
        )
    for place, planned in enumerate((True, False)):
        random = default_rng([seed, 10_000 + place])
        hits = sum(_decided_on_the_way(random, planned) for _ in range(simulations))
        plan = f"{MIN_SEEDS} planned" if planned else "no plan"
        says = f"no difference, seeds added up to {ADDED}, {plan}: decided on the way"
        found.append(Rate("adding seeds", says, 2 * ALPHA, hits / simulations, simulations))
    return found


def settings() -> Iterator[Setting]:
    """What is simulated. To fail where the claim is true and to hold where it is not is wrong."""
    for seeds in SEEDS:
        yield from _wrong(seeds)
        yield from _right(seeds)


def _wrong(seeds: int) -> Iterator[Setting]:
    drawn = partial(_drawn, seeds)
    for status in (HOLDS, FAILS):
        equal = {(row, COLUMN): 0.0 for row in (FIRST, SECOND)}
        for says, noisier in (("no difference", ""), ("no difference, an arm of 3 sd", SECOND)):
            yield Setting("greater", f"{says}, {seeds} seeds", psn.C7, drawn(equal, noisier=noisier), status, ALPHA)
        edge = {("PSN", COLUMN): 0.0, ("sliding PSN", COLUMN): -MARGIN}
        yield Setting("comparable", f"at the margin, {seeds} seeds", psn.C10, drawn(edge), status, ALPHA)
        below = drawn({("PSN", COLUMN): 0.0}, published=psn.REACHED)
        yield Setting("reached", f"a margin below, {seeds} seeds", psn.C11, below, status, ALPHA)
        at_least = {("k=1", "masked"): 0.0, ("k=1", "sliding"): psn.AT_LEAST}
        yield Setting("at least", f"at the margin, {seeds} seeds", psn.C9, drawn(at_least), status, ALPHA)
    orders = {
        "no rise": (HOLDS, (0.0, 0.0, 0.0)),
        "a rise after it": (HOLDS, (-3.0, 0.0, MARGIN)),
        "so": (FAILS, (-3.0, 0.0, 0.0)),
    }
    for says, (status, values) in orders.items():
        truth = {(f"k={k}", "masked"): value for k, value in zip((1, 4, 8), values, strict=True)}
        yield Setting("saturates", f"{says}, {seeds} seeds", psn.C8, drawn(truth), status, ALPHA)
    one_equal = drawn(_ladder(5.0) | {(SECOND, COLUMN): _ladder(5.0)[FIRST, COLUMN]})
    yield Setting("ordering", f"1 of 9 pairs equal, {seeds} seeds", psn.C5, one_equal, HOLDS, ALPHA)
    flat = drawn(_ladder(0.0))
    yield Setting("ordering", f"no difference in 9 pairs, {seeds} seeds", psn.C5, flat, FAILS, ALPHA)
    yield Setting("ordering", f"no difference in 15 pairs, {seeds} seeds", psn.C6, flat, FAILS, ALPHA)
    columns = {(row, column): 0.0 for column in plif.IN_TABLES for row in ("PLIF 2 max", "LIF 2 max")}
    yield Setting("greater", f"no difference in 4 columns, {seeds} seeds", plif.C1_TAU2, drawn(columns), FAILS, ALPHA)
    yield Setting("largest layer", f"any of 4 alike, {seeds} seeds", plif.C4, partial(_taus, seeds=seeds), HOLDS, ALPHA)


def _right(seeds: int) -> Iterator[Setting]:
    drawn = partial(_drawn, seeds)
    scale = math.sqrt(2 / seeds)
    for effect in (2, 4):
        ahead = drawn({(FIRST, COLUMN): effect * SD, (SECOND, COLUMN): 0.0})
        power = _power(effect / scale, 2 * seeds - 2)
        yield Setting("greater", f"ahead by {effect} sd, {seeds} seeds", psn.C7, ahead, HOLDS, power)
    same = drawn({("PSN", COLUMN): 0.0, ("sliding PSN", COLUMN): 0.0})
    error = SD * math.sqrt((1.25**2 + 1) / seeds)  # of 1.25 a - b
    power = max(0.0, 2 * _power(MARGIN / error, 2 * seeds - 2) - 1)
    yield Setting("comparable", f"no difference, {seeds} seeds", psn.C10, same, HOLDS, power)
    for spread in (0.1, SD):
        perfect = drawn({("PSN", COLUMN): 0.0}, spread=spread, published=0.0)
        power = _power(psn.REACHED / spread / math.sqrt(1 + 1 / seeds), seeds - 1)
        yield Setting("reached", f"perfect replication of sd {spread:g}, {seeds} seeds", psn.C11, perfect, HOLDS, power)


def _drawn(seeds: int, truth: Truth, **options: Any) -> Callable[[Generator], Evidence]:
    return partial(_runs, truth=truth, seeds=seeds, **options)


def _power(effect: float, freedom: int) -> float:
    """Of a one-sided test of Student's, the difference being so many of its standard errors."""
    from scipy.stats import nct, t

    return float(nct.sf(t.ppf(1 - ALPHA, freedom), freedom, effect))


def _ladder(step: float) -> dict[tuple[str, str], float]:
    """The ordering of the PSN work, every place a step below the one before."""
    places = ((psn.FAMILY[0],), (psn.FAMILY[1],), (psn.FAMILY[2],), psn.VANILLA, (FIRST,), (SECOND,))
    return {(row, COLUMN): -step * place for place, rows in enumerate(places) for row in rows}


def _runs(
    random: Generator,
    truth: Truth,
    seeds: int,
    spread: float = SD,
    noisier: str = "",
    published: float | None = None,
    planned: int | None = None,
) -> Evidence:
    """Runs of every row and column; of `published`, points above MEAN, the authors have one run."""
    curves: dict[tuple[str, str, int, str], Mapping[int, float]] = {}
    for (row, column), value in truth.items():
        values = random.normal(MEAN + value, spread * (3 if row == noisier else 1), seeds)
        for seed, shown in enumerate(values):
            curves[row, column, seed, ACCURACY.curve(TEST)] = {0: ACCURACY.stored(float(shown))}
    columns = dict.fromkeys(column for _, column in truth)
    printed = None if published is None else float(random.normal(MEAN + published, spread))
    return Evidence(
        scale="paper",
        columns=tuple(columns),
        seeds=tuple(range(seeds)),
        curves=curves,
        test_samples=dict.fromkeys(columns, N),
        published={} if printed is None else dict.fromkeys(truth, (printed,)),
        at={row: float(row[2:]) for row, _ in truth if row.startswith("k=")},
        experiments={place: " ".join(place) for place in truth},
        planned=dict.fromkeys(truth, tuple(range(planned or seeds))),
    )


def _taus(random: Generator, seeds: int) -> Evidence:
    row, column = "PLIF 2 max", "CIFAR-10"
    curves: dict[tuple[str, str, int, str], Mapping[int, float]] = {
        (row, column, seed, f"tau_{layer}"): {0: float(tau)}
        for seed in range(seeds)
        for layer, tau in enumerate(random.lognormal(size=4))
    }
    plan = {(row, column): tuple(range(seeds))}
    return Evidence("paper", (column,), tuple(range(seeds)), curves, planned=plan)


def _decided_on_the_way(random: Generator, planned: bool) -> bool:
    """Whether a comparison of equal arms is decided at any of the looks that someone takes who adds seeds."""
    truth = {(row, COLUMN): 0.0 for row in (FIRST, SECOND)}
    whole = _runs(random, truth, ADDED, planned=MIN_SEEDS)
    for seeds in range(MIN_SEEDS, ADDED + 1):
        curves = {place: curve for place, curve in whole.curves.items() if place[2] < seeds}
        plan = whole.planned if planned else {}
        seen = Evidence(whole.scale, whole.columns, tuple(range(seeds)), curves, planned=plan)
        if psn.C7.decide(seen).status in (HOLDS, FAILS):
            return True
    return False
