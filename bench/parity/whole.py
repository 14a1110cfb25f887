"""A gradient or a state as one vector: its direction and its length, where no single value shows that it is wrong.

A value of 16 bits may be off by a last bit, and so hides a factor of 1.005 or a small value of the wrong sign.
Thousands of them cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.compare import SLACK, SLACK_WHOLE, tolerance

if TYPE_CHECKING:
    from .rule import Tally

SOME = 16  # values from which on a factor common to all is told from the rounding of each


@dataclass(frozen=True)
class Sides:
    """The same quantity of a kernel, of the oracle and of the plain step (None: it has none), all of one shape."""

    kernel: Tensor
    oracle: Tensor
    plain: Tensor | None


def judge(
    what: str, sides: Sides, dtype: torch.dtype, tally: Tally, at_least: float = 0.0, excused: float = 0.0
) -> None:
    """Faults where the kernel's vector lies farther from the oracle's than rounding in `dtype` takes it.

    The error is relative to the oracle's 2-norm, or to `at_least` if that is more; `excused` is an error (2-norm) that
    the plain step has been seen to make. A factor common to all values is looked for only where there are some.
    """
    exact, found = sides.oracle.double(), sides.kernel.double()
    plain = torch.zeros_like(exact) if sides.plain is None else sides.plain.double()
    size = max(float(exact.norm()), at_least)
    if not size:
        return
    floor = tolerance("whole", dtype)
    own = max(float((plain - exact).norm()), excused) / size
    _measure(f"distance (2-norm) of {what}", float((found - exact).norm()) / size, max(SLACK_WHOLE * own, floor), tally)
    if exact.numel() >= SOME and float(exact.norm()) >= at_least / 2:
        least = max(16 * floor / math.sqrt(exact.numel()), tolerance("whole", torch.float64))
        off, plain_off = factor(found, exact), factor(plain, exact)
        _measure(f"common factor in {what}, less 1,", off, max(SLACK * plain_off, least), tally)


def factor(found: Tensor, exact: Tensor) -> float:
    """By how much the factor that fits `found` to `exact` best differs from 1."""
    return abs(float((found * exact).sum() / exact.square().sum()) - 1)


def _measure(what: str, error: float, allowed: float, tally: Tally) -> None:
    tally.measure(what, torch.tensor([error], dtype=torch.float64), torch.tensor([allowed], dtype=torch.float64))
