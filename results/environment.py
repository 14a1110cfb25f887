"""What a run was computed on: the machine, and the software around it. Nothing that names a host or a person."""

import functools
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = (
    "spikebench",
    "torch",
    "torchvision",
    "torchaudio",
    "triton",
    "spikingjelly",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "numpy",
    "scipy",
    "scikit-learn",
    "h5py",
    "pandas",
    "sqlalchemy",
)
VARIABLES = (  # settings from outside that change speed or rounding
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "PYTORCH_CUDA_ALLOC_CONF",
)
PATIENCE = 20  # seconds for a helper program that may hang


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory in bytes, system and graphics cards, as JSON."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "gpus": [name for name, _ in _gpus()] or _torch_gpus(),
    }


def environment() -> dict[str, Any]:
    """Python, package versions, git revision (None outside a checkout), drivers, thread settings, as JSON."""
    torch = sys.modules.get("torch")  # never imported for this
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": dict(_versions()),
        "revision": _revision()[0],
        "modified": _revision()[1],
        "kernel": platform.release(),
        "gpu_driver": next((driver for _, driver in _gpus()), None),
        "torch_threads": torch.get_num_threads() if torch is not None else None,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


@functools.cache
def _gpus() -> list[tuple[str, str]]:
    """Name and driver version of each NVIDIA card, none where nvidia-smi is missing or fails."""
    if shutil.which("nvidia-smi") is None:
        return []
    answer = _ask(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    rows = [line.rpartition(",") for line in (answer or "").splitlines() if "," in line]
    return [(name.strip(), driver.strip()) for name, _, driver in rows]


def _torch_gpus() -> list[str]:
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_available():
        return []
    return [cuda.get_device_name(index) for index in range(cuda.device_count())]


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def _revision() -> tuple[str | None, bool | None]:
    """The commit of the checkout this code runs from and whether files in it differ from that commit."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None, None
    commit = _ask(["git", "-C", str(root), "rev-parse", "HEAD"])
    status = _ask(["git", "-C", str(root), "--no-optional-locks", "status", "--porcelain"])
    return (commit.strip(), bool(status and status.strip())) if commit else (None, None)


def _ask(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
