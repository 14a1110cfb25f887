"""Checks of the FPTT reference vectors of training, one function a family; tolerances as published with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.registry import unknown
from tasks import adding
from training.regulariser import DynamicRegulariser

Arrays = dict[str, np.ndarray]


def close(found: Tensor, expected: np.ndarray, what: str, *, rtol: float = 0.0, atol: float = 0.0) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=atol, err_msg=what)


def optimizer(case: dict[str, Any]) -> dict[str, Any]:
    """The part of a scheme that a case describes."""
    name = case["optimizer"].lower()
    if name not in ("adam", "adamax", "adamw", "sgd"):
        raise unknown("optimizer of a case", name, ["adam", "adamax", "adamw", "sgd"])
    momentum = {"momentum": case["momentum"]} if case.get("momentum") else {}
    return {"name": name, "lr": case["lr"], **momentum}


def regulariser(case: dict[str, Any]) -> dict[str, Any]:
    """The options of the regulariser that a case describes."""
    return {name: case[name] for name in ("alpha", "beta", "rho", "debias") if name in case}


def check_trace(case: dict[str, Any], arrays: Arrays) -> None:
    """The regulariser on (w - target)^2 / 2, an update for each target, without clipping."""
    from training import OPTIMIZERS
    from training.parts import make

    weights = nn.Parameter(torch.from_numpy(arrays["w0"].copy()))
    weights.grad = torch.zeros_like(weights)
    descend = make(OPTIMIZERS, optimizer(case))([weights])
    traces = DynamicRegulariser(weights, **regulariser(case))
    for k, target in enumerate(torch.from_numpy(arrays["targets"])):
        weights.grad.copy_(weights.detach() - target)
        value = traces.apply(weights.grad)
        close(weights.grad, arrays["grad"][k], f"gradient of update {k}", rtol=1e-5, atol=1e-6)
        close(value, arrays["regulariser"][k], f"R of update {k}", rtol=1e-5, atol=1e-6)
        descend.step()
        traces.follow(case.get("epoch", 0))
        for name, found in (("w", weights), ("wbar", traces.average), ("lam", traces.dual)):
            close(found, arrays[name][k], f"{name} of update {k}", rtol=1e-5, atol=1e-6)
    if case.get("debias"):
        assert not arrays["dm"].any(), "with debias as released nothing is ever averaged into dm"


def check_batches(case: dict[str, Any], arrays: Arrays) -> None:
    """Batches of the adding problem, one after the other from one generator."""
    numbers = np.random.RandomState(case["seed"])
    for i in range(case["batches"]):
        x, y = adding.draw(numbers, case["N"], case["T"])
        np.testing.assert_array_equal(x, arrays[f"x{i}"], err_msg=f"inputs of batch {i}")
        np.testing.assert_allclose(y, arrays[f"y{i}"], rtol=1e-6, err_msg=f"sums of batch {i}")


CHECKS: dict[str, Callable[..., None]] = {"fptt_trace": check_trace, "adding_batches": check_batches}
