"""How a training set is divided."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from tasks.errors import TaskError
from tasks.task import Split

AnySplit = TypeVar("AnySplit", bound=Split)


def head_split(strata: np.ndarray, val_ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Split every stratum at its head, in the order of the data set (PLIF, accuracy-B; spec section 3.3).

    `strata` [N] numbers the stratum of each sample, such as its class. The first `ceil(n_stratum * (1 - val_ratio))`
    samples of each go to training and the rest to validation; the lists are concatenated stratum by stratum. Returns
    `(train_idx, val_idx)`, int64. The product is taken in float64 as in the original code, so a ratio without an exact
    binary form rounds as it did there.

    Raises TaskError unless 0 < val_ratio < 1.
    """
    check_ratio(val_ratio)
    strata = np.asarray(strata)
    heads, tails = [], []
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        cut = math.ceil(len(members) * (1 - val_ratio))
        heads.append(members[:cut])
        tails.append(members[cut:])
    none = np.empty(0, np.int64)
    return np.concatenate([none, *heads]), np.concatenate([none, *tails])


def check_ratio(val_ratio: float) -> None:
    """Raise TaskError unless 0 < val_ratio < 1."""
    if not isinstance(val_ratio, int | float) or not 0 < val_ratio < 1:
        raise TaskError(f"A validation part of {val_ratio!r} was asked for; it must lie between 0 and 1.")


def divide(train: AnySplit, validation: float) -> tuple[AnySplit, AnySplit | None]:
    """The training split and, unless `validation` is 0, the validation split taken from it."""
    if validation == 0:
        return train, None
    head, tail = head_split(train.strata(), validation)
    if len(tail) == 0:
        raise TaskError(f"A validation part of {validation} leaves no validation sample out of {len(train)}.")
    return train.subset(head), train.subset(tail)
