"""Backend `cupy`: the kernels of `fused` as CUDA C, compiled and started by CuPy; a second way to a CUDA device.

Memory, streams and gradients are PyTorch's; CuPy compiles (NVRTC) and launches. See `fused.cuda` for the code. CuPy has
every compilation flush numbers below 1.2e-38 to zero. Inside torch.compile it is refused: `fused` is the backend that
stays in a graph.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor

# By name: bench.parity puts a witness in the place of each backend's `sequence`, and `fused` is not who computes here.
from .fused import cuda, refuses_sequence
from .fused import refuses_layer as fused_refuses_layer
from .fused import sequence as fused_sequence
from .fused.cuda_arguments import kind
from .fused.cuda_kernel import CudaKernel
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
    return missing() or refuses_sequence(neuron)


def refuses_layer(neuron: Neuron, x: Tensor | None = None) -> str | None:
    """Why there is no kernel for this layer (and inputs like `x` [T, ...]), or None."""
    return fused_refuses_layer(neuron, x, target="cupy")


def sequence(neuron: Neuron, x: Tensor) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...]. RuntimeError when there is no kernel."""
    return fused_sequence(neuron, x, target="cupy")


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
