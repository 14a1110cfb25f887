"""CUDA C from a program, for NVRTC: V neighbouring neurons per thread, the state in registers, all steps inside.

Functions `forward` and `backward` with the arguments of `cuda_arguments`; both take any number of blocks of `THREADS`.
The macro V (`-DV=4`) is the number of neurons in one access, 16 bytes of them for `aligned` arrays, else 1. A null
pointer stands for a state at rest, an absent gradient, or one that is not wanted. T and N are run-time values.

The values are those of IEEE arithmetic in float32 under `OPTIONS`: true division and square root, nothing contracted;
numbers below 1.2e-38 are zero if the compiler flushes them.
Loads run `AHEAD` steps ahead of the recurrence, in registers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .cuda_arguments import arguments, kind
from .graph import COMPARISONS, FUNCTIONS, LOGIC, Graph
from .program import Program

OPTIONS = ("--std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true")
THREADS = 128
AHEAD = 4
STORAGE = {"float32": "float", "bfloat16": "bfloat", "float16": "half"}

OPERATIONS = {
    **{op: f"({{0}} {sign} {{1}})" for op, sign in {"add": "+", "sub": "-", "mul": "*", "div": "/"}.items()},
    **dict(zip(COMPARISONS, (f"({{0}} {sign} {{1}})" for sign in (">=", ">", "<=", "<", "==", "!=")), strict=True)),
    **dict(zip(LOGIC, ("({0} && {1})", "({0} || {1})", "(!{0})"), strict=True)),
    **{name: f"{name}f({{0}})" for name in FUNCTIONS},
    "pow": "powf({0}, {1})",
    "sqrt": "sqrtf({0})",
    "abs": "fabsf({0})",
    "neg": "(-{0})",
    "max": "({0} < {1} || {1} != {1} ? {1} : {0})",  # a NaN in either operand stays, as in PyTorch
    "min": "({0} > {1} || {1} != {1} ? {1} : {0})",
    "where": "({0} ? {1} : {2})",
}
"""Every operation of a graph that has a meaning in CUDA C."""

_Loads = dict[str, tuple[str, str]]  # by the array's name: its type, and where step t of this thread's neurons begins


def source(program: Program, storage: str, checkpoint: bool) -> str:
    """The module with both functions; `storage` is the type of x and the spikes by PyTorch's name.

    Raises KeyError with the name of an operation that is not in `OPERATIONS`.
    """
    head = _HEAD.replace("@STORAGE@", STORAGE[storage]).replace("@AHEAD@", str(AHEAD))
    return "\n".join([head, _forward(program, checkpoint), _backward(program, checkpoint)])


def _forward(p: Program, checkpoint: bool) -> str:
    states = range(len(p.next_states))
    lines = [f"C s{i}[V]; begin(s{i}, s{i}_in, first, rest{i});" for i in states]
    step = []
    if checkpoint and states:
        stores = " ".join(f"put(w{i} + t / every * N + first, s{i});" for i in states)
        step.append(f"if (w0 && t % every == 0) {{ {stores} }}")
    results = {"y": p.spikes} | ({} if checkpoint else {f"w{k}": node for k, node in enumerate(p.saved)})
    step += _lanes(p.graph, p.forward_nodes, {}, results, {f"s{i}": node for i, node in enumerate(p.next_states)})
    step.append("put(y + row, y_t);")
    if not checkpoint:
        step += [f"if (w{k}) put(w{k} + row, w{k}_t);" for k in range(len(p.saved))]
    lines += _loop(_inputs(p, p.forward_nodes), "T", "{}", step)
    lines += [f"put(s{i}_out + first, s{i});" for i in states]
    return _kernel("forward", p, checkpoint, lines)


def _backward(p: Program, checkpoint: bool) -> str:
    states, sums = range(len(p.next_states)), range(len(p.sums))
    lines = [f"C gs{i}[V]; begin(gs{i}, gs{i}_in, first, 0.0f);" for i in states]
    lines += [f"C a{k}[V] = {{}};" for k in sums]
    results = {} if p.grad_x is None else {"gx": p.grad_x}
    carried = {f"gs{i}": node for i, node in enumerate(p.grad_states)}
    kept = p.kept if checkpoint else p.saved
    loaded = {node: f"{'k' if checkpoint else 'w'}{k}" for k, node in enumerate(kept)}
    loads = _inputs(p, p.backward_nodes)
    if p.reads_spikes and not checkpoint:
        loaded[p.spikes] = "y"
        loads["y"] = ("S", "t * N + first")
    step = _lanes(p.graph, p.backward_nodes, loaded, results, carried, p.sums)
    if p.grad_x is not None:
        step.append("put(gx + row, gx_t);")
    if checkpoint:
        loads |= {f"k{k}": ("C", "((t - start) * threads + thread) * V") for k in range(len(kept))}
        lines += _segments(p, _loop(loads, "(stop - start)", "stop - 1 - {}", step))
    else:
        loads |= {f"w{k}": ("C", "t * N + first") for k in range(len(kept))}
        lines += _loop(loads, "T", "T - 1 - {}", step)
    lines += [f"if (gs{i}_out) put(gs{i}_out + first, gs{i});" for i in states]
    lines += [f"put(sum{k} + first, a{k});" for k in sums]
    return _kernel("backward", p, checkpoint, lines)


def _segments(p: Program, backward: list[str]) -> list[str]:
    """From the last checkpoint to the first: forward again to the next one, then backward."""
    states = {f"s{i}": node for i, node in enumerate(p.next_states)}
    step = _lanes(p.graph, p.restart_nodes, {}, {f"k{k}": node for k, node in enumerate(p.kept)}, states)
    step += [f"put(k{k} + ((t - start) * threads + thread) * V, k{k}_t);" for k in range(len(p.kept))]
    return [
        "for (int stop = T, start; stop > 0; stop = start) {",
        "  start = (stop - 1) / every * every;",
        *_indent(f"C s{i}[V]; begin(s{i}, w{i} + start / every * N, first, 0.0f);" for i in range(len(states))),
        *_indent(["{", *_indent(_loop(_inputs(p, p.restart_nodes), "(stop - start)", "start + {}", step)), "}"]),
        *_indent(backward),
        "}",
    ]


def _inputs(p: Program, nodes: list[int]) -> _Loads:
    """The arrays over time that `nodes` read as inputs."""
    names = {str(p.graph.nodes[i].value) for i in nodes if p.graph.nodes[i].op == "input"}
    return {name: ("S", f"t * {name}_row + first") for name in ("x", "gy") if name in names}


def _loop(loads: _Loads, count: str, step: str, body: list[str]) -> list[str]:
    """`body` for k = 0 .. `count` - 1 at step t = `step` with k for {}, its `loads` under way since AHEAD steps."""
    lines = [f"Pack<{kind_}> {name}_a[AHEAD];" for name, (kind_, _) in loads.items()]
    fetch = [f"{name}_a[u] = get({name}, {place});" for name, (_, place) in loads.items()]
    return [
        *lines,
        "#pragma unroll",
        f"for (int u = 0; u < AHEAD; u++) if (u < {count}) {{",
        *_indent([f"const I t = {step.format('u')}; (void)t;", *fetch]),
        "}",
        f"for (int base = 0; base < {count}; base += AHEAD) {{",
        "  #pragma unroll",
        f"  for (int u = 0; u < AHEAD; u++) if (base + u < {count}) {{",
        "    const int k = base + u;",
        *_indent([f"const Pack<{kind_}> {name}_t = {name}_a[u];" for name, (kind_, _) in loads.items()], 2),
        f"    if (k + AHEAD < {count}) {{",
        *_indent([f"const I t = {step.format('(k + AHEAD)')}; (void)t;", *fetch], 3),
        "    }",
        f"    const I t = {step.format('k')}, row = t * N + first; (void)row;",
        *_indent(body, 2),
        "  }",
        "}",
    ]


def _lanes(
    graph: Graph,
    nodes: list[int],
    loaded: dict[int, str],
    results: dict[str, int],
    carried: Mapping[str, int | None],
    sums: tuple[int, ...] = (),
) -> list[str]:
    """One step of the V neurons: `results` into packs, `carried` into the states' arrays, `sums` added up."""
    types = {name: "S" if kind(name) == "stored" else "C" for name in results}
    lines = [
        f"const {'bool' if graph.nodes[i].is_bool else 'C'} n{i} = {_expression(graph, i, loaded)};" for i in nodes
    ]
    lines += [f"narrow({name}_t.at[v], n{node});" for name, node in results.items()]
    lines += [f"{name}[v] = {'0.0f' if node is None else f'n{node}'};" for name, node in carried.items()]
    lines += [f"a{k}[v] += n{node};" for k, node in enumerate(sums)]
    return [
        *(f"Pack<{types[name]}> {name}_t;" for name in results),
        "#pragma unroll",
        "for (int v = 0; v < V; v++) {",
        *_indent(lines),
        "}",
    ]


