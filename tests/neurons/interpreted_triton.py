"""The cases of `device_cases` with Triton's interpreter; run by test_fused_triton in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import device_kernels
import pytest
from device_cases import *  # noqa: F403

device_kernels.mend_interpreter()


@pytest.fixture(autouse=True)
def _interpreted() -> Iterator[None]:
    with device_kernels.kernels(device_kernels.Interpreted):
        yield
