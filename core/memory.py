"""Memory of this process: how much it holds and held at most, how much it may ask for, what a lack of it looks like."""

from __future__ import annotations

import re
import resource
from pathlib import Path

_NO_MEMORY = re.compile(
    "|".join(
        (
            r"MemoryError\b",  # also numpy's _ArrayMemoryError, the OutOfMemoryError of PyTorch and of CuPy
            "can't allocate memory",  # PyTorch's allocator on the host
            "Cannot allocate memory",  # the C library
            "std::bad_alloc",
            "[Oo]ut of memory",  # CUDA
            "CUBLAS_STATUS_ALLOC_FAILED",
        )
    )
)
_PEAK_FROM_HERE = "5"  # what clear_refs of Linux takes for it


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that host or device memory is used up."""
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return any(kind.endswith("MemoryError") for kind in kinds) or tells_of_a_lack(str(error))


def tells_of_a_lack(text: str) -> bool:
    """Whether an error's message, or the traceback that a process left, says that memory is used up."""
    return bool(_NO_MEMORY.search(text))


def forget_peak() -> bool:
    """Lets `peak` count from here on; False where the system forbids it, so that all since the start counts."""
    try:
        Path("/proc/self/clear_refs").write_text(_PEAK_FROM_HERE)
    except OSError:
        return False
    return True


def peak() -> int | None:
    """Bytes of resident memory that this process held at most; None where the system does not tell."""
    return _status("VmHWM")


def resident() -> int | None:
    """Bytes of resident memory that this process holds; None where the system does not tell."""
    return _status("VmRSS")


def asked_for() -> int | None:
    """Bytes of private writable memory, which `limit` limits; None where the system does not tell."""
    return _status("VmData")


def limit(size: int) -> None:
    """Lets this process ask for `size` bytes of private writable memory in all, used or not; it cannot be undone.

    OSError or ValueError where the system refuses the limit.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _status(name: str) -> int | None:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
