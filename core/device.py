"""The device to compute on, found without loading PyTorch where there is no sign of a GPU."""

from __future__ import annotations

from pathlib import Path

from .errors import UsageError
from .registry import unknown

DEVICES = ("auto", "cpu", "cuda")
SIGNS = ("/dev/nvidiactl", "/dev/dxg")  # of NVIDIA's driver, under Linux and under Linux in Windows


def known(asked: str) -> None:
    """Raises UnknownName for a device that is none of DEVICES."""
    if asked not in DEVICES:
        raise unknown("device", asked, DEVICES)


def find(asked: str) -> str:
    """The kind to use, "cpu" or "cuda". Raises UnknownName, and UsageError where a GPU was asked for and none is here.

    Loading PyTorch takes seconds, so it is only asked where a GPU was asked for or there is a sign of one.
    """
    known(asked)
    found = False
    if asked == "cuda" or (asked == "auto" and any(Path(sign).exists() for sign in SIGNS)):
        import torch

        found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise UsageError("Device 'cuda' was asked for, but no CUDA device was found. Use --device cpu or auto.")
    return "cuda" if found else "cpu"
