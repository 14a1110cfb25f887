"""Triton for a recurrent layer of neurons on a CUDA device: all steps at once, a program for each few samples.

What a step does with the spikes Z and the states S of the step before, for every gate k and the state that it sees:

    I = P[t] + Z Wz        A_k = I Wi_k + S_k Ws_k + c_k        (Z, S) = step(I, S, A)

`step` is the neuron's own, traced, so that its equation stands nowhere else; without gates there is no A. The weights
are read tile by tile, and stay in the second-level cache; what one step hands on to the next goes through memory, with
a barrier between. The two functions, whose arrays are float32 [.., N, H] but for the weights:

    forward   x y i s<j> a<k> back g<k>_x g<k>_s g<k>_c p<k> c<k> T N H                                     KEEP
    backward  i s<j> a<k> gy gv gi ga<k> gs<j> gz sum<k> back g<k>_x g<k>_s p<k> c<k> T N H           HAS_GY HAS_GV

then the sizes of a tile (`TILE`). `y` (spikes) and those `s` that have a row for each step have one more, the state
before the first; the others are [N, H]. With KEEP I and A have a row for each step, else I has one and A none. `gy` and
`gv` are the gradients of spikes and potentials, [T, N, H]; `gs` and `gz` hold those of the states and of Z after the
last step and, in the end, before the first. `gi` and `ga` [T, N, H] are those of I and A; the gradients of the weights
are products of them, which PyTorch computes best. `sum` [N, H] are zero and get what the gradients of the parameters
in `step` add up from. The weights are [in, out] forward, [out, in] backward; `p` [H] or one number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .fused import triton
from .fused.cuda_arguments import numbered
from .fused.program import Program

OPTIONS = {"num_warps": 4}
TILE = {"ROWS": 8, "COLS": 64, "DEPTH": 32, "STAGES": 3}  # samples, neurons, terms of a sum at a time; loads ahead
SWITCHES = {"forward": ("KEEP",), "backward": ("HAS_GY", "HAS_GV")}
SIZES = ("T", "N", "H")


@dataclass(frozen=True)
class Layer:
    """A recurrent layer for which kernels are written.

    `program` is that of the step; its first `own` states are the neuron's, the others the drives of gates. `gates` are
    those that act: the number of the drive among the states, and that of the state which the gate sees. `potential`
    is the state whose values after every step are wanted.
    """

    program: Program
    own: int
    gates: tuple[tuple[int, int], ...]
    potential: int

    @property
    def forward_nodes(self) -> list[int]:
        p = self.program
        return p.graph.ancestors([p.spikes, *p.next_states[: self.own]])

    @property
    def backward_nodes(self) -> list[int]:
        """All is computed again from I, states and drives."""
        p = self.program
        drives = [p.grad_states[drive] for drive, _ in self.gates]
        wanted = [p.grad_x, *p.grad_states[: self.own], *drives, *p.sums]
        return p.graph.ancestors(node for node in wanted if node is not None)

    @property
    def rows(self) -> tuple[bool, ...]:
        """Which of the neuron's states have a row for each step: not those that stay, nor spikes that nobody reads."""
        p = self.program
        read = {*p.graph.inputs([*self.forward_nodes, *self.backward_nodes], "s")}
        seen = {self.potential, *(state for _, state in self.gates)}
        return tuple(
            not self.stays(j) and (p.next_states[j] != p.spikes or j in seen or f"s{j}" in read)
            for j in range(self.own)
        )

    def stays(self, state: int) -> bool:
        """Whether a step hands the state on as it is."""
        node = self.program.graph.nodes[self.program.next_states[state]]
        return node.op == "input" and node.value == f"s{state}"


def arguments(layer: Layer, way: str) -> list[str]:
    """Names of the arguments of `way` ("forward", "backward") before the switches."""
    p, gates = layer.program, range(len(layer.gates))
    states, drives = numbered("s", layer.own), numbered("a", len(gates))
    if way == "forward":
        names = ["x", "y", "i", *states, *drives, "back"]
    else:
        names = ["i", *states, *drives, "gy", "gv", "gi", *numbered("ga", len(gates)), *numbered("gs", layer.own)]
        names += ["gz", *numbered("sum", len(p.sums)), "back"]
    names += [f"g{k}_{what}" for k in gates for what in (("x", "s", "c") if way == "forward" else ("x", "s"))]
    return [*names, *numbered("p", len(p.prologue_is_scalar)), *numbered("c", p.constants), *SIZES]


