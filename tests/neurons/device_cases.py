"""What a kernel for CUDA devices must get right, for any kernel class that runs on CPU tensors (`device_kernels`)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from against_eager import assert_same, drive, run
from device_kernels import POINTWISE
from torch import Tensor, nn

import neurons
from neurons.backends import fused
from neurons.backends.fused.product_kernel import MOST_STEPS
from neurons.base import ThresholdNeuron
from neurons.surrogate import ATan


class PerChannel(ThresholdNeuron):
    """A leak per channel [C, 1] and a gain per neuron of the last dimension."""

    name = "per_channel"

    def __init__(self, channels: int, width: int, **common: Any) -> None:
        super().__init__(**common)
        self.leak = nn.Parameter(torch.linspace(-1, 1, channels).view(-1, 1))
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, width))

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = v * torch.sigmoid(self.leak) + x * self.gain
        s = self.fire(h)
        return s, self.after_spike(h, s)


class Larger(ThresholdNeuron):
    """Charged by the larger of its potential and its input, which is not below -1."""

    name = "larger"

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = torch.minimum(torch.maximum(0.5 * v, x.clamp_min(-1.0)), x + 2.0)
        s = self.fire(h)
        return s, self.after_spike(h, s)


@pytest.mark.parametrize("name", POINTWISE)
def test_every_neuron(name: str) -> None:
    ours = assert_same(neurons.create(name), drive(9, 5, 13))
    assert 0 < ours.spikes.mean() < 1, "a test of silence proves little"


@pytest.mark.parametrize("name", POINTWISE)
def test_checkpoints_of_every_neuron(name: str) -> None:
    with fused.checkpoint(4):
        assert_same(neurons.create(name), drive(7, 4, 32), cuts=(5,))


@pytest.mark.parametrize("shape", [(1, 60), (2, 1), (23, 3, 13), (5, 0)])
@pytest.mark.parametrize("options", [{"tau": 3.7, "v_reset": None}, {"decay_input": False, "detach_reset": True}])
def test_spikes_and_states_bit_for_bit(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    neuron, x = neurons.create("lif", **options), drive(*shape)
    ours, theirs = run(neuron, "fused", x), run(neuron, "torch", x)
    assert torch.equal(ours.spikes, theirs.spikes)
    assert torch.equal(ours.states[0], theirs.states[0])


@pytest.mark.parametrize("every", [0, 3])
def test_parameters_per_channel_and_per_neuron(every: int) -> None:
    x = drive(7, 2, 5, 12)
    with fused.checkpoint(every) if every else torch.enable_grad():
        assert_same(PerChannel(5, 12), x)
        assert_same(PerChannel(5, 12), x.transpose(1, 3).contiguous().transpose(1, 3))
        assert_same(PerChannel(5, 12), drive(7, 2, 5, 24)[..., ::2])


def test_a_checkpoint_further_away_than_the_sequence_is_long() -> None:
    with fused.checkpoint(2**40):
        assert_same(neurons.create("plif"), drive(5, 40))


@pytest.mark.parametrize("every", [0, 3])
def test_no_gradient_comes_from_behind(every: int) -> None:
    x = drive(5, 40).requires_grad_()
    with fused.checkpoint(every):
        _Ends.apply(neurons.create("plif", backend="fused")(x)).backward()
    assert x.grad is None or not x.grad.any()


class _Ends(torch.autograd.Function):
    """A sum that gives no gradient, not even zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> None:
        return None


def test_a_learned_slope_and_a_kept_state() -> None:
    assert_same(neurons.create("plif", surrogate=ATan(3.7, learnable=True)), drive(9, 50), cuts=(2, 5))


def test_the_gradient_of_a_state_alone() -> None:
    x = drive(6, 40).requires_grad_()
    grads = []
    for backend in ("fused", "torch"):
        neuron = neurons.create("culif", backend=backend)
        neuron(x)
        grads.append(torch.autograd.grad(neuron.i.square().sum(), x)[0])  # neither spikes nor v
    torch.testing.assert_close(*grads, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("neurons_", [40, 64])
def test_16_bit_storage_computes_in_32(dtype: torch.dtype, neurons_: int) -> None:
    x = drive(9, neurons_).to(dtype)
    ours = run(neurons.create("plif"), "fused", x)
    wide = run(neurons.create("plif"), "torch", x.float())
    assert ours.spikes.dtype == ours.grad_x.dtype == dtype
    assert torch.equal(ours.spikes.float(), wide.spikes)
    assert torch.equal(ours.states[0], wide.states[0])


def test_what_is_no_number_passes_the_larger_and_the_smaller_of_two() -> None:
    x, states = drive(3, 40), []
    x[1, ::3] = float("nan")
    for backend in ("fused", "torch"):
        neuron = Larger(backend=backend)
        neuron(x)
        states.append(neuron.v)
    assert states[0].isnan().any()
    torch.testing.assert_close(*states, rtol=0, atol=0, equal_nan=True)


def test_inference_equals_training() -> None:
    neuron, x = neurons.create("plif", backend="fused"), drive(9, 50)
    with torch.no_grad():
        silent = neuron(x)
    neuron.reset()
    assert torch.equal(silent, neuron(x).detach())


def test_gradients_repeat_exactly() -> None:
    first, second = (run(neurons.create("plif"), "fused", drive(9, 100).zero_() + 0.9) for _ in range(2))
    assert torch.equal(first.grads["w"], second.grads["w"])


def test_the_threshold_of_a_product_over_time() -> None:
    assert_same(neurons.create("psn", T=6, surrogate=ATan(3.0, learnable=True)), drive(6, 3, 25))
    assert_same(neurons.create("psn", T=MOST_STEPS + 1), drive(MOST_STEPS + 1, 3, 5))


@pytest.mark.parametrize("every", [0, 3])
@pytest.mark.parametrize("name", ["plif", "psn"])
def test_tensors_that_are_only_marked_as_negated(name: str, every: int) -> None:
    stored, g, found = -drive(6, 40), torch.randn(6, 40), []
    for view in (torch._neg_view, torch.neg):
        torch.manual_seed(0)
        neuron = neurons.create(name, backend="fused", **({"T": 6} if name == "psn" else {}))
        leaf = stored.clone().requires_grad_()
        with fused.checkpoint(every):
            spikes = neuron(view(leaf))
        spikes.backward(view(g))
        found.append([spikes.detach(), leaf.grad])
    assert found[0][0].any()
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_a_second_derivative_is_refused() -> None:
    x = drive(4, 30).requires_grad_()
    (slope,) = torch.autograd.grad(neurons.create("plif", backend="fused")(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(slope.sum(), x, materialize_grads=True)
