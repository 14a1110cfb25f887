"""What a claim comes to: its finding, made of parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEEDS, SCALE, RESULTS = "seeds", "scale", "results"  # what an undecided finding is short of


@dataclass(frozen=True)
class Part:
    """The finding about one column, pair of rows or the like. `further`: shown, but decides nothing."""

    name: str
    status: str
    evidence: str
    further: bool = False


@dataclass(frozen=True)
class Finding:
    """What the store says of a claim: "holds", "fails" or "undecided", with the numbers and the test.

    `evidence` is about the whole, `parts` are about its columns or rows. `lacks` is what would decide an undecided one:
    more SEEDS, another SCALE, or RESULTS at all; empty where that is not known.
    """

    status: str
    evidence: str
    test: str
    parts: tuple[Part, ...] = ()
    lacks: str = ""

    @property
    def text(self) -> str:
        """All evidence on one line."""
        parts = (
            f"{part.name}{' (further evidence)' * part.further}: {part.status}, {part.evidence}" for part in self.parts
        )
        return "; ".join([*([self.evidence] if self.evidence else []), *parts])


def nothing(why: str = "nothing was measured yet") -> Finding:
    """The finding of a claim without results."""
    return Finding("undecided", why, "", lacks=RESULTS)


def merge(findings: Iterable[tuple[str, Finding]], further: Iterable[tuple[str, Finding]] = ()) -> Finding:
    """One finding out of several named ones: fails if any fails, holds if all hold, else undecided.

    `further` ones are shown and decide nothing. Without any finding there is nothing().
    """
    named, beside = list(findings), list(further)
    if not named and not beside:
        return nothing()
    statuses = {finding.status for _, finding in named}
    status = "fails" if "fails" in statuses else "holds" if statuses == {"holds"} else "undecided"
    tests = dict.fromkeys(finding.test for _, finding in (*named, *beside) if finding.test)
    lacks = {finding.lacks for _, finding in named if finding.status == "undecided"}
    parts = (
        Part(name, finding.status, finding.text, of_further)
        for of_further, group in ((False, named), (True, beside))
        for name, finding in group
    )
    short_of = lacks.pop() if status == "undecided" and len(lacks) == 1 else ""
    return Finding(status, "", "; ".join(tests), tuple(parts), short_of)
