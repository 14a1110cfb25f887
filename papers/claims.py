"""What a claim comes to: comparisons, each tested by itself, and the finding that they make together.

A claim that is about several columns holds if it holds in every one. It fails only where what speaks against it
survives Holm's rule over all its comparisons: of many that are true one would look false by chance. Where it is tested
on stand-ins for the work's data sets the words are others, for these say nothing about the published numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .hypotheses import ALPHA, holm

SEEDS, SCALE, RESULTS = "seeds", "scale", "results"  # what an undecided finding is short of
HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
SHOWN, NOT_SHOWN, MIXED = "shown", "not shown", "mixed"  # on stand-ins
ON_STAND_INS = {HOLDS: SHOWN, FAILS: NOT_SHOWN, UNDECIDED: UNDECIDED}
TIMES = "times"  # how the unit of a ratio begins
NO_PLAN = "no plan recorded, all seeds found count"


@dataclass(frozen=True)
class Effect:
    """The number behind a comparison with its 95 % interval; at `none` neither side is ahead.

    `limits` are where the claim is decided, if elsewhere: how far one side has to be ahead, or may be behind.
    """

    low: float
    mean: float
    high: float
    unit: str
    none: float = 0.0
    limits: tuple[float, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One thing that a claim says, tested.

    `column` is what it is about as it is shown, `name` tells several of one column apart. `supports`: it is shown to be
    so. `against` is the one-sided p of what speaks against it, None where nothing could be tested; exact statements
    have 0 or 1. `lacks` is what would decide it. `further` ones are shown and decide nothing. `planned` says whether
    the number of seeds was fixed before, None where seeds do not matter. `effects` are its numbers, one a reading,
    where it has such.
    """

    evidence: str
    supports: bool
    against: float | None
    name: str = ""
    column: str = ""
    lacks: str = SEEDS
    further: bool = False
    planned: bool | None = None
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Part:
    """The finding about one column, pair of rows or the like. `further`: shown, but decides nothing."""

    name: str
    status: str
    evidence: str
    further: bool = False
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What the store says of a claim, with the numbers and the test.

    `status` is HOLDS, FAILS or UNDECIDED, on stand-ins SHOWN, NOT_SHOWN, MIXED or UNDECIDED. `evidence` is about the
    whole, `parts` are about its columns or rows. `lacks` is what would decide an undecided one: more SEEDS, another
    SCALE, or RESULTS at all; empty where that is not known.
    """

    status: str
    evidence: str
    test: str
    parts: tuple[Part, ...] = ()
    lacks: str = ""
    stand_in: bool = False

    @property
    def text(self) -> str:
        """All evidence on one line."""
        parts = (
            f"{part.name}{' (further evidence)' * part.further}: {part.status}, {part.evidence}" for part in self.parts
        )
        return "; ".join([*([self.evidence] if self.evidence else []), *parts])


def times(ratios: Iterable[tuple[float, float, float]], *limits: float) -> tuple[Effect, ...]:
    """Ratios of times, each with its interval behind it."""
    return tuple(Effect(low, middle, high, TIMES, 1.0, limits) for middle, low, high in ratios)


def nothing(why: str = "nothing was measured yet", stand_in: bool = False) -> Finding:
    """The finding of a claim without results."""
    return Finding(UNDECIDED, why, "", lacks=RESULTS, stand_in=stand_in)


def conclude(
    comparisons: Iterable[Comparison], test: str, *, stand_in: bool = False, unit: str = "column", brief: bool = False
) -> Finding:
    """One finding out of comparisons; nothing() without any, or where all still wait for results.

    Holds if all support it, fails if one against it survives Holm's rule, else undecided. On stand-ins it is mixed
    where some columns show it and others the opposite. The evidence counts what holds, by `unit`, which is what the
    columns are called; `brief` findings tell of a column no more than how many comparisons come out how.
    """
    found = list(comparisons)
    if all(c.lacks == RESULTS for c in found):
        return nothing(stand_in=stand_in)
    statuses = _statuses(found)
    deciding = [(c, status) for c, status in zip(found, statuses, strict=True) if not c.further]
    names = dict.fromkeys(c.column for c, _ in deciding)
    columns = {name: _together(s for c, s in deciding if c.column == name) for name in names}
    status = _together(columns.values())
    words = ON_STAND_INS if stand_in else {word: word for word in ON_STAND_INS}
    word = MIXED if stand_in and {HOLDS, FAILS} <= set(columns.values()) else words[status]
    lacks = {c.lacks for c, s in deciding if s == UNDECIDED}
    if SEEDS in lacks:
        lacks.discard(RESULTS)  # the command that adds seeds runs what was not run, too
    notes = []
    if len(columns) > 1:
        notes.append(_counted(columns.values(), words, unit))
    if len(deciding) > max(1, len(columns)):
        notes.append(_counted((s for _, s in deciding), words, "comparison"))
    if any(c.planned is False for c in found):
        notes.append(NO_PLAN)
    told = _brief if brief else _each
    return Finding(
        word,
        "; ".join(notes),
        test,
        tuple(told(list(zip(found, statuses, strict=True)), words)),
        lacks.pop() if word == UNDECIDED and len(lacks) == 1 else "",
        stand_in,
    )


def _statuses(found: Sequence[Comparison]) -> list[str]:
    """What each comparison comes to; what speaks against the claim is adjusted for the number of those that decide, and
    one that is not tested yet is one of them."""
    places = [i for i, c in enumerate(found) if not c.further]
    against = [1.0 if (p := found[i].against) is None else p for i in places]
    adjusted = dict(zip(places, holm(against), strict=True))

    def status(place: int, comparison: Comparison) -> str:
        against = adjusted.get(place, comparison.against)
        if comparison.supports:
            return HOLDS
        return FAILS if against is not None and against <= ALPHA else UNDECIDED

    return [status(place, comparison) for place, comparison in enumerate(found)]


def _together(statuses: Iterable[str]) -> str:
    every = set(statuses)
    return FAILS if FAILS in every else HOLDS if every == {HOLDS} else UNDECIDED


def _counted(statuses: Iterable[str], words: dict[str, str], unit: str) -> str:
    """ "holds in 2 of 5 columns, fails in 1, undecided in 2"."""
    every = list(statuses)
    counts = [(words[status], every.count(status)) for status in words if status in every]
    (first, count), *rest = counts or [(UNDECIDED, 0)]
    return ", ".join([f"{first} in {count} of {len(every)} {unit}s", *(f"{word} in {number}" for word, number in rest)])


def _each(found: Sequence[tuple[Comparison, str]], words: dict[str, str]) -> Iterable[Part]:
    for c, status in found:
        name = f"{c.name} ({c.column})" if c.name and c.column else c.name or c.column
        yield Part(name, words[status], c.evidence, c.further, c.effects)


def _brief(found: Sequence[tuple[Comparison, str]], words: dict[str, str]) -> Iterable[Part]:
    """A part a column: how many comparisons come out how, with the names of those that do not hold."""
    for column, further in dict.fromkeys((c.column, c.further) for c, _ in found):
        inside = [(c, status) for c, status in found if (c.column, c.further) == (column, further)]
        text = _counted((status for _, status in inside), words, "comparison")
        for told in (FAILS, UNDECIDED):
            if names := [c.name for c, status in inside if status == told]:
                text += f"; {words[told]}: {', '.join(names)}"
        effects = tuple(effect for c, _ in inside for effect in c.effects)
        yield Part(column, words[_together(status for _, status in inside)], text, further, effects)
