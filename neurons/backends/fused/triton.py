"""Triton for CUDA devices from a program: a block of neurons per program, the state in registers, all steps inside.

Two functions, `forward` and `backward`; the arguments are those of `cuda_arguments`, then the compile-time `SWITCHES`.
T and N are run-time values: one compilation serves all. The values are those of IEEE arithmetic in float32: true
division and square root, nothing contracted (`OPTIONS`). Loads run `STAGES` - 1 steps ahead of the recurrence, by
Triton's software pipelining of `tl.range`.
"""

from __future__ import annotations

from collections.abc import Iterable

from .cuda_arguments import arguments
from .graph import FUNCTIONS, Graph
from .program import Program

OPTIONS = {"num_warps": 2, "enable_fp_fusion": False}
STAGES = 8
SWITCHES = {
    "forward": ("KEEP", "CARRIED", "BLOCK", "STAGES"),
    "backward": ("HAS_GY", "HAS_GS", "WANTS_GS", "BLOCK", "STAGES"),
}

_INFIX = {"add": "+", "sub": "-", "mul": "*", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==", "ne": "!=",
          "and": "&", "or": "|"}  # fmt: skip
_CALLS = {
    "div": "tl.math.div_rn({0}, {1})",
    "sqrt": "tl.math.sqrt_rn({0})",
    "neg": "({0} * -1.0)",  # -x is 0 - x in Triton, which loses the sign of a zero
    "not": "(~{0})",
    "abs": "tl.abs({0})",
    "max": "tl.where(({0} < {1}) | ({1} != {1}), {1}, {0})",  # a NaN in either operand stays, as in PyTorch
    "min": "tl.where(({0} > {1}) | ({1} != {1}), {1}, {0})",
    "where": "tl.where({0}, {1}, {2})",
    **{name: f"f_{name}({{0}})" for name in FUNCTIONS},
    "pow": "f_pow({0}, {1})",
}
_HEAD = ["import triton", "import triton.language as tl", "from triton.language.extra import libdevice", ""]
OPERATIONS = (*_INFIX, *_CALLS)
"""Every operation of a graph that has a meaning in Triton."""


def elements(storage_bytes: int) -> int:
    """Neurons in a block: 16 bytes per thread."""
    return 32 * OPTIONS["num_warps"] * 16 // storage_bytes


def source(program: Program, checkpoint: bool, whole: tuple[bool, ...]) -> str:
    """The module with both functions. A sum that is `whole` (over all neurons) is written as one value per program.

    Raises KeyError with the name of an operation that is not in `OPERATIONS`.
    """
    used = {node.op for node in program.graph.nodes}
    head = [*_HEAD, *(f"f_{name} = libdevice.{name}" for name in FUNCTIONS if name in used)]
    return "\n".join([*head, "", "", _forward(program, checkpoint), "", _backward(program, checkpoint, whole)])


def _forward(p: Program, checkpoint: bool) -> str:
    states = range(len(p.next_states))
    lines = _setup(p, p.forward_nodes, block="tl.program_id(0)")
    for i in states:
        lines += [
            "if CARRIED:",
            f"    s{i} = tl.load(s{i}_in + first + lane, mask=m, other=0.0)",
            "else:",
            f"    s{i} = tl.full([BLOCK], rest{i}, tl.float32)",
        ]
    body = ["row = t * N + first"]
    if checkpoint:
        body.append("if KEEP:")
        body += [f"    tl.store(w{i} + t // every * N + first + lane, s{i}, mask=m & (t % every == 0))" for i in states]
    body += _statements(p.graph, p.forward_nodes, {})
    body.append(f"tl.store(y + row + lane, n{p.spikes}, mask=m)")
    if not checkpoint and p.saved:
        body.append("if KEEP:")
        body += [f"    tl.store(w{k} + row + lane, n{node}, mask=m)" for k, node in enumerate(p.saved)]
    body += [_carry(p.graph, f"s{i}", node) for i, node in enumerate(p.next_states)]
    lines += ["for t in tl.range(0, T, num_stages=STAGES):", *_indent(body)]
    lines += [f"tl.store(s{i}_out + first + lane, s{i}, mask=m)" for i in states]
    return _function("forward", arguments(p, "forward", checkpoint), lines)