def source(layer: Layer) -> str:
    """The module with both functions. KeyError with the name of an operation that has no meaning in Triton."""
    used = {node.op for node in layer.program.graph.nodes}
    functions = [f"f_{name} = libdevice.{name}" for name in triton.FUNCTIONS if name in used]
    return "\n".join([*triton._HEAD, *functions, _PRODUCT, _forward(layer), _backward(layer)])


_PRODUCT = """

@triton.jit
def product(sums, a, w, rows, cols, N, H, DEPTH: tl.constexpr, STAGES: tl.constexpr):
    for k in tl.range(0, H, DEPTH, num_stages=STAGES):
        terms = k + tl.arange(0, DEPTH)
        left = tl.load(
            a + rows[:, None] * H + terms[None, :], mask=(rows < N)[:, None] & (terms < H)[None, :], other=0.0
        )
        right = tl.load(
            w + terms[:, None] * H + cols[None, :], mask=(terms < H)[:, None] & (cols < H)[None, :], other=0.0
        )
        sums = tl.dot(left, right, sums, input_precision="ieee")
    return sums

"""


def _forward(layer: Layer) -> str:
    p, rows = layer.program, layer.rows
    current = [
        "sums = tl.load(x + now + at, mask=m, other=0.0)",
        f"tl.store(i + kept + at, {_product('sums', 'y + now', 'back')}, mask=m)",
    ]
    step = []
    for k, (_, state) in enumerate(layer.gates):
        step += [
            f"d{k} = tl.broadcast_to(tl.load(g{k}_c + cols, mask=cols < H, other=0.0)[None, :], [ROWS, COLS])",
            f"d{k} = {_product(f'd{k}', 'i + kept', f'g{k}_x')}",
            f"d{k} = {_product(f'd{k}', _row(f's{state}', rows[state]), f'g{k}_s')}",
        ]
    step += _statements(layer, layer.forward_nodes, "i + kept", {drive: f"d{k}" for k, (drive, _) in _numbered(layer)})
    step.append(f"tl.store(y + now + N * H + at, n{p.spikes}, mask=m)")
    step += [f"tl.store(s{j} + now + N * H + at, n{p.next_states[j]}, mask=m)" for j in range(layer.own) if rows[j]]
    if layer.gates:
        step += ["if KEEP:", *(f"    tl.store(a{k} + now + at, d{k}, mask=m)" for k, _ in _numbered(layer))]
    body = [
        "now = t * (N * H)",
        "kept = now if KEEP else now * 0",
        *_over_columns(current),
        *_over_columns(step),
    ]
    return _function(layer, "forward", ["for t in range(0, T):", *_indent(body)])


