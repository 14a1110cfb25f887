"""What the kernels for CUDA devices share, whatever they are written in: allocation, arguments, sums over neurons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import layout, parity
from .cuda_arguments import arguments, over_neurons, rows_of
from .kernel import Kernel
from .layout import Layout
from .trace import Reduction, Trace

if TYPE_CHECKING:
    from ...base import Neuron

_PROGRAMS_PER_PROCESSOR = 8  # of a backward pass from checkpoints, whose room should stay in the second-level cache


class CudaKernel(Kernel):
    """The forward and backward pass of `trace` on a CUDA device; a subclass compiles and starts them (`start`).

    Everything is queued on PyTorch's current stream and allocated by PyTorch, without waiting for the device, so a
    CUDA graph can capture it. There is no float64.
    """

    sums_per_program = True  # a program adds up its own neurons where the sum is over all of them

    def __init__(
        self, trace: Trace, dtype: torch.dtype, *, grad_x: bool, parameters: list[str], checkpoint: bool
    ) -> None:
        self._read(trace, dtype, grad_x=grad_x, parameters=parameters, checkpoint=checkpoint)
        self.whole = tuple(self.sums_per_program and total for total in self._totals)
        self.names = {way: arguments(self.program, way, checkpoint) for way in ("forward", "backward")}
        self._over_neurons = {way: over_neurons(names) for way, names in self.names.items()}

    @property
    def block(self) -> int:
        """Neurons per program."""
        raise NotImplementedError

    def start(
        self, device: torch.device, way: str, programs: int, wide: bool, values: list[Any], switches: tuple[bool, ...]
    ) -> None:
        """Queues `way` ("forward", "backward") with its arguments in the order of `names`, arrays as addresses (0 for
        none); `wide` says that they are `aligned`, `switches` are those of `triton`."""
        raise NotImplementedError

    def launch(
        self,
        way: str,
        programs: int,
        arrays: Sequence[Tensor | None],
        numbers: Sequence[float],
        sizes: Sequence[int],
        switches: tuple[bool, ...],
    ) -> None:
        """`start` with tensors."""
        pointers = [0 if t is None else t.data_ptr() for t in arrays]
        wide = aligned(pointers[: self._over_neurons[way]], rows_of(way, sizes))
        device = next(t.device for t in arrays if t is not None)
        self.start(device, way, programs, wide, [*pointers, *numbers, *sizes], switches)

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
        T, N = x.shape[0], place.neurons
        every = min(every, T)
        y = torch.empty_strided(x.shape, (N, *place.strides), dtype=self.dtype, device=x.device)
        kept: list[Tensor] = []
        if keep:
            rows, count = self.kept_rows(T, every)
            kept = [torch.empty((rows, N), dtype=self.compute, device=x.device) for _ in range(count)]
        after = [self._step(place, x.device) for _ in states]
        carried = any(s is not None for s in states)
        before = [
            self._step(place, x.device).fill_(value) if carried and s is None else s
            for s, value in zip(states, rest, strict=True)
        ]
        prologue, maps = self._parameters(raw, place, x.device)
        slots: list[Tensor | None] = [*kept] or [None] * self._slots
        arrays = [x, y, *slots, *_paired(before, after), *prologue]
        sizes = [T, N, every, x.stride(0), *maps]
        if N:
            self.launch("forward", -(-N // self.block), arrays, [*constants, *rest], sizes, (keep, carried))
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
        p, N = self.program, place.neurons
        device = next(t.device for t in (gy, *gs, *kept, x, y, *raw.values()) if t is not None)
        every = min(every, T)
        blocks = -(-N // self.block)
        gx = None
        if p.grad_x is not None:
            gx = torch.empty_strided((T, *place.shape), (N, *place.strides), dtype=self.dtype, device=device)
        before = [self._step(place, device) if any(wanted_states) else None for _ in wanted_states]
        sums = [
            torch.empty(blocks, dtype=self.compute, device=device) if whole else self._step(place, device)
            for whole in self.whole
        ]
        gy = None if gy is None else layout.rows_like(gy.to(self.dtype), place)
        given = any(g is not None for g in gs)
        gs = [
            layout.like(g.to(self.compute), place)
            if g is not None
            else self._step(place, device).zero_()
            if given
            else None
            for g in gs
        ]
        programs, rooms = blocks, []
        if self.checkpoint:
            programs = min(blocks, _PROGRAMS_PER_PROCESSOR * _processors(device))
            room = programs * every * self.block
            rooms = [torch.empty(room, dtype=self.compute, device=device) for _ in p.kept]
        prologue, maps = self._parameters(raw, place, device)
        arrays = [x, y, gy, *kept, *_paired(gs, before), gx, *sums, *rooms, *prologue]
        sizes = [T, N, every, 0 if x is None else x.stride(0), 0 if gy is None else gy.stride(0), *maps]
        switches = (gy is not None, given, any(wanted_states))
        if N:
            self.launch("backward", programs, arrays, constants, sizes, switches)
        found = [g if wanted else None for g, wanted in zip(before, wanted_states, strict=True)]
        return gx, found, self._of_parameters(sums, raw, place)

    def _parameters(
        self, raw: dict[str, Tensor], place: Layout, device: torch.device
    ) -> tuple[list[Tensor], list[int]]:
        """Prologue, and count and inner of those values that are no scalars."""
        prologue, maps = self._prologue(raw, place)
        scalar = self.program.prologue_is_scalar
        return [value.to(device) for value in prologue], [
            m for k, only in enumerate(scalar) if not only for m in maps[2 * k : 2 * k + 2]
        ]

    def _step(self, place: Layout, device: torch.device) -> Tensor:
        return torch.empty_strided(place.shape, place.strides, dtype=self.compute, device=device)

    def _total(self, partial: Tensor, entry: Reduction, place: Layout) -> Tensor:
        """The sum over some dimensions of neurons, or none, in PyTorch's fixed order."""
        if entry.dims == ():
            return partial
        return partial.sum(entry.dims, keepdim=entry.keepdim, dtype=torch.float64).to(self.compute)


