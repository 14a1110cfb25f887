"""C++ for the CPU from a program: explicit vectors, blocks of neurons whose state stays in the cache, all steps inside.

Compiles with GCC or Clang without a single header. The functions of the library, each returning nothing:

    infer, forward, backward(void** arrays, const double* scalars, const long* sizes)
    reduce(const C* in, C* out, const long* sizes)

`arrays` and `scalars` come in the order in which the functions below read them, `sizes` as in SIZES. Division is true
division and nothing is contracted (the flags are in `compiler`), so a value is what PyTorch computes, bit for bit. What
may differ in the last bit: exp and its kin, which are Sleef's vector functions out of PyTorch itself (handed in through
`functions`) where PyTorch with MKL takes exp, log, sin, cos, tanh and erf from there; exp2 and x ** -0.5, for which
PyTorch has routines of its own; and addcmul and the alpha of add, which it contracts.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import cpp_preamble
from .graph import COMPARISONS, FUNCTIONS
from .program import Program

MAX_BLOCK = 4096
GROUP = 64  # neurons; blocks are multiples of it, so that its sums are the same for every number of threads

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==",
          "ne": "!=", "and": "&", "or": "|"}  # fmt: skip


def source(program: Program, storage: str, checkpoint: bool, totals: Sequence[bool]) -> str:
    """The whole translation unit. `storage` is the type of x, spikes and their gradients by PyTorch's name; computed
    (and kept for the backward pass) is in float64 for float64, else in float32. With `checkpoint` the forward pass
    keeps the states of every K-th step alone and the backward pass runs forward again between them. `totals` says which
    of the program's sums are wanted over all neurons; of those GROUP neurons share one partial sum."""
    writer = _Writer(program, checkpoint, totals)
    return "\n".join(
        [
            *cpp_preamble.preamble(program.graph, storage),
            f"enum {{ MAX_BLOCK = {MAX_BLOCK}, GROUP = {GROUP} }};",
            _TOTAL,
            writer.forward(),
            writer.backward(),
            _REDUCE,
        ]
    )


def statements(program: Program, nodes: list[int], loaded: dict[int, str]) -> list[str]:
    """One C++ statement per node, n<index> = its value; those in `loaded` get their value from there."""
    return _Writer(program, False, ()).statements(nodes, loaded)


