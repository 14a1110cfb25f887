"""Kernels for CUDA devices without one: Triton interpreted, CUDA C compiled for the CPU, and both for an architecture.

`kernels` puts a kernel class in the place of the CPU's, so that layers on the fused backend run through it.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

import neurons
from neurons.backends.fused import compiler, cuda, cuda_kernel, plan, triton
from neurons.backends.fused.cuda_arguments import kind
from neurons.backends.fused.cuda_kernel import CudaKernel
from neurons.backends.fused.cupy_kernel import CupyKernel
from neurons.backends.fused.trace import step_shape, trace
from neurons.backends.fused.triton_kernel import TritonKernel
from neurons.base import Neuron

ARCHITECTURE = 90
POINTWISE = [name for name in neurons.names() if neurons.registry.get(name).sequence is Neuron.sequence]
# What a compiler for CUDA devices is given: names, and whether a kernel computes all steps again from checkpoints. One
# that does holds all that a neuron has to compute; what is kept instead is loaded and stored alike for each.
COMPILED = [*((name, True) for name in POINTWISE), *((name, False) for name in ("if", "plif", "ltc"))]
WITHOUT_FUNCTIONS = ("if", "lif", "plif", "klif", "qif", "izhikevich")  # exp and its kin have sums of products inside


class Interpreted(TritonKernel):
    """Run by Triton's interpreter, for which TRITON_INTERPRET=1 must be set before Triton is imported."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._block = 32  # so that small tests have several programs
        for name, function in _FUNCTIONS.items():  # the interpreter has no libdevice
            self.functions[f"f_{name}"] = _interpreted(function)

    def launch(self, way: str, programs: int, arrays: Any, numbers: Any, sizes: Any, switches: Any) -> None:
        absent = torch.full((1,), math.nan)
        pointers = [absent if t is None else t for t in arrays]
        self.functions[way][(programs,)](*pointers, *numbers, *sizes, *switches, self._block, triton.STAGES)


class OnHost(CupyKernel):
    """CUDA C compiled as C++, its threads run one after the other."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._libraries: dict[int, Any] = {}
        self.widths: set[int] = set()

    def queue(self, device: Any, way: str, at_once: int, blocks: int, values: Sequence[Any]) -> None:
        if at_once not in self._libraries:
            self._libraries[at_once] = compiler.library(self._source(at_once)).functions
        self.widths.add(at_once)
        types = {"number": ctypes.c_float, "int": ctypes.c_int, "long": ctypes.c_longlong}
        args = [
            types.get(what, ctypes.c_void_p)(value)
            for what, value in zip(map(kind, self.names[way]), values, strict=True)
        ]
        getattr(self._libraries[at_once], f"all_{way}")(ctypes.c_uint(blocks), ctypes.c_uint(cuda.THREADS), *args)

    def _source(self, at_once: int) -> str:
        text = f"enum {{ V = {at_once} }};\n" + _SHIM + self.source
        for way, names in self.names.items():
            args = text.split(f"void {way}(")[1].split(") {")[0]
            text += _ALL.format(way=way, args=args, names=", ".join(names))
        return text


@contextmanager
def kernels(kind_: type[CudaKernel]) -> Iterator[None]:
    """Inside, the fused backend computes with kernels of this class on CPU tensors, unproven, with 2 programs at most
    in a backward pass from checkpoints."""
    with (
        mock.patch.object(plan, "_tools", return_value=(kind_, lambda kernel, neuron: None)),
        mock.patch.object(plan, "_plans", type(plan._plans)()),
        mock.patch.object(cuda_kernel, "_processors", return_value=1),
        mock.patch.object(cuda_kernel, "_PROGRAMS_PER_PROCESSOR", 2),
        mock.patch.object(cuda, "THREADS", 4),
    ):
        yield


def kernel(
    make: Callable[..., Any], neuron: Neuron, dtype: torch.dtype = torch.float32, checkpoint: bool = False
) -> Any:
    """A kernel of `neuron` with all its gradients, for steps of shape [N]."""
    shapes = {n for p in neuron.parameters() for n in p.shape}
    found = trace(neuron, torch.float32, step_shape((7,), shapes))
    return make(found, dtype, grad_x=True, parameters=list(found.grad_parameters), checkpoint=checkpoint)


def nvrtc(source: str, *options: str) -> str:
    """The PTX of CUDA C for `ARCHITECTURE`, from which a cubin has been made, too; RuntimeError with the log."""
    library = ctypes.CDLL(str(nvrtc_path()))
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    words = [word.encode() for word in (f"--gpu-architecture=sm_{ARCHITECTURE}", *options)]
    failed = library.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words))

    def text(what: str) -> str:
        size = ctypes.c_size_t()
        getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        room = ctypes.create_string_buffer(size.value)
        getattr(library, f"nvrtcGet{what}")(program, room)
        return room.raw.decode(errors="replace")

    if failed:
        raise RuntimeError(text("ProgramLog"))
    assert text("CUBIN").startswith("\x7fELF")
    return text("PTX")


def nvrtc_path() -> Path | None:
    """The library that comes with PyTorch's wheels for CUDA, or None."""
    found = sorted((Path(torch.__file__).parents[1] / "nvidia").glob("**/libnvrtc.so*"))
    return found[-1] if found else None


_FUNCTIONS: dict[str, Any] = {
    **{name: getattr(np, name) for name in ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh")},
    "pow": np.power,
    "erf": np.vectorize(math.erf, otypes=[np.float32]),
}


def _interpreted(function: Any) -> Any:
    import triton.language as tl
    from triton.runtime.interpreter import TensorHandle

    def apply(*args: Any) -> Any:
        values = function(*(a.handle.data for a in args)).astype(np.float32)
        return tl.tensor(TensorHandle(values, args[0].handle.dtype), args[0].type)

    return apply


def mend_interpreter() -> None:
    """Triton 3.6 makes loop bounds from arrays of one element, which NumPy 2.4 no longer turns into a number."""
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patched(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = patched


_SHIM = """\
#include <cmath>
#include <cstring>
struct Dim { unsigned x; };
static Dim gridDim, blockDim, blockIdx, threadIdx;
struct alignas(16) uint4 { unsigned x, y, z, w; };
#define __global__
#define __device__
"""

_ALL = """
extern "C" void all_{way}(unsigned blocks, unsigned threads, {args}) {{
  gridDim.x = blocks; blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) {way}({names});
}}
"""
