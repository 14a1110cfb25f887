"""Blocks for CUDA devices with Triton's interpreter; run by test_chain_triton in a process of its own."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, ClassVar
from unittest import mock

import device_kernels
import numpy as np
import pytest
import torch
import triton.language as tl
from test_chain import apart, drive, layers, outcome
from torch import Tensor, nn
from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

import neurons
from core.compare import relative, tolerance
from models.chain import Chain
from models.layers import AvgPool1d, AvgPool2d, BatchNorm1d, BatchNorm2d, MaxPool2d, StepBatchNorm2d
from neurons import blocks
from neurons.backends import fused
from neurons.backends.fused import block, plan
from neurons.backends.fused.block import proof, triton_kernel
from neurons.base import Neuron, ThresholdNeuron

device_kernels.mend_interpreter()
CAST = InterpreterBuilder.cast_impl
PLANS = type(plan._plans)()  # of all tests: each step is traced once
HALVES = [torch.bfloat16, torch.float16]


def rounded(builder: InterpreterBuilder, number: Any, to: Any) -> Any:
    """A device rounds to bfloat16 where the interpreter cuts off."""
    if (number.dtype.scalar, to.scalar) == (tl.float32, tl.bfloat16):
        bits = np.asarray(number.data, np.float32).view(np.uint32)
        number = TensorHandle((bits + 0x7FFF + (bits >> 16 & 1)).astype(np.uint32).view(np.float32), tl.float32)
    return CAST(builder, number, to)


class Interpreted(triton_kernel.Kernel):
    """Run by Triton's interpreter, with pieces and tiles so small that small tests have several."""

    lanes, tile = 32, 32
    ways: ClassVar[list[str]] = []

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        for name, function in device_kernels._FUNCTIONS.items():
            self.functions[f"f_{name}"] = device_kernels._interpreted(function)

    def launch(self, way: str, programs: int, arrays: Any, numbers: Any, sizes: Any, switches: Any) -> None:
        self.ways.append(way)
        absent = torch.full((1,), math.nan)
        pointers = [absent if t is None else t for t in arrays]
        self.functions[way][(programs,)](*pointers, *numbers, *sizes, *switches)


class Graded(ThresholdNeuron):
    """Its spikes are of any size."""

    name = "graded"

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = 0.5 * v + x
        return h, h


class PerChannel(ThresholdNeuron):
    """A learned leak of each channel [C, 1, 1], and a squashed input."""

    name = "per_channel"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.leak = nn.Parameter(torch.linspace(-1, 1, channels).view(-1, 1, 1))

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = v * torch.sigmoid(self.leak) + 3 * torch.tanh(x)
        spike = self.fire(h)
        return spike, self.after_spike(h, spike)


def verdict(made: Any, neuron: Neuron) -> str | None:
    return proof.difference(triton_kernel.OnDevice(made, "cpu"), neuron)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _interpreted() -> Iterator[None]:
    with (
        device_kernels.kernels(device_kernels.Interpreted),
        mock.patch.object(plan, "_plans", PLANS),
        mock.patch.object(block, "_tools", return_value=(Interpreted, lambda made, neuron: None)),
        mock.patch.dict(block.TYPES, cpu=block.TYPES["cuda"]),
        mock.patch.object(InterpreterBuilder, "cast_impl", rounded),
    ):
        yield


def assert_same(chain: Chain, x: Tensor, cuts: tuple[int, ...] = ()) -> None:
    """As in test_chain; the other layers are PyTorch's and the neuron's plain step."""
    other = apart(chain)
    for part in other:
        if isinstance(part, Neuron):
            part.backend = "torch"
    Interpreted.ways.clear()
    one, two = outcome(chain, x, cuts), outcome(other, x, cuts)
    assert Interpreted.ways.count("forward") == Interpreted.ways.count("backward") == len(cuts) + 1
    assert one.keys() == two.keys()
    for name, expected in two.items():
        assert relative(one[name], expected, at_least=1e-12) <= tolerance("use", torch.float32), name


def made(norm: Any, pool: nn.Module | None, name: str = "lif", **options: Any) -> Chain:
    return layers(norm, pool, 3, name, **options).float()  # type: ignore[return-value]


def single(*shape: int) -> Tensor:
    return drive(*shape, dtype=torch.float32)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", [StepBatchNorm2d, BatchNorm2d, None])
@pytest.mark.parametrize("pool", [MaxPool2d(2), AvgPool2d((1, 3)), None])
def test_batch_norm_and_pooling(norm: Any, pool: nn.Module | None, training: bool) -> None:
    if norm is not None or (pool is not None and training):
        assert_same(made(norm, pool).train(training), single(3, 2, 3, 5, 7))


@pytest.mark.parametrize(
    ("name", "options"),
    [("plif", {"v_reset": None}), ("culif", {}), ("izhikevich", {}), ("klif", {}), ("if", {"detach_reset": True})],
)
def test_neurons(name: str, options: dict[str, Any]) -> None:
    with fused.checkpoint(2):
        assert_same(made(StepBatchNorm2d, MaxPool2d(2), name, **options), single(5, 2, 3, 4, 6), cuts=(2,))


def test_functions_and_parameters_of_each_channel() -> None:
    with fused.checkpoint(3):
        assert_same(Chain(made(BatchNorm2d, None)[0], PerChannel(3), AvgPool2d(2)), single(4, 2, 3, 4, 4))


def test_in_one_dimension() -> None:
    assert_same(made(BatchNorm1d, AvgPool1d(2)), single(4, 3, 3, 9))