class _Writer:
    def __init__(self, program: Program, checkpoint: bool, totals: Sequence[bool]) -> None:
        self.p = program
        self.checkpoint = checkpoint
        self.totals = totals
        self.states = range(len(program.next_states))
        self.arrays = [k for k, scalar in enumerate(program.prologue_is_scalar) if not scalar]

    # Expressions -------------------------------------------------------------------------------------------------

    def statements(self, nodes: list[int], loaded: dict[int, str]) -> list[str]:
        """One statement per node; those in `loaded` get their value from there."""
        return [f"const auto n{i} = {loaded.get(i) or self._expression(i)};" for i in nodes]

    def _expression(self, index: int) -> str:
        node = self.p.graph.nodes[index]
        a = [f"n{i}" for i in node.args]
        if node.op == "literal":
            return f"splat({node.value!r})"
        if node.op == "constant":
            return f"c{node.value}"
        if node.op == "input":
            return self._input(str(node.value))
        if node.op in _INFIX:
            return f"({a[0]} {_INFIX[node.op]} {a[1]})"
        if node.op in FUNCTIONS:
            return f"f_{node.op}({', '.join(a)})"
        return {
            "neg": lambda: f"(-{a[0]})",
            "not": lambda: f"(~{a[0]})",
            "abs": lambda: f"({a[0]} < V{{}} ? -{a[0]} : {a[0]} - V{{}})",
            "sqrt": lambda: f"root({a[0]})",
            "max": lambda: f"({self._beyond('<', node.args)} ? {a[1]} : {a[0]})",
            "min": lambda: f"({self._beyond('>', node.args)} ? {a[1]} : {a[0]})",
            "where": lambda: f"({a[0]} ? {a[1]} : {a[2]})",
        }[node.op]()

    def _beyond(self, sign: str, args: tuple[int, ...]) -> str:
        """Whether the second operand is what max or min returns: where it lies beyond the first, or is no number."""
        beyond = f"n{args[0]} {sign} n{args[1]}"
        is_number = self.p.graph.nodes[args[1]].op in ("literal", "constant")
        return beyond if is_number else f"({beyond}) | (n{args[1]} != n{args[1]})"

    def _input(self, name: str) -> str:
        if name == "x":
            return "io.get(x_ + i, ahead(x_row))"
        if name == "gy":
            return "io.get(gy_ + i, ahead(gy_row))"
        if name.startswith("p") and self.p.prologue_is_scalar[int(name[1:])]:
            return name
        return f"load({name} + i)"

    # Pieces shared by forward and backward -----------------------------------------------------------------------

    def _setup(self, first_parameter: int) -> list[str]:
        """Constants as vectors, scalar parameters as vectors."""
        lines = [f"const V c{k} = splat(C(scalars[{k}]));" for k in range(self.p.constants)]
        for k, scalar in enumerate(self.p.prologue_is_scalar):
            if scalar:
                lines.append(f"const V p{k} = splat(*(const C*)arrays[{first_parameter + k}]);")
        return lines

    def _block_parameters(self, first_parameter: int) -> list[str]:
        return [
            f"alignas(64) C p{k}[MAX_BLOCK]; spread(p{k}, (const C*)arrays[{first_parameter + k}], b, n, "
            f"sizes[{len(SIZES) + 2 * k}], sizes[{len(SIZES) + 2 * k + 1}]);"
            for k in self.arrays
        ]

    @staticmethod
    def _rows(body: list[str], indent: str = "      ") -> list[str]:
        return [
            f"{indent}auto step = [&](long i, auto io) __attribute__((always_inline)) {{",
            *(f"{indent}  {line}" for line in body),
            f"{indent}}};",
            f"{indent}long i = 0;",
            f"{indent}for (; i + W <= n; i += W) step(i, Full<NT>());",
            f"{indent}if (i < n) step(i, Part{{n - i}});",
        ]

    @staticmethod
    def _ahead(distance: str) -> str:
        """From a step's neurons to the next that will be read of an array: hardware foresees no jump between rows."""
        return (
            f"  const auto ahead = [&](long row) __attribute__((always_inline)) {{ return {distance}; }}; (void)ahead;"
        )

    def _worker(self, name: str, template: str, call: str, lines: list[str]) -> str:
        head = [
            f"template <{template}>",
            f"static void {name}_block(void** arrays, const double* scalars, const long* sizes, long b, long n) {{",
            "  const long T = sizes[0], N = sizes[1];",
        ]
        return "\n".join([*head, *(f"  {line}" for line in lines), "}", call])

    # Forward -----------------------------------------------------------------------------------------------------

    def forward(self) -> str:
        p, kept = self.p, len(self.p.saved)
        slots = len(self.states) if self.checkpoint else kept
        first_state = 2 + slots
        first_parameter = first_state + 2 * len(self.states)
        lines = [
            "const S* x = (const S*)arrays[0]; S* y = (S*)arrays[1]; const long x_row = sizes[5];",
            *self._setup(first_parameter),
            *self._block_parameters(first_parameter),
        ]
        for i in self.states:
            lines += [
                f"alignas(64) C s{i}[MAX_BLOCK];",
                f"begin(s{i}, (const C*)arrays[{first_state + 2 * i}], scalars[{p.constants + i}], b, n);",
            ]
        lines += ["for (long t = 0; t < T; t++) {", self._ahead("t + 1 < T ? row : n - t * row")]
        lines.append("  const S* x_ = x + t * x_row + b; S* y_ = y + t * N + b;")
        if self.checkpoint:
            copies = " ".join(f"copy((C*)arrays[{2 + i}] + t / sizes[7] * N + b, s{i}, n);" for i in self.states)
            lines.append(f"  if (KEEP && t % sizes[7] == 0) {{ {copies} }}")
        else:
            lines += [f"  C* w{k}_ = KEEP ? (C*)arrays[{2 + k}] + t * N + b : nullptr;" for k in range(kept)]
        body = self.statements(p.forward_nodes, {})
        body.append(f"io.put(y_ + i, n{p.spikes});")
        if not self.checkpoint:
            body += [f"if (KEEP) io.put(w{k}_ + i, n{node});" for k, node in enumerate(p.saved)]
        body += [f"save(s{i} + i, n{node});" for i, node in enumerate(p.next_states)]
        lines += self._rows(body, "  ")
        lines.append("}")
        lines += [f"copy((C*)arrays[{first_state + 2 * i + 1}] + b, s{i}, n);" for i in self.states]
        entries = "\n".join(
            f'extern "C" void {name}(void** arrays, const double* scalars, const long* sizes) {{\n'
            f"  run(sizes[4] ? forward_block<true, {keep}> : forward_block<false, {keep}>, arrays, scalars, sizes);\n}}"
            for name, keep in (("infer", "false"), ("forward", "true"))
        )
        return self._worker("forward", "bool NT, bool KEEP", entries, lines)

    # Backward ----------------------------------------------------------------------------------------------------

    def backward(self) -> str:
        p = self.p
        slots = len(self.states) if self.checkpoint else len(p.saved)
        first_state = 3 + slots
        grad_x = first_state + 2 * len(self.states)
        first_sum = grad_x + 1
        first_parameter = first_sum + len(p.sums)
        lines = [
            "const S* x = (const S*)arrays[0]; const S* y = (const S*)arrays[1]; const S* gy = (const S*)arrays[2];",
            f"S* gx = (S*)arrays[{grad_x}]; const long x_row = sizes[5], gy_row = sizes[6];",
            "static const S none[MAX_BLOCK] = {}; (void)x; (void)y; (void)x_row; (void)gx;",
            *self._setup(first_parameter),
            *self._block_parameters(first_parameter),
        ]
        for i in self.states:
            lines += [
                f"alignas(64) C gs{i}[MAX_BLOCK];",
                f"begin(gs{i}, (const C*)arrays[{first_state + 2 * i}], 0, b, n);",
            ]
        lines += [f"alignas(64) C sum{k}[MAX_BLOCK]; begin(sum{k}, nullptr, 0, b, n);" for k in range(len(p.sums))]
        lines += self._again() if self.checkpoint else ["for (long t = T - 1; t >= 0; t--) {"]
        lines += [
            self._ahead("t ? -row : (T - 1) * row + n"),
            "  const S* x_ = x + t * x_row + b; const S* y_ = y + t * N + b; (void)x_; (void)y_;",
            "  const S* gy_ = gy ? gy + t * gy_row + b : none; (void)gy_;",
        ]
        if p.grad_x is not None:
            lines.append("  S* gx_ = gx + t * N + b;")
        loaded = {}
        for k, node in enumerate(p.kept if self.checkpoint else p.saved):
            if self.checkpoint:
                loaded[node] = f"load(k{k} + (t - t0) * B + i)"
            else:
                lines.append(f"  const C* w{k}_ = (const C*)arrays[{3 + k}] + t * N + b;")
                loaded[node] = f"io.get(w{k}_ + i, ahead(N))"
        if p.reads_spikes and not self.checkpoint:
            loaded[p.spikes] = "io.get(y_ + i, ahead(N))"
        body = self.statements(p.backward_nodes, loaded)
        if p.grad_x is not None:
            body.append(f"io.put(gx_ + i, n{p.grad_x});")
        body += [f"save(gs{i} + i, {'V{}' if g is None else f'n{g}'});" for i, g in enumerate(p.grad_states)]
        body += [f"save(sum{k} + i, load(sum{k} + i) + n{node});" for k, node in enumerate(p.sums)]
        lines += self._rows(body, "  ")
        lines.append("}}" if self.checkpoint else "}")
        for i in self.states:
            place = first_state + 2 * i + 1
            lines.append(f"if (arrays[{place}]) copy((C*)arrays[{place}] + b, gs{i}, n);")
        for k, total in enumerate(self.totals):
            to = f"arrays[{first_sum + k}]"
            lines.append(
                f"total((double*){to} + b / GROUP, sum{k}, n);" if total else f"copy((C*){to} + b, sum{k}, n);"
            )
        if self.checkpoint:
            lines.append("__builtin_free(room);")
        entry = (
            'extern "C" void backward(void** arrays, const double* scalars, const long* sizes) {\n'
            "  run(sizes[4] ? backward_block<true> : backward_block<false>, arrays, scalars, sizes);\n}"
        )
        return self._worker("backward", "bool NT", entry, lines)

    def _again(self) -> list[str]:
        """The outer loop over checkpoints and the second forward pass from each."""
        p = self.p
        body = self.statements(p.restart_nodes, {})
        body += [f"save(k{k} + (t - t0) * B + i, n{node});" for k, node in enumerate(p.kept)]
        body += [f"save(s{i} + i, n{node});" for i, node in enumerate(p.next_states)]
        return [
            "const long K = sizes[7], B = (n + W - 1) / W * W;",
            f"C* room = (C*)__builtin_malloc(sizeof(C) * K * B * {max(1, len(p.kept))});",
            *(f"C* k{k} = room + K * B * {k};" for k in range(len(p.kept))),
            *(f"alignas(64) C s{i}[MAX_BLOCK];" for i in self.states),
            "for (long t1 = T, t0; t1 > 0; t1 = t0) {",
            "  t0 = (t1 - 1) / K * K;",
            *(f"  begin(s{i}, (const C*)arrays[{3 + i}] + t0 / K * N, 0, b, n);" for i in self.states),
            "  for (long t = t0; t < t1; t++) {",
            self._ahead("row"),
            "    const S* x_ = x + t * x_row + b;",
            *self._rows(body, "    "),
            "  }",
            "  for (long t = t1 - 1; t >= t0; t--) {",
        ]


