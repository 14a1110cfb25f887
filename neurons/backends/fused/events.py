"""Convolutions of few spikes, event by event: an output adds up the weights of the spikes that it sees, the gradient of
a weight the gradients of the outputs that a spike reached. The gradient of the input is dense and PyTorch's.

Sums are in an order of their own, which does not depend on the number of threads. A weight that is not finite counts
where a spike meets it alone.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.compare import relative, tolerance

from . import compiler, events_cpp, pool
from .kernel import call_library, note_threads, threads_for

FEW = 1 / 3  # share of spikes up to which this is the faster way
_SUMS = 16  # of the gradient of weights at most, each of some images: so many threads can work at them


def fits(layer: Any, x: Tensor) -> bool:
    """Whether the convolution `layer` of inputs like `x` [T, N, C, ..] is one of those that are computed here."""
    kernel, padding, dtype, bias = _two(layer.kernel_size, 1), _two(layer.padding, 0), x.dtype, layer.bias
    return (
        kernel in events_cpp.KERNELS
        and all(stride == 1 for stride in layer.stride)
        and all(dilation == 1 for dilation in layer.dilation)
        and layer.groups == 1
        and all(p < k for p, k in zip(padding, kernel, strict=True))
        and all(n + 2 * p >= k for n, p, k in zip(_two(x.shape[3:], 1), padding, kernel, strict=True))
        and layer.weight.shape == (layer.out_channels, x.shape[2], *layer.kernel_size)
        and (bias is None or bias.shape == (layer.out_channels,))
        and all(p.dtype == dtype and p.device == x.device for p in (layer.weight, bias) if p is not None)
        and dtype in (torch.float32, torch.float64)
        and _sound(dtype)
        and layer.out_channels % _lanes(dtype) == 0
    )


def convolve(spikes: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...]) -> Tensor:
    """[N, K, ..] of `spikes` [N, C, ..], bytes 0 or 1, and `weight` [K, C, ..]."""
    sizes = _Sizes(spikes, weight, padding, "forward", 4 * threads_for(spikes.numel()))
    parts, kh, kw, B = sizes.parts, sizes.kh, sizes.kw, sizes.B
    placed = weight.new_empty(parts, sizes.C * kh * kw + 1, B)
    placed[:, -1] = 0
    placed[:, :-1].view(parts, kh, sizes.C, kw, B).copy_(
        weight.reshape(parts, B, sizes.C, kh, kw).permute(0, 3, 2, 4, 1)
    )
    shape = (sizes.N, sizes.K, *sizes.plane[-(spikes.ndim - 2) :])
    y = pool.empty(shape, torch.empty(shape, device="meta").stride(), weight.dtype)
    _run("forward", [spikes, placed, None if bias is None else bias.resolve_neg().contiguous(), y], sizes)
    return y


def sums_for(gy: Tensor, weight: Tensor) -> int:
    """How many sums make up the gradient of `weight`: together they are no larger than `gy`. Where they are fewer than
    two, with many channels on small planes, PyTorch's way is the faster one."""
    return min(_SUMS, len(gy), gy.numel() // weight.numel())


def gradient(spikes: Tensor, gy: Tensor, weight: Tensor, padding: tuple[int, ...]) -> Tensor:
    """That of `weight`, for the gradient `gy` of what `convolve` gave."""
    sizes = _Sizes(spikes, weight, padding, "weights", max(1, sums_for(gy, weight)))
    sums = weight.new_empty(-(-sizes.N // sizes.block), sizes.parts, sizes.kh, sizes.C, sizes.kw, sizes.B)
    _run("weights", [spikes.contiguous(), gy.resolve_neg().contiguous(), sums], sizes)  # hooks may have moved them
    return sums.sum(0).flip(3).permute(0, 4, 2, 1, 3).reshape(weight.shape)


class _Sizes:
    """Those of a call, in the order of events_cpp.SIZES, for the images in so many `shares`."""

    def __init__(self, spikes: Tensor, weight: Tensor, padding: tuple[int, ...], function: str, shares: int) -> None:
        self.N, self.C = spikes.shape[:2]
        self.K = weight.shape[0]
        H, X = _two(spikes.shape[2:], 1)
        self.kh, self.kw = _two(weight.shape[2:], 1)
        ph, pw = _two(padding, 0)
        self.plane = H + 2 * ph - self.kh + 1, X + 2 * pw - self.kw + 1
        lanes = _lanes(weight.dtype)
        vectors = events_cpp.MOST[function]
        while self.K % (vectors * lanes):
            vectors //= 2
        self.B = vectors * lanes
        self.parts = self.K // self.B
        self.threads = threads_for(spikes.numel())
        self.block = -(-self.N // shares)
        self.all = [1, self.N, self.block, self.threads, 0, self.C, H, X, self.K, self.kh, self.kw, ph, pw, self.B]


def _two(sizes: Any, missing: int) -> tuple[int, int]:
    """Those of height and width; a sequence is one line high."""
    first, *second = sizes
    return (first, second[0]) if second else (missing, first)


def _run(function: str, arrays: list[Tensor | None], sizes: _Sizes) -> None:
    note_threads(sizes.threads)
    call_library(getattr(_library(arrays[-1].dtype).functions, function), arrays, [], sizes.all)  # type: ignore[union-attr]


@cache
def _library(dtype: torch.dtype) -> compiler.Library:
    """Raises CompilationError."""
    source = events_cpp.source(str(dtype).removeprefix("torch."))
    found = compiler.library(source, ("-O3", "-fno-trapping-math"))
    found.functions.forward.restype = found.functions.weights.restype = None
    return found


@cache
def _lanes(dtype: torch.dtype) -> int:
    return ctypes.c_int.in_dll(_library(dtype).functions, "width").value


@cache
def _sound(dtype: torch.dtype) -> bool:
    """Whether the kernel can be compiled here and gives what PyTorch's convolution gives in float64. That it does is
    remembered beside the library."""
    try:
        library = _library(dtype)
    except compiler.CompilationError:
        return False
    key = f"agrees with torch {torch.__version__}"
    if library.note.get(key) is not True:
        if not all(_agrees(dtype, *case) for case in _CASES):
            return False
        library.write_note(**{key: True})
    return True


# Images, channels, plane, vectors of output channels, share of spikes, bias.
_CASES = (
    (3, 9, (5, 4), 1, 0.3, True),
    (19, 3, (9, 17), 2, 0.1, False),
    (2, 16, (33, 8), 4, 0.9, True),
    (5, 5, (21,), 2, 0.5, True),
    (17, 8, (40,), 3, 0.2, False),
)


@torch.inference_mode(False)
def _agrees(
    dtype: torch.dtype, N: int, C: int, plane: tuple[int, ...], vectors: int, share: float, biased: bool
) -> bool:
    generator = torch.Generator("cpu").manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").to(dtype)

    K, padding = vectors * _lanes(dtype), (1,) * len(plane)
    spikes = (torch.rand((N, C, *plane), generator=generator, device="cpu") < share).to(torch.uint8)
    weight, bias = drawn(K, C, *(3 for _ in plane)), drawn(K) if biased else None
    with torch.no_grad():
        y = convolve(spikes, weight, bias, padding)
        gy = drawn(*y.shape)
        found = [y, gradient(spikes, gy, weight, padding)]
    with torch.enable_grad():
        wide = weight.double().requires_grad_()
        plain = functional.conv2d if len(plane) == 2 else functional.conv1d
        outputs = plain(spikes.double(), wide, None if bias is None else bias.double(), padding=1)
        right = [outputs.detach(), *torch.autograd.grad(outputs, wide, gy.double())]
    return all(relative(one, other) <= tolerance("use", dtype) for one, other in zip(found, right, strict=True))
