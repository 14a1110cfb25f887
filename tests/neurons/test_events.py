"""Convolutions of few spikes, event by event, against PyTorch's own in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional

import models
import neurons
from core.compare import relative, tolerance
from models.chain import Chain
from models.layers import Conv1d, Conv2d
from neurons.backends.fused import events, packed

DTYPES = (torch.float32, torch.float64)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spikes(seed: int, share: float, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share


def plain(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...]) -> Tensor:
    return (functional.conv2d if x.ndim == 4 else functional.conv1d)(x, weight, bias, padding=padding)


def require_equal(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...], dtype: torch.dtype) -> None:
    """Output and gradient of the weights are PyTorch's."""
    weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    y = events.convolve(x.to(torch.uint8), weight, bias, padding)
    gy = drawn(3, *y.shape).to(dtype)
    gw = events.gradient(x.to(torch.uint8), gy, weight, padding)
    wide = weight.double().requires_grad_()
    expected = plain(x.double(), wide, None if bias is None else bias.double(), padding)
    (gradient,) = torch.autograd.grad(expected, wide, gy.double())
    assert y.shape == expected.shape
    assert y.is_contiguous()
    assert relative(y, expected.detach()) <= tolerance("use", dtype)
    assert relative(gw, gradient) <= tolerance("use", dtype)


@given(
    dtype=st.sampled_from(DTYPES),
    images=st.integers(1, 40),
    channels=st.integers(1, 20),
    vectors=st.integers(1, 5),
    height=st.integers(0, 12),  # 0: a sequence, else two lines more
    width=st.integers(3, 40),
    padding=st.integers(0, 2),
    share=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    biased=st.booleans(),
)
def test_any_size(
    dtype: torch.dtype,
    images: int,
    channels: int,
    vectors: int,
    height: int,
    width: int,
    padding: int,
    share: float,
    biased: bool,
) -> None:
    plane = (height + 2, width) if height else (width,)
    outputs = vectors * events._lanes(dtype)
    require_equal(
        spikes(0, share, images, channels, *plane),
        drawn(1, outputs, channels, *[3] * len(plane)),
        drawn(2, outputs) if biased else None,
        (padding,) * len(plane),
        dtype,
    )


def test_a_spike_alone_lays_down_its_weights() -> None:
    """The output around it is the kernel, turned around."""
    K = events._lanes(torch.float32)
    weight = drawn(0, K, 2, 3, 3).float()
    x = torch.zeros(1, 2, 5, 6, dtype=torch.uint8)
    x[0, 1, 2, 3] = 1
    y = events.convolve(x, weight, None, (1, 1))
    expected = torch.zeros(1, K, 5, 6)
    expected[0, :, 1:4, 2:5] = weight[:, 1].flip(1, 2)
    assert torch.equal(y, expected)


def test_the_number_of_threads_changes_no_bit() -> None:
    x, weight = spikes(0, 0.2, 37, 16, 20, 20).to(torch.uint8), drawn(1, 32, 16, 3, 3).float()
    gy = drawn(2, 37, 32, 20, 20).float()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append((events.convolve(x, weight, None, (1, 1)), events.gradient(x, gy, weight, (1, 1))))
    finally:
        torch.set_num_threads(1)
    assert all(map(torch.equal, *found))


def outcome(layer: Any, call: Any, x: Tensor, create_graph: bool = False) -> list[Tensor]:
    x = x.detach().requires_grad_()
    y = call(x)
    loss = (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)).sin().sum()
    gradients = torch.autograd.grad(loss, [x, *layer.parameters()], create_graph=create_graph)
    if create_graph:
        return list(torch.autograd.grad(sum((g * g).sum() for g in gradients), [x, *layer.parameters()]))
    return [y.detach(), *gradients]


