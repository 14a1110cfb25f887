"""The first layer that reads spikes alone, and the network with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import models
from models.first_spike import sparse, sparse_cpp
from models.first_spike.fast import WithFirstPotentials
from models.spikes import WithPotentials
from neurons.backends.fused import compiler
from neurons.current_based import CuLIF
from training.first_spike import first_spike, first_spike_loss, first_times


def events(*shape: int, share: float = 0.03) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 4, shape, generator=generator) * (torch.rand(shape, generator=generator) < share)


@contextmanager
def threads_of(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def runs_sparse(outputs: torch.Tensor) -> bool:
    """Whether the sparse product made `outputs`."""
    node = outputs.grad_fn
    while node is not None and "Product" not in node.name():
        node = node.next_functions[0][0] if node.next_functions else None
    return node is not None


@pytest.mark.parametrize("shape", [(7, 3, 50), (1, 1), (4, 33), (2, 5, 700)])
def test_outputs_and_weight_gradient_are_the_dense_ones(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = sparse.SparseLinear(shape[-1], 9)
    x, weight = events(*shape).float(), layer.weight.detach().clone().requires_grad_()
    found, expected = layer(x), F.linear(x, weight)
    torch.testing.assert_close(found, expected)
    gradient = torch.randn_like(expected)
    found.backward(gradient)
    expected.backward(gradient)
    torch.testing.assert_close(layer.weight.grad, weight.grad)


@pytest.mark.parametrize("outputs", [1, 9, 16, 70, 150])
def test_the_gradient_of_spikes_is_the_dense_one_with_any_number_of_threads(outputs: int) -> None:
    found = []
    for threads in (1, 2):
        torch.manual_seed(0)
        layer = sparse.SparseLinear(33, outputs)
        leaves = [events(11, 3, 33).float().requires_grad_() for _ in range(2)]
        weight = layer.weight.detach().clone().requires_grad_()
        with threads_of(threads):
            made, expected = layer(leaves[0]), F.linear(leaves[1], weight)
            assert runs_sparse(made)
            gradient = torch.randn_like(expected)
            made.backward(gradient)
            expected.backward(gradient)
        for one, other in ((leaves[0].grad, leaves[1].grad), (layer.weight.grad, weight.grad)):
            torch.testing.assert_close(one, other)
        found.append((made, layer.weight.grad))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_whole_numbers_are_added_up_exactly() -> None:
    layer = sparse.SparseLinear(40, 5)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(200).reshape(5, 40) - 100)
    x = events(30, 40, share=0.05).float()
    assert runs_sparse(layer(x))
    assert torch.equal(layer(x), x @ layer.weight.t())


def test_any_layout_will_do() -> None:
    x = events(20, 10, 700).float().transpose(0, 1)
    assert not x.is_contiguous()
    for laid_out in (x, x.contiguous(), x[:, ::2], x[..., :350], x.reshape(-1, 700)):
        layer = sparse.SparseLinear(laid_out.shape[-1], 16)
        weight = layer.weight.detach().clone().requires_grad_()
        found, expected = layer(laid_out), F.linear(laid_out, weight)
        torch.testing.assert_close(found, expected)
        gradient = torch.randn_like(expected)
        found.backward(gradient)
        expected.backward(gradient)
        torch.testing.assert_close(layer.weight.grad, weight.grad)


@pytest.mark.parametrize("changed", ["dense", "double", "compiler"])
def test_elsewhere_the_dense_product_runs(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = sparse.SparseLinear(40, 5), events(30, 40).float()
    if changed == "dense":
        x = x + 1
    if changed == "double":
        layer, x = layer.double(), x.double()
    if changed == "compiler":
        monkeypatch.setattr(sparse_cpp, "LIBRARY", SimpleNamespace(functions=None))
    found = layer(x)
    assert not runs_sparse(found)
    assert torch.equal(found, F.linear(x, layer.weight))


@pytest.mark.skipif(compiler.command() is None, reason="no C++ compiler")
def test_the_compiler_is_found() -> None:
    assert sparse_cpp.LIBRARY.functions is not None


@pytest.mark.parametrize("variant", ["spikingjelly", "superspike"])
def test_times_are_those_of_the_steps(variant: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(20, 6, 5) * 0.5
    options: dict[str, Any] = {"tau_m": 5.0, "tau_s": 5.0, "v_threshold": 0.4, "variant": variant}
    plain, whole = WithPotentials(CuLIF(**options)), WithFirstPotentials(CuLIF(**options))
    expected, found = plain(x), whole(x)
    assert torch.equal(found[:, :, 0], expected[:, :, 0])
    silent = ~expected[:, :, 0].any(0)
    assert 0 < silent.sum() < silent.numel()
    assert torch.equal(first_times(found), first_times(expected))
    highest, exact = found[:, :, 1].amax(0), expected[:, :, 1].amax(0)
    assert torch.equal(highest[silent], exact[silent])
    assert (highest[~silent] >= 0).all()


def test_the_network_learns_as_the_plain_one() -> None:
    x = events(6, 15, 30).float()
    labels = torch.arange(6) % 4
    found = []
    for name in ("fs_feed_forward", "fs_feed_forward_sparse"):
        torch.manual_seed(3)
        network = models.create(
            name,
            neuron=models.factory("adlif", shape="channels"),
            T=15,
            inputs=30,
            classes=4,
            hidden=[12, 8],
            output={"name": "culif", "tau_m": 10.0, "tau_s": 10.0, "v_threshold": 0.2},
            potentials=True,
        )
        torch.manual_seed(4)
        outputs = network.run(x)
        loss = first_spike_loss(outputs, labels, D=3)
        loss.backward()
        gradients = {name: p.grad for name, p in network.named_parameters()}
        found.append((first_spike(outputs), outputs[:, :, 0], loss.detach(), gradients))
    (told, spikes, loss, gradients), (told_too, spikes_too, loss_too, gradients_too) = found
    assert torch.equal(told, told_too)
    assert torch.equal(spikes, spikes_too)
    assert spikes.any()
    torch.testing.assert_close(loss, loss_too)
    assert gradients.keys() == gradients_too.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradients_too[name], gradient, rtol=1e-4, atol=1e-6)
