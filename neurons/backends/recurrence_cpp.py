"""C++ for a recurrent layer of liquid neurons with dense gates: all steps at once, block by block of samples.

The samples of a batch do not act on each other, so each thread takes some of them through all steps, and the weights
stay in its cache. What a step does with U and Z of the step before:

    I = P[t] + Z Wz    G = sigmoid(I Wi + U Wu + c)    H = U + G (I - U)    Z = Theta(H - theta)    U = H (1 - Z)

The functions of the library, each returning nothing, with `sizes` as in SIZES:

    forward   P Wz Wi Wu c I G H U Z n
    backward  Wz Wi Wu I G H U Z gU gZ gI gA gu gz f    (the weights transposed)

All are float32, [rows, batch, width] but for the weights. U and Z have a row more, the state before the first step;
with `keep` 0 the rows of I, G and H are all the same one. gU and gZ [T, batch, width] may be absent; gu and gz hold
the gradients of the last state and, in the end, with `keep` of the first. gI and gA are those of I and of the argument
of the sigmoid; the gradients of the weights are products of them, which PyTorch computes best. n [threads] is above 0
where a thread's samples had any Z before a step but 0, and f, which may be absent, where some gI is not finite.

Most Z are 0 and the others 1, and a block of them that has few spikes is multiplied by adding the rows of Wz that they
name. That is the whole product to the last bit, but for the sign of a 0: its sums have the same order, and what is left
out is 0 times a weight, which adds nothing to them. With many spikes, with other numbers than 0 and 1, and with weights
that are not finite the product is whole.
"""

from __future__ import annotations

from .fused import cpp_preamble
from .fused.graph import Graph

SIZES = ("T", "batch", "block", "threads", "stream", "width", "keep")
SCALARS = ("theta", "alpha", "scale", "height", "factor")  # of the threshold and of MultiGaussian
LANES = 16  # widths are multiples of it


def graph() -> Graph:
    """Calls exp and nothing else, so that the source gets it."""
    made = Graph()
    made.add("exp", made.input("x"))
    return made


def source() -> str:
    """The whole translation unit."""
    return "\n".join([*cpp_preamble.preamble(graph(), "float32"), _SOURCE])