def _backward(p: Program, checkpoint: bool, whole: tuple[bool, ...]) -> str:
    states = range(len(p.next_states))
    begin = [f"a{k} = tl.zeros([BLOCK], tl.float32)" for k in range(len(p.sums))]
    for i in states:
        begin += [
            "if HAS_GS:",
            f"    gs{i} = tl.load(gs{i}_in + first + lane, mask=m, other=0.0)",
            "else:",
            f"    gs{i} = tl.zeros([BLOCK], tl.float32)",
        ]
    loads = _restored(p) if checkpoint else _loads(p)
    body = ["row = t * N + first"]
    if any(p.graph.nodes[i].value == "gy" for i in p.backward_nodes):
        body += [
            "if HAS_GY:",
            "    gy_t = tl.load(gy + t * gy_row + first + lane, mask=m, other=0.0).to(tl.float32)",
            "else:",
            "    gy_t = tl.zeros([BLOCK], tl.float32)",
        ]
    body += _statements(p.graph, p.backward_nodes, loads)
    if p.grad_x is not None:
        body.append(f"tl.store(gx + row + lane, n{p.grad_x}, mask=m)")
    body += [f"a{k} += n{node}" for k, node in enumerate(p.sums)]
    body += [_carry(p.graph, f"gs{i}", node) for i, node in enumerate(p.grad_states)]
    end = []
    for i in states:
        end += ["if WANTS_GS:", f"    tl.store(gs{i}_out + first + lane, gs{i}, mask=m)"]
    for k, total in enumerate(whole):
        end.append(
            f"tl.store(sum{k} + block, tl.sum(tl.where(m, a{k}, 0.0).to(tl.float64), 0))"
            if total
            else f"tl.store(sum{k} + first + lane, a{k}, mask=m)"
        )
    if not checkpoint:
        loop = ["for back in tl.range(0, T, num_stages=STAGES):", "    t = T - 1 - back", *_indent(body)]
        lines = [*_setup(p, p.backward_nodes, block="tl.program_id(0)"), *begin, *loop, *end]
    else:
        # The room for the second forward pass belongs to the program, so that it stays in the cache: few programs,
        # each taking every so many blocks.
        lines = [
            "for block in range(tl.program_id(0), tl.cdiv(N, BLOCK), tl.num_programs(0)):",
            *_indent(
                [*_setup(p, [*p.restart_nodes, *p.backward_nodes], block="block"), *begin, *_segments(p, body), *end]
            ),
        ]
    return _function("backward", arguments(p, "backward", checkpoint), lines)


def _segments(p: Program, body: list[str]) -> list[str]:
    """From the last checkpoint to the first: forward again to the next one, then backward."""
    again = ["at = (tl.program_id(0).to(tl.int64) * every + t - begin) * BLOCK"]
    again += _statements(p.graph, p.restart_nodes, {})
    again += [f"tl.store(k{k} + at + lane, n{node})" for k, node in enumerate(p.kept)]
    again += [_carry(p.graph, f"s{i}", node) for i, node in enumerate(p.next_states)]
    return [
        "for segment in range(0, tl.cdiv(T, every)):",
        "    begin = (tl.cdiv(T, every) - 1 - segment) * every",
        "    stop = tl.minimum(begin + every, T)",
        *_indent(
            f"s{i} = tl.load(w{i} + begin // every * N + first + lane, mask=m, other=0.0)"
            for i in range(len(p.next_states))
        ),
        "    tl.debug_barrier()",
        "    for t in tl.range(begin, stop, num_stages=STAGES):",
        *_indent(again, 2),
        "    tl.debug_barrier()",
        "    for back in tl.range(begin, stop, num_stages=STAGES):",
        "        t = begin + stop - 1 - back",
        "        at = (tl.program_id(0).to(tl.int64) * every + t - begin) * BLOCK",
        *_indent(body, 2),
    ]