def _backward(layer: Layer) -> str:
    p = layer.program
    step = ["gy_t = tl.load(gz + at, mask=m, other=0.0)"]
    step += ["if HAS_GY:", "    gy_t += tl.load(gy + now + at, mask=m, other=0.0)"]
    step += [f"gs{j}_t = tl.load(gs{j} + at, mask=m, other=0.0)" for j in range(layer.own)]
    step += ["if HAS_GV:", f"    gs{layer.potential}_t += tl.load(gv + now + at, mask=m, other=0.0)"]
    drives = {drive: f"tl.load(a{k} + now + at, mask=m, other=0.0)" for k, (drive, _) in _numbered(layer)}
    step += _statements(layer, layer.backward_nodes, "i + now", drives)
    step.append(f"tl.store(gi + now + at, {_or_zero(p.grad_x)}, mask=m)")
    step += [f"tl.store(gs{j} + at, {_or_zero(p.grad_states[j])}, mask=m)" for j in range(layer.own)]
    step += [f"tl.store(ga{k} + now + at, n{p.grad_states[drive]}, mask=m)" for k, (drive, _) in _numbered(layer)]
    step += [
        f"tl.store(sum{k} + at, tl.load(sum{k} + at, mask=m, other=0.0) + n{node}, mask=m)"
        for k, node in enumerate(p.sums)
    ]
    through = ["sums = tl.load(gi + now + at, mask=m, other=0.0)"]
    through += [f"sums = {_product('sums', f'ga{k} + now', f'g{k}_x')}" for k, _ in _numbered(layer)]
    through.append("tl.store(gi + now + at, sums, mask=m)")
    for k, (_, state) in _numbered(layer):
        through += [
            f"sums = tl.load(gs{state} + at, mask=m, other=0.0)",
            f"tl.store(gs{state} + at, {_product('sums', f'ga{k} + now', f'g{k}_s')}, mask=m)",
        ]
    fed_back = [
        "sums = tl.zeros([ROWS, COLS], tl.float32)",
        f"tl.store(gz + at, {_product('sums', 'gi + now', 'back')}, mask=m)",
    ]
    body = [
        "now = (T - 1 - later) * (N * H)",
        *_over_columns(step),
        *(_over_columns(through) if layer.gates else []),
        *_over_columns(fed_back),
    ]
    return _function(layer, "backward", ["for later in range(0, T):", *_indent(body)])


def _numbered(layer: Layer) -> list[tuple[int, tuple[int, int]]]:
    return list(enumerate(layer.gates))


def _over_columns(lines: list[str]) -> list[str]:
    """`lines` for one tile after the other; what they wrote is there for whatever comes after them."""
    place = [
        "cols = n + tl.arange(0, COLS)",
        "m = (rows < N)[:, None] & (cols < H)[None, :]",
        "at = rows[:, None] * H + cols[None, :]",
    ]
    return ["for n in range(0, H, COLS):", *_indent([*place, *lines]), "tl.debug_barrier()"]


def _product(sums: str, a: str, w: str) -> str:
    return f"product({sums}, {a}, {w}, rows, cols, N, H, DEPTH, STAGES)"


def _row(name: str, has_rows: bool) -> str:
    """A state before the step."""
    return f"{name} + now" if has_rows else name


def _or_zero(node: int | None) -> str:
    return "tl.zeros([ROWS, COLS], tl.float32)" if node is None else f"n{node}"


def _statements(layer: Layer, nodes: list[int], x: str, drives: dict[int, str]) -> list[str]:
    """One line per node of the step; I is loaded from `x`, `drives` are the expressions of those, by state."""
    p, loads = layer.program, {}
    for index in nodes:
        node = p.graph.nodes[index]
        if node.op == "literal":
            loads[index] = _filled(repr(node.value))
        elif node.op == "constant":
            loads[index] = _filled(f"c{node.value}")
        elif node.op == "input":
            loads[index] = _input(layer, str(node.value), x, drives)
    return triton._statements(p.graph, nodes, loads)


def _input(layer: Layer, name: str, x: str, drives: dict[int, str]) -> str:
    if name == "x":
        return f"tl.load({x} + at, mask=m, other=0.0)"
    if name[0] == "p":
        if layer.program.prologue_is_scalar[int(name[1:])]:
            return _filled(f"tl.load({name})")
        return f"tl.broadcast_to(tl.load({name} + cols, mask=cols < H, other=0.0)[None, :], [ROWS, COLS])"
    if name[0] == "s":
        state = int(name[1:])
        return drives.get(state) or f"tl.load({_row(name, layer.rows[state])} + at, mask=m, other=0.0)"
    return f"{name}_t"


def _filled(value: str) -> str:
    return f"tl.full([ROWS, COLS], {value}, tl.float32)"


def _function(layer: Layer, name: str, lines: list[str]) -> str:
    switches = [f"{switch}: tl.constexpr" for switch in (*SWITCHES[name], *TILE)]
    first = "rows = tl.program_id(0) * tl.full([], ROWS, tl.int64) + tl.arange(0, ROWS)"
    head = f"def {name}({', '.join([*arguments(layer, name), *switches])}):"
    return "\n".join(["@triton.jit", head, *_indent([first, *lines])]) + "\n"


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
