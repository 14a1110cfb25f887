"""Checks of the first-spike reference vectors of event lists that become counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tasks import dvsplane, ntidigits, shd
from tasks.spike_trains import SpikeTrains

Arrays = dict[str, np.ndarray]
Case = dict[str, Any]


def dense(steps: np.ndarray, places: np.ndarray, T: int, shape: tuple[int, ...]) -> np.ndarray:
    """Counts [*shape, T] of one sample."""
    split = SpikeTrains([steps], [places], torch.tensor([0]), T=T, shape=shape)
    return np.moveaxis(split.batch([0])[0][0].numpy(), 0, -1)


def equal(found: np.ndarray, arrays: Arrays) -> None:
    places = tuple(arrays["dense_nonzero"].T)
    expected = np.zeros_like(found)
    expected[places] = arrays["dense_values"]
    np.testing.assert_array_equal(found, expected)
    assert found.sum() == arrays["total"]


def check_shd(case: Case, arrays: Arrays) -> None:
    params = case["params"]
    steps, kept = shd.steps_of(arrays["times"], params["T"], params["dt"])
    found = dense(steps, arrays["units"][kept], params["T"], (700,))
    equal(np.pad(found, ((0, 0), (0, params["E"]))), arrays)


def check_ntidigits(case: Case, arrays: Arrays) -> None:
    params = case["params"]
    steps, kept = ntidigits.steps_of(arrays["times"], params["T"], params["dt"] / 1000)
    equal(dense(steps, arrays["channels"][kept], params["T"], (64,)), arrays)


def check_dvs(case: Case, arrays: Arrays) -> None:
    params = case["params"]
    steps, kept = dvsplane.steps_of(arrays["times"], params["T"], params["dt"] / 1000)
    x, y, p = (arrays[name][kept] for name in "xyp")
    places = dvsplane.places_of(x, y, p, params["w"], params["h"])
    equal(dense(steps, places, params["T"], (2, params["h"] // 4, params["w"] // 4)), arrays)


CHECKS: dict[str, Callable[[Case, Arrays], None]] = {
    "encode_shd": check_shd,
    "encode_ntidigits": check_ntidigits,
    "encode_dvs": check_dvs,
}