def _setup(p: Program, nodes: list[int], block: str) -> list[str]:
    """Where the block lies; the constants and parameters that `nodes` use as vectors."""
    used = [p.graph.nodes[i] for i in nodes]
    constants = sorted({str(node.value) for node in used if node.op == "constant"}, key=int)
    parameters = p.graph.inputs(nodes, "p")
    lines = [f"block = {block}"] if block != "block" else []
    lines += [
        "first = block * tl.full([], BLOCK, tl.int64)",
        "lane = tl.arange(0, BLOCK)",
        "m = lane < N - first",
    ]
    lines += [f"v_c{k} = tl.full([BLOCK], c{k}, tl.float32)" for k in constants]
    for k in (int(name[1:]) for name in parameters):
        if p.prologue_is_scalar[k]:
            lines.append(f"v_p{k} = tl.full([BLOCK], tl.load(p{k}), tl.float32)")
        else:
            place = f"(first + lane) // p{k}_inner % p{k}_count"
            lines.append(f"v_p{k} = tl.load(p{k} + {place}, mask=m, other=0.0)")
    return lines


def _loads(p: Program) -> dict[int, str]:
    """How the backward pass comes by what the forward pass kept."""
    found = {node: f"tl.load(w{k} + row + lane, mask=m, other=0.0)" for k, node in enumerate(p.saved)}
    if p.reads_spikes:
        found[p.spikes] = "tl.load(y + row + lane, mask=m, other=0.0).to(tl.float32)"
    return found


def _restored(p: Program) -> dict[int, str]:
    """The same from the second forward pass."""
    return {node: f"tl.load(k{k} + at + lane)" for k, node in enumerate(p.kept)}


def _carry(graph: Graph, name: str, node: int | None) -> str:
    """A state for the next step. One that is another's value handed on is masked: Triton does not load ahead in a loop
    in which a value is carried over more than one step."""
    if node is None:
        return f"{name} = tl.zeros([BLOCK], tl.float32)"
    handed_on = graph.nodes[node].op == "input" and str(graph.nodes[node].value) not in ("x", "gy")
    return f"{name} = tl.where(m, n{node}, 0.0)" if handed_on else f"{name} = n{node}"


def _statements(graph: Graph, nodes: list[int], loads: dict[int, str]) -> list[str]:
    """One line per node; those in `loads` are loaded."""
    return [f"n{i} = {loads.get(i) or _expression(graph, i)}" for i in nodes]


def _expression(graph: Graph, index: int) -> str:
    node = graph.nodes[index]
    args = [f"n{i}" for i in node.args]
    if node.op == "literal":
        return f"tl.full([BLOCK], {node.value!r}, tl.float32)"
    if node.op == "constant":
        return f"v_c{node.value}"
    if node.op == "input":
        name = str(node.value)
        if name == "x":
            return "tl.load(x + t * x_row + first + lane, mask=m, other=0.0).to(tl.float32)"
        if name == "gy":
            return "gy_t"
        return f"v_{name}" if name.startswith("p") else name
    if node.op in _INFIX:
        return f"({args[0]} {_INFIX[node.op]} {args[1]})"
    return _CALLS[node.op].format(*args)


def _function(name: str, args: list[str], lines: list[str]) -> str:
    switches = [f"{switch}: tl.constexpr" for switch in SWITCHES[name]]
    return "\n".join(["@triton.jit", f"def {name}({', '.join([*args, *switches])}):", *_indent(lines)]) + "\n"


def _indent(lines: Iterable[str], levels: int = 1) -> list[str]:
    return ["    " * levels + line for line in lines]
