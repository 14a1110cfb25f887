"""Checks of the T2FSNN reference vectors of simulated layers, one function a family."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from golden_ttfs_layers import Arrays, Case, put, same, tensor

from models.ttfs.layers import Linear
from models.ttfs.stepwise import simulate


def _layer(arrays: Arrays, dtype: torch.dtype) -> tuple[Linear, torch.Tensor]:
    outputs, inputs = arrays["weights"].shape
    layer = Linear(inputs, outputs)
    put(layer, tensor(arrays["weights"], dtype))
    return layer, tensor(arrays["in_spk"], dtype)


def check_timestep(case: Case, arrays: Arrays) -> None:
    """The simulation of others, step by step, is ours, and lies less than a step after the closed form."""
    layer, times = _layer(arrays, torch.float64)
    same(layer(times), case, arrays, "analytic", "f64")
    keys = [key for key in arrays if key.startswith("sim_dt")]
    assert keys
    for key in keys:
        dt = float(key.removeprefix("sim_dt"))
        simulated = simulate(layer, times, round(1 / dt)).numpy()
        np.testing.assert_allclose(simulated, arrays[key], **case["tolerance"]["f64"], err_msg=key)
        fires = np.isfinite(simulated)
        late = simulated[fires] - arrays["analytic_f64"][fires]
        assert late.min() >= -1e-9
        assert late.max() < dt + 1e-9


def check_official(case: Case, arrays: Arrays) -> None:
    """The official layer fires above the threshold, not at it, and codes silence as 1."""
    layer, times = _layer(arrays, torch.float32)
    dt = case["params"]["dt"]
    analytic = layer(times).detach().numpy()
    finite = np.isfinite(arrays["analytic_f32"])
    np.testing.assert_array_equal(np.isfinite(analytic), finite)
    np.testing.assert_allclose(analytic[finite], arrays["analytic_f32"][finite], **case["tolerance"]["f32"])
    for found in (analytic, simulate(layer, times, round(1 / dt)).numpy()):
        assert np.abs(arrays["stepwise_f32"] - np.minimum(found, 1)).max() <= 2 * dt


CHECKS: dict[str, Callable[..., None]] = {"timestep": check_timestep, "official_stepwise": check_official}
