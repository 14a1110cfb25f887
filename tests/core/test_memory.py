"""Memory: a lack of it is told from other failures; peaks and limits are those of the process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from core import memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and limits memory as Linux does")


class OutOfMemoryError(RuntimeError):
    """Of the name that the classes of PyTorch and CuPy have."""


LACKS = [
    MemoryError(),
    np._core._exceptions._ArrayMemoryError((10**9,), np.dtype("float64")),  # type: ignore[attr-defined]
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    OutOfMemoryError("allocation of 4 bytes failed"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    OSError(12, "Cannot allocate memory"),
]
OTHERS = [
    ValueError("the shapes do not fit"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("out of resource: shared memory, Required: 262144, Hardware limit: 232448"),
    OSError(28, "No space left on device"),
    KeyError("memory"),
]


@pytest.mark.parametrize("error", LACKS, ids=repr)
def test_a_lack_of_memory_is_known_by_type_or_message(error: Exception) -> None:
    assert memory.ran_out(error)
    assert memory.tells_of_a_lack(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_other_failures_are_none(error: Exception) -> None:
    assert not memory.ran_out(error)
    assert not memory.tells_of_a_lack(f"{type(error).__name__}: {error}")


LIMITED = """
from core import memory
import numpy, torch
memory.limit(memory.asked_for() + 64 * 2**20)
for ask in (bytearray, lambda n: torch.empty(n, dtype=torch.uint8), lambda n: numpy.empty(n, numpy.uint8)):
    ask(2**20)
    try:
        ask(256 * 2**20)
    except Exception as error:
        print(memory.ran_out(error))
"""


@linux
def test_the_lack_behind_a_limit_is_known() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True"] * 3, done.stderr


PEAKS = """
from core import memory
big = b"x" * 2**26
del big
print(memory.peak() - memory.resident(), memory.forget_peak())
print(memory.peak() - memory.resident())
big = b"x" * 2**25
del big
print(memory.peak() - memory.resident())
"""


@linux
def test_a_peak_is_forgotten_and_counted_anew() -> None:
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (first, forgotten), (after,), (second,) = (line.split() for line in done.stdout.splitlines())
    assert int(first) >= 60 * 2**20
    if forgotten == "True":
        assert int(after) < 8 * 2**20
        assert 28 * 2**20 <= int(second) <= 40 * 2**20


def test_what_the_system_does_not_tell_is_none() -> None:
    assert memory._status("VmNone") is None
