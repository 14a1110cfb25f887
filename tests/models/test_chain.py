"""A chain in one pass against the same layers one after the other."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import models
import neurons
from models.chain import Chain
from models.layers import AvgPool1d, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, MaxPool2d, StepBatchNorm2d
from neurons import blocks
from neurons.backends.fused import block

TIGHT = 1e-10  # float64; rounding in another order moves no spike of these inputs


def apart(chain: nn.Module) -> nn.Sequential:
    """The same layers with the same numbers, which run one after the other."""
    return nn.Sequential(*copy.deepcopy(list(chain)))  # type: ignore[call-overload]


def drive(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) * 2


def layers(norm: type[nn.Module] | None, pool: nn.Module | None, channels: int, name: str = "plif", **o: Any) -> Chain:
    torch.manual_seed(channels)
    found: list[nn.Module] = []
    if norm is not None:
        made: Any = norm(channels)
        nn.init.uniform_(made.weight, 0.5, 2.0)
        nn.init.uniform_(made.bias, -0.5, 0.5)
        found.append(made)
    return Chain(*found, neurons.create(name, **o), *([] if pool is None else [pool])).double()


def outcome(network: nn.Module, x: Tensor, cuts: tuple[int, ...] = ()) -> dict[str, Tensor]:
    """Outputs, states, statistics and gradients of a pass that is cut before the steps `cuts`."""
    x = x.detach().requires_grad_()
    places = [0, *cuts, len(x)]
    y = torch.cat([network(x[a:b]) for a, b in pairwise(places)])
    neuron: Any = next(m for m in network.modules() if isinstance(m, neurons.base.Neuron))
    states = [s for name in neuron.states if isinstance(s := getattr(neuron, name), Tensor)]
    loss = (y * drive(*y.shape, seed=1).to(y)).sum() + sum((s * s).sum() for s in states)
    loss.backward()
    found = {"y": y.detach(), "x": x.grad}
    found |= {f"state {i}": s.detach() for i, s in enumerate(states)}
    found |= {f"gradient of {name}": p.grad for name, p in network.named_parameters()}
    found |= {name: b.detach().clone() for name, b in network.named_buffers()}
    return found  # type: ignore[return-value]


def assert_same(chain: Chain, x: Tensor, tolerance: float = TIGHT, cuts: tuple[int, ...] = ()) -> None:
    other = apart(chain)
    one, two = outcome(chain, x, cuts), outcome(other, x, cuts)
    assert next(m for m in chain if isinstance(m, neurons.base.Neuron)).kernel.startswith("C++, with")
    assert one.keys() == two.keys()
    for name, expected in two.items():
        size = max(float(expected.abs().max()), 1e-12)
        assert float((one[name] - expected).abs().max()) <= tolerance * size, name


@settings(max_examples=25)
@given(
    T=st.integers(1, 20),
    N=st.integers(1, 5),
    channels=st.integers(1, 4),
    height=st.integers(3, 11),
    width=st.integers(3, 11),
    norm=st.sampled_from([None, StepBatchNorm2d, BatchNorm2d]),
    pool=st.sampled_from(
        [MaxPool2d(2), AvgPool2d(2), MaxPool2d(3), AvgPool2d((1, 3)), MaxPool2d((2, 1)), MaxPool2d((1, 2))]
    ),
    training=st.booleans(),
)
def test_any_shape(
    T: int, N: int, channels: int, height: int, width: int, norm: Any, pool: nn.Module, training: bool
) -> None:
    assert_same(layers(norm, pool, channels).train(training), drive(T, N, channels, height, width))


@pytest.mark.parametrize("size", [(33, 32), (40, 64), (3, 300)])
def test_planes_larger_than_a_piece(size: tuple[int, int]) -> None:
    assert_same(layers(StepBatchNorm2d, MaxPool2d(2), 3), drive(3, 2, 3, *size))
    assert_same(layers(StepBatchNorm2d, None, 3), drive(3, 2, 3, *size))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["if", "lif", "plif", "klif"])
def test_neurons(name: str, dtype: torch.dtype) -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 3, name, **({"v_reset": None} if name == "if" else {})).to(dtype)
    assert_same(chain, drive(6, 2, 3, 8, 6, dtype=dtype), 1e-5 if dtype == torch.float32 else TIGHT)


def test_in_one_dimension() -> None:
    assert_same(layers(BatchNorm1d, AvgPool1d(2), 3), drive(4, 3, 3, 10))


@settings(max_examples=15)
@given(
    T=st.integers(1, 19),
    N=st.integers(1, 5),
    channels=st.integers(1, 3),
    height=st.integers(3, 11),
    width=st.integers(3, 11),
    kind=st.sampled_from(["psn", "masked_psn", "half masked", "sliding_psn"]),
    norm=st.sampled_from([None, StepBatchNorm2d, BatchNorm2d]),
    pool=st.sampled_from([MaxPool2d(2), AvgPool2d(2), AvgPool2d((1, 3)), AvgPool2d((1, 2))]),
    training=st.booleans(),
)
def test_products_over_time(
    T: int, N: int, channels: int, height: int, width: int, kind: str, norm: Any, pool: Any, training: bool
) -> None:
    options = {
        "psn": {"T": T},
        "masked_psn": {"T": T, "k": min(T, 3), "lambda_": 1.0},
        "half masked": {"T": T, "k": min(T, 2), "lambda_": 0.5},
        "sliding_psn": {"k": 3},
    }[kind]
    name = "masked_psn" if kind == "half masked" else kind
    assert_same(layers(norm, pool, channels, name, **options).train(training), drive(T, N, channels, height, width))


@pytest.mark.parametrize("T", [4, 32])
def test_products_in_float32_and_in_one_dimension(T: int) -> None:
    chain = layers(BatchNorm1d, AvgPool1d(2), 3, "psn", T=T).float()
    assert_same(chain, drive(T, 40, 3, 32, dtype=torch.float32), 2e-5)
    assert_same(layers(BatchNorm2d, None, 2, "psn", T=T), drive(T, 2, 2, 40, 33))


def test_another_number_of_steps_is_refused_as_before() -> None:
    with pytest.raises(ValueError, match="T=4 steps, got 5"):
        layers(BatchNorm2d, None, 2, "psn", T=4)(drive(5, 2, 2, 4, 4))


def test_cut_in_two_and_state_carried() -> None:
    whole = layers(StepBatchNorm2d, MaxPool2d(2), 3)
    assert_same(copy.deepcopy(whole), drive(7, 2, 3, 6, 6), cuts=(3,))
    cut = copy.deepcopy(whole)
    x = drive(7, 2, 3, 6, 6)
    assert torch.equal(torch.cat([cut(x[:3]), cut(x[3:])]), whole(x))
    neurons.reset(cut)
    neurons.reset(whole)
    assert torch.equal(cut(x[:3]), whole(x)[:3])


def test_no_gradient_goes_beyond_detach() -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 2)
    first = drive(2, 2, 2, 4, 4).requires_grad_()
    chain(first)
    neurons.detach(chain)
    chain(drive(2, 2, 2, 4, 4)).sum().backward()
    assert first.grad is None


def test_the_same_without_a_graph() -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 2)
    other = copy.deepcopy(chain)
    x = drive(4, 2, 2, 6, 6)
    with torch.no_grad():
        silent = chain(x)
    assert torch.equal(silent, other(x))
    assert torch.equal(chain[0].running_var, other[0].running_var)  # type: ignore[arg-type]
    with torch.inference_mode():
        neurons.reset(chain)
        assert torch.equal(chain(x), silent)


@pytest.mark.parametrize("turn", [lambda x: x.transpose(0, 1), lambda x: x.transpose(-1, -2), lambda x: x[..., ::2]])
def test_inputs_that_lie_otherwise(turn: Any) -> None:
    assert_same(layers(StepBatchNorm2d, MaxPool2d(2), 4), turn(drive(4, 4, 4, 8, 8)))


@pytest.mark.parametrize("name", ["plif", "psn"])
@pytest.mark.parametrize("norm", [None, StepBatchNorm2d, BatchNorm2d])
def test_a_repeated_step_has_the_sum_of_its_gradients(norm: Any, name: str) -> None:
    chain = layers(norm, MaxPool2d(2), 3, name, **({"T": 5} if name == "psn" else {}))
    other = apart(chain)
    found: list[Any] = []
    for network in (chain, other):
        x = drive(2, 3, 6, 6).requires_grad_()
        (network(blocks.repeat(x * 1, 5)) * drive(5, 2, 3, 3, 3, seed=1)).sum().backward()
        found.append([x.grad, *network.buffers(), *(p.grad for p in network.parameters())])
    for one, two in zip(*found, strict=True):
        assert torch.allclose(one.double(), two.double(), rtol=TIGHT, atol=TIGHT)


def test_the_convolution_of_a_repeated_step_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(Conv2d(2, 3, 3, padding=1), BatchNorm2d(3), neurons.create("lif"), AvgPool2d(2)).double()
    other = apart(chain)
    found: list[Any] = []
    for network in (chain, other):
        x = drive(2, 2, 6, 6)
        (network(blocks.repeat(x, 5)) * drive(5, 2, 3, 3, 3, seed=1)).sum().backward()
        found.append([p.grad for p in network.parameters()])
    for one, two in zip(*found, strict=True):
        assert torch.allclose(one, two, rtol=TIGHT, atol=TIGHT)
    sizes: list[int] = []
    usual = Conv2d.forward
    monkeypatch.setattr(Conv2d, "forward", lambda layer, x: sizes.append(len(x)) or usual(layer, x))
    with torch.no_grad():
        chain(blocks.repeat(drive(2, 2, 6, 6), 5))
    assert sizes == [1]


def test_plain_sequences_within_are_taken_apart() -> None:
    torch.manual_seed(0)
    inner = nn.Sequential(Conv2d(2, 2, 3, padding=1), BatchNorm2d(2))
    chain = Chain(inner, neurons.create("lif"), AvgPool2d(2)).double()
    x = drive(3, 2, 2, 6, 6)
    chain(x)
    assert chain[1].kernel == "C++, with batch norm and pooling"
    neurons.reset(chain)
    seen: list[int] = []
    inner.register_forward_hook(lambda *_: seen.append(1))
    chain(x)
    assert seen == [1]
    assert chain[1].kernel == "C++, with pooling"


def test_the_first_of_equal_spikes_takes_the_gradient() -> None:
    chain = Chain(neurons.create("if"), MaxPool2d(2)).double()
    x = torch.zeros(1, 1, 1, 4, 4, dtype=torch.float64)
    x[..., :2, 2:] = 2.0  # all of a window fires; in the others nothing does
    x.requires_grad_()
    chain(x).sum().backward()
    assert x.grad is not None
    taken = x.grad[0, 0, 0] != 0
    assert taken.nonzero().tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]


def test_activation_checkpointing() -> None:
    chain = layers(None, MaxPool2d(2), 2)
    plain = copy.deepcopy(chain)
    x, again = drive(4, 2, 2, 4, 4).requires_grad_(), drive(4, 2, 2, 4, 4).requires_grad_()
    checkpoint(chain, x, use_reentrant=False).sum().backward()
    plain(again).sum().backward()
    assert x.grad is not None
    assert again.grad is not None
    assert torch.equal(x.grad, again.grad)
    assert torch.equal(chain[0].v, plain[0].v)  # type: ignore[arg-type]


def test_no_second_derivative_by_silence() -> None:
    x = drive(2, 2, 2, 4, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(layers(None, MaxPool2d(2), 2)(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("change", "dtype", "kernel"),
    [
        (lambda c: setattr(c[1], "backend", "torch"), torch.float64, "the plain sequence"),
        (lambda c: c[1].register_forward_hook(lambda *_: None), torch.float64, "C++"),
        (lambda c: c.to(torch.bfloat16), torch.bfloat16, "C++"),
        (lambda c: setattr(c[0], "momentum", None), torch.float64, "C++, with pooling"),
        (lambda c: c.__setitem__(2, MaxPool2d(2, stride=1)), torch.float64, "C++, with batch norm"),
    ],
)
def test_layers_run_by_themselves_where_no_block_is_proven(change: Any, dtype: torch.dtype, kernel: str) -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 2)
    change(chain)
    other = apart(chain)
    x = drive(2, 2, 2, 4, 4, dtype=dtype)
    assert torch.equal(chain(x), other(x))
    assert chain[1].kernel == kernel


def test_step_mode_s_and_single_values_behave_as_before() -> None:
    chain = layers(None, None, 2)
    chain[0].step_mode = "s"  # type: ignore[assignment]
    assert chain(drive(2, 2, 4, 4)).shape == (2, 2, 4, 4)
    with pytest.raises(ValueError, match="more than 1 value"):
        layers(StepBatchNorm2d, None, 2)(drive(2, 1, 2, 1, 1))


def test_a_state_of_another_shape_is_refused() -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 2)
    chain(drive(2, 2, 2, 4, 4))
    with pytest.raises(ValueError, match="call reset"):
        chain(drive(2, 3, 2, 4, 4))


def test_threads_change_no_bit() -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 8)
    other, x = copy.deepcopy(chain), drive(4, 4, 8, 16, 16)
    one = outcome(chain, x)
    torch.set_num_threads(2)
    try:
        two = outcome(other, x)
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_what_is_kept_is_the_input() -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 4)
    x = drive(8, 2, 4, 16, 16).requires_grad_()
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        chain(x)
    assert sum(kept.values()) <= x.nbytes * 1.05


def test_a_wrong_kernel_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    original = block.cpp.source
    monkeypatch.setattr(block.cpp, "source", lambda *args: original(*args).replace("- of.m - (load", "- (load"))
    neuron = neurons.create("lif", tau=3.0)
    norm = StepBatchNorm2d(2)
    monkeypatch.setattr(block, "_kernels", {})
    reason = block.find(neuron, drive(2, 2, 2, 4, 4, dtype=torch.float32), norm, False, block.Pool("max", (2, 2)))
    assert isinstance(reason, str)
    assert "is wrong" in reason


def test_networks_use_it() -> None:
    network = models.create("plif_mnist", neuron=models.factory("plif"), T=2, channels=4, hidden=16)
    network.run(torch.rand(2, 1, 28, 28))
    kernels = [m.kernel for m in network.modules() if isinstance(m, neurons.base.Neuron)]
    assert kernels == ["C++, with pooling", "C++, with batch norm and pooling", "C++", "C++"]
