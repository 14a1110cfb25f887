"""How two results are compared: errors relative to the largest value, and the one table of what is forgiven.

The functions take tensors of PyTorch, yet nothing here loads it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# By purpose and data type: errors relative to the largest value of what is compared, that is of one gradient, state or
# output. A last bit is 2.2e-16 (float64), 1.2e-7 (float32), 7.8e-3 (bfloat16), 9.8e-4 (float16) of a number.
TOLERANCES: dict[str, dict[str, float]] = {
    # A generated kernel before its first use, by a few random steps. Its plain step computes in the same type, at least
    # in float32, so of float32's 2e-5 half is the kernel's and half the plain step's. Results of 16 bits are rounded
    # once, at the end: two to three last bits. In float64 any mistake of a kernel is larger than 1e-10.
    "use": {"float64": 1e-10, "float32": 2e-5, "bfloat16": 2e-2, "float16": 2e-3},
    # Parity, against the oracle in float64, so the error is the kernel's alone: two last bits of 16 bit types. Where
    # the plain step errs by more, its error counts instead (see SLACK).
    "parity": {"float64": 1e-10, "float32": 1e-5, "bfloat16": 2.0**-6, "float16": 2.0**-9},
    # Parity, all values of a gradient or state as one vector (2-norm): a result of 16 bits is rounded once, by half a
    # last bit at most; the others add up in another order (seen over the whole grid: 3 and 15 last bits).
    "whole": {"float64": 2e-14, "float32": 2e-6, "bfloat16": 2.0**-8, "float16": 2.0**-11},
    # A contender before it is timed, against the suite's own step in the same type and at the timed size. float64 shows
    # another order of sums and nothing else; both sides round in 16 bits, so float16 has twice the room of "use".
    "timing": {"float64": 1e-12, "float32": 1e-5, "bfloat16": 2e-2, "float16": 4e-3},
    # A whole network, whose outputs and gradients went through many layers: convolutions of another batch size round
    # differently, and a spike that flips by it changes what follows.
    "network": {"float32": 1e-3},
}
# Neurons whose spikes may differ before timing: an input within rounding of a threshold. A share of all, and a number.
FORGIVEN, FORGIVEN_AT_LEAST = 1e-5, 3
# Distance to the threshold within which a spike of a product over time may differ before first use: a sum in another
# order may fall on the other side.
CLOSE = 1e-4
# In parity a kernel may round in another order than the plain step, not worse by more than this.
SLACK = 4
# The same for a whole vector, whose error is no matter of luck.
SLACK_WHOLE = 2


def tolerance(purpose: str, dtype: torch.dtype) -> float:
    """What TOLERANCES allows for one of its purposes, such as "parity". KeyError for a type that it does not have."""
    return TOLERANCES[purpose][str(dtype).removeprefix("torch.")]


def largest(values: Tensor) -> float:
    """Largest absolute value; NaN if there is one."""
    return float(values.abs().max())


def scale(expected: Tensor, at_least: float = 0.0) -> float:
    """What an error is held against: the largest expected value, which counts as `at_least` and, if it is 0, as 1."""
    return max(largest(expected.double()), at_least) or 1.0


def relative(found: Tensor, expected: Tensor, at_least: float = 0.0) -> float:
    """Largest error as a share of `scale`; NaN or infinity, which no tolerance allows, where a side holds one."""
    return largest(found.double() - expected.double()) / scale(expected, at_least)


def worse(one: float, other: float) -> float:
    """The larger error; NaN if there is one, which `max` would lose."""
    return other if math.isnan(other) or other > one else one


def first_step(differs: Tensor) -> int:
    """First step at which anything of `differs` [T, ...] (bool) is set; something must be."""
    return int(differs.flatten(1).any(1).nonzero()[0])