def _expression(graph: Graph, index: int, loaded: dict[int, str]) -> str:
    node = graph.nodes[index]
    if index in loaded:
        return f"wide({loaded[index]}_t.at[v])"
    if node.op == "literal":
        return f"{node.value!r}f"
    if node.op == "constant":
        return f"c{node.value}"
    if node.op == "input":
        name = str(node.value)
        return f"wide({name}_t.at[v])" if name in ("x", "gy") else f"v_{name}[v]" if name[0] == "p" else f"{name}[v]"
    return OPERATIONS[node.op].format(*(f"n{i}" for i in node.args))


def _kernel(name: str, p: Program, checkpoint: bool, lines: list[str]) -> str:
    types = {"stored": "S* ", "computed": "C* ", "number": "float ", "int": "int ", "long": "I "}
    args = [f"{types[kind(arg)]}{arg}" for arg in arguments(p, name, checkpoint)]
    parameters = []
    for k, scalar in enumerate(p.prologue_is_scalar):
        place = "0" if scalar else f"(first + v) / p{k}_inner % p{k}_count"
        parameters.append(f"C v_p{k}[V]; for (int v = 0; v < V; v++) v_p{k}[v] = p{k}[{place}];")
    return "\n".join(
        [
            f'extern "C" __global__ void {name}({", ".join(args)}) {{',
            "  const I threads = (I)gridDim.x * blockDim.x, thread = (I)blockIdx.x * blockDim.x + threadIdx.x;",
            "  for (I first = thread * V; first < N; first += threads * V) {",
            *_indent([*parameters, *lines], 2),
            "  }",
            "}",
        ]
    )


