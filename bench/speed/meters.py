"""Memory of one call, by three meters that see different things.

`saved` sees what autograd keeps, `live_peak` every tensor PyTorch allocates, `process_peak` the pages the process
really touches, whoever asked for them.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from core import memory

if TYPE_CHECKING:
    from torch import Tensor


def saved(call: Callable[[], Any], known: tuple[Tensor, ...] = ()) -> int:
    """Bytes of the storages that `call` saves for its backward pass, each once, those of `known` tensors left out."""
    import torch

    kept: dict[int, tuple[Tensor, int]] = {}  # holding the tensors, so that no address is used twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = (tensor, storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = call()
    for tensor in known:
        kept.pop(tensor.untyped_storage().data_ptr(), None)
    del outputs
    return sum(size for _, size in kept.values())


def live_peak(call: Callable[[], object], device: str = "cpu") -> int:
    """Greatest number of bytes that tensors allocated by `call` held at one time."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    from torch.profiler import ProfilerActivity, profile

    with _quiet(), profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as profiler:
        call()
    # The public event list leaves out what is freed outside of operators.
    recorded = profiler.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in recorded if event.name() == "[memory]")
    now = peak = 0
    for _, change in changes:
        now += change
        peak = max(peak, now)
    return peak


def process_peak(call: Callable[[], object]) -> int | None:
    """Bytes by which the resident memory of this process rose at most during `call`; None where Linux is not there.

    What the C library keeps of freed memory is given back first: it would come for nothing.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)
    if not memory.forget_peak():
        return None
    before = memory.resident()
    call()
    most = memory.peak()
    return None if before is None or most is None else max(0, most - before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The profiler warns of its own defaults."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