SIZES = ("T", "N", "block", "threads", "stream", "x_row", "gy_row", "K")
"""First entries of `sizes`; (count, inner) of every prologue value follow: neuron i has its p[i / inner % count]."""

_TOTAL = """\
static inline void total(double* to, const C* sums, long n) {
  enum { L = 8 };
  for (long g = 0; g < n; g += GROUP) {
    const long end = n - g < GROUP ? n : g + GROUP;
    double lane[L] = {}; long i = g;
    for (; i + L <= end; i += L) for (long l = 0; l < L; l++) lane[l] += sums[i + l];
    for (; i < end; i++) lane[0] += sums[i];
    for (long l = 1; l < L; l++) lane[0] += lane[l];
    to[g / GROUP] = lane[0];
  }
}
"""

_REDUCE = """\
// Sums in[outer][count][inner] over outer and inner, always in the same order.
extern "C" void reduce(const C* in, C* out, const long* sizes) {
  const long outer = sizes[0], count = sizes[1], inner = sizes[2];
  enum { L = 8 };
  double* sums = (double*)__builtin_calloc(count, sizeof(double));
  for (long o = 0; o < outer; o++)
    if (inner == 1)
      for (long k = 0; k < count; k++) sums[k] += in[o * count + k];
    else
      for (long k = 0; k < count; k++) {
        const C* row = in + (o * count + k) * inner;
        double lane[L] = {}; long i = 0;
        for (; i + L <= inner; i += L) for (long l = 0; l < L; l++) lane[l] += row[i + l];
        for (; i < inner; i++) lane[0] += row[i];
        for (long l = 0; l < L; l++) sums[k] += lane[l];
      }
  for (long k = 0; k < count; k++) out[k] = C(sums[k]);
  __builtin_free(sums);
}
"""

assert set(_INFIX) >= set(COMPARISONS)
