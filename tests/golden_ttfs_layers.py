"""Checks of the T2FSNN reference vectors of single layers, one function a family; tolerances as published.

Keys that end in _f32 are held against a computation in float32, those in _f64 against one in float64. What the authors
hand from layer to layer is minus the gradient of a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.ttfs.functions import times_of
from models.ttfs.layers import Conv2d, EarliestPool2d, Encoding, Linear, Readout, SpikingLayer, Weighted
from models.ttfs.numerics import CORRECTED, RELEASED, numerics

Arrays = dict[str, np.ndarray]
Case = dict[str, Any]
TYPES = {"f32": torch.float32, "f64": torch.float64}


def types(arrays: Arrays) -> Iterator[tuple[str, torch.dtype]]:
    """The types that a case has outputs in."""
    found = {kind for kind in TYPES if any(key.endswith(f"_{kind}") for key in arrays)}
    assert found, "a case without outputs of a known type"
    yield from ((kind, TYPES[kind]) for kind in sorted(found))


def tensor(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.array(array)).to(dtype)


def same(found: Tensor, case: Case, arrays: Arrays, key: str, kind: str) -> None:
    """The silent neurons are the same, and all others close."""
    assert found.dtype == TYPES[kind], key
    expected, values = arrays[f"{key}_{kind}"], found.detach().numpy()
    assert np.shape(expected) == values.shape, key
    np.testing.assert_array_equal(np.isposinf(values), np.isposinf(expected), err_msg=f"silence of {key}")
    np.testing.assert_allclose(values, expected, **case["tolerance"][kind], err_msg=key)


def window_of_one(case: Case) -> None:
    """The released code is right for no other."""
    assert case["params"].get("t_win", 1) == 1


def how(case: Case, name: str = RELEASED) -> Any:
    return numerics(name, clip=case["params"]["grad_clip"]) if name == RELEASED else numerics(name)


def put(layer: Weighted, weights: Tensor) -> None:
    layer.weight = nn.Parameter(weights)


def check_layer(layer: Weighted, case: Case, arrays: Arrays, kind: str, dtype: torch.dtype) -> None:
    """Forward and backward of a layer, as that of the authors."""
    put(layer, tensor(arrays["weights"], dtype))
    times = tensor(arrays["in_spk"], dtype).requires_grad_()
    signal = tensor(arrays["up_signal"], dtype)
    out = layer(times)
    same(out, case, arrays, "out", kind)
    out.backward(-signal if isinstance(layer, SpikingLayer) else signal)
    assert times.grad is not None
    assert layer.weight.grad is not None
    same(-times.grad, case, arrays, "dX", kind)
    same(layer.weight.grad, case, arrays, "dW", kind)


def check_sums(layer: SpikingLayer, case: Case, arrays: Arrays, kind: str, dtype: torch.dtype) -> None:
    """S and I, and the corrected numerics on them."""
    times, weights = tensor(arrays["in_spk"], dtype), tensor(arrays["weights"], dtype)
    fired = times.isfinite()
    S, I = (layer.operator.apply(x, weights) for x in (fired.to(dtype), times.masked_fill(~fired, 0)))  # noqa: E741
    same(S, case, arrays, "w_sum", kind)
    same(I, case, arrays, "w_input", kind)
    same(times_of(S, I, how(case, CORRECTED)), case, arrays, "out", kind)


def check_fc(case: Case, arrays: Arrays) -> None:
    window_of_one(case)
    assert not case["params"]["no_spk"]
    outputs, inputs = arrays["weights"].shape
    for kind, dtype in types(arrays):
        layer = Linear(inputs, outputs, numerics=how(case))
        check_layer(layer, case, arrays, kind, dtype)
        check_sums(layer, case, arrays, kind, dtype)


def check_potential(case: Case, arrays: Arrays) -> None:
    window_of_one(case)
    outputs, inputs = arrays["weights"].shape
    for kind, dtype in types(arrays):
        check_layer(Readout(inputs, outputs, numerics=how(case)), case, arrays, kind, dtype)
        times, weights = tensor(arrays["in_spk"], dtype), tensor(arrays["weights"], dtype)
        fired = times.isfinite()
        same(fired.to(dtype) @ weights.T, case, arrays, "w_sum", kind)
        same((1 - times).masked_fill(~fired, 0) @ weights.T, case, arrays, "w_input", kind)


def check_conv(case: Case, arrays: Arrays) -> None:
    window_of_one(case)
    options = {name: _size(case["params"][name]) for name in ("stride", "padding")}
    outputs, inputs = arrays["weights"].shape[:2]
    for kind, dtype in types(arrays):
        layer = Conv2d(inputs, outputs, _size(case["params"]["kernel"]), **options, numerics=how(case))
        check_layer(layer, case, arrays, kind, dtype)
        check_sums(layer, case, arrays, kind, dtype)


def _size(size: Any) -> Any:
    return tuple(size) if isinstance(size, list) else size


def check_pool(case: Case, arrays: Arrays) -> None:
    pool = EarliestPool2d(case["params"]["kernel"], case["params"]["stride"], numerics=numerics(RELEASED))
    for kind, dtype in types(arrays):
        times = tensor(arrays["in_spk"], dtype).requires_grad_()
        out = pool(times)
        same(out, case, arrays, "out", kind)
        out.backward(tensor(arrays["up_signal"], dtype))
        assert times.grad is not None
        same(times.grad, case, arrays, "dX", kind)
        winners = torch.zeros_like(times).flatten(2).scatter_(2, torch.from_numpy(arrays["pool_idx"]).flatten(2), 1.0)
        (marked,) = torch.autograd.grad(pool(times).sum(), times)
        assert torch.equal(marked.flatten(2), winners)


def check_edge(case: Case, arrays: Arrays) -> None:
    """Each neuron sees its own row; both numerics."""
    window_of_one(case)
    for kind, dtype in types(arrays):
        for name in (RELEASED, CORRECTED):
            layer = Linear(arrays["weights"].shape[1], len(arrays["weights"]), numerics=numerics(name))
            put(layer, tensor(arrays["weights"], dtype))
            times = tensor(arrays["in_spk"], dtype)
            out = layer(times).diagonal()
            same(out, case, arrays, "out", kind)
            alone = torch.cat([layer(row[None])[:, i] for i, row in enumerate(times)])  # where all inputs fire
            assert torch.equal(alone, out)
    told = [math.inf if row["result"] == "inf" else row["result"] for row in case["params"]["cases"]]
    assert out.tolist() == told


def check_encode(case: Case, arrays: Arrays) -> None:
    for kind, dtype in types(arrays):
        x = tensor(arrays["image"], dtype)
        if case["params"]["mean"] is not None:
            mean, std = (torch.tensor(case["params"][name], dtype=dtype).view(-1, 1, 1) for name in ("mean", "std"))
            x = (x - mean) / std
        same(x, case, arrays, "normalised", kind)
        same(Encoding(case["params"]["t_win"])(x), case, arrays, "spk", kind)


def check_init(case: Case, arrays: Arrays) -> None:
    for i, told in enumerate(case["params"]["cases"]):
        torch.manual_seed(told["torch_seed"])
        first, inputs, *kernel = told["shape"]
        layer: Weighted = Linear(inputs, first) if told["kind"] == "fc" else Conv2d(inputs, first, tuple(kernel))
        np.testing.assert_allclose(layer.weight.detach().numpy(), arrays[f"weights_{i}"], **case["tolerance"]["f32"])
        std = math.sqrt(2 / told["fan_in"])
        assert abs(float(layer.weight.detach().std()) - std) < 5 * std / math.sqrt(2 * layer.weight.numel())


def check_official(case: Case, arrays: Arrays) -> None:
    """Against the official code, whose gradients are those of automatic differentiation."""
    params = case["params"]
    for kind, dtype in types(arrays):
        for chosen in (numerics(RELEASED, clip=params["clip"]), numerics(CORRECTED)):
            conv = Conv2d(params["input_shape"][0], params["c_out"], params["kernel"], padding=params["padding"],
                          numerics=chosen)  # fmt: skip
            readout = Readout(arrays["weights_fc"].shape[1], params["classes"], numerics=chosen)
            put(conv, tensor(arrays["weights_conv"], dtype))
            put(readout, tensor(arrays["weights_fc"], dtype))
            spikes = conv(tensor(arrays["in_spk"], dtype))
            potentials = readout(spikes.flatten(1))
            loss = F.cross_entropy(potentials, torch.from_numpy(arrays["labels"]))
            loss.backward()
            same(spikes, case, arrays, "spikes", kind)
            same(potentials, case, arrays, "potentials", kind)
            same(loss, case, arrays, "loss", kind)
            assert conv.weight.grad is not None
            assert readout.weight.grad is not None
            same(conv.weight.grad, case, arrays, "dW_conv", kind)
            same(readout.weight.grad, case, arrays, "dW_fc", kind)


CHECKS: dict[str, Callable[..., None]] = {
    "fc_spiking": check_fc,
    "fc_potential": check_potential,
    "conv_spiking": check_conv,
    "maxpool": check_pool,
    "edge": check_edge,
    "encode": check_encode,
    "init": check_init,
    "official_block": check_official,
}
