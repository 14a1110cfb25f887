"""Backend `cupy`: the kernels of `fused` as CUDA C, compiled and started by CuPy; a second way to a CUDA device.

Memory, streams and gradients are PyTorch's; CuPy compiles (NVRTC) and launches. See `fused.cuda` for the code. Inside
torch.compile it is refused: `fused` is the backend that stays in a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor

from . import fused
from .fused import cuda
from .fused.cuda_arguments import arguments, kind, over_neurons, rows_of
from .fused.cuda_kernel import CudaKernel, aligned
from .fused.trace import Trace

if TYPE_CHECKING:
    from ..base import Neuron

_SCALARS: dict[str, Any] = {
    "stored": numpy.uint64,
    "computed": numpy.uint64,
    "number": numpy.float32,
    "int": numpy.int32,
    "long": numpy.int64,
}


def refuses(neuron: type[Neuron], device: str) -> str | None:
    """Why CuPy does not compute `neuron` on `device`, or None."""
    if device != "cuda":
        return "CuPy computes on CUDA devices alone; use device='cuda' or backend='fused'"
    return missing() or fused.refuses_sequence(neuron)


def refuses_layer(neuron: Neuron, x: Tensor | None = None) -> str | None:
    """Why there is no kernel for this layer (and inputs like `x` [T, ...]), or None."""
    return fused.refuses_layer(neuron, x, target="cupy")


def sequence(neuron: Neuron, x: Tensor) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...]. RuntimeError when there is no kernel."""
    return fused.sequence(neuron, x, target="cupy")


@cache
def missing() -> str | None:
    """What CuPy needs and is not there, or None."""
    if not torch.cuda.is_available():
        return "no CUDA device was found"
    try:
        import cupy
    except ImportError as error:
        major = (torch.version.cuda or "12").split(".")[0]
        return f"CuPy does not import ({error}); install it with: pip install cupy-cuda{major}x"
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy finds no CUDA device ({error})"
    return None


class CupyKernel(CudaKernel):
    """See CudaKernel. Compiled once for all T and N, and once more for those N that are no multiple of 16."""

    sums_per_program = False

    def __init__(
        self, trace: Trace, dtype: torch.dtype, *, grad_x: bool, parameters: list[str], checkpoint: bool
    ) -> None:
        super().__init__(trace, dtype, grad_x=grad_x, parameters=parameters, checkpoint=checkpoint)
        self.source = cuda.source(self.program, str(dtype).removeprefix("torch."), checkpoint)
        self.names = {way: arguments(self.program, way, checkpoint) for way in ("forward", "backward")}
        self.wide = 16 // dtype.itemsize
        self._modules: dict[tuple[torch.device, int], Any] = {}

    @property
    def block(self) -> int:
        return cuda.THREADS * self.wide

    def launch(
        self,
        way: str,
        programs: int,
        arrays: Sequence[Tensor | None],
        numbers: Sequence[float],
        sizes: Sequence[int],
        switches: tuple[bool, ...],
    ) -> None:
        names = self.names[way]
        pointers = [0 if t is None else t.data_ptr() for t in arrays]
        at_once = self.wide if aligned(pointers[: over_neurons(names)], rows_of(way, sizes)) else 1
        device = next(t.device for t in arrays if t is not None)
        self.start(device, way, at_once, programs * self.wide // at_once, [*pointers, *numbers, *sizes])

    def start(self, device: torch.device, way: str, at_once: int, blocks: int, values: Sequence[float]) -> None:
        """Queues `blocks` blocks of threads, `at_once` neurons per thread; arrays come as addresses, 0 for none."""
        import cupy

        with cupy.cuda.Device(device.index), cupy.cuda.ExternalStream(torch.cuda.current_stream(device).cuda_stream):
            if (device, at_once) not in self._modules:
                options = (*cuda.OPTIONS, f"-DV={at_once}")
                self._modules[device, at_once] = cupy.RawModule(code=self.source, options=options, backend="nvrtc")
            packed = [_SCALARS[what](value) for what, value in zip(map(kind, self.names[way]), values, strict=True)]
            self._modules[device, at_once].get_function(way)((blocks,), (cuda.THREADS,), tuple(packed))
