"""Kernels in CUDA C, compiled (NVRTC) and started by CuPy. Memory, streams and gradients are PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy
import torch

from . import cuda
from .cuda_arguments import kind
from .cuda_kernel import CudaKernel
from .trace import Trace

_SCALARS: dict[str, Any] = {
    "stored": numpy.uint64,
    "computed": numpy.uint64,
    "number": numpy.float32,
    "int": numpy.int32,
    "long": numpy.int64,
}


class CupyKernel(CudaKernel):
    """See CudaKernel. Compiled once for all T and N, and once more for those N that are no multiple of 16."""

    sums_per_program = False

    def __init__(
        self, trace: Trace, dtype: torch.dtype, *, grad_x: bool, parameters: list[str], checkpoint: bool
    ) -> None:
        super().__init__(trace, dtype, grad_x=grad_x, parameters=parameters, checkpoint=checkpoint)
        self.source = cuda.source(self.program, str(dtype).removeprefix("torch."), checkpoint)
        self.vector = 16 // dtype.itemsize  # neurons in one access, where arrays are aligned
        self._types = {way: [_SCALARS[kind(name)] for name in names] for way, names in self.names.items()}
        self._compiled: dict[tuple[torch.device, int, str], Any] = {}

    @property
    def block(self) -> int:
        return cuda.THREADS * self.vector

    def start(
        self, device: torch.device, way: str, programs: int, wide: bool, values: list[Any], switches: tuple[bool, ...]
    ) -> None:
        at_once = self.vector if wide else 1
        self.queue(device, way, at_once, programs * self.vector // at_once, values)

    def queue(self, device: torch.device, way: str, at_once: int, blocks: int, values: list[Any]) -> None:
        """Queues `blocks` blocks of threads, `at_once` neurons per thread."""
        import cupy

        with cupy.cuda.Device(device.index), _current_stream(device):
            key = (device, at_once, way)
            if key not in self._compiled:
                options = (*cuda.OPTIONS, f"-DV={at_once}")
                self._compiled[key] = cupy.RawModule(code=self.source, options=options).get_function(way)
            packed = tuple(to(value) for to, value in zip(self._types[way], values, strict=True))
            self._compiled[key]((blocks,), (cuda.THREADS,), packed)


def _current_stream(device: torch.device) -> Any:
    """PyTorch's stream as one of CuPy's."""
    import cupy

    stream = torch.cuda.current_stream(device)
    if hasattr(cupy.cuda.Stream, "from_external") and hasattr(stream, "__cuda_stream__"):  # CuPy 14 warns of the other
        return cupy.cuda.Stream.from_external(stream)
    return cupy.cuda.ExternalStream(stream.cuda_stream)