_SOURCE = """\
#define UNROLL _Pragma("GCC unroll 16")
enum { COLUMNS = BYTES == 64 ? 4 : 2, ROWS = 6, STRIP = 8, GROUP = 16, FEW = 3 };
typedef int M __attribute__((vector_size(BYTES)));

// o[r][:] += a[r][:] w  for R rows and N vectors of columns; w [k, n]
template <int R, int N> static inline void tile(const C* a, const C* w, long n, long k, C* o, long row) {
  V s[R][N];
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int j = 0; j < N; j++) s[r][j] = load(o + r * row + j * W);
  for (long i = 0; i < k; i++) {
    V b[N];
    UNROLL for (int j = 0; j < N; j++) b[j] = load(w + i * n + j * W);
    UNROLL for (int r = 0; r < R; r++) {
      const V x = splat(a[r * row + i]);
      UNROLL for (int j = 0; j < N; j++) s[r][j] = s[r][j] + x * b[j];
    }
  }
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int j = 0; j < N; j++) save(o + r * row + j * W, s[r][j]);
}
template <int R> static inline void some(const C* a, const C* w, long n, long k, C* o, long row) {
  long c = 0;
  for (; c + COLUMNS * W <= n; c += COLUMNS * W) tile<R, COLUMNS>(a, w + c, n, k, o + c, row);
  for (; c < n; c += W) tile<R, 1>(a, w + c, n, k, o + c, row);
}
static void product(const C* a, const C* w, long width, C* o, long rows) {
  long r = 0;
  for (; r + ROWS <= rows; r += ROWS) some<ROWS>(a + r * width, w, width, width, o + r * width, width);
  for (; r + 4 <= rows; r += 4) some<4>(a + r * width, w, width, width, o + r * width, width);
  for (; r + 2 <= rows; r += 2) some<2>(a + r * width, w, width, width, o + r * width, width);
  for (; r < rows; r++) some<1>(a + r * width, w, width, width, o + r * width, width);
}

// The entries of GROUP that are not 0, a bit each.
static inline unsigned spiking(const C* z) {
  unsigned bits = 0;
#if defined(__AVX512F__)
  bits = (unsigned short)__builtin_ia32_cmpps512_mask(load(z), V{}, 4, -1, 4);
#elif defined(__AVX__)
  for (int k = 0; k < GROUP; k += W) bits |= __builtin_ia32_movmskps256((V)(load(z + k) != V{})) << k;
#else
  for (int k = 0; k < GROUP; k++) bits |= (unsigned)(z[k] != 0) << k;
#endif
  return bits;
}
// o = p + z w for spikes z [k] and N vectors of columns: the sum of `tile` without what adds nothing
template <int N> static inline void gather(const C* z, const C* w, long n, long k, const C* p, C* o) {
  V s[N];
  UNROLL for (int j = 0; j < N; j++) s[j] = load(p + j * W);
  for (long i = 0; i < k; i += GROUP)
    for (unsigned bits = spiking(z + i); bits; bits &= bits - 1) {
      const C* row = w + (i + __builtin_ctz(bits)) * n;
      UNROLL for (int j = 0; j < N; j++) s[j] = s[j] + load(row + j * W);
    }
  UNROLL for (int j = 0; j < N; j++) save(o + j * W, s[j]);
}
static void sparse(const C* z, const C* w, long width, const C* p, C* o, long rows) {
  for (long r = 0; r < rows; r++, z += width, p += width, o += width) {
    long c = 0;
    for (; c + STRIP * W <= width; c += STRIP * W) gather<STRIP>(z, w + c, width, width, p + c, o + c);
    for (; c < width; c += W) gather<1>(z, w + c, width, width, p + c, o + c);
  }
}

static inline C sum_of(V v) {
  C sum = 0;
  for (int k = 0; k < W; k++) sum += v[k];
  return sum;
}
static inline bool any(M m) {
  int bits = 0;
  for (int k = 0; k < W; k++) bits |= m[k];
  return bits;
}
static bool finite(const C* a, long n) {
  V s = {};
  for (long e = 0; e < n; e += W) s = s + load(a + e) * V{};  // 0, or NaN
  return sum_of(s) == 0;
}
static long spikes(const C* z, long n) {  // how many; n where there are other numbers than 0 and 1
  V count = {}, one_ = splat(C(1));
  M other = {};
  for (long e = 0; e < n; e += W) {
    const V v = load(z + e);
    count = count + (v != V{} ? one_ : V{});
    other |= (v != V{}) & (v != one_);
  }
  return any(other) ? n : (long)sum_of(count);
}

static void forward_block(void** arrays, const double* scalars, const long* sizes, long b, long n) {
  const long T = sizes[0], width = sizes[5], all = sizes[1] * width, count = n * width, at = b * width;
  const long kept = sizes[6] ? all : 0;
  const C *P = (C*)arrays[0], *Wz = (C*)arrays[1], *Wi = (C*)arrays[2], *Wu = (C*)arrays[3], *c = (C*)arrays[4];
  C *I = (C*)arrays[5] + at, *G = (C*)arrays[6] + at, *H = (C*)arrays[7] + at;
  C *U = (C*)arrays[8] + at, *Z = (C*)arrays[9] + at;
  const V theta = splat(C(scalars[0])), one_ = splat(C(1));
  const bool tame = finite(Wz, width * width);
  long fed = 0, now = spikes(Z, count);
  P += at;
  for (long t = 0; t < T; t++, P += all, I += kept, G += kept, H += kept, U += all, Z += all) {
    fed += now;
    if (tame && now * FEW <= count) {
      sparse(Z, Wz, width, P, I, n);
    } else {
      copy(I, P, count);
      product(Z, Wz, width, I, n);
    }
    for (long r = 0; r < n; r++) copy(G + r * width, c, width);
    product(I, Wi, width, G, n);
    product(U, Wu, width, G, n);
    V sum = {};
    for (long e = 0; e < count; e += W) {
      const V g = one_ / (one_ + f_exp(-load(G + e))), u = load(U + e);
      const V h = u + g * (load(I + e) - u);
      const V z = h - theta > V{} ? one_ : V{};
      save(G + e, g);
      save(H + e, h);
      save(Z + all + e, z);
      save(U + all + e, h * (one_ - z));
      sum = sum + z;
    }
    now = (long)sum_of(sum);
  }
  ((C*)arrays[10])[b / sizes[2]] = fed;
}

static void backward_block(void** arrays, const double* scalars, const long* sizes, long b, long n) {
  const long T = sizes[0], width = sizes[5], all = sizes[1] * width, count = n * width, at = b * width + (T - 1) * all;
  const C *Wz = (C*)arrays[0], *Wi = (C*)arrays[1], *Wu = (C*)arrays[2];
  const C *I = (C*)arrays[3] + at, *G = (C*)arrays[4] + at, *H = (C*)arrays[5] + at;
  const C *U = (C*)arrays[6] + at, *Z = (C*)arrays[7] + at;
  const C *gU = arrays[8] ? (C*)arrays[8] + at : nullptr, *gZ = arrays[9] ? (C*)arrays[9] + at : nullptr;
  C *gI = (C*)arrays[10] + at, *gA = (C*)arrays[11] + at;
  C *gu = (C*)arrays[12] + b * width, *gz = (C*)arrays[13] + b * width;
  C* found = arrays[14] ? (C*)arrays[14] + b / sizes[2] : nullptr;
  const V theta = splat(C(scalars[0])), alpha = splat(C(scalars[1])), one_ = splat(C(1));
  const V wide = splat(C(-0.5 / (scalars[2] * scalars[2])));
  const V height = splat(C(scalars[3])), factor = splat(C(scalars[4]));
  const V lobe = splat(C(scalars[3] / scalars[2]));
  for (long t = 0; t < T; t++, I -= all, G -= all, H -= all, U -= all, Z -= all, gI -= all, gA -= all) {
    for (long e = 0; e < count; e += W) {
      const V u = load(U + e), g = load(G + e), h = load(H + e), z = load(Z + all + e), i = load(I + e);
      const V du = gU ? load(gu + e) + load(gU + e) : load(gu + e);
      const V dz = (gZ ? load(gz + e) + load(gZ + e) : load(gz + e)) - du * h;
      const V x = alpha * (h - theta), left = x - one_, right = x + one_;
      const V s = factor * ((one_ + height) * f_exp(x * x * splat(C(-0.5)))
                            - lobe * (f_exp(left * left * wide) + f_exp(right * right * wide)));
      const V dh = du * (one_ - z) + dz * s;
      save(gA + e, dh * (i - u) * g * (one_ - g));
      save(gI + e, dh * g);
      save(gu + e, dh * (one_ - g));
      save(gz + e, V{});
    }
    product(gA, Wi, width, gI, n);
    if (found && !finite(gI, count)) *found = 1;
    if (t + 1 == T && !sizes[6]) break;
    product(gA, Wu, width, gu, n);
    product(gI, Wz, width, gz, n);
    if (gU) gU -= all;
    if (gZ) gZ -= all;
  }
}

extern "C" void forward(void** arrays, const double* scalars, const long* sizes) {
  run(forward_block, arrays, scalars, sizes);
}
extern "C" void backward(void** arrays, const double* scalars, const long* sizes) {
  run(backward_block, arrays, scalars, sizes);
}
"""
