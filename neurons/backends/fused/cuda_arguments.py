"""The arguments of a kernel for CUDA devices, the same for every language.

    forward   x y w<k> s<i>_in s<i>_out                     p<k> c<k> rest<i> T N every x_row        maps
    backward  x y gy w<k> gs<i>_in gs<i>_out gx sum<k> k<k> p<k> c<k>         T N every x_row gy_row maps

in this order; those of a kind that a neuron lacks are left out. `x`, `y` (spikes), `gy`, `gx` [T, N] are in the storage
type, all else is float32. `w` is what the forward pass keeps, [T, N] or, in checkpoints, [T / every, N]; `s<i>` and
`gs<i>` [N] the states and their gradients at both ends of the sequence; `sum` what a parameter's gradient adds up from,
`k` the room of the second forward pass from a checkpoint. `p` are the prologue's values, `c` the scalars, `rest` the
states at rest. `x_row` and `gy_row` are the elements from one step to the next. `maps` are p<k>_count and p<k>_inner of
the values that are no scalars: neuron n has value n // inner % count.
"""

from __future__ import annotations

from collections.abc import Sequence

from .program import Program


def arguments(program: Program, way: str, checkpoint: bool) -> list[str]:
    """Names of the arguments of `way` ("forward", "backward")."""
    states = range(len(program.next_states))
    kept = len(states) if checkpoint else len(program.saved)
    names = ["x", "y", *(["gy"] if way == "backward" else []), *numbered("w", kept)]
    state = "s" if way == "forward" else "gs"
    names += [f"{state}{i}_{end}" for i in states for end in ("in", "out")]
    if way == "backward":
        rooms = len(program.kept) if checkpoint else 0
        names += ["gx", *numbered("sum", len(program.sums)), *numbered("k", rooms)]
    names += [*numbered("p", len(program.prologue_is_scalar)), *numbered("c", program.constants)]
    if way == "forward":
        names += numbered("rest", len(states))
    names += ["T", "N", "every", "x_row", *(["gy_row"] if way == "backward" else [])]
    return names + [f"p{k}_{what}" for k in arrays(program) for what in ("count", "inner")]


def over_neurons(names: list[str]) -> int:
    """How many of the arguments, from the first, are arrays over the neurons."""
    return next(i for i, name in enumerate(names) if name in ("p0", "c0", "rest0", "T"))


def kind(name: str) -> str:
    """ "stored" or "computed" (arrays), "number", "int" or "long" (scalars) of an argument."""
    if name in ("x", "y", "gy", "gx"):
        return "stored"
    if name in ("T", "every"):
        return "int"
    if name in ("N", "x_row", "gy_row") or name.endswith(("_count", "_inner")):
        return "long"
    return "number" if name[0] == "c" or name.startswith("rest") else "computed"


def rows_of(way: str, sizes: Sequence[int]) -> list[int]:
    """Of the last arguments, those that say where a row begins: N and the distances from step to step."""
    return [sizes[1], *sizes[3 : 5 if way == "backward" else 4]]


def numbered(letter: str, count: int) -> list[str]:
    """`letter`0, `letter`1 .."""
    return [f"{letter}{k}" for k in range(count)]


def arrays(program: Program) -> list[int]:
    """Which values of the prologue are no scalars."""
    return [k for k, scalar in enumerate(program.prologue_is_scalar) if not scalar]
