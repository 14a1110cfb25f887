"""Fixtures for every room."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def hears_ctrl_c() -> Callable[[], None]:
    """For subprocess.Popen(preexec_fn=...): a background job of a shell ignores SIGINT, and so would its children."""

    def restore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return restore
