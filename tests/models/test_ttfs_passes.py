"""The compiled passes of layers of single spikes: the bits of the plain ones, in every layout, or none at all."""

from __future__ import annotations

from math import inf

import pytest
import torch
from torch import Tensor

from models.ttfs import compiled, plain
from models.ttfs.layers import Conv2d, EarliestPool2d
from models.ttfs.numerics import CORRECTED, RELEASED, Numerics, numerics
from neurons.backends.fused import compiler

NUMERICS = (numerics(RELEASED), numerics(RELEASED, clip=0.3), numerics(CORRECTED, window=0.7), numerics(threshold=0.5))
LAYOUTS = (torch.contiguous_format, torch.channels_last)
TYPES = (torch.float32, torch.float64)
pytestmark = pytest.mark.skipif(compiler.missing() is not None, reason="no C++ compiler")


def times(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """On a grid, so that there are ties and edges, some before and after their window, some silent."""
    found = torch.randint(-2, 14, shape, generator=torch.Generator().manual_seed(0)).to(dtype) / 10
    return found.masked_fill(found > 1.2, inf)


def same(found: Tensor, expected: Tensor) -> None:
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", TYPES)
def test_every_pass_has_the_bits_of_the_plain_one(dtype: torch.dtype) -> None:
    found = compiled.find(times(1, dtype=dtype))
    assert found is not None
    for layout in LAYOUTS:
        x = times(3, 5, 9, 7, dtype=dtype).contiguous(memory_format=layout)
        for given in (x, x.clamp(max=1)):  # the second has no silence
            inputs, all_fire = found.split(given)
            assert all_fire is (given is not x)
            assert plain.layout(inputs) is layout
            same(inputs, plain.split(given)[0])
        for how in NUMERICS:
            for rows in (6, 4):  # a sum of weights for each sample, and one for all
                sums = torch.randn(rows, 5, 9, 7, generator=torch.Generator().manual_seed(1)).to(dtype)
                sums = sums.contiguous(memory_format=layout)
                n = 3
                expected = plain.fire(sums, n, how)
                out = found.fire(sums.clone(memory_format=layout), n, how)
                same(out, expected)
                grad = torch.randn_like(out)
                same(found.gradients(grad, sums[n:], out, how), plain.gradients(grad, sums[n:], expected, how))
        for kernel, stride in ((2, 2), (3, 2), (3, 1)):
            pooled, where = found.earliest(x, kernel, stride)
            expected, places = plain.earliest(x, kernel, stride)
            same(pooled, expected)
            assert torch.equal(where.long(), places)
            grad = torch.randn_like(pooled)
            same(found.spread(grad, where, x.shape), plain.spread(grad, places, x.shape))


def trained(x: Tensor, how: Numerics) -> list[Tensor]:
    """What two layers and pooling say, and their gradients."""
    torch.manual_seed(2)
    layers = torch.nn.Sequential(
        Conv2d(3, 4, 3, padding=1, numerics=how), EarliestPool2d(2, numerics=how), Conv2d(4, 2, 3, numerics=how)
    ).to(x.dtype)
    x = x.clone().requires_grad_(True)
    said = layers(x)
    said.masked_fill(said == inf, 2.0).square().sum().backward()
    assert x.grad is not None
    return [said.detach(), x.grad, *(p.grad for p in layers.parameters() if p.grad is not None)]


@pytest.mark.parametrize("how", NUMERICS[::2], ids=lambda how: how.name)
def test_layers_are_the_same_without_a_compiler(how: Numerics, monkeypatch: pytest.MonkeyPatch) -> None:
    x = times(4, 3, 8, 8, dtype=torch.float64)
    ours = trained(x, how)
    turned = trained(x.transpose(2, 3).contiguous().transpose(2, 3), how)
    monkeypatch.setattr(compiled, "find", lambda *tensors: None)
    for found, other, expected in zip(ours, turned, trained(x, how), strict=True):
        same(found, expected)
        same(other, expected)
    single = trained(x.float(), how)  # in float32 maps lie in another order, in which a sum rounds differently
    for found, expected in zip(single, ours, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_compiled_is_left_to_the_plain_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled.find(times(2).to(torch.bfloat16)) is None
    assert compiled.find(times(2), times(2).double()) is None
    assert compiled.find(torch.empty(0)) is None
    assert compiled.find(torch.empty(2, device="meta")) is None
    compiled._of.cache_clear()
    monkeypatch.setattr(compiled.Passes, "fire", lambda self, sums, n, how: plain.fire(sums, n, how) + 1e-7)
    assert compiled.find(times(2)) is None, "a pass with other bits must not be used"
    compiled._of.cache_clear()


def test_a_silent_field_and_a_larger_kernel() -> None:
    silent = torch.full((1, 2, 4, 4), inf)
    assert bool((EarliestPool2d(2)(silent) == inf).all())
    with pytest.raises(RuntimeError, match=r"[Oo]utput size"):
        EarliestPool2d(5)(silent)
