"""Fused layers inside torch.compile: one graph, the same numbers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import neurons
import neurons.backends.fused.library  # defines the operators
from neurons.backends import fused
from neurons.backends.fused import compiler

pytestmark = [
    pytest.mark.skipif(compiler.missing() is not None, reason="needs a C++ compiler"),
    pytest.mark.compilers,
    pytest.mark.filterwarnings("ignore"),
]


def compiled(net: nn.Module, **options: Any) -> Any:
    torch._dynamo.reset()
    return torch.compile(net, backend="aot_eager", fullgraph=True, **options)


def gradients(net: Any, own: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    own.zero_grad()
    leaf = x.clone().requires_grad_()
    spikes = net(leaf)
    (spikes * torch.linspace(-1, 1, spikes.numel()).view_as(spikes)).sum().backward()
    found = [spikes.detach(), leaf.grad, *(p.grad for p in own.parameters() if p.grad is not None)]
    return [t.clone() for t in found if t is not None]


@pytest.mark.parametrize("name", ["lif", "plif", "ltc"])
def test_one_graph_with_the_same_results(name: str) -> None:
    net = nn.Sequential(nn.Linear(20, 30), neurons.create(name, backend="fused"))
    plain, x = copy.deepcopy(net), torch.randn(6, 4, 20) * 3
    graph = compiled(net)
    for _ in range(2):  # the second call carries the state
        for ours, theirs in zip(gradients(graph, net, x), gradients(plain, plain, x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        for layer in (net[1], plain[1]):
            layer.store_states([getattr(layer, state).detach() for state in layer.states])  # type: ignore[operator]
    assert torch.equal(net[1].v, plain[1].v)  # type: ignore[arg-type]


def test_inference_and_a_changed_constant() -> None:
    net = neurons.create("lif", backend="fused")
    graph, x = compiled(net), torch.randn(6, 40) * 3
    with torch.no_grad():
        for tau in (2.0, 5.0):
            net.tau = tau
            net.reset()
            assert torch.equal(graph(x), neurons.create("lif", tau=tau, backend="torch")(x))


def test_checkpoints() -> None:
    net = neurons.create("plif", backend="fused")
    plain, x = copy.deepcopy(net), torch.randn(9, 40) * 3
    with fused.checkpoint(4):
        ours = gradients(compiled(net), net, x)
    for a, b in zip(ours, gradients(plain, plain, x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("every", [0, 4])
def test_sizes_may_be_symbols(every: int) -> None:
    neuron = neurons.create("plif", backend="fused")
    torch._dynamo.reset()
    graph = torch.compile(
        lambda x: fused.library.sequence(neuron, x, every, ["w"], True),
        backend="aot_eager",
        fullgraph=True,
        dynamic=True,
    )
    for steps, count in ((4, 30), (7, 50), (9, 64)):
        neuron.reset()
        plain, x = copy.deepcopy(neuron), torch.randn(steps, count) * 3
        for ours, theirs in zip(gradients(graph, neuron, x), gradients(plain, plain, x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dynamic", [None, True])
def test_batches_of_several_sizes(dynamic: bool | None) -> None:
    """As when the last batch of an epoch is smaller: the compiler makes sizes that change symbols."""
    net = nn.Sequential(nn.Linear(20, 30), neurons.create("plif", backend="fused"))
    plain, graph = copy.deepcopy(net), compiled(net, dynamic=dynamic)
    for T, N in ((4, 8), (4, 5), (4, 3), (6, 7)):
        x = torch.randn(T, N, 20) * 3
        for layer in (net[1], plain[1]):
            layer.reset()  # type: ignore[operator]
        for ours, theirs in zip(gradients(graph, net, x), gradients(plain, plain, x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_channels_last() -> None:
    net, x = neurons.create("lif", backend="fused"), (torch.randn(4, 2, 5, 5, 3) * 3).permute(0, 1, 4, 2, 3)
    spikes = compiled(net)(x)
    assert torch.equal(spikes, neurons.create("lif", backend="torch")(x))


def test_an_eager_layer_is_traced_step_by_step() -> None:
    net, x = neurons.create("lif", backend="torch"), torch.randn(3, 20) * 3
    assert torch.equal(compiled(net)(x), neurons.create("lif", backend="torch")(x))


def test_the_operators_declare_themselves_honestly() -> None:
    """torch.library's own check: schema, shapes without data, autograd, and the same under AOTAutograd."""
    neuron = neurons.create("plif", backend="fused")
    x, w = torch.randn(4, 30, requires_grad=True), neuron.w
    neuron(x.detach())
    neuron.reset()
    torch.library.opcheck(
        torch.ops.spikebench.fused_forward.default,
        (neuron.number, True, True, 0, x, [], [w]),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_a_checkpoint_inside_is_right_and_one_around_is_refused() -> None:
    net = neurons.create("plif", backend="fused")
    plain, x = copy.deepcopy(net), torch.randn(6, 40) * 3
    expected = gradients(plain, plain, x)
    torch._dynamo.reset()
    inside = torch.compile(lambda x: checkpoint(net, x, use_reentrant=False), backend="aot_eager")
    for ours, theirs in zip(gradients(inside, net, x), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert torch.equal(net.v, plain.v)  # type: ignore[arg-type]
    around = compiled(net)
    for _ in range(2):  # from rest and from a state
        with pytest.raises(RuntimeError, match=r"torch\.utils\.checkpoint inside the function that is compiled"):
            checkpoint(around, x.clone().requires_grad_(), use_reentrant=False).sum().backward()
