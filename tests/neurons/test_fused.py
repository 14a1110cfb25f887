"""Fused kernels against the eager oracle: every neuron, reset, gradient and awkward size."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from against_eager import Run, assert_same, drive, run
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import neurons
from neurons.backends import fused
from neurons.backends.fused import compiler
from neurons.base import Neuron, ThresholdNeuron
from neurons.surrogate import ATan

pytestmark = pytest.mark.skipif(compiler.missing() is not None, reason="needs a C++ compiler")

STEPWISE = [name for name in neurons.names() if neurons.registry.get(name).sequence is Neuron.sequence]
EXACT = ("if", "lif", "plif", "klif")  # no exp and its kin per element: states equal bit for bit, too
RESETS: list[float | None] = [0.0, None, -0.3]


class PerChannel(ThresholdNeuron):
    """A leak per channel [C, 1, 1], a gain per neuron of the last dimension and a buffer."""

    name = "per_channel"

    def __init__(self, channels: int, width: int, **common: Any) -> None:
        super().__init__(**common)
        self.leak = nn.Parameter(torch.linspace(-1, 1, channels))
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, width))
        self.register_buffer("bias", torch.linspace(-0.2, 0.2, width))

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = v * torch.sigmoid(self.leak).view(-1, 1, 1) + x * self.gain + self.bias
        s = self.fire(h)
        return s, self.after_spike(h, s)


@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("detach", [True, False])
def test_every_neuron_agrees_with_its_step(name: str, detach: bool) -> None:
    neuron = neurons.create(name, detach_reset=detach)
    fused_run = assert_same(neuron, drive(9, 5, 13))
    assert 0 < fused_run.spikes.mean() < 1, "a test of silence proves little"


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("v_reset", RESETS)
@pytest.mark.parametrize(("steps", "shape"), [(1, (60,)), (2, (1,)), (63, (3, 60)), (5, (1000,)), (2, ())])
def test_spikes_and_states_are_equal_bit_for_bit(
    name: str, v_reset: float | None, steps: int, shape: tuple[int, ...]
) -> None:
    neuron = neurons.create(name, v_reset=v_reset)
    x = drive(steps, *shape)
    ours, theirs = assert_same(neuron, x), run(neuron, "torch", x)
    assert all(torch.equal(a, b) for a, b in zip(ours.states, theirs.states, strict=True))


@pytest.mark.parametrize("name", ["lif", "plif"])
@pytest.mark.parametrize(
    "options", [{"decay_input": False}, {"v_threshold": 0.7, "surrogate": ATan(3.7, learnable=True)}]
)
def test_options_of_a_neuron(name: str, options: dict[str, Any]) -> None:
    assert_same(neurons.create(name, **options), drive(12, 70))


@pytest.mark.parametrize("tau", [1.0, 1.7, 2.0, 3.0, 7.3, 16.0])
def test_one_library_serves_every_time_constant(tau: float) -> None:
    assert_same(neurons.create("lif", tau=tau), drive(20, 200))


def test_changing_a_constant_is_noticed() -> None:
    neuron, x = neurons.create("lif", backend="fused"), drive(8, 40)
    before = neuron(x)
    neuron.reset()
    neuron.tau = 8.0
    slower = neuron(x)
    assert not torch.equal(before, slower)
    assert torch.equal(slower, neurons.create("lif", tau=8.0, backend="torch")(x))


@pytest.mark.parametrize("value", [0.0, 40.0])
def test_silence_and_saturation(value: float) -> None:
    spikes = neurons.create("plif", backend="fused")(torch.full((63, 1, 60), value))
    assert spikes.mean() == float(value > 0)


def test_infinities_and_nan_go_where_they_go_in_the_oracle() -> None:
    x = torch.tensor([[float("nan"), float("inf"), -float("inf"), 0.5] * 5] * 3)
    ours, theirs = (neurons.create("lif", backend=b) for b in ("fused", "torch"))
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(ours.v, theirs.v, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", STEPWISE)
def test_cut_sequences_carry_state_and_gradient(name: str) -> None:
    neuron, x = neurons.create(name), drive(11, 4, 9)
    assert_same(neuron, x, cuts=(3, 4))
    whole, cut = run(neuron, "fused", x), run(neuron, "fused", x, cuts=(3, 4))
    assert torch.equal(whole.spikes, cut.spikes)
    assert all(torch.equal(a, b) for a, b in zip(whole.states, cut.states, strict=True))
    assert whole.grad_x is not None
    torch.testing.assert_close(whole.grad_x, cut.grad_x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["plif", "glif"])
def test_a_cut_changes_nothing_in_16_bits_either(name: str, dtype: torch.dtype) -> None:
    neuron, x = neurons.create(name), drive(11, 70, dtype=dtype)
    whole, cut = run(neuron, "fused", x), run(neuron, "fused", x, cuts=(3, 4))
    assert torch.equal(whole.spikes, cut.spikes)
    assert all(torch.equal(a, b) for a, b in zip(whole.states, cut.states, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["lif", "plif", "klif"])
def test_16_bit_storage_computes_in_32(name: str, dtype: torch.dtype) -> None:
    """Spikes are those of float32 on the same (rounded) inputs; gradients differ by the rounding of their storage."""
    neuron, x = neurons.create(name), drive(13, 5, 67, dtype=dtype)
    ours, theirs = run(neuron, "fused", x, state_weight=0), run(neuron, "torch", x.float(), state_weight=0)
    assert ours.spikes.dtype == dtype
    assert ours.states[0].dtype == torch.float32
    assert torch.equal(ours.spikes.float(), theirs.spikes)
    assert torch.equal(ours.states[0], theirs.states[0])
    assert ours.grad_x is not None
    assert ours.grad_x.dtype == dtype


class Graded(ThresholdNeuron):
    """Spikes as high as the potential that fired."""

    name = "graded"

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = 0.5 * v + x.exp()
        s = self.fire(h)
        return h * s, self.after_spike(h, s)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_outputs_other_than_0_and_1(dtype: torch.dtype) -> None:
    x = drive(7, 5, 13, dtype=dtype)
    torch.testing.assert_close(Graded(backend="fused")(x), Graded(backend="torch")(x.float()).to(dtype))


def test_16_bit_gradients_are_rounded_once() -> None:
    neuron, x = neurons.create("lif"), drive(6, 100, dtype=torch.bfloat16)
    g = torch.randn(6, 100).to(torch.bfloat16)
    grads = []
    for backend, values, seed in (("fused", x, g), ("torch", x.float(), g.float())):
        neuron.backend, leaf = backend, values.clone().requires_grad_()
        neuron.reset()
        neuron(leaf).backward(seed)
        grads.append(leaf.grad)
    assert torch.equal(grads[0], grads[1].to(torch.bfloat16))


@pytest.mark.parametrize("name", STEPWISE)
def test_float64(name: str) -> None:
    assert_same(neurons.create(name).double(), drive(7, 30, dtype=torch.float64), gradient=1e-12)


def test_parameters_stored_in_16_bits_are_computed_with_in_32() -> None:
    stored, wide = neurons.create("plif", init_tau=3.3).bfloat16(), neurons.create("plif")
    wide.load_state_dict(stored.state_dict())
    x = drive(20, 500, dtype=torch.bfloat16)
    ours, theirs = run(stored, "fused", x, state_weight=0), run(wide, "torch", x.float(), state_weight=0)
    assert torch.equal(ours.spikes.float(), theirs.spikes)
    assert torch.equal(ours.states[0], theirs.states[0])
    assert ours.grads["w"] is not None
    assert ours.grads["w"].dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_no_neurons_at_all(shape: tuple[int, ...]) -> None:
    for every in (0, 2):
        neuron, x = neurons.create("plif", backend="fused"), drive(4, *shape).requires_grad_()
        with fused.checkpoint(every):
            spikes = neuron(x)
        spikes.sum().backward()
        assert spikes.shape == x.shape
        assert neuron.w.grad == 0


def _layouts() -> dict[str, Tensor]:
    x = drive(6, 3, 5, 4)
    return {
        "contiguous": x,
        "channels last": x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
        "permuted": x.permute(0, 3, 2, 1).contiguous().permute(0, 3, 2, 1),
        "every other step": drive(12, 3, 5, 4)[::2],
        "backwards in no dimension but wide": drive(6, 3, 5, 8)[..., :4],
        "gaps": drive(6, 3, 5, 8)[..., ::2],
        "time innermost": drive(3, 5, 4, 6).permute(3, 0, 1, 2),
        "repeated step": drive(3, 5, 4).expand(6, 3, 5, 4),
    }


@pytest.mark.parametrize("layout", list(_layouts()))
@pytest.mark.parametrize("checkpoint", [False, True])
def test_layouts_with_parameters_per_channel(layout: str, checkpoint: bool) -> None:
    x, neuron = _layouts()[layout], PerChannel(3, 4)
    if checkpoint:
        with fused.checkpoint(4):
            assert_same(neuron, x, cuts=(2,))
    else:
        assert_same(neuron, x, cuts=(2,))


class Viewed(ThresholdNeuron):
    """A parameter [C] that the step views as one per channel of [N, C, L]."""

    name = "viewed"

    def __init__(self, channels: int, **common: Any) -> None:
        super().__init__(**common)
        self.leak = nn.Parameter(torch.linspace(-1, 1, channels))

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = v * torch.sigmoid(self.leak).view(-1, 1) + x
        s = self.fire(h)
        return s, self.after_spike(h, s)


@pytest.mark.parametrize("channels", [2, 5])
def test_a_parameter_viewed_per_channel(channels: int) -> None:
    assert_same(Viewed(channels), drive(6, 4, channels, 9))


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 1, 1)])
def test_a_threshold_that_is_learned(shape: tuple[int, ...]) -> None:
    neuron = neurons.create("lif")
    neuron.v_threshold = nn.Parameter(torch.linspace(0.5, 1.5, math.prod(shape)).view(shape))  # type: ignore[assignment]
    assert assert_same(neuron, drive(6, 2, 3, 5)).grads["v_threshold"] is not None


def test_channels_last_stays_channels_last() -> None:
    x = _layouts()["channels last"]
    spikes = neurons.create("lif", backend="fused")(x)
    assert spikes.stride() == x.stride()


@settings(deadline=None, max_examples=40)
@given(
    steps=st.integers(1, 6),
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=2),
    order=st.permutations([0, 1, 2, 3]),
    channels=st.integers(1, 5),
)
def test_any_order_of_dimensions(steps: int, sizes: list[int], order: list[int], channels: int) -> None:
    shape = (steps, channels, *sizes)
    stored = drive(*(shape[d] for d in order))
    x = stored.permute(*(order.index(d) for d in range(4)))
    assert x.shape == shape
    assert_same(PerChannel(channels, sizes[1]), x)


def test_a_parameter_that_does_not_broadcast_is_refused_as_by_eager() -> None:
    with pytest.raises((ValueError, RuntimeError)):
        PerChannel(3, 4, backend="fused")(drive(2, 5, 5, 4))


@pytest.mark.parametrize("name", STEPWISE)
@pytest.mark.parametrize("every", [0, 1, 4, 100])
def test_checkpoints_give_the_same_gradients(name: str, every: int) -> None:
    with fused.checkpoint(every):
        assert_same(neurons.create(name), drive(10, 3, 41))


def test_a_distance_beyond_the_sequence_takes_no_memory_for_it() -> None:
    with fused.checkpoint(10**12):
        assert_same(neurons.create("lif"), drive(4, 3000))


@pytest.mark.parametrize("name", ["lif", "eif", "psn"])
def test_saved_tensors_may_come_back_in_another_order_of_memory(name: str) -> None:
    x, found = _layouts()["permuted"], []
    layer = neurons.create(name, backend="fused", **({"T": 6} if name == "psn" else {}))
    ways: list[Any] = [
        lambda t: t,
        lambda t: t.clone(memory_format=torch.contiguous_format),
        lambda t: torch.stack([t, t], -1)[..., 0],
        lambda t: torch._neg_view(-t),
    ]
    for restored in ways:
        leaf = x.detach().requires_grad_()
        layer.reset()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t, restored), fused.checkpoint(2):
            spikes = layer(leaf)
        (spikes * torch.linspace(-1, 1, x.numel()).view(x.shape)).sum().backward()
        found.append(leaf.grad)
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_the_default_device_is_not_that_of_the_results() -> None:
    neuron, x = neurons.create("plif", backend="fused"), drive(40, 3000).requires_grad_()
    with torch.device("meta"):
        spikes = neuron(x)
        spikes.backward(torch.ones_like(x))
    expected = run(neurons.create("plif"), "torch", x)
    assert torch.equal(spikes, expected.spikes)
    assert neuron.w.grad.device.type == "cpu"


def test_transforms_of_torch_func_are_refused() -> None:
    neuron, x = neurons.create("lif", backend="fused"), drive(3, 10)
    refusal = pytest.raises(RuntimeError, match=r"neither forward-mode derivatives nor the transforms of torch\.func")
    with refusal:
        torch.vmap(neuron)(x[:, None])
    with refusal, torch.autograd.forward_ad.dual_level():
        neuron(x)
    leaf = x.requires_grad_()
    with pytest.raises(RuntimeError, match="without memory of its own"):
        torch.autograd.grad(neuron(leaf), leaf, torch.ones(2, 3, 10), is_grads_batched=True)


def test_checkpoint_refuses_a_negative_distance() -> None:
    with pytest.raises(ValueError, match="or 0 for none"), fused.checkpoint(-1):
        pass


def _saved(neuron: Neuron, x: Tensor) -> float:
    """Bytes kept for the backward pass per element, beyond the input and the output."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        spikes = neuron(x)
    kept.pop(x.data_ptr(), None)
    kept.pop(spikes.data_ptr(), None)
    return sum(kept.values()) / x.numel()


