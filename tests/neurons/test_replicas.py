"""Layers in the replicas that DataParallel makes for every call, whose parameters are plain attributes."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

import neurons

BACKENDS = ["torch", "auto", "fused", "spikingjelly"]
T, N = 6, 8
OPTIONS: dict[str, dict[str, Any]] = {"masked_psn": {"k": 3, "T": T, "lambda_": 0.5}, "glif": {"T": T}}


def replicated(network: nn.Module) -> Any:
    """What torch.nn.parallel.replicate makes of `network`, which wants CUDA devices to copy the parameters to."""
    copies: dict[nn.Module, Any] = {}
    for module in network.modules():
        copies[module] = module._replicate_for_data_parallel()
        copies[module]._former_parameters = OrderedDict()
    for module, copy in copies.items():
        for name, child in module._modules.items():
            setattr(copy, name, None if child is None else copies[child])
        for name, parameter in module._parameters.items():
            if parameter is None:
                copy._parameters[name] = None
            else:
                setattr(copy, name, parameter.view_as(parameter))
                copy._former_parameters[name] = getattr(copy, name)
        for name, buffer in module._buffers.items():
            setattr(copy, name, buffer)
    return copies[network]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", neurons.names())
def test_a_replica_computes_what_the_layer_does(name: str, backend: str) -> None:
    available = neurons.backends(name, "cpu")
    if backend != "auto" and backend not in available:
        pytest.skip(available.refused[backend])
    options = {**(OPTIONS.get(name) or neurons.registry.get(name).example(T))}
    if backend == "torch" or (backend != "spikingjelly" and name in ("plif", "psn")):  # a kernel has it or has it not
        options["surrogate"] = {"name": "atan", "learnable": True}
    layer = neurons.create(name, backend=backend, **options)
    x, results = torch.randn(T, N) * 2, []
    for module in (layer, replicated(layer)):
        layer.reset()
        layer.zero_grad()
        leaf = x.clone().requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a fallback warns
            spikes = module(leaf)
        (spikes * torch.linspace(-1, 1, T * N).view(T, N)).sum().backward()
        gradients = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
        results.append((module.ran, spikes, leaf.grad, *gradients))
    assert results[0][0] == results[1][0]
    assert len(results[0]) == len(results[1])
    for ours, theirs in zip(results[0][1:], results[1][1:], strict=True):
        assert torch.equal(ours, theirs)


def test_without_gradients() -> None:
    layer, x = neurons.create("plif"), torch.randn(T, N) * 2
    replica = replicated(layer)
    with torch.no_grad():
        assert torch.equal(replica(x), layer(x))
    assert replica.ran == layer.ran
