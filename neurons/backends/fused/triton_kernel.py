"""A neuron's Triton kernels: compiled for a device (or, without one, for an architecture) and started."""

from __future__ import annotations

import hashlib
import linecache
from typing import Any

import torch

from . import triton as emitter
from .cuda_arguments import kind
from .cuda_kernel import CudaKernel
from .trace import Trace

_STORED = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.float16: "*fp16"}
_TYPES = {"computed": "*fp32", "number": "fp32", "int": "i32", "long": "i64"}
_ROWS = ("N", "x_row", "gy_row")


class TritonKernel(CudaKernel):
    """See CudaKernel. One compilation serves every T and N; a second one those N that are no multiple of 16."""

    def __init__(
        self, trace: Trace, dtype: torch.dtype, *, grad_x: bool, parameters: list[str], checkpoint: bool
    ) -> None:
        super().__init__(trace, dtype, grad_x=grad_x, parameters=parameters, checkpoint=checkpoint)
        self.source = emitter.source(self.program, checkpoint, self.whole)
        self.functions = load(self.source)
        self._block = emitter.elements(dtype.itemsize)
        self._compiled: dict[tuple[Any, ...], Any] = {}

    @property
    def block(self) -> int:
        return self._block

    def start(
        self, device: torch.device, way: str, programs: int, wide: bool, values: list[Any], switches: tuple[bool, ...]
    ) -> None:
        key = (device, way, wide, switches)
        with torch.cuda.device(device):
            if key not in self._compiled:
                self._compiled[key] = self.compile(way, wide, switches)
            self._compiled[key][(programs, 1, 1)](*values, *switches, self._block, emitter.STAGES)

    def compile(self, way: str, wide: bool, switches: tuple[bool, ...], target: Any = None) -> Any:
        """Triton's compiled kernel; `wide` promises `aligned` arrays, `target` is a GPUTarget (None: this device)."""
        from triton import compile as build
        from triton.compiler import ASTSource

        names = self.names[way]
        constants = dict(zip(emitter.SWITCHES[way], (*switches, self._block, emitter.STAGES), strict=True))
        kinds = {**_TYPES, "stored": _STORED[self.dtype]}
        types = {name: kinds[kind(name)] for name in names} | dict.fromkeys(constants, "constexpr")
        divisible = [*names[: self._over_neurons[way]], *_ROWS] if wide else []
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
