"""Memory for outputs and for what is kept for the backward pass, used again when its tensors are gone.

A fresh large array costs the kernel of the operating system a page fault every 4 KiB, which takes up to three times
as long as filling it. A buffer goes out again only when nothing else refers to it: no tensor, view, NumPy array,
storage or autograd graph. All buffers together stay within `limit()`; what does not fit is allocated plainly.

SPIKEBENCH_POOL=0 or `enable(False)` turns the pool off.
"""

from __future__ import annotations

import math
import os
import sys
from collections import OrderedDict, deque
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor, UntypedStorage

SMALLEST = 256 << 10  # bytes; below, the allocator itself reuses memory well

_enabled = os.environ.get("SPIKEBENCH_POOL", "1") != "0"
_lock = Lock()
_buffers: OrderedDict[int, deque[tuple[UntypedStorage, int]]] = OrderedDict()  # by size, the longest unused first
_total = 0


def empty(shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An uninitialised tensor of dense `shape` and `strides` (in elements) on the CPU."""
    size = math.prod(shape) * dtype.itemsize
    if _enabled and size >= SMALLEST:
        with _lock:
            storage = _take(_rounded(size))
            if storage is not None:
                return torch.empty(0, dtype=dtype, device="cpu").set_(storage, 0, tuple(shape), tuple(strides))
    return torch.empty_strided(tuple(shape), tuple(strides), dtype=dtype, device="cpu")


def enable(on: bool) -> None:
    """Turns the pool on or off; off, idle buffers are given back at once."""
    global _enabled
    _enabled = on
    if not on:
        clear()


def enabled() -> bool:
    """Whether large tensors come from the pool."""
    return _enabled


def clear() -> None:
    """Forgets every buffer: idle ones are freed, the others when their tensors are gone."""
    global _total
    with _lock:
        _buffers.clear()
        _total = 0


def held() -> int:
    """Bytes of all buffers, in use or idle."""
    return _total


@cache
def limit() -> int:
    """Bytes that all buffers together may take: a quarter of the memory that this process may use."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no control group, or "max"
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return memory // 4


def _take(size: int) -> UntypedStorage | None:
    global _total
    same = _buffers.setdefault(size, deque())
    _buffers.move_to_end(size)
    for _ in range(len(same)):
        entry = same.popleft()
        if not _intact(entry, size):
            _total -= size
            continue
        same.append(entry)
        if _references(entry[0]) == _idle_references():
            return entry[0]
    if _total + size > limit():
        _drop_idle(size)
    if _total + size > limit():
        return None
    storage = UntypedStorage(size)
    same.append((storage, storage.data_ptr()))
    _total += size
    return storage


def _drop_idle(needed: int) -> None:
    """Frees idle buffers of other sizes, the longest unused first, until `needed` bytes fit."""
    global _total
    for size in list(_buffers):
        for _ in range(len(_buffers[size])):
            if _total + needed <= limit():
                return
            entry = _buffers[size].popleft()
            if _intact(entry, size) and _references(entry[0]) > _idle_references():
                _buffers[size].append(entry)
            else:
                _total -= size
            del entry


def _intact(entry: tuple[UntypedStorage, int], size: int) -> bool:
    """Whether nobody has resized the storage or moved it into memory shared with another process."""
    return entry[0].data_ptr() == entry[1] and entry[0].nbytes() == size


def _references(storage: UntypedStorage) -> int:
    """References from tensors, and from Python to the storage object itself."""
    return torch._C._storage_Use_Count(storage._cdata) + sys.getrefcount(storage)


@cache
def _idle_references() -> int:
    """What `_references` gives for a buffer that the pool alone holds."""
    entries = deque([(UntypedStorage(64), 0)])
    entry = entries[0]
    return _references(entry[0])


def _rounded(size: int) -> int:
    """Up to the next of sixteen steps between powers of two, so that similar sizes share buffers."""
    step = 1 << max(12, size.bit_length() - 5)
    return -(-size // step) * step


def _after_fork() -> None:
    global _lock
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)