@pytest.mark.parametrize(("name", "most"), [("if", 4), ("lif", 4), ("plif", 4), ("klif", 4), ("culif", 4)])
def test_at_most_one_value_per_element_is_saved(name: str, most: float) -> None:
    x = drive(64, 1000).requires_grad_()
    with fused.checkpoint(0):
        assert _saved(neurons.create(name, backend="fused", detach_reset=True), x) <= most + 1e-3


def test_checkpoints_save_less_and_are_the_rule_for_cheap_steps() -> None:
    x = drive(64, 1000).requires_grad_()
    with fused.checkpoint(32):
        assert _saved(neurons.create("lif", backend="fused"), x) == 0.125
    assert _saved(neurons.create("lif", backend="fused"), x) == 0.25  # every 16 steps
    assert _saved(neurons.create("eif", backend="fused"), x) >= 4  # exp is dearer than memory


@pytest.mark.parametrize("name", ["plif", "ltc", "adlif"])
def test_threads_do_not_change_a_bit(name: str) -> None:
    x, neuron = drive(40, 7, 1111), neurons.create(name)
    results: list[Run] = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(run(neuron, "fused", x))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert torch.equal(results[0].spikes, other.spikes)
        assert torch.equal(results[0].grad_x, other.grad_x)
        for parameter, grad in results[0].grads.items():
            assert torch.equal(grad, other.grads[parameter]), parameter


