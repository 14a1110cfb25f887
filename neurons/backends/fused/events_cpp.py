"""C++ for convolutions of spikes that visit the spikes alone.

The functions of the library, each returning nothing, with `sizes` as in SIZES:

    forward   x w bias y      y [N, K, H', X'] of x [N, C, H, X], bytes 0 or 1
    weights   x gy sums       the gradients of the weights, a sum for each block of images

Weights lie as [K / B, kh, C, kw, B], B output channels side by side, with B zeros after each of the K / B parts in
`forward`; `sums` have the same order without the zeros, kw from the last to the first. A spike adds a row of weights to
each output that it reaches; an output's spikes are listed first, in vectors, so that no branch waits for a spike.
"""

from __future__ import annotations

from .cpp_preamble import preamble
from .graph import Graph

SIZES = ("", "N", "block", "threads", "stream", "C", "H", "X", "K", "kh", "kw", "ph", "pw", "B")
KERNELS = ((3, 3), (1, 3))  # kh, kw
MOST = {"forward": 4, "weights": 2}  # vectors in B


def source(storage: str) -> str:
    """The whole translation unit."""
    return "\n".join([*preamble(Graph(), storage), _SOURCE])


_SOURCE = """\
#define UNROLL _Pragma("GCC unroll 32")
typedef unsigned char Byte;
typedef unsigned long Word;
typedef int Places __attribute__((vector_size(32), aligned(4), may_alias));
struct Shape { long C, H, X, K, kh, kw, ph, pw, B, Ho, Xo; };
static Shape shape_of(const long* s) {
  const long Ho = s[6] + 2 * s[11] - s[9] + 1, Xo = s[7] + 2 * s[12] - s[10] + 1;
  return {s[5], s[6], s[7], s[8], s[9], s[10], s[11], s[12], s[13], Ho, Xo};
}

// Which of eight bytes, 0 or 1 each, are 1: those places, times `step`, follow each other; no branch depends on them.
struct Lists {
  int table[256][8];
  Lists(long step) {
    for (int bits = 0; bits < 256; bits++) {
      int n = 0;
      for (int i = 0; i < 8; i++)
        if (bits >> i & 1) table[bits][n++] = int(i * step);
      while (n < 8) table[bits][n++] = 0;
    }
  }
  int* append(int* end, unsigned bits, long base) const {
    *(Places*)end = *(const Places*)table[bits] + int(base);
    return end + __builtin_popcount(bits);
  }
};
static inline unsigned bits_of_bytes(Word word) { return word * 0x0102040810204080ul >> 56; }

typedef decltype(V{} < V{}) Mask;
// One stage of a transposition: the lanes of a and b whose numbers have the bit `s`, or have it not, side by side.
static inline void exchange(V& a, V& b, long s) {
  V low, high;
#if defined(__clang__)
  for (long j = 0; j < W; j++) low[j] = j & s ? b[j - s] : a[j], high[j] = j & s ? b[j] : a[j + s];
#else
  Mask first, second;
  UNROLL for (long j = 0; j < W; j++) first[j] = j & s ? j - s + W : j, second[j] = j & s ? j + W : j + s;
  low = __builtin_shuffle(a, b, first), high = __builtin_shuffle(a, b, second);
#endif
  a = low, b = high;
}
// to[j][i] = from[i][j] for i < n, j < m; rows of `from` and of `to` are apart by these steps
static void transpose(const C* from, long apart, C* to, long step, long n, long m) {
  const long whole_n = n / W * W, whole_m = m / W * W;
  for (long i = 0; i < whole_n; i += W)
    for (long j = 0; j < whole_m; j += W) {
      V r[W];
      UNROLL for (int k = 0; k < W; k++) r[k] = load(from + (i + k) * apart + j);
      UNROLL for (int s = W / 2; s; s /= 2)
        UNROLL for (int k = 0; k < W; k++) if (!(k & s)) exchange(r[k], r[k + s], s);
      UNROLL for (int k = 0; k < W; k++) save(to + (j + k) * step + i, r[k]);
    }
  for (long i = 0; i < n; i++)
    for (long j = i < whole_n ? whole_m : 0; j < m; j++) to[j * step + i] = from[i * apart + j];
}

// s[:] += w[at[i]][:] for i < n, a multiple of 4: several sums at once, for each addition waits for the one before
template <int N> static inline void gather(const C* w, const int* at, long n, V* s) {
  enum { M = N <= 2 ? 4 : 2 };
  V more[M * N];
  UNROLL for (int j = 0; j < M * N; j++) more[j] = V{};
  for (long i = 0; i < n; i += 4)
    UNROLL for (int m = 0; m < 4; m++)
      UNROLL for (int j = 0; j < N; j++) more[m % M * N + j] = more[m % M * N + j] + load(w + at[i + m] + j * W);
  UNROLL for (int j = 0; j < M * N; j++) s[j % N] = s[j % N] + more[j];
}

// y [B, H', X'] of one image, whose spikes at a place begin at `first`; `row` [X', B] and `seen` are room
template <int N>
static void image(const Shape& q, const C* w, const C* bias, int* const* first, C* y, C* row, int* seen) {
  const int zero = q.C * q.kh * q.kw * q.B;  // where the weights of nothing stand
  for (long oy = 0; oy < q.Ho; oy++) {
    for (long ox = 0; ox < q.Xo; ox++) {
      V s[N];
      UNROLL for (int j = 0; j < N; j++) s[j] = bias ? load(bias + j * W) : V{};
      const long left = ox - q.pw, from = left < 0 ? 0 : left, to = left + q.kw > q.X ? q.X : left + q.kw;
      int* last = seen;
      for (long ky = 0; ky < q.kh; ky++) {
        const long iy = oy + ky - q.ph;
        if (iy < 0 || iy >= q.H) continue;
        const int* at = first[iy * q.X + from];
        const long n = first[iy * q.X + to] - at;
        const int here = (ky * q.C * q.kw - left) * q.B;
        long i = 0;
        do {
          UNROLL for (int m = 0; m < 16; m += 8) *(Places*)(last + i + m) = *(const Places*)(at + i + m) + here;
          i += 16;
        } while (i < n);
        last += n;
      }
      UNROLL for (int m = 0; m < 4; m++) last[m] = zero;
      gather<N>(w, seen, last - seen, s);
      UNROLL for (int j = 0; j < N; j++) save(row + ox * q.B + j * W, s[j]);
    }
    transpose(row, q.B, y + oy * q.Xo, q.Ho * q.Xo, q.Xo, q.B);
  }
}

static void forward_block(void** arrays, const double*, const long* sizes, long b, long n) {
  const Shape q = shape_of(sizes);
  const long plane = q.H * q.X, all = q.C * plane, out = q.Ho * q.Xo, words = (q.C + 7) / 8;
  const Lists lists(q.kw * q.B);
  int* at = (int*)__builtin_malloc((all + 32) * sizeof(int));  // lists are read and written 8 or 16 at once
  int* seen = (int*)__builtin_malloc((q.C * q.kh * q.kw + 32) * sizeof(int));
  int** first = (int**)__builtin_malloc((plane + 1) * sizeof(int*));
  Byte* bits = (Byte*)__builtin_malloc(words * plane);
  C* row = (C*)__builtin_malloc(q.Xo * q.B * sizeof(C));
  for (long i = b; i < b + n; i++) {
    const Byte* x = (const Byte*)arrays[0] + i * all;
    __builtin_memset(bits, 0, words * plane);
    for (long c = 0; c < q.C; c++) {
      Byte* __restrict to = bits + c / 8 * plane;
      const Byte* __restrict from = x + c * plane;
      for (long p = 0; p < plane; p++) to[p] |= from[p] << c % 8;
    }
    int* end = at;
    for (long iy = 0, p = 0; iy < q.H; iy++)
      for (long ix = 0; ix < q.X; ix++, p++) {
        first[p] = end;
        for (long c = 0; c < words; c++) end = lists.append(end, bits[c * plane + p], (ix + c * 8 * q.kw) * q.B);
      }
    first[plane] = end;
    for (long k = 0; k < q.K; k += q.B) {
      const C* w = (const C*)arrays[1] + k * q.C * q.kh * q.kw + k;
      const C* bias = arrays[2] ? (const C*)arrays[2] + k : nullptr;
      C* y = (C*)arrays[3] + (i * q.K + k) * out;
      (q.B == 4 * W ? image<4> : q.B == 2 * W ? image<2> : image<1>)(q, w, bias, first, y, row, seen);
    }
  }
  __builtin_free(at); __builtin_free(seen); __builtin_free(first); __builtin_free(bits); __builtin_free(row);
}

// sums[ky][kx][:] += g[ky][kx][:] at the places of one channel's spikes, [kh][kw][N W]
template <int KH, int KW, int N>
static inline void add(const C* g, long up, const int* at, const int* end, C* sums, long next) {
  enum { M = KW * N };
  V s[KH][M];
  UNROLL for (int y = 0; y < KH; y++) UNROLL for (int j = 0; j < M; j++) s[y][j] = load(sums + y * next + j * W);
  for (; at < end; at++) {
    const C* p = g + *at;
    UNROLL for (int y = 0; y < KH; y++) UNROLL for (int j = 0; j < M; j++) s[y][j] = s[y][j] + load(p - y * up + j * W);
  }
  UNROLL for (int y = 0; y < KH; y++) UNROLL for (int j = 0; j < M; j++) save(sums + y * next + j * W, s[y][j]);
}

static void weights_block(void** arrays, const double*, const long* sizes, long b, long n) {
  const Shape q = shape_of(sizes);
  const long plane = q.H * q.X, all = q.C * plane, out = q.Ho * q.Xo, wide = (q.X + q.pw + q.kw - 1) * q.B;
  const long rows = q.H + q.ph + q.kh - 1, whole = q.K * q.C * q.kh * q.kw, next = q.C * q.kw * q.B;
  const long fit = 24576 / sizeof(C) / wide - q.kh + 1, strip = fit < 4 ? 4 : fit > q.H ? q.H : fit;
  const long strips = (q.H + strip - 1) / strip;
  const Lists lists(q.B);
  int* at = (int*)__builtin_malloc((all + 8) * sizeof(int));
  int** first = (int**)__builtin_malloc((q.C * strips + 1) * sizeof(int*));
  C* g = (C*)__builtin_malloc(rows * wide * sizeof(C));
  __builtin_memset(g, 0, rows * wide * sizeof(C));
  C* sums = (C*)arrays[2] + b / sizes[2] * whole;
  __builtin_memset(sums, 0, whole * sizeof(C));
  for (long i = b; i < b + n; i++) {
    const Byte* x = (const Byte*)arrays[0] + i * all;
    int* end = at;
    int** begin = first;
    for (long y = 0; y < q.H; y += strip)
      for (long c = 0; c < q.C; c++) {
        *begin++ = end;
        for (long iy = y; iy < q.H && iy < y + strip; iy++) {
          const Byte* from = x + c * plane + iy * q.X;
          const long here = (iy + q.ph + q.kh - 1) * wide + q.pw * q.B;
          long ix = 0;
          for (; ix + 8 <= q.X; ix += 8) {
            Word word;
            __builtin_memcpy(&word, from + ix, 8);
            end = lists.append(end, bits_of_bytes(word), here + ix * q.B);
          }
          if (ix < q.X) {
            Word word = 0;
            for (long m = ix; m < q.X; m++) word |= Word(from[m]) << 8 * (m - ix);
            end = lists.append(end, bits_of_bytes(word), here + ix * q.B);
          }
        }
      }
    *begin = end;
    for (long k = 0; k < q.K; k += q.B) {
      const C* gy = (const C*)arrays[1] + (i * q.K + k) * out;
      for (long oy = 0; oy < q.Ho; oy++) {
        C* to = g + (oy + q.kh - 1) * wide + (q.kw - 1) * q.B;
        const C* from = gy + oy * q.Xo;
        for (long j = 0; j < q.B; j++)  // planes may lie so that the first-level cache cannot hold a line of each
          for (long x = 0; x < q.Xo; x += W) __builtin_prefetch(from + j * out + 2 * q.Xo + x, 0, 2);
        transpose(from, out, to, q.B, q.B, q.Xo);
      }
      for (long m = 0; m < strips; m++)
        for (long c = 0; c < q.C; c++) {
          C* to = sums + k * q.C * q.kh * q.kw + c * q.kw * q.B;
          int** f = first + m * q.C + c;
#define ADD(H, X) (q.B == 2 * W ? add<H, X, 2> : add<H, X, 1>)(g, wide, f[0], f[1], to, next)
          if (q.kh == 3) ADD(3, 3); else ADD(1, 3);
        }
    }
  }
  __builtin_free(at); __builtin_free(first); __builtin_free(g);
}
extern "C" void forward(void** a, const double* scalars, const long* sizes) { run(forward_block, a, scalars, sizes); }
extern "C" void weights(void** a, const double* scalars, const long* sizes) { run(weights_block, a, scalars, sizes); }
"""