def verdict(kernel: CudaKernel, neuron: Neuron) -> str | None:
    """None for a kernel that agrees on this device with `neuron.step` on the CPU, else what differs."""
    try:
        found = parity.check(_OnDevice(kernel), neuron)  # type: ignore[arg-type]
    except torch.OutOfMemoryError:
        raise  # of the moment: the next call tries again
    except Exception as error:
        found = f"it does not run: {type(error).__name__}: {error}"
    return found and f"the kernel of {neuron.name!r} for this CUDA device is wrong: {found}"


class _OnDevice:
    """A kernel that takes and gives tensors on the CPU."""

    def __init__(self, kernel: CudaKernel) -> None:
        self._kernel = kernel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)

    def forward(self, *args: Any) -> Any:
        return _moved(self._kernel.forward(*_moved(args, "cuda")), "cpu")

    def backward(self, *args: Any) -> Any:
        return _moved(self._kernel.backward(*_moved(args, "cuda")), "cpu")


def _moved(value: Any, device: str) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _moved(item, device) for name, item in value.items()}
    return type(value)(_moved(item, device) for item in value) if isinstance(value, list | tuple) else value


@cache
def missing() -> str | None:
    """What Triton needs and is not there, or None."""
    if not torch.cuda.is_available():
        return "no CUDA device was found"
    try:
        import triton
    except ImportError as error:
        return f"Triton does not import ({error}); install it with: pip install triton"
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 3):
        return f"Triton {triton.__version__} is too old; 3.3 or newer is needed, which comes with PyTorch 2.7"
    return None


def aligned(addresses: Sequence[int], rows: Sequence[int]) -> bool:
    """Whether every access may take 16 bytes at once, given where the arrays begin and the elements between rows."""
    low = 0
    for number in (*addresses, *rows):
        low |= number
    return low % 16 == 0


def _paired(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return [t for pair in zip(first, second, strict=True) for t in pair]


@cache
def _processors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count