def _indent(lines: Iterable[str], levels: int = 1) -> list[str]:
    return ["  " * levels + line for line in lines]


_HEAD = """\
typedef float C;
typedef long long I;
struct bfloat { unsigned short bits; };
struct half { unsigned short bits; };
typedef @STORAGE@ S;
enum { AHEAD = @AHEAD@ };

template <class P> struct alignas(16) Pack { P at[V]; };

#ifdef __CUDA_ARCH__
__device__ inline void store(uint4* p, uint4 w) {  // in one piece, which NVRTC does not always see by itself
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
               :: "l"(__cvta_generic_to_global(p)), "r"(w.x), "r"(w.y), "r"(w.z), "r"(w.w) : "memory");
}
#else
__device__ inline void store(uint4* p, uint4 w) { *p = w; }
#endif
template <class P> __device__ inline Pack<P> get(const P* p, I at) {  // zeros from a null pointer
  Pack<P> pack = {};
  if (p) {
    if constexpr (V == 1) pack.at[0] = p[at];
    else for (int i = 0; i < sizeof pack / 16; i++) ((uint4*)&pack)[i] = ((const uint4*)(p + at))[i];
  }
  return pack;
}
template <class P> __device__ inline void put(P* p, const Pack<P>& pack) {
  if constexpr (V == 1) *p = pack.at[0];
  else for (int i = 0; i < sizeof pack / 16; i++) store((uint4*)p + i, ((const uint4*)&pack)[i]);
}
__device__ inline void put(C* p, const C (&values)[V]) {
  Pack<C> pack;
  for (int v = 0; v < V; v++) pack.at[v] = values[v];
  put(p, pack);
}
__device__ inline void begin(C (&values)[V], const C* from, I first, C rest) {
  for (int v = 0; v < V; v++) values[v] = from ? from[first + v] : rest;
}

__device__ inline C wide(float f) { return f; }
__device__ inline void narrow(float& to, C f) { to = f; }
__device__ inline C wide(bfloat b) {
  unsigned u = (unsigned)b.bits << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
__device__ inline void narrow(bfloat& to, C f) {
  unsigned u;
  memcpy(&u, &f, 4);
  to.bits = f != f ? 0x7fc0 : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}
#ifdef __CUDA_ARCH__
__device__ inline C wide(half h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h.bits)); return f; }
__device__ inline void narrow(half& to, C f) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(f)); }
#else
__device__ inline C wide(half h) { _Float16 f; memcpy(&f, &h, 2); return f; }
__device__ inline void narrow(half& to, C f) { const _Float16 h = (_Float16)f; memcpy(&to, &h, 2); }
#endif
"""
