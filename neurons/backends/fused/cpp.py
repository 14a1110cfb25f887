"""C++ for the CPU from a program: explicit vectors, blocks of neurons whose state stays in the cache, all steps inside.

Compiles with GCC or Clang without a single header. The functions of the library, each returning nothing:

    infer, forward, backward(void** arrays, const double* scalars, const long* sizes)
    reduce(const C* in, C* out, const long* sizes)

`arrays`, `scalars` and `sizes` follow `layout_of` below. Division is true division and nothing is contracted (the
flags are in `compiler`), so a value is what PyTorch computes, bit for bit; exp and its kin are the vector functions
that PyTorch itself uses where it exports them, handed in through `functions`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .graph import COMPARISONS, FUNCTIONS, Graph
from .program import Program

MAX_BLOCK = 4096
GROUP = 64  # neurons; blocks are multiples of it, so that its sums are the same for every number of threads
STORAGE = {"float32": "float", "float64": "double", "bfloat16": "bfloat", "float16": "half"}

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "eq": "==",
          "ne": "!=", "and": "&", "or": "|"}  # fmt: skip


def used_functions(graph: Graph) -> list[str]:
    """Names of the library functions that the graph calls, in the order of the table `functions`."""
    return [name for name in FUNCTIONS if any(node.op == name for node in graph.nodes)]


def source(program: Program, storage: str, checkpoint: bool, totals: Sequence[bool]) -> str:
    """The whole translation unit. `storage` is the type of x, spikes and their gradients by PyTorch's name; computed
    (and kept for the backward pass) is in float64 for float64, else in float32. With `checkpoint` the forward pass
    keeps the states of every K-th step alone and the backward pass runs forward again between them. `totals` says which
    of the program's sums are wanted over all neurons; of those GROUP neurons share one partial sum."""
    writer = _Writer(program, checkpoint, totals)
    return "\n".join(
        [
            *preamble(program.graph, storage),
            f"enum {{ MAX_BLOCK = {MAX_BLOCK}, GROUP = {GROUP} }};",
            _TOTAL,
            writer.forward(),
            writer.backward(),
            _REDUCE,
        ]
    )


def preamble(graph: Graph, storage: str) -> list[str]:
    """What every translation unit begins with: types, vectors, threads, the functions that `graph` calls."""
    return [
        f"typedef {'double' if storage == 'float64' else 'float'} C;",
        _TYPES,
        _SIXTEEN_BITS if storage in ("bfloat16", "float16") else "",
        _VECTORS,
        f"typedef {STORAGE[storage]} S;",
        _PARALLEL,
        _functions(graph),
    ]


def statements(program: Program, nodes: list[int], loaded: dict[int, str]) -> list[str]:
    """One C++ statement per node, n<index> = its value; those in `loaded` get their value from there."""
    return _Writer(program, False, ()).statements(nodes, loaded)


def _functions(graph: Graph) -> str:
    lines = []
    for i, name in enumerate(used_functions(graph)):
        scalar = f"__builtin_{name}"
        args = ["a", "b"] if name == "pow" else ["a"]
        vectors, lanes = ", ".join(f"V {a}" for a in args), ", ".join(f"C({a}[k])" for a in args)
        lines.append(
            f"static inline V f_{name}({vectors}) {{\n"
            f"  typedef V (*F)({', '.join('V' for _ in args)});\n"
            f"  if (functions[{i}]) return ((F)functions[{i}])({', '.join(args)});\n"
            f"  V r;\n"
            f"  for (long k = 0; k < W; k++) r[k] = sizeof(C) == 4 ? C({scalar}f({lanes})) : C({scalar}({lanes}));\n"
            "  return r;\n}"
        )
    table = f'extern "C" {{ void* functions[{max(1, len(lines))}]; int width = W; }}'
    return "\n".join([table, *lines])


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
            "max": lambda: f"({a[0]} < {a[1]} ? {a[1]} : {a[0]})",
            "min": lambda: f"({a[0]} > {a[1]} ? {a[1]} : {a[0]})",
            "where": lambda: f"({a[0]} ? {a[1]} : {a[2]})",
        }[node.op]()

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

_TYPES = """\
#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
enum { W = BYTES / sizeof(C) };
typedef C V __attribute__((vector_size(BYTES)));
typedef C U __attribute__((vector_size(BYTES), aligned(sizeof(C)), may_alias));

static inline V splat(C value) { return value - V{}; }
static inline V load(const C* p) { return *(const U*)p; }
static inline void save(C* p, V v) { *(U*)p = v; }
static inline void put(C* p, V v) { save(p, v); }

static inline C one(const C* p) { return *p; }
static inline void one(C* p, C v) { *p = v; }
"""

