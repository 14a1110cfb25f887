"""C++ for the recurrent layer of the SuperSpike form, in float32: all steps of a sample, and one step of the way back.

What a neuron sends to the others is added for those that fire, which are few; the way back needs a dense product at
each step, which PyTorch computes.
"""

from __future__ import annotations

from .native import FURTHER, Native

_SOURCE = (
    f"enum {{ T = {FURTHER}, BATCH, WIDTH }};  // of sizes"
    """

// X R beta alpha S V I: row j of R is what neuron j sends; V and I have a row more, the states before the first step
static void forward_block(void** arrays, const double* scalars, const long* sizes, long b, long n) {
  const long width = sizes[WIDTH], all = sizes[BATCH] * width;
  const C* R = (const C*)arrays[1];
  const C* __restrict beta = (const C*)arrays[2];
  const C* __restrict alpha = (const C*)arrays[3];
  const C theta = scalars[0];
  int fired[width];
  for (long sample = b; sample < b + n; sample++)
    for (long t = 0; t < sizes[T]; t++) {
      const long at = t * all + sample * width;
      const C* __restrict x = (const C*)arrays[0] + at;
      C* __restrict s = (C*)arrays[4] + at;
      C *v = (C*)arrays[5] + at, *i = (C*)arrays[6] + at;
      C* __restrict next_v = v + all;
      C* __restrict next_i = i + all;
      for (long e = 0; e < width; e++) {
        s[e] = v[e] - theta > 0 ? C(1) : C(0);
        next_v[e] = beta[e] * v[e] * (1 - s[e]) + (1 - beta[e]) * i[e];
        next_i[e] = x[e];
      }
      long count = 0;
      for (long e = 0; e < width; e++) {
        fired[count] = e;
        count += s[e] != 0;
      }
      for (long k = 0; k < count; k++) {
        const C* __restrict sent = R + fired[k] * width;
        for (long e = 0; e < width; e++) next_i[e] += sent[e];
      }
      for (long e = 0; e < width; e++) next_i[e] += alpha[e] * i[e];
    }
}

// beta alpha s v i, then the gradients: of the spikes with what is fed back; of v and i behind the step; of v and i
// before it; of beta and alpha, a row a sample, to which those of the step are added
static void back_block(void** arrays, const double* scalars, const long* sizes, long b, long n) {
  const long width = sizes[WIDTH];
  const C* __restrict beta = (const C*)arrays[0];
  const C* __restrict alpha = (const C*)arrays[1];
  const C theta = scalars[0], slope = scalars[1];
  for (long sample = b; sample < b + n; sample++) {
    const long at = sample * width;
    const C* __restrict s = (const C*)arrays[2] + at;
    const C* __restrict v = (const C*)arrays[3] + at;
    const C* __restrict i = (const C*)arrays[4] + at;
    const C* __restrict of_s = (const C*)arrays[5] + at;
    const C* __restrict of_v = (const C*)arrays[6] + at;
    const C* __restrict of_i = (const C*)arrays[7] + at;
    C* __restrict before_v = (C*)arrays[8] + at;
    C* __restrict before_i = (C*)arrays[9] + at;
    C* __restrict of_beta = (C*)arrays[10] + at;
    C* __restrict of_alpha = (C*)arrays[11] + at;
    for (long e = 0; e < width; e++) {
      const C silent = 1 - s[e], far = slope * __builtin_fabsf(v[e] - theta) + 1;
      of_beta[e] += (v[e] * silent - i[e]) * of_v[e];
      of_alpha[e] += i[e] * of_i[e];
      before_v[e] = of_s[e] / (far * far) + beta[e] * of_v[e] * silent;
      before_i[e] = (1 - beta[e]) * of_v[e] + alpha[e] * of_i[e];
    }
  }
}
CALLED(forward)
CALLED(back)
"""
)

LIBRARY = Native(_SOURCE)
