"""Checks of the T2FSNN reference vectors of whole networks, one function a family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from golden_ttfs_layers import Arrays, Case

import models
from models.ttfs.architecture import Conv, Dense, Pool, Token, parse
from models.ttfs.layers import EarliestPool2d, Weighted


def _told(token: Token) -> dict[str, Any]:
    """A layer as the authors' parser describes it."""
    match token:
        case Conv(channels, kernel):
            return {"layer": "conv", "n_channels": channels, "kernel_size": kernel, "stride_size": 1,
                    "padding_size": kernel // 2}  # fmt: skip
        case Pool(kernel):
            return {"layer": "maxpool", "kernel_size": kernel, "stride_size": kernel}
        case Dense(neurons):
            return {"layer": "fc", "n_neurons": neurons}


def check_architecture(case: Case, arrays: Arrays) -> None:
    """Parsed layers, shapes and weight counts. The string of the authors has the layer of the classes."""
    for told, total in zip(case["params"]["networks"], arrays["total_weights"], strict=True):
        tokens = parse(told["string"])
        assert [_told(token) for token in tokens] == [layer["parsed"] for layer in told["layers"]]
        inputs, height, width = told["input_shape"]
        assert height == width
        hidden, _, last = told["string"].rpartition(" - ")
        assert last == f"{told['classes']}F"
        network = models.create("ttfs", architecture=hidden, classes=told["classes"], side=height, inputs=inputs)
        layers = [layer for layer in network.layers if isinstance(layer, Weighted | EarliestPool2d)]
        weights = [sum(p.numel() for p in layer.parameters()) for layer in layers]
        assert weights == [layer["weights"] for layer in told["layers"]]
        assert sum(weights) == told["total_weights"] == total
        shapes: list[list[int]] = []
        for layer in layers:
            layer.register_forward_hook(lambda _m, _x, out, seen=shapes: seen.append(list(out.shape[1:])))
        with torch.inference_mode():
            network.run(torch.zeros(1, inputs, height, width))
        assert shapes == [layer["output_shape"] for layer in told["layers"]]


CHECKS: dict[str, Callable[..., None]] = {"architecture": check_architecture}
