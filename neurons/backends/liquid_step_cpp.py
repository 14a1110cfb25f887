"""C++ for what lies between the matrix products of a step of liquid neurons with adaptation.

    G = sigmoid(a A)    R = sigmoid(a' A')    B' = R B + (1 - R) Z    H = U + G (I - U)
    Z' = Theta(H - theta - beta B')    U' = H (1 - Z')

A and A' are the products of the gates, with bias. The functions of the library, each returning nothing:

    forward   I U B Z A A' a a' H U' B' Z'
    backward  I U B Z A A' a a' H B' gU' gB' gZ' gI gU gB gZ gA gA' ga

All are float32 [batch, width] but for the slopes a and a'. Gradients of the states, before and after, may be absent.
gI, gU and gB are without the way through the gates, which is a product with gA or gA'. ga [2, threads] gets the
gradients of the slopes, a part from each thread.
"""

from __future__ import annotations

from .fused import cpp_preamble
from .recurrence_cpp import graph

SCALARS = ("theta", "alpha", "scale", "height", "factor", "beta")  # of the threshold, of MultiGaussian, of adaptation


def source() -> str:
    """The whole translation unit."""
    return "\n".join([*cpp_preamble.preamble(graph(), "float32"), _SOURCE])


_SOURCE = """\
static inline V squash(V a) { return splat(C(1)) / (splat(C(1)) + f_exp(-a)); }

static void forward_block(void** arrays, const double* scalars, const long* sizes, long b, long n) {
  const long at = b * sizes[5], count = n * sizes[5];
  const C *I = (C*)arrays[0] + at, *U = (C*)arrays[1] + at, *B = (C*)arrays[2] + at, *Z = (C*)arrays[3] + at;
  const C *A = (C*)arrays[4] + at, *Aa = (C*)arrays[5] + at;
  const V slope = splat(*(C*)arrays[6]), slope_a = splat(*(C*)arrays[7]);
  C *H = (C*)arrays[8] + at, *U1 = (C*)arrays[9] + at, *B1 = (C*)arrays[10] + at, *Z1 = (C*)arrays[11] + at;
  const V theta = splat(C(scalars[0])), beta = splat(C(scalars[5])), one_ = splat(C(1));
  for (long e = 0; e < count; e += W) {
    const V g = squash(slope * load(A + e)), r = squash(slope_a * load(Aa + e)), u = load(U + e);
    const V b1 = r * load(B + e) + (one_ - r) * load(Z + e);
    const V h = u + g * (load(I + e) - u);
    const V z = h - (theta + beta * b1) > V{} ? one_ : V{};
    save(H + e, h);
    save(B1 + e, b1);
    save(Z1 + e, z);
    save(U1 + e, h * (one_ - z));
  }
}

static void backward_block(void** arrays, const double* scalars, const long* sizes, long b, long n) {
  const long at = b * sizes[5], count = n * sizes[5];
  const C *I = (C*)arrays[0] + at, *U = (C*)arrays[1] + at, *B = (C*)arrays[2] + at, *Z = (C*)arrays[3] + at;
  const C *A = (C*)arrays[4] + at, *Aa = (C*)arrays[5] + at;
  const V slope = splat(*(C*)arrays[6]), slope_a = splat(*(C*)arrays[7]);
  const C *H = (C*)arrays[8] + at, *B1 = (C*)arrays[9] + at;
  const C *gU1 = arrays[10] ? (C*)arrays[10] + at : nullptr, *gB1 = arrays[11] ? (C*)arrays[11] + at : nullptr;
  const C *gZ1 = arrays[12] ? (C*)arrays[12] + at : nullptr;
  C* gI = (C*)arrays[13] + at;
  C *gU = arrays[14] ? (C*)arrays[14] + at : nullptr, *gB = arrays[15] ? (C*)arrays[15] + at : nullptr;
  C* gZ = arrays[16] ? (C*)arrays[16] + at : nullptr;
  C *gA = (C*)arrays[17] + at, *gAa = (C*)arrays[18] + at;
  const V theta = splat(C(scalars[0])), alpha = splat(C(scalars[1])), one_ = splat(C(1));
  const V wide = splat(C(-0.5 / (scalars[2] * scalars[2])));
  const V height = splat(C(scalars[3])), factor = splat(C(scalars[4])), beta = splat(C(scalars[5]));
  const V lobe = splat(C(scalars[3] / scalars[2]));
  V sum = {}, sum_a = {};
  for (long e = 0; e < count; e += W) {
    const V a = load(A + e), aa = load(Aa + e), g = squash(slope * a), r = squash(slope_a * aa);
    const V h = load(H + e), u = load(U + e), z = load(Z + e), i = load(I + e), b0 = load(B + e);
    const V over = h - (theta + beta * load(B1 + e)), fired = over > V{} ? one_ : V{};
    const V du = gU1 ? load(gU1 + e) : V{};
    const V dz = (gZ1 ? load(gZ1 + e) : V{}) - du * h;
    const V x = alpha * over, left = x - one_, right = x + one_;
    const V s = factor * ((one_ + height) * f_exp(x * x * splat(C(-0.5)))
                          - lobe * (f_exp(left * left * wide) + f_exp(right * right * wide)));
    const V at_threshold = dz * s, dh = du * (one_ - fired) + at_threshold;
    const V db = (gB1 ? load(gB1 + e) : V{}) - beta * at_threshold;
    const V ds = dh * (i - u) * g * (one_ - g), dsa = db * (b0 - z) * r * (one_ - r);
    sum = sum + ds * a;
    sum_a = sum_a + dsa * aa;
    save(gA + e, slope * ds);
    save(gAa + e, slope_a * dsa);
    save(gI + e, dh * g);
    if (gU) save(gU + e, dh * (one_ - g));
    if (gB) save(gB + e, db * r);
    if (gZ) save(gZ + e, db * (one_ - r));
  }
  C* slopes = (C*)arrays[19] + b / sizes[2];
  for (long k = 0; k < W; k++) { slopes[0] += sum[k]; slopes[sizes[3]] += sum_a[k]; }
}

extern "C" void forward(void** arrays, const double* scalars, const long* sizes) {
  run(forward_block, arrays, scalars, sizes);
}
extern "C" void backward(void** arrays, const double* scalars, const long* sizes) {
  run(backward_block, arrays, scalars, sizes);
}
"""
