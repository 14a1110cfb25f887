"""The page of parity: what each backend's kernels were checked against, and how it went."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.parity_rule import RULE, WHOLE, closed, compared

from . import folder

if TYPE_CHECKING:
    from results import Parity


@dataclass(frozen=True)
class Summary:
    """The newest checks of one neuron on one backend, data type and device, all of one implementation.

    `whole` is how many the grid has there, and `steps` the steps of neurons in which they compare a spike; None if no
    set of checks was finished, and for the steps where that was not stored.
    """

    neuron: str
    backend: str
    dtype: str
    device: str
    checks: tuple[Parity, ...]
    whole: int | None
    steps: int | None

    @property
    def word(self) -> str:
        """ "red", "green", or "unchecked" for a part of the grid."""
        complete = self.whole is not None and len(self.checks) >= self.whole
        return "red" if self.red else "green" if complete else "unchecked"

    @property
    def red(self) -> list[Parity]:
        return [check for check in self.checks if not check.green]

    @property
    def left_out(self) -> list[Parity]:
        """Green checks that could not compare every element; their reason says how many."""
        return [check for check in self.checks if check.green and check.reason]

    @property
    def flips(self) -> int:
        """Spikes that differ from the reference in float64, over all checks."""
        return sum(check.flips or 0 for check in self.checks)

    @property
    def flipped(self) -> int:
        """How many of the checks have such a spike."""
        return sum(bool(check.flips) for check in self.checks)

    @property
    def share(self) -> str:
        """The share of the compared spikes that differ, empty where none does or it is not known."""
        if not (self.flips and self.steps):
            return ""
        share = self.flips / self.steps
        return "less than 0.001 %" if share < 1e-5 else f"{share:.3%}".replace("%", " %")

    @property
    def place(self) -> str:
        """The id of its row on the page."""
        return "-".join(folder.named(part) for part in (self.neuron, self.backend, self.dtype, self.device))

    @property
    def kernels(self) -> list[str]:
        """What really ran."""
        return sorted({check.kernel for check in self.checks})

    def largest(self, error: str) -> float | None:
        """The largest of an error over the checks that have it."""
        return max((value for check in self.checks if (value := getattr(check, error)) is not None), default=None)


def links(parities: Sequence[Parity]) -> dict[str, str]:
    """The page to link from every page, if there is one."""
    return {"Parity": "parity"} if parities else {}


def pages(parities: Sequence[Parity], render: Callable[..., str]) -> Iterator[tuple[str, str]]:
    """The page, if anything was checked."""
    if parities:
        found = summaries(parities)
        red = [check for summary in found for check in summary.red]
        left_out = [check for summary in found for check in summary.left_out]
        matrix = _matrix(found)
        yield (
            "parity.html",
            render(
                "parity.html",
                summaries=found,
                columns=list(dict.fromkeys(column for row in matrix.values() for column in row)),
                matrix=matrix,
                red=red,
                left_out=left_out,
                rule=_paragraphs(RULE),
                shared=any(summary.share for summary in found),
            ),
        )


def _matrix(found: Sequence[Summary]) -> dict[str, dict[str, list[Summary]]]:
    """The summaries by neuron and by backend with its device."""
    matrix: dict[str, dict[str, list[Summary]]] = {}
    for summary in sorted(found, key=lambda one: (one.device, one.backend)):
        column = f"{summary.backend}, {summary.device}"
        matrix.setdefault(summary.neuron, {}).setdefault(column, []).append(summary)
    return dict(sorted(matrix.items()))


def _paragraphs(text: str) -> list[str]:
    """The introduction and the numbered points of a rule, each without its line breaks."""
    return [" ".join(part.split()) for part in re.split(r"\n(?=\d\.)", text)]


def summaries(parities: Sequence[Parity]) -> list[Summary]:
    """Newest checks by neuron, backend, data type and device; older implementations are left out.

    `parities` with the newest last, as the store gives them.
    """
    implementation: dict[tuple[str, str, str, str], str] = {}
    newest: dict[tuple[str, str, str, str], dict[tuple[object, ...], Parity]] = {}
    whole: dict[tuple[str, str, str, str], tuple[int | None, int | None]] = {}
    for check in parities:
        key = (check.neuron, check.backend, check.dtype, check.device)
        if implementation.get(key) != check.implementation:
            implementation[key] = check.implementation
            newest[key], whole[key] = {}, (None, None)
        if check.case == WHOLE:
            whole[key] = closed(check.reason), compared(check.reason)
            continue
        newest[key][check.step_mode, check.detach_reset, check.case] = check
    return [Summary(*key, tuple(newest[key].values()), *whole[key]) for key in sorted(newest) if newest[key]]
