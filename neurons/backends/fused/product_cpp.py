"""C++ for a product over time and what fires: y[t] = Theta(sum_j M[t][j] x[j] + b[t]), and its gradients.

A block of neurons with all of its steps stays in the cache between the product, the spike and, backward, the three
products of the gradients; what the threshold sees is computed again in the backward pass and stored nowhere. The
functions of the library, each returning nothing:

    forward, backward(void** arrays, const double* scalars, const long* sizes)

    forward   x y M b
    backward  x gy gx M b gM gb        (gx, or gM and gb, may be absent)

`x`, `y`, `gy`, `gx` [T, N] are in the storage type, all else is as computed. `sizes` follow `SIZES`. The gradients of
M and b are sums over strips of neurons, in float64 over the strips, in an order that no thread count changes.
"""

from __future__ import annotations

from . import cpp, cpp_preamble
from .program import Program

ROWS = (2, 4, 8)  # of M at a time: as many sums as the registers hold
SIZES = ("T", "N", "strip", "threads", "stream", "x_row", "gy_row", "block", "rows", "before", "after", "diagonal",
         "gathered", "biases")  # fmt: skip
"""M[i][j] is zero unless i - before <= j <= i + after. `diagonal`: M[i][j] is the number j - i + before of an array of
before + 1 (and after is 0), else M is [T, T]. `gathered`: the rows of a block of x are copied together before use.
`block` neurons are in the cache at a time, `strip`, a multiple of it, have a sum of their own. `biases`: 1 or T."""


def source(program: Program, storage: str) -> str:
    """The whole translation unit for the stateless step of `program` (u -> spikes); `storage` as in `cpp.source`."""
    return "\n".join([parts(program, storage), _STRIPS])


def parts(program: Program, storage: str) -> str:
    """What products over time are made of, without a function of the library: tiles, products and what fires."""
    u, gy = program.graph.input("x"), program.graph.input("gy")
    spike = cpp.statements(program, program.graph.ancestors([program.spikes]), {u: "u"})
    assert program.grad_x is not None
    slope = cpp.statements(program, program.graph.ancestors([program.grad_x]), {u: "u", gy: "gy"})
    constants = range(program.constants)
    firing = [
        "struct Firing {",
        *(f"  V c{k};" for k in constants),
        "  explicit Firing(const double* scalars) {",
        *(f"    c{k} = splat(C(scalars[{k}]));" for k in constants),
        "  }",
        f"  V spike(V u) const {{ {' '.join(spike)} return n{program.spikes}; }}",
        f"  V slope(V u, V gy) const {{ {' '.join(slope)} return n{program.grad_x}; }}",
        "};",
    ]
    return "\n".join([*cpp_preamble.preamble(program.graph, storage), *firing, _PARTS])


