"""Functions in C++ whose work is shared out to PyTorch's threads."""

from __future__ import annotations

import ctypes
from functools import cached_property

import torch
from torch import Tensor

from neurons.backends.fused import compiler, cpp_preamble
from neurons.backends.fused.graph import Graph

RUN = """\
#define CALLED(name) \\
  extern "C" void name(void** arrays, const double* scalars, const long* sizes) { \\
    run(name##_block, arrays, scalars, sizes); \\
  }
"""
FURTHER = 5  # where the sizes begin that a caller gives


class Native:
    """The functions of `source`, in float32.

    For each `CALLED(name)` in it there is a function name_block(arrays, scalars, sizes, b, n), which does the items b
    to b + n of those that are shared out.
    """

    def __init__(self, source: str) -> None:
        self.source = "\n".join([*cpp_preamble.preamble(Graph(), "float32"), RUN, source])

    @cached_property
    def functions(self) -> ctypes.CDLL | None:
        """None where there is no compiler."""
        try:
            return compiler.library(self.source, ("-ffp-contract=fast",)).functions
        except compiler.CompilationError:
            return None

    def call(
        self,
        name: str,
        arrays: list[Tensor],
        items: int,
        sizes: tuple[int, ...],
        scalars: tuple[float, ...] = (),
        together: int = 1,
    ) -> None:
        """Does all `items`, as many `together` as must not be taken apart; a thread gets neighbours."""
        threads = min(torch.get_num_threads(), -(-items // together))
        block = -(-items // (threads * together)) * together
        numbers = (0, items, block, threads, 0, *sizes)  # as `run` reads them
        assert self.functions is not None
        getattr(self.functions, name)(
            (ctypes.c_void_p * len(arrays))(*(array.data_ptr() for array in arrays)),
            (ctypes.c_double * len(scalars))(*scalars),
            (ctypes.c_long * len(numbers))(*numbers),
        )
