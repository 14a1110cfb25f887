"""What training keeps for the backward pass (spec 7, claim 6): whole sequences against chunks of them."""

from __future__ import annotations

from dataclasses import replace

from ..measures import SAVED
from ..table import Cell, Source, Table
from . import claims, departures
from .adding import ROWS, memory

LENGTHS = (50, 100, 200, 400)
# Input and own spikes have a matrix each here and one together in the work, so that weights of the input, 1,024 bytes,
# are saved there alone: less than the last printed digit, but enough to round another way.
JOINT = 0.01  # MiB


def cells(scale: str) -> list[Cell]:
    """The same at every scale: nothing is left to chance."""
    found = []
    for column, parts in ((claims.BPTT, None), (claims.TEN_CHUNKS, 10), (claims.ONE_STEP, 0)):
        for T in LENGTHS:
            made = replace(memory(ROWS[0], T, T if parts == 0 else parts), scale=scale)
            sources = (Source("backward_memory", f"T={T}", column, within=JOINT),) if T <= 200 else ()
            found.append(Cell(f"T={T}", column, SAVED, made, sources, at=T))
    return found


FPTT_MEMORY = Table(
    "fptt_memory",
    "fptt",
    "Memory for the backward pass: adding network, 128 neurons, batches of 32",
    cells,
    (claims.C6,),
    (
        "Counted are all tensors that the forward pass of a chunk gives to autograd, memory that they share once, and "
        "weights where they are saved. The adaptation gate is among them: its part of the graph is made and dropped at "
        "once, as in the released network, so that a device holds about a quarter less.",
        "A fused backend keeps less; the numbers are those of the plain one.",
    ),
    (departures.JOINT_MATRIX,),
    axis="T",
)