def test_a_gradient_of_the_state_alone_and_of_nothing() -> None:
    neuron, x = neurons.create("lif", backend="fused"), drive(4, 20).requires_grad_()
    neuron(x)
    neuron.v.sum().backward()
    reference, y = neurons.create("lif", backend="torch"), x.detach().requires_grad_()
    reference(y)
    reference.v.sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    neuron.reset()
    assert not neuron(x.detach()).requires_grad


def test_parameters_learn_where_the_input_needs_no_gradient() -> None:
    x, grads = drive(6, 50), []
    for backend in ("fused", "torch"):
        neuron = neurons.create("plif", backend=backend)
        neuron(x).sum().backward()
        grads.append(neuron.w.grad)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-5, atol=0)


def test_a_frozen_parameter_gets_no_gradient() -> None:
    neuron = neurons.create("plif", backend="fused").requires_grad_(False)
    x = drive(6, 50).requires_grad_()
    neuron(x).sum().backward()
    assert neuron.w.grad is None
    assert x.grad is not None
    assert x.grad.any()


def test_a_second_derivative_is_refused_with_a_sentence() -> None:
    x = drive(3, 10).requires_grad_()
    (gradient,) = torch.autograd.grad(neurons.create("lif", backend="fused")(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"no second derivative.*backend='torch'"):
        gradient.sum().backward()


def test_the_gradient_can_be_taken_twice_from_a_kept_graph() -> None:
    x = drive(3, 10).requires_grad_()
    spikes = neurons.create("lif", backend="fused")(x)
    first = torch.autograd.grad(spikes.sum(), x, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(spikes.sum(), x)[0], first)


def test_auto_takes_the_fused_backend() -> None:
    for name in STEPWISE:
        assert neurons.backends.chosen(neurons.create(name), "cpu") == "fused"
        assert "fused" in neurons.backends(name, "cpu")


class Thresholds(ThresholdNeuron):
    """A learned threshold that the step reads as it is stored."""

    name = "thresholds"

    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        self.theta = nn.Parameter(torch._neg_view(torch.tensor([-0.5, -1.0, -1.5])))

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = 0.5 * v + x
        s = self.surrogate(h - self.theta)
        return s, h * (1 - s)


@pytest.mark.parametrize("every", [0, 4])
@pytest.mark.parametrize("name", ["lif", "psn", "a long psn", "sliding_psn", "thresholds"])
def test_tensors_that_are_only_marked_as_negated(name: str, every: int) -> None:
    """As inputs, states, parameters and gradients of spikes: their memory holds the other sign."""
    steps = 150 if name.startswith("a long") else 6
    options = {"sliding_psn": {"k": 3}, "lif": {}}.get(name, {"T": steps})
    neuron = Thresholds() if name == "thresholds" else neurons.create(name.split()[-1], **options)
    stored, g, before = -2 * drive(steps, 3), torch.randn(steps, 3), torch.randn(3)
    found = []
    for backend, view in (("fused", torch._neg_view), ("fused", torch.neg), ("torch", torch.neg)):
        layer = copy.deepcopy(neuron)
        layer.backend = backend
        if "v" in layer.states:
            layer.v = view(before)  # type: ignore[assignment]
        leaf = stored.clone().requires_grad_()
        with fused.checkpoint(every):
            spikes = layer(view(leaf))
        spikes.backward(view(g))
        found.append([spikes.detach(), leaf.grad, *(p.grad for p in layer.parameters())])
    assert found[0][0].any()
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    torch.testing.assert_close(found[0], found[2])


def test_the_imaginary_part_of_a_conjugate() -> None:
    x = torch.complex(torch.zeros(1), -2 * drive(5, 1)).conj().imag
    assert x.is_neg()
    assert torch.equal(neurons.create("lif", backend="fused")(x), neurons.create("lif", backend="torch")(x))
