"""Which device a command computes on, and that PyTorch is loaded only for the sake of a GPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from unittest import mock

import pytest

from core import device
from core.errors import UsageError
from core.registry import UnknownName


def machine(gpu: bool, sign: bool = True) -> mock._patch_dict:
    torch = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: gpu))
    return mock.patch.dict(sys.modules, {"torch": torch if sign else None})  # type: ignore[dict-item]


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> bool:
    monkeypatch.setattr(device, "SIGNS", ("/dev/null",) if request.param else ("/nowhere",))
    return bool(request.param)


@pytest.mark.parametrize("signs", [True], indirect=True)
@pytest.mark.parametrize(
    ("asked", "gpu", "expected"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_a_machine_with_a_sign_of_a_gpu(signs: bool, asked: str, gpu: bool, expected: str) -> None:
    with machine(gpu):
        assert device.find(asked) == expected


@pytest.mark.parametrize("signs", [False], indirect=True)
def test_without_a_sign_pytorch_is_not_loaded_unasked(signs: bool) -> None:
    with machine(True, sign=False):  # where importing it fails
        assert device.find("auto") == device.find("cpu") == "cpu"
    with machine(True):
        assert device.find("cuda") == "cuda"


@pytest.mark.parametrize("signs", [True, False], indirect=True)
def test_a_missing_gpu_is_told(signs: bool) -> None:
    with machine(False), pytest.raises(UsageError, match=r"no CUDA device was found. Use --device cpu or auto"):
        device.find("cuda")


def test_an_unknown_device() -> None:
    with pytest.raises(UnknownName, match=r"Unknown device 'gpu'. Did you mean 'cpu'"):
        device.find("gpu")
