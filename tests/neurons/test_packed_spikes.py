"""Convolutions of spikes against PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import neurons
from models.chain import Chain
from models.layers import AvgPool2d, BatchNorm2d, Conv1d, Conv2d, MaxPool2d
from neurons.backends.fused import packed


@pytest.fixture(autouse=True)
def _inputs_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones are packed, too."""
    monkeypatch.setattr(packed, "SMALLEST", 0)


def spikes(*shape: int, parts: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, parts + 1, shape, generator=generator).to(dtype) / parts


def outcome(layer: Any, call: Any, x: Tensor) -> list[Tensor]:
    x = x.detach().requires_grad_()
    layer.zero_grad()
    y = call(x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)).sum().backward()
    return [y.detach(), x.grad, *(p.grad.clone() for p in layer.parameters())]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("parts", [1, 4, 9])
@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (Conv2d(3, 4, 3, padding=1, bias=False), (6, 5)),
        (Conv2d(4, 6, 3, stride=2, dilation=2, padding=2, groups=2), (7, 8)),
        (Conv1d(3, 4, 3, padding=1), (9,)),
    ],
)
def test_as_pytorch(layer: Any, size: tuple[int, ...], parts: int, dtype: torch.dtype) -> None:
    layer = layer.to(dtype)
    x = spikes(3, 2, layer.in_channels, *size, parts=parts, dtype=dtype)
    convolve = packed.find(layer, x, parts)
    assert convolve
    found = outcome(layer, convolve, x)
    for one, other in zip(found, outcome(layer, layer, x), strict=True):
        assert torch.allclose(one, other, rtol=1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("parts", [1, 2, 4, 9, 255])
@pytest.mark.parametrize("count", [1, 100, 40_000])
def test_packing_loses_nothing(parts: int, count: int) -> None:
    x = spikes(count, parts=parts)
    found, _ = packed.pack(x, parts)
    assert found is not None
    assert torch.equal(packed.expand(found, x.dtype, parts), x)


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, 300.0, 1e30, float("nan"), float("inf"), -0.25, 1 + 2**-23])
def test_what_no_byte_holds_is_kept_as_it_is(value: float) -> None:
    x = spikes(2, 1, 3, 4, 4)
    x[1, 0, 2, 3, 1] = value
    assert (packed.pack(x, 1)[0] is None) == (value != 2.0)  # two spikes are a number of spikes
    layer = Conv2d(3, 2, 3)
    found = outcome(layer, packed.find(layer, x, 1), x)
    for one, other in zip(found, outcome(layer, layer, x), strict=True):
        assert torch.allclose(one, other, equal_nan=True)


@pytest.mark.parametrize("pool", [MaxPool2d(2), AvgPool2d(2), None])
def test_chains_keep_bytes(pool: Any) -> None:
    conv = Conv2d(4, 4, 3, padding=1)
    chain = Chain(BatchNorm2d(4), neurons.create("lif"), *([] if pool is None else [pool]), conv)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):  # type: ignore[func-returns-value]
        chain(torch.randn(4, 2, 4, 8, 8))
    side = 8 if pool is None else 4
    assert [t.dtype for t in kept if t.shape[1:] == (4, side, side)] == [torch.uint8]


def test_small_inputs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    conv, x = Conv2d(2, 2, 3), torch.zeros(1, 1, 2, 256, 512)
    assert packed.find(conv, x, 1)
    assert not packed.find(conv, x[..., 1:], 1)


def test_analogue_inputs_and_evaluation_go_by_the_layer() -> None:
    conv = Conv2d(2, 2, 3)
    x = spikes(1, 1, 2, 4, 4)
    with torch.no_grad():
        assert not packed.find(conv, x, 1)
    assert not packed.find(conv, x, 256)
    assert not packed.find(conv, x.bfloat16(), 1)
    assert not packed.find(Conv2d(2, 2, 3, padding="same"), x, 1)