def test_planes_larger_than_a_tile() -> None:
    assert_same(made(StepBatchNorm2d, MaxPool2d(3)), single(2, 1, 3, 9, 10))


@pytest.mark.parametrize("norm", [None, StepBatchNorm2d, BatchNorm2d])
@pytest.mark.parametrize("training", [True, False])
def test_a_repeated_step_has_the_sum_of_its_gradients(norm: Any, training: bool) -> None:
    chain, found = made(norm, MaxPool2d(2), "plif").train(training), []
    for network in (chain, apart(chain)):
        x = single(2, 3, 4, 4).requires_grad_()
        (network(blocks.repeat(x * 1, 3)) * single(3, 2, 3, 2, 2)).sum().backward()
        found.append([x.grad, *network.buffers(), *(p.grad for p in network.parameters())])
    for one, two in zip(*found, strict=True):
        assert relative(one, two) <= tolerance("use", torch.float32)


def test_the_same_without_a_graph() -> None:
    chain, x = made(StepBatchNorm2d, MaxPool2d(2)), single(3, 2, 3, 4, 4)
    other = copy.deepcopy(chain)
    with torch.no_grad():
        silent = chain(x)
    assert torch.equal(silent, other(x))
    assert torch.equal(chain[0].running_var, other[0].running_var)  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", [StepBatchNorm2d, BatchNorm2d])
def test_inputs_that_lie_otherwise(norm: Any) -> None:
    assert_same(made(norm, MaxPool2d(2)), single(1, 2, 3, 4, 4).expand(3, 2, 3, 4, 4))
    assert_same(made(norm, MaxPool2d(2)), single(3, 3, 3, 4, 4).transpose(1, 2))


def test_what_is_kept_is_the_input() -> None:
    x, kept = single(4, 2, 3, 8, 8).requires_grad_(), {}

    def pack(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        made(StepBatchNorm2d, MaxPool2d(2))(x)
    assert sum(kept.values()) <= x.nbytes * 1.05


def test_the_gradient_of_a_state_alone() -> None:
    chain, found = made(StepBatchNorm2d, MaxPool2d(2)), []
    for network in (chain, apart(chain)):
        x = single(3, 2, 3, 4, 4).requires_grad_()
        network(x)
        found.append(torch.autograd.grad(network[1].v.square().sum(), x)[0])
    assert relative(*found) <= tolerance("use", torch.float32)


def test_the_first_of_equal_spikes_takes_the_gradient() -> None:
    x = torch.zeros(1, 1, 1, 4, 4)
    x[..., :2, 2:] = 2.0  # all of a window fires; in the others nothing does
    x.requires_grad_()
    Chain(neurons.create("if"), MaxPool2d(2))(x).sum().backward()
    assert x.grad is not None
    assert (x.grad[0, 0, 0] != 0).nonzero().tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]


def test_what_is_no_number_passes_the_pooling() -> None:
    chain, found = Chain(Graded(), MaxPool2d(2)), []
    for network in (chain, apart(chain)):
        x = single(2, 2, 3, 4, 4)
        x[0, 0, 0, 1, 1] = math.nan
        y = network(x.requires_grad_())
        y.sum().backward()
        found.append([y, x.grad])
    assert found[0][0].isnan().sum() == 2  # its own step and the next
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("norm", [StepBatchNorm2d, None])
def test_16_bit_storage(norm: Any, dtype: torch.dtype) -> None:
    """In evaluation: on a CPU the statistics of PyTorch are in 16 bits, too."""
    chain = made(norm, MaxPool2d(2), "plif").eval().to(dtype)
    one, two = (outcome(network, drive(4, 2, 3, 4, 4, dtype=dtype)) for network in (chain, apart(chain)))
    assert chain[-2].kernel == f"C++, with {'batch norm and ' if norm else ''}pooling"
    assert {name: t.dtype for name, t in one.items()} == {name: t.dtype for name, t in two.items()}
    assert one["state 0"].dtype == torch.float32
    for name, expected in two.items():
        assert relative(one[name], expected) <= tolerance("use", dtype), name


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("plif", torch.float32), ("lif", torch.bfloat16), ("lif", torch.float16)],
)
def test_the_proof(name: str, dtype: torch.dtype) -> None:
    neuron = neurons.create(name)
    found = plan.find(neuron, dtype, (2, 3, 4, 4), "cpu")
    assert isinstance(found, plan.Plan)
    with mock.patch.multiple(Interpreted, lanes=256, tile=256):
        assert verdict(Interpreted(found.trace, dtype, found.trainable, True), neuron) is None


@pytest.mark.parametrize(
    ("text", "wrong", "what"),
    [
        ("(g - m_t - ", "(g - ", "gradient of x"),
        ("K - 1 - inside", "inside", "gradient of x"),
        ("(1 - momentum) * old_var", "old_var", "running variance"),
    ],
)
def test_a_wrong_kernel_is_not_used(text: str, wrong: str, what: str) -> None:
    usual = triton_kernel.emitter.source

    def source(*args: Any) -> str:
        right = usual(*args)
        assert text in right
        return right.replace(text, wrong)

    neuron, norm = neurons.create("lif"), StepBatchNorm2d(3)
    with (
        mock.patch.object(triton_kernel.emitter, "source", source),
        mock.patch.object(block, "_tools", return_value=(Interpreted, verdict)),
        mock.patch.object(block, "_kernels", {}),
        mock.patch.multiple(Interpreted, lanes=256, tile=256),
    ):
        found = block.find(neuron, single(2, 2, 3, 4, 4), norm, False, block.Pool("max", (2, 2)))
    assert isinstance(found, str)
    assert found.startswith(what)
