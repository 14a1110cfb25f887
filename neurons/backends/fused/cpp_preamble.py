"""The beginning of every C++ source: number types, vectors, loads and stores, blocks shared among threads."""

from __future__ import annotations

from .graph import FUNCTIONS, Graph

STORAGE = {"float32": "float", "float64": "double", "bfloat16": "bfloat", "float16": "half"}


def used_functions(graph: Graph) -> list[str]:
    """Names of the library functions that the graph calls, in the order of the table `functions`."""
    return [name for name in FUNCTIONS if any(node.op == name for node in graph.nodes)]


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