_SIXTEEN_BITS = """\
struct bfloat { unsigned short bits; };
struct half { unsigned short bits; };
typedef int I32 __attribute__((vector_size(4 * W)));
typedef unsigned U32 __attribute__((vector_size(4 * W)));
typedef unsigned short U16 __attribute__((vector_size(2 * W), aligned(2), may_alias));

static inline float wide(unsigned bits) { float f; __builtin_memcpy(&f, &bits, 4); return f; }
static inline unsigned bits_of(float f) { unsigned u; __builtin_memcpy(&u, &f, 4); return u; }
static inline C one(const bfloat* p) { return wide((unsigned)p->bits << 16); }
static inline void one(bfloat* p, C v) {
  unsigned u = bits_of(v);
  p->bits = v != v ? 0x7fc0 : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}
static inline C one(const half* p) { _Float16 h; __builtin_memcpy(&h, p, 2); return h; }
static inline void one(half* p, C v) { _Float16 h = (_Float16)v; __builtin_memcpy(p, &h, 2); }

static inline V load(const bfloat* p) {
  U32 u = __builtin_convertvector(*(const U16*)p, U32) << 16;
  V v; __builtin_memcpy(&v, &u, sizeof v); return v;
}
static inline void put(bfloat* p, V v) {
  U32 u; __builtin_memcpy(&u, &v, sizeof u);
  I32 bad = (I32)(v != v);
  u = (u + 0x7fff + (u >> 16 & 1)) >> 16;
  *(U16*)p = __builtin_convertvector(bad ? (U32){} + 0x7fc0 : u, U16);
}
#if defined(__F16C__) || defined(__AVX512F__)
typedef short H8 __attribute__((vector_size(16), aligned(2), may_alias));
typedef short H8a __attribute__((vector_size(16)));
typedef float F8 __attribute__((vector_size(32)));
static inline V load(const half* p) {
  V v; char* out = (char*)&v;
  for (int k = 0; k < W; k += 8) {
    F8 f = __builtin_ia32_vcvtph2ps256((H8a)*(const H8*)(p + k));
    __builtin_memcpy(out + 4 * k, &f, 32);
  }
  return v;
}
static inline void put(half* p, V v) {
  for (int k = 0; k < W; k += 8) {
    F8 f; __builtin_memcpy(&f, (const char*)&v + 4 * k, 32);
    *(H8*)(p + k) = __builtin_ia32_vcvtps2ph256(f, 0);
  }
}
#else
static inline V load(const half* p) { V v; for (int k = 0; k < W; k++) v[k] = one(p + k); return v; }
static inline void put(half* p, V v) { for (int k = 0; k < W; k++) one(p + k, v[k]); }
#endif
"""

_VECTORS = """\
#if defined(__clang__)
static inline void stream(C* p, V v) { __builtin_nontemporal_store(v, (V*)p); }
#elif defined(__AVX512F__)
static inline void stream(float* p, V v) { __builtin_ia32_movntps512(p, (float __attribute__((vector_size(64))))v); }
static inline void stream(double* p, V v) { __builtin_ia32_movntpd512(p, (double __attribute__((vector_size(64))))v); }
#elif defined(__AVX__)
static inline void stream(float* p, V v) { __builtin_ia32_movntps256(p, (float __attribute__((vector_size(32))))v); }
static inline void stream(double* p, V v) { __builtin_ia32_movntpd256(p, (double __attribute__((vector_size(32))))v); }
#else
static inline void stream(C* p, V v) { put(p, v); }
#endif
template <class P> static inline void stream(P* p, V v) { put(p, v); }

static inline V root(V v) {
  V r;
  for (int k = 0; k < W; k++) r[k] = sizeof(C) == 4 ? C(__builtin_sqrtf((float)v[k])) : C(__builtin_sqrt((double)v[k]));
  return r;
}

template <bool NT> struct Full {  // a whole vector
  template <class P> V get(const P* p) const { return load(p); }
  template <class P> V get(const P* p, long ahead) const { __builtin_prefetch(p + ahead, 0, 2); return load(p); }
  template <class P> void put(P* p, V v) const { if (NT) stream(p, v); else ::put(p, v); }
};
struct Part {  // the last neurons of a block
  long count;
  template <class P> V get(const P* p, long = 0) const {
    V v = {};
    for (long k = 0; k < count; k++) v[k] = one(p + k);
    return v;
  }
  template <class P> void put(P* p, V v) const { for (long k = 0; k < count; k++) one(p + k, v[k]); }
};

static inline void copy(C* to, const C* from, long n) { __builtin_memcpy(to, from, n * sizeof(C)); }
static inline void begin(C* to, const C* from, C rest, long b, long n) {
  if (from) copy(to, from + b, n);
  long filled = from ? n : 0, end = (n + W - 1) / W * W;
  for (long i = filled; i < end; i++) to[i] = from ? C(0) : rest;
}
static inline void spread(C* to, const C* from, long b, long n, long count, long inner) {
  long end = (n + W - 1) / W * W;
  for (long i = n; i < end; i++) to[i] = 0;
  long k = b / inner % count, left = inner - b % inner;
  for (long i = 0; i < n; k = k + 1 == count ? 0 : k + 1, left = inner)
    if (inner == 1) {
      long m = count - k < n - i ? count - k : n - i;
      copy(to + i, from + k, m);
      i += m; k += m - 1;
    } else
      for (; left && i < n; left--) to[i++] = from[k];
}
"""

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

_PARALLEL = """\
extern "C" void GOMP_parallel(void (*)(void*), void*, unsigned, unsigned) __attribute__((weak));  // PyTorch's own pool
extern "C" int omp_get_thread_num() __attribute__((weak));
extern "C" int omp_get_num_threads() __attribute__((weak));

typedef void (*Block)(void**, const double*, const long*, long, long);
struct Job { Block block; void** arrays; const double* scalars; const long* sizes; };
static void some_blocks(const Job& job, long thread, long threads) {
  const long N = job.sizes[1], B = job.sizes[2], blocks = (N + B - 1) / B;
  for (long k = blocks * thread / threads; k < blocks * (thread + 1) / threads; k++)
    job.block(job.arrays, job.scalars, job.sizes, k * B, N - k * B < B ? N - k * B : B);
#if defined(__SSE__)
  if (job.sizes[4]) __builtin_ia32_sfence();
#endif
}
static void in_thread(void* job) { some_blocks(*(Job*)job, omp_get_thread_num(), omp_get_num_threads()); }
static void run(Block block, void** arrays, const double* scalars, const long* sizes) {
  Job job = {block, arrays, scalars, sizes};
  if (sizes[3] > 1 && GOMP_parallel && omp_get_thread_num && omp_get_num_threads)
    GOMP_parallel(in_thread, &job, sizes[3], 0);
  else
    some_blocks(job, 0, 1);
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