_PARTS = """\
struct Sizes {
  long T, N, strip, threads, stream, x_row, gy_row, block, rows, before, after, diagonal, gathered, biases;
};

#define UNROLL _Pragma("GCC unroll 16")

static inline long whole(long n) { return (n + 2 * W - 1) / (2 * W) * (2 * W); }
static inline long row_of(long n) { return whole(n) + W; }  // an odd number of vectors: rows fall on different sets
static inline long least(long a, long b) { return a < b ? a : b; }
static inline long most(long a, long b) { return a > b ? a : b; }
static inline double total(V v) {
  double s[4] = {};
  UNROLL for (int k = 0; k < W; k++) s[k % 4] += v[k];
  return (s[0] + s[1]) + (s[2] + s[3]);
}
template <class P> static inline V some(const P* p, long n) { return n >= W ? load(p) : n > 0 ? Part{n}.get(p) : V{}; }

struct Room {
  void* raw; C* at;
  explicit Room(long count) {
    raw = count ? __builtin_malloc(sizeof(C) * count + BYTES) : nullptr;
    at = (C*)(((unsigned long)raw + BYTES - 1) / BYTES * BYTES);
  }
  ~Room() { __builtin_free(raw); }
  Room(const Room&) = delete;
};

// n neurons of T rows, with zeros up to a whole pair of vectors.
template <class P> static void gather(C* to, long to_row, const P* from, long from_row, long T, long n) {
  for (long t = 0; t < T; t++, to += to_row, from += from_row)
    for (long i = 0; i < whole(n); i += W) save(to + i, some(from + i, n - i));
}

// A matrix with numbers only from `before` columns left of the diagonal to `after` right of it, cut into tiles of R
// rows, each [columns, R]; one tile serves all where each diagonal holds one number.
template <int R> struct Tiles {
  long T, before, after, diagonal;
  Room room;
  Tiles(const Sizes& s, const C* M, bool transposed)
      : T(s.T), before(transposed ? s.after : s.before), after(transposed ? s.before : s.after), diagonal(s.diagonal),
        room(R * (s.diagonal ? before + R + after : ((s.T + R - 1) / R) * least(s.T, before + R + after))) {
    C* to = room.at;
    for (long t = 0; t < (diagonal ? 1 : T); t += R)
      for (long j = diagonal ? -before : first(t); j < (diagonal ? R + after : end(t)); j++)
        for (long i = t; i < t + R; i++) {
          const bool inside = j >= i - before && j <= i + after && (diagonal || i < T);
          const long row = transposed ? j : i, column = transposed ? i : j;
          *to++ = inside ? M[diagonal ? column - row + s.before : row * T + column] : C(0);
        }
  }
  long first(long t) const { return most(0, t - before); }
  long end(long t) const { return least(T, t + R + after); }
};

// out(t, i, u0, u1): elements i and i + W of row t of  M in + b,  for n (a whole number of pairs of vectors) neurons.
template <int R, class Out>
static inline void product(const Tiles<R>& m, const C* b, const C* in, long in_row, long n, Out out) {
  const C* tile = m.room.at;
  for (long t = 0; t < m.T; t += R) {
    const long first = m.first(t), end = m.end(t);
    if (m.diagonal) tile = m.room.at + (first - (t - m.before)) * R;
    for (long i = 0; i < n; i += 2 * W) {
      const C* w = tile; const C* p = in + first * in_row + i;
      V u0[R], u1[R];
      UNROLL for (int r = 0; r < R; r++) u0[r] = u1[r] = b ? splat(b[t + r]) : V{};
      for (long j = first; j < end; j++, w += R, p += in_row) {
        const V x0 = load(p), x1 = load(p + W);
        UNROLL for (int r = 0; r < R; r++) { const V k = splat(w[r]); u0[r] += k * x0; u1[r] += k * x1; }
      }
      UNROLL for (int r = 0; r < R; r++) if (t + r < m.T) out(t + r, i, u0[r], u1[r]);
    }
    tile += (end - first) * R;
  }
}

template <int R> static void spread_bias(C* to, const C* b, const Sizes& s) {
  for (long t = 0; t < s.T + R; t++) to[t] = t < s.T ? b[s.biases == 1 ? 0 : t] : C(0);
}

// sums[i][j] += g[i] x[j] over n neurons, vector by vector, for the j within the band of row i and some beside it.
static void outer(const Sizes& s, V* sums, const C* g, long g_row, const C* x, long x_row, long n) {
  enum { A = 4, B = BYTES == 64 ? 4 : 2 };
  const long T = s.T;
  for (long i = 0; i < T; i += A) {
    const long last = least(T, i + A), end = least(T, i + A + s.after);
    for (long j = most(0, i - s.before); j < end; j += B)
      if (i + A <= T && j + B <= T) {
        V a[A][B];
        UNROLL for (int p = 0; p < A; p++) UNROLL for (int q = 0; q < B; q++) a[p][q] = sums[(i + p) * T + j + q];
        const C* gi = g + i * g_row; const C* xj = x + j * x_row;
        for (long k = 0; k < n; k += W) {
          V v[B];
          UNROLL for (int q = 0; q < B; q++) v[q] = load(xj + q * x_row + k);
          UNROLL for (int p = 0; p < A; p++) {
            const V h = load(gi + p * g_row + k);
            UNROLL for (int q = 0; q < B; q++) a[p][q] += h * v[q];
          }
        }
        UNROLL for (int p = 0; p < A; p++) UNROLL for (int q = 0; q < B; q++) sums[(i + p) * T + j + q] = a[p][q];
      } else
        for (long p = i; p < last; p++)
          for (long q = j; q < least(T, j + B); q++) {
            V even = sums[p * T + q], odd = {};
            for (long k = 0; k < n; k += 2 * W) {
              even += load(g + p * g_row + k) * load(x + q * x_row + k);
              odd += load(g + p * g_row + k + W) * load(x + q * x_row + k + W);
            }
            sums[p * T + q] = even + odd;
          }
  }
}

// sums[d] += g[i] x[i - before + d] over n neurons and all i; `before` rows of zeros lie ahead of x.
static void diagonals(const Sizes& s, V* sums, const C* g, long g_row, const C* x, long x_row, long n) {
  enum { D = 4 };
  const C* begin = x - s.before * x_row;
  for (long d = 0; d <= s.before; d += D)
    for (long k = 0; k < n; k += 2 * W) {
      V even[D] = {}, odd[D] = {};
      const long some = least(D, s.before + 1 - d);
      const C* gi = g + k; const C* xj = begin + d * x_row + k;
      for (long i = 0; i < s.T; i++, gi += g_row, xj += x_row) {
        const V h0 = load(gi), h1 = load(gi + W);
        auto add = [&](int q) __attribute__((always_inline)) {
          even[q] += h0 * load(xj + q * x_row);
          odd[q] += h1 * load(xj + q * x_row + W);
        };
        if (some == D) { UNROLL for (int q = 0; q < D; q++) add(q); }
        else for (int q = 0; q < some; q++) add(q);
      }
      for (int q = 0; q < some; q++) sums[d + q] += even[q] + odd[q];
    }
}
"""

