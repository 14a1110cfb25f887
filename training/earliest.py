"""Loss and decision of networks whose answer is the class that fires first (T2FSNN, spec sections 3 and 4)."""

from __future__ import annotations

from math import inf

from torch import Tensor
from torch.nn import functional as F

NEVER = 1e30  # the time of a silent output: of no probability, and finite


def earliest_cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of minus the spike times of the last step; `outputs` [T, N, classes], infinity for silence.

    A silent class has the probability 0, and a sample whose class is silent a loss of about 1e30. Of a sample without
    any spike all classes are as probable; the released code gets NaN there.
    """
    times = outputs[-1]
    return F.cross_entropy(-times.masked_fill(times == inf, NEVER), labels)


def earliest(outputs: Tensor) -> Tensor:
    """Class of each sample, [N]: the earliest spike of the last step, the lowest index among equals."""
    return outputs[-1].argmin(1)
