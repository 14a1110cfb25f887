"""How much is kept for the backward pass, seen through hooks on the tensors that autograd saves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


def saved_bytes(work: Callable[[], object]) -> int:
    """Bytes that the forward pass saves that saves the most, while `work` runs, which has forward and backward passes.

    Memory that several saved tensors share counts once; learned weights count where they are saved. What a part of the
    graph saves that is dropped at once, because nothing comes of it, counts as well.
    """
    meter = _Meter()
    with torch.autograd.graph.saved_tensors_hooks(meter.pack, meter.unpack):
        work()
    meter.end()
    return meter.most


class _Meter:
    def __init__(self) -> None:
        self.most = 0
        self.saved: list[Tensor] = []  # kept, so that no other tensor gets the same address
        self.backward = False

    def pack(self, tensor: Tensor) -> Tensor:
        if self.backward:  # the first tensor saved after a backward pass is that of another forward pass
            self.end()
        self.saved.append(tensor.detach())  # itself it would hold the graph that holds it
        return self.saved[-1]

    def unpack(self, tensor: Tensor) -> Tensor:
        self.backward = True
        return tensor

    def end(self) -> None:
        """A forward pass and what came of it is over."""
        self.most = max(self.most, _covered(map(_extent, self.saved)))
        self.saved.clear()
        self.backward = False


def _extent(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor begins, and where it would end without gaps: what lies between its numbers does not count."""
    return tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * tensor.element_size()


def _covered(extents: Iterable[tuple[int, int]]) -> int:
    """How many addresses lie in any of `extents`."""
    covered = reached = 0
    for begin, end in sorted(extents):
        covered += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return covered
