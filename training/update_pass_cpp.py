"""C++ for what follows the gradient of an update: two passes over vectors of weights, threaded.

The functions of the library, each returning nothing, with `sizes` as neurons.backends.fused.cpp_preamble has them:

    regularise    W W_bar lambda g d          alpha, rho - 1
    adam_T        n g W m v W_bar lambda      as in SCALARS
    adamax_T      n g W m u W_bar lambda

`regularise` adds the gradient of R to g and leaves W - W_bar in d. The others clip the gradient by its norm n, which
may be absent, do the step of the optimiser, whose state m, v and u are, and move the traces: none of them (T = 0),
W_bar alone (1) or both (2). All are float32, a multiple of LANES numbers long, and g stays.

Every line rounds as PyTorch's operations for vectors do, no more and no less often: `fma` stands where these have one.
"""

from __future__ import annotations

from neurons.backends.fused import cpp_preamble
from neurons.backends.fused.graph import Graph

LANES = 16
# Bound of the norm; factor of the step, weight of the new gradient in m; of the old moment and of the new in v or u;
# root of the bias of v; eps; weight of W in W_bar, factors of W - W_bar in lambda and of lambda in W_bar.
SCALARS = ("clip", "rate", "first", "kept", "second", "root", "eps", "beta", "to_dual", "to_average")
OPTIMIZERS, TRACES = ("adam", "adamax"), (0, 1, 2)


def source() -> str:
    """The whole translation unit."""
    functions = (
        f'extern "C" void {name}_{traces}(void** arrays, const double* scalars, const long* sizes) '
        f"{{ run(move_block<{int(name == 'adamax')}, {traces}>, arrays, scalars, sizes); }}"
        for name in OPTIMIZERS
        for traces in TRACES
    )
    return "\n".join([*cpp_preamble.preamble(Graph(), "float32"), _SOURCE, *functions])


_SOURCE = """\
static inline V fma(V a, V b, V c) {
#if defined(__clang__)
  return __builtin_elementwise_fma(a, b, c);
#elif defined(__AVX512F__)
  return __builtin_ia32_vfmaddps512_mask(a, b, c, -1, 4);
#elif defined(__FMA__)
  return __builtin_ia32_vfmaddps256(a, b, c);
#else
  V r;
  for (long k = 0; k < W; k++) r[k] = __builtin_fmaf(a[k], b[k], c[k]);
  return r;
#endif
}
static inline V larger(V a, V b) {
  const V r = a > b ? a : b;
  return a == a ? r : a;
}
static inline V fetch(const C* p) {  // of so many arrays the processor does not foresee the next lines
  __builtin_prefetch(p + 128, 1);
  return load(p);
}
struct Lerp {  // from a to b by a weight
  V factor;
  bool small;
  Lerp(C weight) : factor(splat(weight)), small(__builtin_fabsf(weight) < C(0.5)) {
    if (!small) factor = splat(weight - C(1));
  }
  V operator()(V a, V b) const { return fma(factor, b - a, small ? a : b); }
};

static void regularise_block(void** arrays, const double* scalars, const long*, long b, long n) {
  const C *w = (C*)arrays[0] + b, *average = (C*)arrays[1] + b, *dual = (C*)arrays[2] + b;
  C *g = (C*)arrays[3] + b, *distance = (C*)arrays[4] + b;
  const V alpha = splat(C(scalars[0])), of_dual = splat(C(scalars[1]));
  for (long e = 0; e < n; e += W) {
    const V d = load(w + e) - load(average + e);
    save(distance + e, d);
    save(g + e, fma(load(dual + e), of_dual, fma(d, alpha, load(g + e))));
  }
}

template <bool MAX, int TRACES>
static void move_block(void** arrays, const double* scalars, const long*, long b, long n) {
  const C *norm = (C*)arrays[0], *g = (C*)arrays[1] + b;
  C *weights = (C*)arrays[2] + b, *moment = (C*)arrays[3] + b, *size = (C*)arrays[4] + b;
  C *average = (C*)arrays[5] + b, *dual = (C*)arrays[6] + b;
  C share = 1;
  if (norm) {
    share = C(1) / (*norm + C(1e-6)) * C(scalars[0]);
    if (share > 1) share = 1;
  }
  const V clip = splat(share), rate = splat(C(scalars[1])), kept = splat(C(scalars[3])), second = splat(C(scalars[4]));
  const V bias = splat(C(scalars[5])), eps = splat(C(scalars[6]));
  const V to_dual = splat(C(scalars[8])), to_average = splat(C(scalars[9]));
  const Lerp first(scalars[2]), follow(scalars[7]);
  for (long e = 0; e < n; e += W) {
    const V d = fetch(g + e) * clip, m = first(fetch(moment + e), d);
    V w = fetch(weights + e), s = fetch(size + e);
    save(moment + e, m);
    if (MAX) {
      s = larger(s * kept, (d < V{} ? -d : d) + eps);
      w = w + rate * m / s;
    } else {
      s = fma(second * d, d, s * kept);
      w = w + rate * m / (root(s) / bias + eps);
    }
    save(size + e, s);
    save(weights + e, w);
    if (TRACES) {
      V a = fetch(average + e);
      if (TRACES == 2) {
        const V l = fma(w - a, to_dual, fetch(dual + e));
        save(dual + e, l);
        a = fma(l, to_average, follow(a, w));
      } else {
        a = follow(a, w);
      }
      save(average + e, a);
    }
  }
}

extern "C" void regularise(void** arrays, const double* scalars, const long* sizes) {
  run(regularise_block, arrays, scalars, sizes);
}
"""
