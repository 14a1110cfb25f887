"""Fused kernels of neurons that are a product over time, against the eager product."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from against_eager import assert_same, drive, run
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import neurons
from neurons.backends import fused
from neurons.backends.fused import compiler, layout, product, product_kernel, product_parity
from neurons.backends.fused.product_kernel import Band, ProductKernel
from neurons.surrogate import SHAPES, ATan

pytestmark = pytest.mark.skipif(compiler.missing() is not None, reason="needs a C++ compiler")

LONG = product_kernel.MOST_STEPS + 3
FAMILY: dict[str, Any] = {
    "psn": lambda T: neurons.create("psn", T=T),
    "masked_psn": lambda T: neurons.create("masked_psn", k=min(3, T), T=T, lambda_=1.0),
    "half masked_psn": lambda T: neurons.create("masked_psn", k=min(3, T), T=T, lambda_=0.5),
    "sliding_psn": lambda T: neurons.create("sliding_psn", k=5),
}
LAYOUTS: dict[str, Any] = {
    "contiguous": lambda x: x,
    "channels last": lambda x: x.movedim(2, -1).contiguous().movedim(-1, 2),
    "batch innermost": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    "steps inside": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "with gaps": lambda x: torch.stack([x, x], -1)[..., 0],
}


def made(name: str, T: int) -> Any:
    """A layer with a firing rate worth testing."""
    layer = FAMILY[name](T)
    with torch.no_grad():
        layer.bias.copy_(-0.3 + 0.2 * torch.randn(layer.bias.shape))
        layer.weight.add_(0.3 * torch.randn(layer.weight.shape))
    return layer


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("T", [1, 2, 3, 5, 8, 13, 64, LONG])
def test_spikes_and_all_gradients(name: str, T: int) -> None:
    found = assert_same(made(name, T), drive(T, 3, 47))
    assert 0 < found.spikes.mean() < 1, "a test of silence proves little"


@pytest.mark.parametrize("name", ["psn", "sliding_psn"])
@pytest.mark.parametrize("neurons_of_step", [1, 31, 64, 1000, 9000])
def test_any_number_of_neurons(name: str, neurons_of_step: int) -> None:
    assert_same(made(name, 6), drive(6, neurons_of_step), gradient=2e-5)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("order", LAYOUTS)
@pytest.mark.parametrize("T", [4, LONG])
def test_layouts(name: str, order: str, T: int) -> None:
    assert_same(made(name, T), LAYOUTS[order](drive(T, 2, 3, 4, 5)))


@pytest.mark.parametrize("order", ["contiguous", "channels last", "batch innermost"])
@pytest.mark.parametrize("T", [4, LONG])
def test_nothing_of_the_inputs_size_is_copied(order: str, T: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spikes and gradient lie as the input does, and no operator copies a tensor of that size on the way."""
    from torch.utils._python_dispatch import TorchDispatchMode

    layer = made("psn", T)
    layer.backend = "fused"
    x = LAYOUTS[order](drive(T, 2, 3, 4, 500 if T == 4 else 5)).requires_grad_()
    gy = torch.empty_like(x).normal_()
    assert gy.stride() == x.stride()
    copies: list[str] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            name = func.overloadpacket.__name__
            if name in ("copy_", "clone", "_to_copy", "contiguous") and result.numel() >= x.numel():
                copies.append(name)
            return result

    layer(x).backward(gy)  # compiled, proven
    x.grad = None
    with Watch():
        spikes = layer(x)
        spikes.backward(gy)
    assert spikes.stride() == x.stride()
    assert x.grad is not None
    assert x.grad.stride() == x.stride()
    assert copies == []


def test_only_the_input_and_the_parameters_are_kept() -> None:
    layer = made("psn", 4)
    layer.backend = "fused"
    x, kept = drive(4, 100).requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        layer(x)
    assert sorted(kept) == [4, 16, 400]


