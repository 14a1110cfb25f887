"""A neuron's Triton kernels: compiled for a device (or, without one, for an architecture) and started."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import triton as emitter
from .cuda_kernel import CudaKernel, aligned
from .program import Program
from .trace import Trace

_TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.float16: "*fp16"}
_STORED = ("x", "y", "gy", "gx")
_INTEGERS = {"T": "i32", "every": "i32", "N": "i64", "x_row": "i64", "gy_row": "i64"}
_ROWS = ("N", "x_row", "gy_row")


class TritonKernel(CudaKernel):
    """See CudaKernel. One compilation serves every T and N; a second one those N that are no multiple of 16."""

    def __init__(self, trace: Trace, dtype: torch.dtype, *, grad_x: bool, parameters: list[str], checkpoint: bool) -> None:
        super().__init__(trace, dtype, grad_x=grad_x, parameters=parameters, checkpoint=checkpoint)
        self.source = emitter.source(self.program, checkpoint, self.whole)
        self.functions = load(self.source)
        self._block = emitter.elements(dtype.itemsize)
        self._compiled: dict[tuple[Any, ...], Any] = {}
        rooms = len(self.program.kept) if checkpoint else 0
        self.names = {
            way: emitter.arguments(self.program, way, self._slots, rooms) for way in ("forward", "backward")
        }
        self._wide = {way: _wide(names, self.program) for way, names in self.names.items()}

    @property
    def block(self) -> int:
        return self._block

    def launch(
        self,
        way: str,
        programs: int,
        arrays: Sequence[Tensor | None],
        numbers: Sequence[float],
        sizes: Sequence[int],
        switches: tuple[bool, ...],
    ) -> None:
        x_row = sizes[3:5] if way == "backward" else sizes[3:4]
        wide = aligned(arrays[: self._wide[way]], [sizes[1], *x_row])
        device = next(t.device for t in arrays if t is not None)
        key = (device, way, wide, switches)
        with torch.cuda.device(device):
            if key not in self._compiled:
                self._compiled[key] = self.compile(way, wide, switches)
            pointers = [None if t is None else t.data_ptr() for t in arrays]
            constants = (*switches, self._block, emitter.STAGES)
            self._compiled[key][(programs, 1, 1)](*pointers, *numbers, *sizes, *constants)

    def compile(self, way: str, wide: bool, switches: tuple[bool, ...], target: Any = None) -> Any:
        """Triton's compiled kernel; `wide` promises `aligned` arrays, `target` is a GPUTarget (default: this device's)."""
        from triton import compile as build
        from triton.compiler import ASTSource

        names = self.names[way]
        constants = dict(zip(emitter.SWITCHES[way], (*switches, self._block, emitter.STAGES), strict=True))
        types = {name: _type(name, self.dtype) for name in names} | dict.fromkeys(constants, "constexpr")
        divisible = [*names[: self._wide[way]], *_ROWS] if wide else []
        source = ASTSource(
            self.functions[way],
            types,
            constants,
            {(i,): [["tt.divisibility", 16]] for i, name in enumerate(names) if name in divisible},
        )
        return build(source, target=target, options=emitter.OPTIONS)


def load(source: str) -> dict[str, Any]:
    """The functions of a generated module. Triton reads their text again, so it is left where `inspect` looks."""
    name = f"<triton {hashlib.sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    module: dict[str, Any] = {"__name__": name}
    exec(compile(source, name, "exec"), module)
    return module


def _type(name: str, dtype: torch.dtype) -> str:
    if name in _STORED:
        return _TYPES[dtype]
    if name in _INTEGERS or name.endswith(("_count", "_inner")):
        return _INTEGERS.get(name, "i64")
    return "fp32" if name[0] == "c" or name.startswith("rest") else "*fp32"


def _wide(names: list[str], program: Program) -> int:
    """How many of the arguments are arrays over the neurons; parameters, which come next, may lie anywhere."""
    scalars = ("c0", "rest0", "T")
    return names.index(next(name for name in (*(["p0"] if program.prologue_is_scalar else []), *scalars) if name in names))