_STRIPS = """\
template <bool NT, class P> static inline void write(P* p, V v, long n) {
  if (n >= W) Full<NT>().put(p, v); else if (n > 0) Part{n}.put(p, v);
}

template <int R, bool NT>
static void forward_strip(void** arrays, const double* scalars, const Sizes& s, long b, long n) {
  const Firing firing(scalars);
  const S* x = (const S*)arrays[0]; S* y = (S*)arrays[1];
  const Tiles<R> m(s, (const C*)arrays[2], false);
  const Room bias(s.T + R), room(s.gathered ? s.T * row_of(s.block) : 0);
  spread_bias<R>(bias.at, (const C*)arrays[3], s);
  for (long end = b + n; b < end; b += s.block) {
    const long count = least(s.block, end - b), row = s.gathered ? row_of(count) : s.x_row;
    if (s.gathered) gather(room.at, row, x + b, s.x_row, s.T, count);
    const C* in = s.gathered ? room.at : (const C*)(const void*)(x + b);
    auto fire = [&](long t, long i, V u0, V u1) __attribute__((always_inline)) {
      S* to = y + t * s.N + b + i;
      write<NT>(to, firing.spike(u0), count - i);
      write<NT>(to + W, firing.spike(u1), count - i - W);
    };
    product<R>(m, bias.at, in, row, whole(count), fire);
  }
}

template <int R, bool NT>
static void backward_strip(void** arrays, const double* scalars, const Sizes& s, long b, long n) {
  const Firing firing(scalars);
  const S* x = (const S*)arrays[0]; const S* gy = (const S*)arrays[1]; S* gx = (S*)arrays[2];
  double* partial = (double*)arrays[7];
  const Tiles<R> m(s, (const C*)arrays[3], false), turned(s, (const C*)arrays[3], true);
  const long T = s.T, ahead = s.diagonal ? s.before : 0, entries = s.diagonal ? s.before + 1 : T * T;
  const Room of_x(s.gathered ? (ahead + T) * row_of(s.block) : 0), of_g(T * row_of(s.block));
  const Room bias(T + R), of_sums((entries + T) * W);
  spread_bias<R>(bias.at, (const C*)arrays[4], s);
  V* const sums = (V*)of_sums.at; V* const sums_b = sums + entries;
  for (long k = 0; k < entries + T; k++) sums[k] = V{};
  const long strip = b / s.strip;
  for (long end = b + n; b < end; b += s.block) {
    const long count = least(s.block, end - b), wide = whole(count), g_row = row_of(count);
    const long row = s.gathered ? g_row : s.x_row;
    const C* in = s.gathered ? of_x.at + ahead * row : (const C*)(const void*)(x + b);
    if (s.gathered) {
      __builtin_memset(of_x.at, 0, sizeof(C) * ahead * row);
      gather(of_x.at + ahead * row, row, x + b, s.x_row, T, count);
    }
    auto differentiate = [&](long t, long i, V u0, V u1) __attribute__((always_inline)) {
      const S* from = gy + t * s.gy_row + b + i;
      const V g0 = firing.slope(u0, some(from, count - i)), g1 = firing.slope(u1, some(from + W, count - i - W));
      save(of_g.at + t * g_row + i, g0); save(of_g.at + t * g_row + i + W, g1);
      sums_b[t] += g0 + g1;
    };
    product<R>(m, bias.at, in, row, wide, differentiate);
    auto give = [&](long t, long i, V u0, V u1) __attribute__((always_inline)) {
      S* to = gx + t * s.N + b + i;
      write<NT>(to, u0, count - i);
      write<NT>(to + W, u1, count - i - W);
    };
    if (gx) product<R>(turned, nullptr, of_g.at, g_row, wide, give);
    if (partial) (s.diagonal ? diagonals : outer)(s, sums, of_g.at, g_row, in, row, wide);
  }
  if (partial) for (long k = 0; k < entries + T; k++) partial[strip * (entries + T) + k] = total(sums[k]);
}

static void add_up(const Sizes& s, const double* partial, C* gM, C* gb) {
  const long entries = s.diagonal ? s.before + 1 : s.T * s.T, strips = (s.N + s.strip - 1) / s.strip;
  double of_bias = 0;
  for (long k = 0; k < entries + s.T; k++) {
    double sum = 0;
    for (long strip = 0; strip < strips; strip++) sum += partial[strip * (entries + s.T) + k];
    const bool inside = s.diagonal || (k % s.T >= k / s.T - s.before && k % s.T <= k / s.T + s.after);
    if (k < entries) gM[k] = inside ? C(sum) : C(0);
    else if (s.biases == 1) of_bias += sum;
    else gb[k - entries] = C(sum);
  }
  if (s.biases == 1) gb[0] = C(of_bias);
}

#define STRIPS(way)                                                                                         \\
  template <int R, bool NT>                                                                                 \\
  static void way##_of(void** arrays, const double* scalars, const long* sizes, long b, long n) {           \\
    way##_strip<R, NT>(arrays, scalars, *(const Sizes*)(const void*)sizes, b, n);                           \\
  }                                                                                                         \\
  static void run_##way(void** arrays, const double* scalars, const long* sizes) {                          \\
    const int rows = sizes[8] == 2 ? 0 : sizes[8] == 4 ? 1 : 2;                                             \\
    static const Block of[2][3] = {{way##_of<2, false>, way##_of<4, false>, way##_of<8, false>},            \\
                                   {way##_of<2, true>, way##_of<4, true>, way##_of<8, true>}};              \\
    run(of[sizes[4]][rows], arrays, scalars, sizes);                                                        \\
  }
STRIPS(forward)
STRIPS(backward)

extern "C" void forward(void** arrays, const double* scalars, const long* sizes) {
  run_forward(arrays, scalars, sizes);
}
extern "C" void backward(void** arrays, const double* scalars, const long* sizes) {
  const Sizes& s = *(const Sizes*)(const void*)sizes;
  const long strips = (s.N + s.strip - 1) / s.strip, entries = s.diagonal ? s.before + 1 : s.T * s.T;
  void* partial = arrays[5] ? __builtin_malloc(sizeof(double) * (strips * (entries + s.T) + 1)) : nullptr;
  void* all[] = {arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], arrays[6], partial};
  run_backward(all, scalars, sizes);
  if (partial) add_up(s, (const double*)partial, (C*)arrays[5], (C*)arrays[6]);
  __builtin_free(partial);
}
"""
