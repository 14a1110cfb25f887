"""The rule of parity in words, which terminal and pages print, and how a whole set of checks is told from a part.

Nothing here loads PyTorch.
"""

from __future__ import annotations

import re

from .compare import SLACK, SLACK_WHOLE

# The `case` of a record that is no check: it says that all checks of the grid were made for its neuron, backend, dtype
# and device. It is written last and in one transaction with them, so that an interrupted set has none.
WHOLE = "whole grid"


_CLOSING = re.compile(r"(\d+) checks are the whole grid(?:, of (\d+) steps of neurons)?")


def closing(checks: int, steps: int = 0) -> str:
    """The `reason` of a record of WHOLE: how many checks the grid has there, and in how many steps of neurons they
    compare a spike, 0 where that is not known."""
    return f"{checks} checks are the whole grid" + (f", of {steps} steps of neurons" if steps else "")


def closed(reason: str) -> int | None:
    """The number of checks in the `reason` of a record of WHOLE, None where it holds none."""
    found = _CLOSING.fullmatch(reason)
    return int(found[1]) if found else None


def compared(reason: str) -> int | None:
    """The number of steps of neurons in it, None where it holds none, as in records of before."""
    found = _CLOSING.fullmatch(reason)
    return int(found[2]) if found and found[2] else None


RULE = f"""\
Every check compares a kernel with the oracle: the neuron's own step, one step at a time, in eager PyTorch and float64,
on the same input and parameters. What rounding does is not guessed but shown by the plain step: the same step in the
kernel's own dtype. A neuron without a step is its own sequence in plain PyTorch.
1. A spike may differ only where the oracle's distance to the threshold is at most {SLACK} times the plain step's error
   of that distance, and not on a tie that oracle and plain step both compute exactly. That error is taken in the
   element or, if more, in nine tenths of them; it counts as half an ulp of the largest number involved at least (in
   float64, where the plain step is the oracle, half an ulp a step). Such a flip is forgiven; what its element does
   later, and its gradients, are no longer compared. A flip in no recurrence is forgiven by itself.
2. The last states of a recurrence differ by at most {SLACK} times the plain step's error of them, taken likewise.
3. Each gradient (input, every parameter) differs, relative to its size, by at most 1e-5 in float32, 1e-10 in float64,
   2^-6 in bfloat16, 2^-9 in float16, or {SLACK} times the plain step's own error where that is more. Where the
   surrogate's derivative jumps (at the edges of a rectangle), rounding decides which side is taken, and both are right:
   an element that comes within {SLACK} times the error of such a place is left out and counted. At least half of the
   elements must remain.
4. Each gradient and state, taken as one vector, lies at most {SLACK_WHOLE} times as far from the oracle's (2-norm) as
   the plain step's, or, where that is more, 2e-6 in float32, 2e-14 in float64, 2^-8 in bfloat16, 2^-11 in float16 (half
   an ulp). The factor that fits it to the oracle's best differs from 1 by at most {SLACK} times what the plain step's
   does, or 16 of these distances over the root of the number of values. One value of 16 bits hides a factor of 1.005;
   thousands do not.
5. A backend that claims to be exact must give a recurrence's plain spikes and states bit for bit: `torch` always,
   `fused` on the CPU in float32 and float64, unless a step computes a function like exp for every element.
6. In evaluation (no graph) and for an input that needs no gradient, a backend gives the same spikes and states as in
   training bit for bit, and the parameters the same gradients within 3 (in five cases of the grid).
7. Anything else - another shape or dtype, no number, a missing gradient, an error raised - is red.
A kernel is proven where every check of the grid is stored green, of one state of the code and one processor; a part of
the grid (--quick, an interrupted command) proves nothing."""
