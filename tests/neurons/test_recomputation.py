"""torch.utils.checkpoint around layers: gradients and the state after it are those of a run without it."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import neurons
from models.layers import SharedDropout

REENTRANT = pytest.mark.parametrize("reentrant", [False, True])
BACKENDS = [
    *(["fused"] if "fused" in neurons.backends("lif", "cpu") else []),
    *(["spikingjelly"] if "spikingjelly" in neurons.backends("lif", "cpu") else []),
    "torch",
]
T, N = 6, 4


def state(network: nn.Module) -> list[Any]:
    found = [getattr(m, name) for m in network.modules() for name in getattr(m, "memory", ())]
    return [value.detach().clone() if isinstance(value, Tensor) else value for value in found]


def measured(network: Any, function: Callable[[Any, Tensor], Tensor], x: Tensor) -> tuple[Any, ...]:
    """Outputs, gradients of the input and of parameters, and the state before and after the backward pass."""
    network = copy.deepcopy(network)
    leaf = x.clone().requires_grad_()
    torch.manual_seed(3)
    y = function(network, leaf)
    before = state(network)
    (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    return y.detach(), leaf.grad, {n: p.grad for n, p in network.named_parameters()}, before, state(network)


def assert_unchanged_by_checkpoints(
    network: nn.Module, x: Tensor, plain: Callable[..., Tensor], checked: Callable[..., Tensor]
) -> None:
    expected, found = measured(network, plain, x), measured(network, checked, x)
    torch.testing.assert_close(found[:4], expected[:4])
    torch.testing.assert_close(found[4], found[3])


def test_a_lif_layer_by_numbers() -> None:
    x = torch.tensor([[1.6], [2.6], [0.7]], dtype=torch.float64, requires_grad=True)
    for reentrant in (False, True):
        x.grad = None
        spikes = checkpoint(neurons.create("lif"), x, use_reentrant=reentrant)
        (spikes.flatten() * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        torch.testing.assert_close(
            x.grad.flatten(), torch.tensor([0.3860, 0.1291, 0.2901], dtype=torch.float64), rtol=0, atol=5e-5
        )


@REENTRANT
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", neurons.names())
def test_every_neuron_and_backend(name: str, backend: str, reentrant: bool) -> None:
    if backend not in neurons.backends(name, "cpu"):
        return
    options = {"surrogate": "atan"} if backend == "spikingjelly" else {}
    neuron = neurons.create(name, backend=backend, **neurons.registry.get(name).example(T), **options)
    assert_unchanged_by_checkpoints(
        neuron,
        torch.randn(T, N) * 2 + 0.5,
        lambda layer, x: layer(x),
        lambda layer, x: checkpoint(layer, x, use_reentrant=reentrant),
    )


@REENTRANT
@pytest.mark.parametrize("backend", BACKENDS)
def test_from_a_state_that_is_not_at_rest(backend: str, reentrant: bool) -> None:
    neuron = neurons.create("plif", backend=backend)
    with torch.no_grad():
        neuron(torch.randn(T, N) + 1)

    def checked(layer: Any, x: Tensor) -> Tensor:
        return checkpoint(layer, x, use_reentrant=reentrant)

    assert_unchanged_by_checkpoints(neuron, torch.randn(T, N) * 2, lambda layer, x: layer(x), checked)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name in neurons.names() if neurons.registry.get(name).recurrent])
def test_a_sequence_in_pieces_each_a_region(name: str, backend: str) -> None:
    """The state carried between them needs a gradient, which decides what a step saves."""
    if backend not in neurons.backends(name, "cpu"):
        return
    options = {"surrogate": "atan"} if backend == "spikingjelly" else {}
    neuron = neurons.create(name, backend=backend, **neurons.registry.get(name).example(T), **options)

    def pieces(layer: Any, x: Tensor) -> Tensor:
        return torch.cat([checkpoint(layer, piece, use_reentrant=False) for piece in x.split(2)])

    assert_unchanged_by_checkpoints(neuron, torch.randn(T, N) * 2, lambda layer, x: layer(x), pieces)


@REENTRANT
@pytest.mark.parametrize("name", ["plif", "culif", "masked_psn", "glif"])
def test_step_by_step_in_one_region(name: str, reentrant: bool) -> None:
    options = {"masked_psn": {"k": 3, "T": T, "lambda_": 1.0}, "glif": {"T": T}}.get(name, {})
    neuron = neurons.create(name, step_mode="s", **options)

    def steps(layer: Any, x: Tensor) -> Tensor:
        return torch.stack([layer(x_t) for x_t in x])

    def checked(layer: Any, x: Tensor) -> Tensor:
        return checkpoint(lambda x: steps(layer, x), x, use_reentrant=reentrant)

    assert_unchanged_by_checkpoints(neuron, torch.randn(T, N) * 2, steps, checked)


@REENTRANT
@pytest.mark.parametrize("between", [neurons.reset, neurons.detach, lambda layer: None])
def test_what_a_region_does_between_two_calls(between: Callable[[nn.Module], None], reentrant: bool) -> None:
    neuron = neurons.create("plif")

    def twice(layer: Any, x: Tensor) -> Tensor:
        neurons.reset(layer)
        first = layer(x[:3])
        between(layer)
        return torch.cat([first, layer(x[3:])])

    def checked(layer: Any, x: Tensor) -> Tensor:
        return checkpoint(lambda x: twice(layer, x), x, use_reentrant=reentrant)

    assert_unchanged_by_checkpoints(neuron, torch.randn(T, N) * 2, twice, checked)


@pytest.mark.parametrize(("outer", "inner"), [(False, False), (True, False), (False, True), (True, True)])
def test_regions_in_regions(outer: bool, inner: bool) -> None:
    network = nn.Sequential(nn.Linear(N, N), neurons.create("plif"), nn.Linear(N, N), neurons.create("lif"))

    def nested(network: Any, x: Tensor) -> Tensor:
        def both(x: Tensor) -> Tensor:
            return network[2:](checkpoint(network[:2], x, use_reentrant=inner))

        return checkpoint(both, x, use_reentrant=outer)

    assert_unchanged_by_checkpoints(network, torch.randn(T, N) * 3, lambda network, x: network(x), nested)


@REENTRANT
def test_a_reset_before_the_backward_pass(reentrant: bool) -> None:
    network = nn.Sequential(neurons.create("plif"), SharedDropout(), neurons.create("lif"))

    def checked(network: Any, x: Tensor) -> Tensor:
        y = checkpoint(network, x, use_reentrant=reentrant)
        neurons.reset(network)
        return y

    def plain(network: Any, x: Tensor) -> Tensor:
        y = network(x)
        neurons.reset(network)
        return y

    assert_unchanged_by_checkpoints(network, torch.randn(T, N) * 3, plain, checked)


@REENTRANT
def test_a_mask_that_was_drawn_before_the_region(reentrant: bool) -> None:
    def plain(network: Any, x: Tensor) -> Tensor:
        network(x[:2])
        y = network(x)
        neurons.reset(network)
        return y

    def checked(network: Any, x: Tensor) -> Tensor:
        network(x[:2])
        y = checkpoint(network, x, use_reentrant=reentrant)
        neurons.reset(network)
        return y

    assert_unchanged_by_checkpoints(SharedDropout(), torch.randn(T, N) * 3, plain, checked)


def test_two_backward_passes_through_one_region() -> None:
    neuron, x = neurons.create("lif"), (torch.randn(T, N) * 2).requires_grad_()
    y = checkpoint(neuron, x, use_reentrant=False)
    first = torch.autograd.grad(y.sum(), x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], first)


@pytest.mark.parametrize("second_too", [False, True])
def test_a_state_carried_out_of_a_reentrant_region_has_no_gradient_and_says_so(second_too: bool) -> None:
    neuron, x = neurons.create("plif"), (torch.randn(2, T, N) * 2).requires_grad_()
    checkpoint(neuron, x[0], use_reentrant=True)
    y = checkpoint(neuron, x[1], use_reentrant=True) if second_too else neuron(x[1])
    with pytest.raises(RuntimeError, match=r"use_reentrant=False, or neurons\.detach"):
        y.sum().backward()
    neuron.reset()
    checkpoint(neuron, x[0], use_reentrant=True)
    neurons.detach(neuron)
    y = checkpoint(neuron, x[1], use_reentrant=True) if second_too else neuron(x[1])
    y.sum().backward()


def test_a_state_carried_into_a_reentrant_region_has_no_gradient_and_says_so() -> None:
    neuron, x = neurons.create("plif"), (torch.randn(2, T, N) * 2).requires_grad_()
    neuron(x[0])
    with pytest.raises(RuntimeError, match=r"use_reentrant=False, or neurons\.detach"):
        checkpoint(neuron, x[1], use_reentrant=True).sum().backward()


def test_a_failed_backward_pass_leaves_the_state_alone() -> None:
    neuron, x = neurons.create("lif", backend="torch"), (torch.randn(T, N) * 2).requires_grad_()
    y = checkpoint(neuron, x, use_reentrant=False)
    after = neuron.v.detach().clone()

    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    neuron.step = fails
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert torch.equal(neuron.v, after)


@REENTRANT
def test_no_region_outlives_its_outputs(reentrant: bool) -> None:
    neuron, x = neurons.create("lif", backend="torch"), torch.randn(T, N, requires_grad=True)
    inner = x * 2
    watched = weakref.ref(inner)
    y = checkpoint(neuron, inner, use_reentrant=reentrant)
    neuron.reset()
    del y, inner
    gc.collect()
    assert watched() is None


def test_an_evaluation_with_checkpoints_is_like_one_without() -> None:
    neuron, x = neurons.create("lif"), (torch.randn(T, N) * 2).requires_grad_()
    plain = copy.deepcopy(neuron)
    for reentrant in (False, True):
        with torch.no_grad():
            assert torch.equal(checkpoint(neuron, x, use_reentrant=reentrant), plain(x))
            assert torch.equal(neuron.v, plain.v)


def test_a_recomputation_that_is_unknown_is_refused() -> None:
    from torch.utils import checkpoint as module

    neuron, x = neurons.create("lif"), torch.randn(T, N, requires_grad=True)
    regions = module._checkpoint_without_reentrant_generator(
        neuron, True, module.noop_context_fn, "default", False, True, x
    )
    next(regions)  # as module hooks do it, with no call of `checkpoint` around the layer's
    y = neuron(x)
    next(regions, None)
    with pytest.raises(RuntimeError, match=r"LIF has no note.*torch\.utils\.checkpoint\.checkpoint"):
        y.sum().backward()


def test_detach_ends_the_gradient_and_keeps_the_state() -> None:
    network = nn.Sequential(neurons.create("plif", backend="torch"), SharedDropout(), neurons.create("culif"))
    neurons.detach(network)  # at rest
    x = (torch.randn(2, T, N) * 2).requires_grad_()
    network(x[0])
    before = state(network)
    neurons.detach(network)
    torch.testing.assert_close(state(network), before)
    network(x[1]).sum().backward()
    assert x.grad is not None
    assert not x.grad[0].any()
    assert x.grad[1].any()
