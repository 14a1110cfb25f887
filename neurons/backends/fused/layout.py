"""How tensors lie in memory: a step's neurons as one row, whatever the order of their dimensions.

Every tensor that a kernel reads goes through here, which also negates those that PyTorch has only marked as negated
(torch._neg_view, the imaginary part of a conjugate).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The `neurons` of one step have shape `shape` and lie densely with `strides`, in any order of dimensions."""

    shape: Shape
    strides: Shape
    neurons: int

    @property
    def order(self) -> list[int]:
        """Dimensions longer than 1, the outermost in memory first."""
        return sorted((d for d, n in enumerate(self.shape) if n > 1), key=lambda d: -self.strides[d])


def of_sequence(x: Tensor) -> tuple[Tensor, Layout]:
    """`x` [T, ...] and its steps' layout; copied only when a step's neurons have gaps or overlap."""
    x = x.resolve_neg()
    shape = x.shape[1:]
    strides = x.stride()[1:]
    if not _dense(shape, strides):
        x = x.contiguous()
        strides = x.stride()[1:]
    return x, step(shape, strides)


def like(x: Tensor, layout: Layout) -> Tensor:
    """One step's tensor in the memory order of `layout`; copied only if it lies otherwise."""
    x = x.resolve_neg()
    if _same(tuple(x.shape), x.stride(), layout):
        return x
    return torch.empty_strided(layout.shape, layout.strides, dtype=x.dtype, device=x.device).copy_(
        x.expand(layout.shape)
    )


def rows_like(x: Tensor, layout: Layout) -> Tensor:
    """A sequence [T, ...] whose steps lie as in `layout`; a sequence that repeats one step is stored once (stride
    0).
    """
    x = x.resolve_neg()
    steps = x.shape[0]
    if _same(tuple(x.shape[1:]), x.stride()[1:], layout):
        return x
    if steps == 1 or x.stride(0) == 0:
        row = like(x[0], layout)
        return row.as_strided((steps, *layout.shape), (0, *layout.strides))
    copied = torch.empty_strided(
        (steps, *layout.shape), (layout.neurons, *layout.strides), dtype=x.dtype, device=x.device
    )
    return copied.copy_(x)


def plain(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The values of a parameter, or of what is computed from parameters, contiguous and in `dtype`."""
    return x.to(dtype).resolve_neg().contiguous()


@lru_cache(1024)
def index_map(param: Shape, layout: Layout) -> tuple[int, int] | None:
    """(count, inner) such that neuron i, in memory order, has value i // inner % count of a contiguous parameter.

    None when the parameter's dimensions are not one uninterrupted run in memory. Raises ValueError for a parameter that
    does not broadcast to one step's shape.
    """
    aligned = (1,) * (len(layout.shape) - len(param)) + tuple(param)
    if len(aligned) != len(layout.shape) or any(p not in (1, n) for p, n in zip(aligned, layout.shape, strict=True)):
        raise ValueError(
            f"A parameter of shape {list(param)} does not broadcast to one step of shape {list(layout.shape)}."
        )
    kept = [d for d, n in enumerate(aligned) if n > 1]
    found = _run(kept, layout)
    return None if found is None else found[1:]


@lru_cache(1024)
def reduction_map(kept: Shape, layout: Layout) -> tuple[int, int, int] | None:
    """(outer, count, inner) of a sum over all dimensions but `kept`, or None when they are no uninterrupted run."""
    return _run([d for d in kept if layout.shape[d] > 1], layout)


def _run(kept: list[int], layout: Layout) -> tuple[int, int, int] | None:
    order = layout.order
    places = [order.index(d) for d in kept]
    if not places:
        return 1, 1, layout.neurons
    if places != list(range(places[0], places[0] + len(places))):
        return None
    size = [layout.shape[d] for d in order]
    return math.prod(size[: places[0]]), math.prod(size[places[0] : places[-1] + 1]), math.prod(size[places[-1] + 1 :])


@lru_cache(1024)
def step(shape: Shape, strides: Shape) -> Layout:
    """The layout of one step's neurons of dense `shape` and `strides`."""
    return Layout(tuple(shape), tuple(strides), math.prod(shape))


def dense(shape: Shape, strides: Shape) -> bool:
    """Whether the neurons fill one stretch of memory, each once."""
    expected = 1
    for n, stride in sorted(zip(shape, strides, strict=True), key=lambda pair: pair[1]):
        if n > 1:
            if stride != expected:
                return False
            expected *= n
    return True


_dense = lru_cache(1024)(dense)


@lru_cache(1024)
def _same(shape: Shape, strides: Shape, layout: Layout) -> bool:
    pairs = zip(shape, strides, layout.strides, strict=False)
    return tuple(shape) == layout.shape and all(a == b for n, a, b in pairs if n > 1)
