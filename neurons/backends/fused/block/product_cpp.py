"""C++ for a block whose neurons are a product over time and a threshold: one channel at a time, as in `cpp`.

    block_forward, block_backward(void** arrays, const double* scalars, const long* sizes)

All steps of a piece lie in the cache between batch norm, the product, the spike and pooling; the backward pass computes
again what the threshold sees. The products are those of `fused.product_cpp`.
"""

from __future__ import annotations

from .. import product_cpp
from ..program import Program
from . import cpp

SIZES = (*cpp.SIZES, "before", "after", "biases")
"""As in `cpp`, then the band and the biases as in `fused.product_cpp`."""


def source(program: Program, storage: str, normalised: bool) -> str:
    """The translation unit for the stateless step of `program`, whose input is `normalised` or taken as it is."""
    return "\n".join(
        [
            product_cpp.parts(program, storage),
            "namespace block {",
            f"enum {{ MOST = {cpp.MOST}, ROOM = MOST + 12 * W, NORMALISED = {int(normalised)} }};",
            f"struct Sizes {{ long {', '.join(SIZES)}; }};",
            cpp.PIECES,
            cpp.POOLING,
            cpp.STATISTICS,
            _CHANNELS,
            "}",
            _ENTRIES,
        ]
    )


_CHANNELS = """\
static ::Sizes of_product(const Sizes& s) {
  ::Sizes found = {};
  found.T = s.T; found.before = s.before; found.after = s.after; found.biases = s.biases;
  return found;
}
static inline long width(const Sizes& s) { return row_of(s.images * s.rows * s.L); }
// All steps of a piece, normalised, one under the other, `row` apart; zeros up to a whole pair of vectors.
static inline void take(const Sizes& s, const Piece& p, const S* x, const C* of_step, C* to, long row) {
  const long n = p.size();
  for (long t = 0; t < s.T; t++, to += row) {
    gather(p, to, x + t * s.x_row);
    if (s.x_row && t + 1 < s.T) foresee(p, x + (t + 1) * s.x_row);
    if (NORMALISED) {
      const V scale = splat(of_step[4 * t]), shift = splat(of_step[4 * t + 1]);
      for (long i = 0; i < n; i += W) save(to + i, load(to + i) * scale + shift);
    }
    for (long i = n; i < whole(n); i++) to[i] = 0;
  }
}
// As `total`, four lanes at a time.
static inline double sum_of_lanes(const V& v) {
  if (W % 4) return total(v);
  typedef C Part __attribute__((vector_size(4 * sizeof(C)), may_alias));
  typedef double Four __attribute__((vector_size(32)));
  Four s = {};
  UNROLL for (int k = 0; k < W / 4; k++) s += __builtin_convertvector(((const Part*)&v)[k], Four);
  return (s[0] + s[1]) + (s[2] + s[3]);
}
template <int R> static void forward_channel(void** arrays, const double* scalars, const long* sizes, long c, long) {
  const Sizes& s = *(const Sizes*)(const void*)sizes;
  const ::Sizes of = of_product(s);
  const Firing firing(scalars + 2);
  const S* x = (const S*)arrays[0]; S* y = (S*)arrays[1];
  C* of_step = NORMALISED ? (C*)arrays[6] + 4 * s.T * c : nullptr;
  if (NORMALISED) coefficients(s, arrays, scalars, x, c, of_step);
  const Tiles<R>& m = *(const Tiles<R>*)arrays[9];
  const Room bias(s.T + R), in(s.T * width(s)), spikes(s.T * width(s));
  spread_bias<R>(bias.at, (const C*)arrays[8], of);
  pieces(s, c, [&](const Piece& p) __attribute__((always_inline)) {
    const long n = p.size(), row = row_of(n);
    take(s, p, x, of_step, in.at, row);
    auto fire = [&](long t, long i, V u0, V u1) __attribute__((always_inline)) {
      save(spikes.at + t * row + i, firing.spike(u0));
      save(spikes.at + t * row + i + W, firing.spike(u1));
    };
    product<R>(m, bias.at, in.at, row, whole(n), fire);
    for (long t = 0; t < s.T; t++) pool(s, p, spikes.at + t * row, y + t * p.pooled_step);
  });
}
template <int R> static void backward_channel(void** arrays, const double* scalars, const long* sizes, long c, long) {
  enum { AT_ONCE = 8 };  // pieces whose sums a lane adds up
  const Sizes& s = *(const Sizes*)(const void*)sizes;
  const ::Sizes of = of_product(s);
  const Firing firing(scalars + 2);
  const S* x = (const S*)arrays[0]; const S* gy = (const S*)arrays[1]; S* gx = (S*)arrays[2];
  const C* of_step = NORMALISED ? (const C*)arrays[3] + 4 * s.T * c : nullptr;
  const long entries = s.T * s.T + s.T;
  double* totals = arrays[9] ? (double*)arrays[9] + entries * c : nullptr;
  double* dots = (double*)__builtin_calloc(2 * s.T, sizeof(double));
  const Tiles<R>& m = *(const Tiles<R>*)arrays[10];
  const Tiles<R>& turned = *(const Tiles<R>*)arrays[11];
  const Room bias(s.T + R), in(s.T * width(s)), seen(s.T * width(s)), of_seen(s.T * width(s)), of_sums(entries * W);
  spread_bias<R>(bias.at, (const C*)arrays[8], of);
  V* const sums = (V*)of_sums.at; V* const of_bias = sums + s.T * s.T;
  auto empty = [&]() { for (long k = 0; k < entries; k++) sums[k] = V{}; };
  auto flush = [&]() { for (long k = 0; k < entries; k++) totals[k] += sum_of_lanes(sums[k]); };
  empty();
  long done = 0;
  pieces(s, c, [&](const Piece& p) __attribute__((always_inline)) {
    const long n = p.size(), row = row_of(n);
    alignas(64) C spikes[ROOM], g_[ROOM];
    take(s, p, x, of_step, in.at, row);
    auto keep = [&](long t, long i, V u0, V u1) __attribute__((always_inline)) {
      save(seen.at + t * row + i, u0);
      save(seen.at + t * row + i + W, u1);
    };
    product<R>(m, bias.at, in.at, row, whole(n), keep);
    for (long t = 0; t < s.T; t++) {
      const C* u = seen.at + t * row; C* to = of_seen.at + t * row;
      if (s.kind == 1) for (long i = 0; i < n; i += W) save(spikes + i, firing.spike(load(u + i)));
      spread_back(s, p, gy ? gy + t * p.pooled_step : nullptr, spikes, g_);
      for (long i = n; i < whole(n); i++) g_[i] = 0;
      V sum = {};
      for (long i = 0; i < whole(n); i += W) {
        const V g = firing.slope(load(u + i), load(g_ + i));
        save(to + i, g); sum += g;
      }
      of_bias[t] += sum;
    }
    product<R>(turned, nullptr, of_seen.at, row, whole(n), keep);
    for (long t = 0; t < s.T; t++) {
      const C* g = seen.at + t * row;
      if (NORMALISED) dot(gathered(p, spikes, x + t * s.x_row), g, n, of_step[4 * t + 2], dots + 2 * t);
      if (gx && (s.gx_row || t == 0)) scatter(p, gx + t * s.gx_row, g);
      else if (gx) add_to(p, gx, g);
    }
    if (!totals) return;
    outer(of, sums, of_seen.at, row, in.at, row, whole(n));
    if (++done % AT_ONCE == 0) { flush(); empty(); }
  });
  if (totals) flush();
  if (NORMALISED) through_statistics(s, arrays, x, gx, c, of_step, dots);
  __builtin_free(dots);
}
// The matrix is laid out once for all channels.
template <int R> static void forward(void** arrays, const double* scalars, const long* sizes) {
  const Tiles<R> m(of_product(*(const Sizes*)(const void*)sizes), (const C*)arrays[7], false);
  void* all[10];
  for (int k = 0; k < 9; k++) all[k] = arrays[k];
  all[9] = (void*)&m;
  run(forward_channel<R>, all, scalars, sizes);
}
template <int R> static void backward(void** arrays, const double* scalars, const long* sizes) {
  const ::Sizes of = of_product(*(const Sizes*)(const void*)sizes);
  const Tiles<R> m(of, (const C*)arrays[7], false), turned(of, (const C*)arrays[7], true);
  void* all[12];
  for (int k = 0; k < 10; k++) all[k] = arrays[k];
  all[10] = (void*)&m;
  all[11] = (void*)&turned;
  run(backward_channel<R>, all, scalars, sizes);
}
"""

_ENTRIES = """\
extern "C" void block_forward(void** arrays, const double* scalars, const long* sizes) {
  (sizes[0] <= 4 || BYTES < 64 ? block::forward<4> : block::forward<8>)(arrays, scalars, sizes);
}
extern "C" void block_backward(void** arrays, const double* scalars, const long* sizes) {
  (sizes[0] <= 4 || BYTES < 64 ? block::backward<4> : block::backward<8>)(arrays, scalars, sizes);
}
"""
