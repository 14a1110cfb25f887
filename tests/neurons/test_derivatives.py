"""Second derivatives, and the ways in which PyTorch can be asked for them, of every surrogate, neuron and backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.functional import hessian, hvp
from torch.func import functional_call, grad, jacfwd, jacrev, vmap

import neurons
from neurons.backends.fused import compiler
from neurons.surrogate import SHAPES

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated"),  # by torch.func.jacfwd
    pytest.mark.filterwarnings("ignore:There is a performance drop"),  # vmap's, of the sliding PSN's band matrix
]
needs_compiler = pytest.mark.skipif(compiler.missing() is not None, reason="needs a C++ compiler")

X = torch.tensor([0.7, 0.9, 1.6], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
HESSIAN = [[0.2, 0.16, -0.329], [0.16, 0.32, -0.658], [-0.329, -0.658, -1.316]]
T, N = 5, 3

Loss = Callable[[Tensor], Tensor]


def layer(name: str, **options: Any) -> Any:
    """A layer as measurements create it, in float64."""
    return neurons.create(name, **neurons.registry.get(name).example(T), **options).double()


def weighted(neuron: Any, weights: Tensor) -> Loss:
    """The loss of a sequence from rest: its spikes, weighted."""

    def loss(x: Tensor) -> Tensor:
        neuron.reset()
        return (neuron(x) * weights).sum()

    return loss


def slopes(loss: Loss, x: Tensor) -> Tensor:
    """The gradient at `x`, flat."""
    leaf = x.detach().clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf)[0].flatten()


def differences(loss: Loss, x: Tensor, step: float = 1e-6) -> Tensor:
    """The Hessian as central differences of the gradient."""
    columns = []
    for i in range(x.numel()):
        shift = torch.zeros_like(x).flatten()
        shift[i] = step
        shift = shift.view_as(x)
        columns.append((slopes(loss, x + shift) - slopes(loss, x - shift)) / (2 * step))
    return torch.stack(columns, 1)


def test_the_hessian_of_a_lif_layer_by_hand_by_differences_and_of_spikingjelly() -> None:
    from spikingjelly.activation_based import neuron as peers
    from spikingjelly.activation_based.surrogate import ATan as TheirATan

    ours = weighted(neurons.create("lif", detach_reset=True, backend="torch"), WEIGHTS)
    theirs = weighted(peers.LIFNode(detach_reset=True, surrogate_function=TheirATan(), step_mode="m"), WEIGHTS)
    found = hessian(ours, X)
    torch.testing.assert_close(found, torch.tensor(HESSIAN, dtype=torch.float64), rtol=0, atol=5e-4)
    torch.testing.assert_close(found, differences(ours, X), rtol=0, atol=1e-7)
    torch.testing.assert_close(found, hessian(theirs, X), rtol=0, atol=1e-7)


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("name", list(SHAPES))
@settings(deadline=None, max_examples=30)
@given(u=st.floats(-2, 2), alpha=st.floats(0.5, 4), weight=st.floats(-3, 3))
def test_the_second_derivative_of_every_surrogate(
    name: str, learnable: bool, u: float, alpha: float, weight: float
) -> None:
    """Against differences of the gradient, away from the kinks of the shapes."""
    if learnable and not SHAPES[name].scales:
        return
    if any(abs(abs(u) - kink) < 1e-3 for kink in (0, 0.5 / alpha, 1 / alpha)):
        return
    shape = SHAPES[name](alpha, learnable=learnable).double()

    def gradients(u: float, alpha: float, weight: float, create_graph: bool) -> tuple[list[Tensor], list[Tensor]]:
        leaves = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (u, weight)]
        if learnable:
            with torch.no_grad():
                shape.alpha.fill_(alpha)
            leaves.append(shape.alpha)
        wanted = [leaves[0], *leaves[2:]]
        return leaves, list(torch.autograd.grad(shape(leaves[0]) * leaves[1], wanted, create_graph=create_graph))

    step = 1e-6
    leaves, first = gradients(u, alpha, weight, True)
    second = [torch.autograd.grad(g, leaves, retain_graph=True, materialize_grads=True) for g in first]
    for row, values in enumerate(second):
        for column, value in enumerate(values):
            point = [step if column == place else 0.0 for place in (0, 2, 1)]
            up = gradients(u + point[0], alpha + point[1], weight + point[2], False)[1][row]
            down = gradients(u - point[0], alpha - point[1], weight - point[2], False)[1][row]
            torch.testing.assert_close(value, (up - down) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", neurons.names())
def test_the_hessian_of_every_neuron(name: str) -> None:
    """The same in every way; that of differences, where no gradient depends on the spikes themselves."""
    torch.manual_seed(1)
    smooth = name in ("if", "lif", "plif", "klif", "eif", "qif", "izhikevich", "culif", "pculif")
    neuron = layer(name, backend="torch", **({"detach_reset": True} if smooth else {}))
    x = torch.rand(T, 1, dtype=torch.float64) * 1.5
    loss = weighted(neuron, torch.randn(T, 1, dtype=torch.float64))
    found = hessian(loss, x).view(T, T)
    assert found.any()
    if smooth or name.endswith("psn"):
        torch.testing.assert_close(found, differences(loss, x), rtol=1e-4, atol=1e-6)
    for way in (jacfwd(jacrev(loss)), jacrev(jacrev(loss)), jacrev(jacfwd(loss))):
        torch.testing.assert_close(way(x).view(T, T), found)


def _ways() -> dict[str, Callable[[Loss, Tensor], object]]:
    def second(loss: Loss, x: Tensor, **options: bool) -> object:
        (slope,) = torch.autograd.grad(loss(x), x, create_graph=True)
        return torch.autograd.grad(slope.sum(), x, **options)

    def by_backward(loss: Loss, x: Tensor) -> None:
        loss(x).backward(create_graph=True)
        assert x.grad is not None
        x.grad.sum().backward()

    return {
        "hessian": hessian,
        "hessian, vectorised": lambda loss, x: hessian(loss, x, vectorize=True),
        "hvp": lambda loss, x: hvp(loss, x, torch.ones_like(x)),
        "vhp": lambda loss, x: torch.autograd.functional.vhp(loss, x, torch.ones_like(x)),
        "grad": second,
        "allow_unused": lambda loss, x: second(loss, x, allow_unused=True),
        "materialize_grads": lambda loss, x: second(loss, x, materialize_grads=True),
        "backward": by_backward,
        "squares": lambda loss, x: second(lambda x: loss(x).square(), x, materialize_grads=True),
        "torch.func": lambda loss, x: torch.func.hessian(loss)(x),
    }


@needs_compiler
@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
@pytest.mark.parametrize("way", list(_ways()))
@pytest.mark.parametrize("name", ["if", "lif", "plif", "eif", "adlif", "psn", "sliding_psn"])
def test_fused_refuses_every_second_derivative(name: str, way: str) -> None:
    neuron = layer(name, backend="fused")
    x = (torch.rand(T, N, dtype=torch.float64) * 2).requires_grad_()
    with pytest.raises(RuntimeError, match="backend='torch'"):
        _ways()[way](weighted(neuron, torch.randn(T, N, dtype=torch.float64)), x)


@needs_compiler
def test_fused_refuses_the_second_derivative_of_parameters_states_and_upstream_weights() -> None:
    neuron = layer("plif", backend="fused")
    x = torch.rand(T, N, dtype=torch.float64) * 2
    weights = torch.ones(T, N, dtype=torch.float64, requires_grad=True)
    before = torch.rand(N, dtype=torch.float64, requires_grad=True)
    neuron.v = before
    first = torch.autograd.grad((neuron(x) * weights).sum() + neuron.v.sum(), [neuron.w, before], create_graph=True)
    for slope in first:
        for wanted in (neuron.w, before, weights):
            with pytest.raises(RuntimeError, match="no second derivative"):
                torch.autograd.grad(slope.sum(), wanted, retain_graph=True, materialize_grads=True)


@needs_compiler
def test_a_product_of_many_steps_refuses_it_too() -> None:
    steps = 150
    neuron = neurons.create("psn", T=steps, backend="fused").double()
    x = torch.randn(steps, N, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(neuron(x).sum(), x, create_graph=True)
    for wanted in (x, neuron.weight, neuron.bias):
        with pytest.raises(RuntimeError, match="no second derivative"):
            torch.autograd.grad(slope.sum(), wanted, retain_graph=True, materialize_grads=True)


@needs_compiler
@pytest.mark.compilers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("compiled_by", ["eager", "aot_eager"])
@pytest.mark.parametrize("name", ["lif", "plif", "eif"])
def test_inside_torch_compile_it_is_refused_too(name: str, compiled_by: str) -> None:
    torch._dynamo.reset()
    neuron = layer(name, backend="fused")
    graph = torch.compile(neuron, backend=compiled_by, fullgraph=True)
    x = (torch.rand(T, N, dtype=torch.float64) * 2).requires_grad_()
    (slope,) = torch.autograd.grad(graph(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"second derivative|double backward"):
        torch.autograd.grad(slope.sum(), x, materialize_grads=True)


@pytest.mark.parametrize("name", neurons.names())
def test_per_sample_gradients(name: str) -> None:
    """vmap of grad over the samples of a batch gives what a loop over them gives, for inputs and parameters."""
    torch.manual_seed(2)
    neuron = layer(name, backend="torch")
    batch = torch.rand(4, T, N, dtype=torch.float64) * 2
    parameters = {key: value.detach() for key, value in neuron.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        neuron.reset()
        return (functional_call(neuron, parameters, (x,)) * torch.arange(T * N).view(T, N)).sum()

    together = vmap(grad(loss, argnums=(0, 1)), in_dims=(None, 0))(parameters, batch)
    for i, x in enumerate(batch):
        leaf = x.clone().requires_grad_()
        neuron.reset()
        neuron.zero_grad()
        (neuron(leaf) * torch.arange(T * N).view(T, N)).sum().backward()
        torch.testing.assert_close(together[1][i], leaf.grad)
        for key, value in neuron.named_parameters():
            expected = torch.zeros_like(value) if value.grad is None else value.grad
            torch.testing.assert_close(together[0][key][i], expected)
    neuron.reset()
    assert torch.equal(vmap(neuron)(batch)[0], (neuron.reset(), neuron(batch[0]))[1])


@pytest.mark.parametrize("learnable", [False, True])
def test_forward_mode(learnable: bool) -> None:
    neuron = neurons.create("plif", backend="torch", surrogate={"name": "atan", "learnable": learnable}).double()
    loss = weighted(neuron, WEIGHTS)
    direction = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    expected = slopes(loss, X) @ direction
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(loss(forward_ad.make_dual(X, direction))).tangent
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.func.jvp(loss, (X,), (direction,))[1], expected)
    if learnable:
        alpha = neuron.surrogate.alpha
        (by_alpha,) = torch.autograd.grad(loss(X), alpha)
        with forward_ad.dual_level():
            del neuron.surrogate.alpha
            neuron.surrogate.alpha = forward_ad.make_dual(alpha.detach(), torch.ones((), dtype=torch.float64))
            found = forward_ad.unpack_dual(loss(X)).tangent
        torch.testing.assert_close(found, by_alpha)


def test_forward_mode_of_forward_mode_is_refused() -> None:
    """PyTorch switches forward mode off while it differentiates a function like the surrogate: zeros in silence."""
    with pytest.raises(RuntimeError, match=r"forward mode.*jacrev"):
        jacfwd(jacfwd(weighted(neurons.create("lif", backend="torch"), WEIGHTS)))(X)


@needs_compiler
def test_auto_goes_to_torch_and_is_right_there() -> None:
    ours, reference = neurons.create("lif"), neurons.create("lif", backend="torch")
    expected = slopes(weighted(reference, WEIGHTS), X)
    neurons.choice._warn.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"nor the transforms of torch\.func"):
        found = grad(weighted(ours, WEIGHTS))(X)
    assert ours.ran == "torch"
    torch.testing.assert_close(found, expected)


def test_a_state_of_a_transform_that_ended() -> None:
    """That of grad goes on by its value; that of vmap is one of many samples and asks for a reset."""
    neuron, other = (neurons.create("lif", backend="torch") for _ in range(2))
    x = torch.full((2, N), 0.7)
    grad(lambda x: neuron(x).sum())(x)
    other(x)
    assert torch.equal(neuron(x), other(x))
    assert torch.equal(neuron.v, other.v)
    neuron.reset()
    vmap(neuron)(x.expand(4, 2, N))
    with pytest.raises(ValueError, match=r"'v' .*vmap .*reset"):
        neuron(x)
    neuron.reset()
    neuron(x)
