"""Telling a lack of memory from other failures."""

from __future__ import annotations

import re

import torch

_NO_MEMORY = re.compile(r"can't allocate memory|Cannot allocate memory|std::bad_alloc")


def ran_out(error: Exception) -> bool:
    """Whether `error` says that host or device memory is used up."""
    return isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or bool(_NO_MEMORY.search(str(error)))