def test_an_image_repeated_over_all_steps_is_stored_once() -> None:
    layer = made("psn", 4)
    image = drive(1, 70)
    assert torch.equal(run(layer, "fused", image.expand(4, 70)).spikes, run(layer, "torch", image.repeat(4, 1)).spikes)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("T", [7, LONG])
def test_float64(name: str, T: int) -> None:
    assert_same(made(name, T).double(), drive(T, 50, dtype=torch.float64), gradient=1e-12)


def test_16_bit_inputs_are_computed_with_in_float32() -> None:
    """As float32 on the same numbers, with the gradient of x rounded once; parameters may stay float32.

    What differs from float16 is how numbers are stored, which the kernels of all neurons share (test_fused).
    """
    dtype = torch.bfloat16
    layer, x = made("psn", 6), drive(6, 90, dtype=dtype)
    ours, exact = run(layer, "fused", x), run(layer, "torch", x.float())
    assert ours.spikes.dtype == dtype
    assert torch.equal(ours.spikes.float(), exact.spikes)
    assert ours.grads["weight"] is not None
    assert ours.grads["weight"].dtype == torch.float32


@pytest.mark.parametrize("shape", ["triangle", "multi_gaussian"])  # with a window and with two; ATan is without
def test_other_surrogates(shape: str) -> None:
    layer = made("psn", 5)
    layer.surrogate = SHAPES[shape](strict=shape == "triangle")
    assert_same(layer, drive(5, 80), gradient=1e-4)


@pytest.mark.parametrize("name", ["psn", "sliding_psn"])
def test_a_learned_slope_gets_its_gradient(name: str) -> None:
    layer = made(name, 5)
    layer.surrogate = ATan(3.0, learnable=True)
    found = assert_same(layer, drive(5, 80))
    assert found.grads["surrogate.alpha"] is not None


@pytest.mark.parametrize("frozen", [("weight",), ("bias",), ("weight", "bias"), ()])
@pytest.mark.parametrize("of_x", [True, False])
@pytest.mark.parametrize("T", [4, LONG])
def test_only_wanted_gradients(frozen: tuple[str, ...], of_x: bool, T: int) -> None:
    layer = made("psn", T)
    layer.backend = "fused"
    for parameter in frozen:
        getattr(layer, parameter).requires_grad_(False)
    x = drive(T, 40).requires_grad_(of_x)
    spikes = layer(x)
    assert spikes.requires_grad == (of_x or len(frozen) < 2)
    if spikes.requires_grad:
        spikes.sum().backward()
    assert (x.grad is not None) == of_x
    for name, parameter in layer.named_parameters():
        assert (parameter.grad is None) == (name in frozen)


def test_without_gradients() -> None:
    layer, x = made("masked_psn", 9), drive(9, 40)
    layer.backend = "fused"
    with torch.no_grad():
        spikes = layer(x)
    assert not spikes.requires_grad
    assert torch.equal(spikes, run(layer, "torch", x).spikes)
    with torch.inference_mode():
        assert torch.equal(layer(x), spikes)


def test_changed_weights_and_lambda_are_noticed() -> None:
    layer, x = made("masked_psn", 6), drive(6, 80)
    assert_same(layer, x)
    layer.lambda_ = 0.25
    with torch.no_grad():
        layer.weight.mul_(-1.5)
    assert_same(layer, x)


@pytest.mark.parametrize("T", [4, LONG])
def test_a_second_derivative_is_refused(T: int) -> None:
    layer = made("psn", T)
    layer.backend = "fused"
    x = drive(T, 10).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        gradient.sum().backward()