@pytest.fixture
def events_seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passes that went event by event; small inputs may, too."""
    monkeypatch.setattr(packed, "SMALLEST", 0)
    assert all(map(events._sound, DTYPES))  # proven by now, which would be seen, too
    seen = []
    for name in ("convolve", "gradient"):
        original = getattr(events, name)

        def noted(*arguments: Any, name: str = name, original: Any = original) -> Tensor:
            seen.append(name)
            return original(*arguments)

        monkeypatch.setattr(events, name, noted)
    return seen


@pytest.mark.parametrize("kind", [Conv2d, Conv1d])
def test_a_layer_of_few_spikes(kind: Any, events_seen: list[str]) -> None:
    layer = kind(5, 16, 3, padding=1, bias=kind is Conv2d).double()
    x = spikes(0, 0.1, 2, 3, 5, *[9] * (layer.weight.ndim - 2)).double()
    convolve = packed.find(layer, x, 1)
    assert convolve
    for one, other in zip(outcome(layer, convolve, x), outcome(layer, layer, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-12)
    assert events_seen == ["convolve", "gradient"]
    for one, other in zip(outcome(layer, convolve, x, True), outcome(layer, layer, x, True), strict=True):
        assert torch.allclose(one, other, rtol=1e-10)
    events_seen.clear()
    with torch.no_grad():
        assert torch.allclose(packed.find(layer, x, 1)(x), layer(x), rtol=1e-12)  # type: ignore[misc]
    assert events_seen == ["convolve"]


def test_weights_in_another_order_of_memory(events_seen: list[str]) -> None:
    layer = Conv2d(5, 16, 3, padding=1).double()
    layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)
    x = spikes(0, 0.1, 2, 3, 5, 9, 9).double()
    convolve = packed.find(layer, x, 1)
    assert convolve
    for one, other in zip(outcome(layer, convolve, x), outcome(layer, layer, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-12)
    assert events_seen == ["convolve", "gradient"]


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # forward mode of PyTorch itself
@pytest.mark.parametrize("enabled", [True, False])
def test_transforms_have_the_layer_itself(enabled: bool, events_seen: list[str]) -> None:
    chain = Chain(neurons.create("lif", backend="torch"), Conv2d(5, 16, 3, padding=1)).double()
    x, direction = drawn(0, 3, 2, 5, 9, 9), drawn(1, 3, 2, 5, 9, 9)

    def run(x: Tensor) -> Tensor:
        models.reset(chain)
        return chain(x)

    with torch.set_grad_enabled(enabled):
        expected = run(x)
        events_seen.clear()
        assert torch.allclose(torch.func.vmap(run)(x[None])[0], expected)
        assert torch.allclose(torch.func.jvp(run, (x,), (direction,))[0], expected)
        torch.func.grad(lambda x: run(x).sum())(x)
        with forward_ad.dual_level():
            run(forward_ad.make_dual(x, direction))
    assert events_seen == []


def test_sums_of_many_weights_would_take_more_than_they_gain(events_seen: list[str]) -> None:
    layer = Conv2d(64, 64, 3, padding=1).double()
    x = spikes(0, 0.1, 2, 3, 64, 3, 3).double()
    convolve = packed.find(layer, x, 1)
    assert convolve
    for one, other in zip(outcome(layer, convolve, x), outcome(layer, layer, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-12)
    assert events_seen == ["convolve"]


MANY = [
    (Conv2d(5, 16, 3, padding=1), 1, spikes(0, 0.4, 2, 3, 5, 9, 9).double()),
    (Conv2d(5, 16, 3, padding=1), 1, 2 * spikes(0, 0.1, 2, 3, 5, 9, 9).double()),  # two spikes at a place
    (Conv2d(5, 16, 3, padding=1), 4, spikes(0, 0.1, 2, 3, 5, 9, 9).double()),  # of four
    (Conv2d(5, 16, 3, padding=1, stride=2), 1, spikes(0, 0.1, 2, 3, 5, 9, 9).double()),
    (Conv2d(5, 16, 3, padding=2, dilation=2), 1, spikes(0, 0.1, 2, 3, 5, 9, 9).double()),
    (Conv2d(6, 16, 3, groups=2), 1, spikes(0, 0.1, 2, 3, 6, 9, 9).double()),
    (Conv2d(5, 16, 5), 1, spikes(0, 0.1, 2, 3, 5, 9, 9).double()),
    (Conv2d(5, 16, 3, padding=3), 1, spikes(0, 0.1, 2, 3, 5, 9, 9).double()),
    (Conv2d(5, 15, 3), 1, spikes(0, 0.1, 2, 3, 5, 9, 9).double()),
]


@pytest.mark.parametrize(("layer", "parts", "x"), MANY, ids=range(len(MANY)))
def test_what_is_left_to_pytorch(layer: Any, parts: int, x: Tensor, events_seen: list[str]) -> None:
    layer = layer.double()
    convolve = packed.find(layer, x, parts)
    assert convolve
    assert torch.equal(convolve(x).detach(), layer(x).detach())
    assert events_seen == []


@pytest.mark.parametrize("name", ["convolve", "gradient"])
def test_a_wrong_kernel_is_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(events._agrees(torch.float32, *case) for case in events._CASES)
    original = getattr(events, name)
    monkeypatch.setattr(events, name, lambda *arguments: original(*arguments) * 1.001)
    assert not any(events._agrees(torch.float32, *case) for case in events._CASES)


def test_the_proof_needs_no_surroundings() -> None:
    """The first use may be anywhere."""
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.inference_mode(), torch.device("meta"):
            assert all(events._agrees(dtype, *case) for dtype in DTYPES for case in events._CASES)
    finally:
        torch.set_default_dtype(before)


def test_tensors_that_lie_otherwise(events_seen: list[str]) -> None:
    """Saved ones that hooks moved, and gradients that are negated when they are read."""
    layer = Conv2d(5, 16, 3, padding=1).double()
    x = spikes(0, 0.1, 2, 3, 5, 9, 9).double()
    convolve = packed.find(layer, x, 1)
    assert convolve
    expected = outcome(layer, layer, x)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: t.to(memory_format=torch.channels_last) if t.ndim == 4 else t, lambda t: t
    ):
        found = outcome(layer, convolve, x)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-12)
    gy = torch.linspace(-1, 1, 2 * 3 * 16 * 9 * 9, dtype=torch.float64).view(2, 3, 16, 9, 9)
    (negated,) = torch.autograd.grad(convolve(x), layer.weight, torch._neg_view(gy))
    (right,) = torch.autograd.grad(layer(x), layer.weight, -gy)
    assert torch.allclose(negated, right, rtol=1e-12)
    assert events_seen == ["convolve", "gradient"] * 2


def test_many_gradients_at_once(events_seen: list[str]) -> None:
    layer = Conv2d(5, 16, 3, padding=1).double()
    x = spikes(0, 0.1, 2, 3, 5, 9, 9).double()
    gy = drawn(1, 4, 2, 3, 16, 9, 9)
    found, right = (
        torch.autograd.grad(call(x), layer.weight, gy, is_grads_batched=True)[0]
        for call in (packed.find(layer, x, 1), layer)
    )
    assert torch.allclose(found, right, rtol=1e-12)


def test_what_does_not_fit_is_told_by_pytorch(events_seen: list[str]) -> None:
    x = spikes(0, 0.1, 2, 3, 5, 9, 9).float()
    for name, value in (
        ("bias", torch.zeros(8)),
        ("bias", torch.zeros(16, dtype=torch.float64)),
        ("weight", torch.zeros(16, 4, 3, 3)),
    ):
        layer = Conv2d(5, 16, 3, padding=1)
        setattr(layer, name, torch.nn.Parameter(value))
        convolve = packed.find(layer, x, 1)
        assert convolve
        with pytest.raises(RuntimeError):
            convolve(x)
    layer = Conv2d(5, 16, 3)
    convolve = packed.find(layer, x[..., :2, :], 1)
    assert convolve
    with pytest.raises(RuntimeError, match=r"[Kk]ernel size"):
        convolve(x[..., :2, :])
    assert events_seen == []
