"""A compiled kernel of one neuron on the CPU and how it is called."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import compiler, cpp, cpp_preamble, layout, pool
from .layout import Layout
from .program import Program, program
from .trace import Reduction, Trace

_STEPS_IN_ONE_THREAD = 32768  # element-steps below which waking a second thread costs more than it gains
_BLOCK_FLOATS = 8192  # of all per-block arrays together: they should stay in the first-level cache

_SIZES_KEPT = 256

_NO_MEMORY = (
    "A kernel was given a tensor without memory of its own (a FakeTensor, or one of vmap or is_grads_batched); use "
    "backend='torch' for it."
)

_parallel = True  # False in a child of a process whose thread pool the fork has cut off


def _forked() -> None:
    global _parallel
    _parallel = not _used_threads


_used_threads = False
os.register_at_fork(after_in_child=_forked)


class Kernel:
    """The compiled forward and backward pass of `trace`, with the gradients of x (if `grad_x`) and of `parameters`.

    `dtype` is that of x and the spikes; states and what is kept for the backward pass are in `compute`.
    Raises compiler.CompilationError.
    """

    def __init__(
        self, trace: Trace, dtype: torch.dtype, *, grad_x: bool, parameters: list[str], checkpoint: bool
    ) -> None:
        self._read(trace, dtype, grad_x=grad_x, parameters=parameters, checkpoint=checkpoint)
        source = cpp.source(self.program, str(dtype).removeprefix("torch."), checkpoint, self._totals)
        self.library = compiler.library(source)
        bind_functions(self.library.functions, cpp_preamble.used_functions(trace.graph), self.compute)
        self._infer, self._forward, self._backward, self._reduce = (
            getattr(self.library.functions, name) for name in ("infer", "forward", "backward", "reduce")
        )
        for function in (self._infer, self._forward, self._backward, self._reduce):
            function.restype = None
        self._known_sizes: dict[tuple[Any, ...], tuple[int, ...]] = {}
        arrays = sum(not scalar for scalar in self.program.prologue_is_scalar)
        states = len(self.program.next_states)
        self._most = {
            "forward": _block_limit(arrays + states, checkpoint),
            "backward": _block_limit(arrays + states * (2 if checkpoint else 1) + len(self.program.sums), checkpoint),
        }

    def _read(self, trace: Trace, dtype: torch.dtype, *, grad_x: bool, parameters: list[str], checkpoint: bool) -> None:
        """What a kernel has to do, in whatever language."""
        self.trace = trace
        self.dtype = dtype
        self.compute = compute_type(dtype)
        self.parameters = parameters
        self.checkpoint = checkpoint
        self.program: Program = program(
            trace,
            grad_x=grad_x,
            parameters=parameters,
            storage_bytes=dtype.itemsize,
            compute_bytes=self.compute.itemsize,
        )
        self._sums = {index: self._reduction(index) for index in trace.reductions(parameters)}
        self._totals = [self._is_total(entry) for entry in self._sums.values()]
        self.reads_x = self.program.reads_x or (checkpoint and self._restart_reads_x())

    def forward(
        self,
        x: Tensor,
        place: Layout,
        states: Sequence[Tensor | None],
        rest: Sequence[float],
        raw: dict[str, Tensor],
        constants: Sequence[float],
        keep: bool,
        every: int,
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Spikes, states after the last step and, if `keep`, what `backward` needs. `x` and `states` lie as
        in `place`; a state of None is at its value in `rest`; `every` is the distance of checkpoints."""
        T, N = x.shape[0], place.neurons
        y = pool.empty(x.shape, (N, *place.strides), self.dtype)
        kept = []
        if keep:
            rows, count = self.kept_rows(T, every)
            kept = [pool.empty((rows, N), (N, 1), self.compute) for _ in range(count)]
        after = [pool.empty(place.shape, place.strides, self.compute) for _ in states]
        prologue, maps = self._prologue(raw, place)
        arrays = [x, y, *(kept if keep else [None] * self._slots)]
        for state, end in zip(states, after, strict=True):
            arrays += [state, end]
        sizes = self._sizes("forward" if keep else "infer", T, N, [y, *kept], x.stride(0), 0, every, maps)
        call_library(self._forward if keep else self._infer, [*arrays, *prologue], [*constants, *rest], sizes)
        return y, after, kept

    def backward(
        self,
        x: Tensor | None,
        y: Tensor | None,
        kept: Sequence[Tensor],
        raw: dict[str, Tensor],
        constants: Sequence[float],
        gy: Tensor | None,
        gs: Sequence[Tensor | None],
        wanted_states: Sequence[bool],
        place: Layout,
        T: int,
        every: int,
    ) -> tuple[Tensor | None, list[Tensor | None], dict[str, Tensor]]:
        """Gradients of x, of the states before the first step (where wanted) and of the parameters by name."""
        N, p = place.neurons, self.program
        gx = None if p.grad_x is None else pool.empty((T, *place.shape), (N, *place.strides), self.dtype)
        before = [pool.empty(place.shape, place.strides, self.compute) if wanted else None for wanted in wanted_states]
        groups = -(-N // cpp.GROUP)
        sums = [
            torch.empty(groups, dtype=torch.float64, device="cpu")
            if total
            else pool.empty(place.shape, place.strides, self.compute)
            for total in self._totals
        ]
        prologue, maps = self._prologue(raw, place)
        gy = None if gy is None else layout.rows_like(gy.to(self.dtype), place)
        gs = [None if g is None else layout.like(g.to(self.compute), place) for g in gs]
        arrays = [x, y, gy, *kept]
        for g, b in zip(gs, before, strict=True):
            arrays += [g, b]
        rows = (0 if x is None else x.stride(0), 0 if gy is None else gy.stride(0))
        sizes = self._sizes("backward", T, N, [] if gx is None else [gx], *rows, every, maps)
        call_library(self._backward, [*arrays, gx, *sums, *prologue], constants, sizes)
        return gx, before, self._of_parameters(sums, raw, place)

    def kept_rows(self, T: int, every: int) -> tuple[int, int]:
        """(rows, number) of the tensors [rows, neurons] that `forward` keeps for `backward`."""
        return (-(-T // every), len(self.program.next_states)) if self.checkpoint else (T, len(self.program.saved))

    @property
    def _slots(self) -> int:
        return len(self.program.next_states) if self.checkpoint else len(self.program.saved)

    def _restart_reads_x(self) -> bool:
        p = self.program
        return any(p.graph.nodes[i].value == "x" for i in p.restart_nodes if p.graph.nodes[i].op == "input")

    def _prologue(self, raw: dict[str, Tensor], place: Layout) -> tuple[list[Tensor], list[int]]:
        """The values that depend on parameters alone, and where each neuron finds its own."""
        if not self.trace.prologue:
            return [], []
        with torch.no_grad():
            values = self.trace.evaluate(self.trace.prologue, raw)  # type: ignore[arg-type]
        tensors: list[Tensor] = []
        maps: list[int] = []
        for value in values:
            value = layout.plain(value, self.compute)
            found = (1, 1) if value.numel() == 1 else layout.index_map(tuple(value.shape), place)
            if found is None:
                value, found = layout.like(value.expand(place.shape), place), (place.neurons, 1)
            tensors.append(value)
            maps += found
        return tensors, maps

    def _of_parameters(self, sums: Sequence[Tensor], raw: dict[str, Tensor], place: Layout) -> dict[str, Tensor]:
        """The gradients of the parameters by name, from what the kernel added up: per neuron, or per group where the
        sum goes over all neurons."""
        known: dict[str | int, Tensor] = {}
        known.update(raw)
        for (index, entry), total, partial in zip(self._sums.items(), self._totals, sums, strict=True):
            known[index] = self._whole(partial, entry) if total else self._total(partial, entry, place)
        places = [self.trace.grad_parameters[name] for name in self.parameters]
        return dict(zip(self.parameters, self.trace.evaluate(places, known), strict=True))

    def _reduction(self, index: int) -> Reduction:
        entry = self.trace.host[index]
        assert isinstance(entry, Reduction)
        return entry

    def _is_total(self, entry: Reduction) -> bool:
        """Whether a sum goes over all neurons."""
        ndim = len(self.trace.shape)
        return entry.dims is None or len({d % ndim for d in entry.dims}) == ndim

    def _whole(self, groups: Tensor, entry: Reduction) -> Tensor:
        """The sum over all neurons from those of their groups; in float64, for large terms may cancel."""
        total = groups.sum(dtype=torch.float64).to(self.compute)
        return total.reshape([1] * len(self.trace.shape)) if entry.keepdim else total

    def _total(self, partial: Tensor, entry: Reduction, place: Layout) -> Tensor:
        """The sum over some dimensions of neurons, or none, in an order that no thread count changes."""
        if entry.dims == ():
            return partial
        shape = place.shape
        ndim = len(shape)
        assert entry.dims is not None, "a sum over all neurons is made by the kernel"
        dims = [d % ndim for d in entry.dims]
        kept = tuple(d for d in range(ndim) if d not in dims)
        found = layout.reduction_map(kept, place)
        if found is None:
            partial = partial.permute(*kept, *dims).contiguous()
            count = math.prod(shape[d] for d in kept)
            found = (1, count, place.neurons // count)
        total = torch.empty(found[1], dtype=self.compute, device="cpu")
        self._reduce(
            ctypes.c_void_p(partial.data_ptr()), ctypes.c_void_p(total.data_ptr()), (ctypes.c_long * 3)(*found)
        )
        if entry.keepdim:
            return total.reshape([1 if d in dims else n for d, n in enumerate(shape)])
        return total.reshape([shape[d] for d in kept])

    def _sizes(
        self, way: str, T: int, N: int, written: list[Tensor], x_row: int, gy_row: int, every: int, maps: Sequence[int]
    ) -> Sequence[int]:
        """The numbers `sizes` of a call, worked out once for each size: Python is what a small call waits for.

        `written` is not asked again, since PyTorch and the pool align all memory alike.
        """
        threads = threads_for(T * N)
        key = (way, T, N, x_row, gy_row, every, threads, *maps)
        sizes = self._known_sizes.get(key)
        if sizes is None:
            if len(self._known_sizes) >= _SIZES_KEPT:
                self._known_sizes.clear()
            block, threads = blocks(N, threads, self._most["backward" if way == "backward" else "forward"])
            sizes = (T, N, block, threads, int(streams(written, N)), x_row, gy_row, min(every, T), *maps)
            self._known_sizes[key] = sizes
        note_threads(sizes[3])
        return sizes


def compute_type(dtype: torch.dtype) -> torch.dtype:
    """What is computed in: float64 for float64, else float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def threads_for(element_steps: int) -> int:
    """How many threads so much work is worth, and may be given to; who starts them calls `note_threads`."""
    return torch.get_num_threads() if _parallel and element_steps >= _STEPS_IN_ONE_THREAD else 1


def note_threads(threads: int) -> None:
    """Remembers that the thread pool was used, which a forked child cannot do any more."""
    global _used_threads
    _used_threads = _used_threads or threads > 1


def streams(written: list[Tensor], N: int) -> bool:
    """Whether arrays with rows of `N` neurons are so large that writing them past the caches pays, and lie so that it
    can be done."""
    return sum(t.nbytes for t in written) * 4 > _cache_bytes() and all(
        t.data_ptr() % 64 == 0 and N * t.itemsize % 64 == 0 for t in written
    )


def blocks(neurons: int, threads: int, most: int) -> tuple[int, int]:
    """(neurons in a block, threads): equal shares of at least 512 and at most `most` neurons, whole vectors."""
    count = max(-(-neurons // most), min(threads, neurons // 512), 1)
    threads = min(threads, count)
    count = -(-count // threads) * threads
    size = -(-neurons // count)
    return max(-(-size // 64), 1) * 64, threads


def _block_limit(arrays: int, checkpoint: bool) -> int:
    limit = _BLOCK_FLOATS // max(1, arrays) // 64 * 64
    return max(512, min(1024 if checkpoint else cpp.MAX_BLOCK, limit))


def call_library(
    function: Any, arrays: Sequence[Tensor | None], scalars: Sequence[float], sizes: Sequence[int]
) -> None:
    """Calls a function of a compiled library with the three arrays that all of them take.

    RuntimeError for a tensor that is only thought of (FakeTensor, vmap's).
    """
    try:
        pointers = [None if t is None else t.data_ptr() for t in arrays]
    except RuntimeError as error:
        raise RuntimeError(_NO_MEMORY) from error
    if 0 in pointers and sizes[1]:
        raise RuntimeError(_NO_MEMORY)
    function(
        (ctypes.c_void_p * len(pointers))(*pointers),
        (ctypes.c_double * max(1, len(scalars)))(*scalars),
        (ctypes.c_long * len(sizes))(*sizes),
    )


@cache
def _cache_bytes() -> int:
    """Size of the last-level cache."""
    for level in ("SC_LEVEL3_CACHE_SIZE", "SC_LEVEL2_CACHE_SIZE"):
        try:
            size = os.sysconf(level)
        except (ValueError, OSError):
            continue
        if size > 0:
            return size
    return 8 << 20


def bind_functions(library: ctypes.CDLL, names: list[str], compute: torch.dtype) -> None:
    """Points exp and its kin at the vector functions that PyTorch computes with, where it exports them."""
    table = (ctypes.c_void_p * max(1, len(names))).in_dll(library, "functions")
    width = ctypes.c_int.in_dll(library, "width").value
    for i, name in enumerate(names):
        kind = "d" if compute == torch.float64 else "f"
        function = getattr(_torch_library(), f"Sleef_{name}{kind}{width}_u10", None)
        table[i] = None if function is None else ctypes.cast(function, ctypes.c_void_p).value


@cache
def _torch_library() -> Any:
    try:
        return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    except OSError:
        return None