def test_a_layer_may_be_called_twice_before_going_back() -> None:
    """A recurrent use: the second call must not overwrite what the first one keeps."""
    layer, x = made("psn", 4), drive(4, 60)

    def twice(backend: str) -> list[Tensor]:
        own = copy.deepcopy(layer)
        own.backend = backend
        leaf = x.clone().requires_grad_()
        (own(own(leaf) * 2) * torch.linspace(-1, 1, 60)).sum().backward()
        return [leaf.grad, own.weight.grad, own.bias.grad]

    for ours, theirs in zip(twice("fused"), twice("torch"), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_checkpoints_change_nothing() -> None:
    with fused.checkpoint(2):
        assert_same(made("psn", 6), drive(6, 40))


def test_gradients_do_not_depend_on_the_number_of_threads() -> None:
    layer, x = made("psn", 8), drive(8, 20000)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(run(layer, "fused", x))
    finally:
        torch.set_num_threads(threads)
    one, two = found
    assert torch.equal(one.spikes, two.spikes)
    assert all(torch.equal(one.grads[name], two.grads[name]) for name in ("weight", "bias"))  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(
    T=st.integers(1, 20),
    count=st.integers(1, 150),
    before=st.integers(0, 20),
    after=st.integers(0, 20),
    diagonal=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_any_band(T: int, count: int, before: int, after: int, diagonal: bool, seed: int) -> None:
    """A kernel call against the dense product in float64, for integers, where every order of adding up is exact."""
    firing = product.Firing(ATan())
    kernel = product.plan.find(firing, torch.float64, (2,), "cpu").product(firing)  # type: ignore[union-attr]
    assert isinstance(kernel, ProductKernel)
    band = Band(before, 0 if diagonal else after, diagonal)
    generator = torch.Generator().manual_seed(seed)

    def whole(*shape: int) -> Tensor:
        return torch.randint(-3, 4, shape, generator=generator).double()

    x, bias = whole(T, count), whole(1 if diagonal else T)
    numbers = whole(before + 1) if diagonal else whole(T, T).tril(after).triu(-before)
    dense = numbers
    if diagonal:
        dense = torch.zeros(T, T, dtype=torch.float64)
        for i in range(T):
            for j in range(max(0, i - before), i + 1):
                dense[i, j] = numbers[j - i + before]
    spikes = kernel.forward(x, layout.of_sequence(x)[1], numbers, bias, band)
    assert torch.equal(spikes, ((dense @ x + bias.view(-1, 1)) >= 0).double())


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    firing = product.Firing(ATan())
    kernel = product.plan.find(firing, torch.float32, (2,), "cpu").product(firing)  # type: ignore[union-attr]
    monkeypatch.setattr(kernel.library, "note", {})
    monkeypatch.setattr(kernel.library, "write_note", lambda **entries: None)
    assert product_parity.verdict(kernel, firing) is None
    right = kernel.backward
    monkeypatch.setattr(kernel, "backward", lambda *args, **options: [2 * t for t in right(*args, **options)])
    assert "gradient of x is off" in (product_parity.verdict(kernel, firing) or "")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["psn", "sliding_psn"])
def test_inside_torch_compile_the_compiler_has_the_product_to_itself(name: str) -> None:
    layer, x = made(name, 5), drive(5, 30)
    torch._dynamo.reset()
    graph = torch.compile(layer, backend="aot_eager", fullgraph=True)
    layer.backend = "fused"
    assert torch.equal(graph(x), run(layer, "torch", x).spikes)


class BiasOfNeurons(neurons.registry.get("psn")):  # type: ignore[misc]
    """A bias for each neuron, not for each step."""

    def __init__(self, T: int, width: int) -> None:
        super().__init__(T=T)
        self.bias = torch.nn.Parameter(torch.linspace(-1.0, 0.5, width).view(1, width))


@pytest.mark.parametrize("width", [4, 7])
def test_a_bias_that_is_none_of_the_steps_is_left_to_pytorch(width: int) -> None:
    torch.manual_seed(0)
    layer, x = BiasOfNeurons(4, width), drive(4, 1, width)
    other = copy.deepcopy(layer)
    other.backend = "torch"
    assert torch.equal(layer(x), other(x))
    assert layer.ran == "torch"
