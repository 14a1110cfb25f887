"""The rule of parity in words, which terminal and pages print; nothing here loads PyTorch."""

from __future__ import annotations

SLACK = 4  # a kernel may round in another order than the plain step, not worse by more than this

RULE = f"""\
Every check compares a kernel with the oracle: the neuron's own step, one step at a time, in eager PyTorch and float64,
on the same input and parameters. What rounding does is not guessed but shown by the plain step: the same step in the
kernel's own dtype. A neuron without a step is its own sequence in plain PyTorch.
1. A spike may differ only where the oracle's distance to the threshold is at most {SLACK} times the plain step's error
   of that distance, and not on a tie that oracle and plain step both compute exactly. That error is taken in the
   element or, if more, in nine tenths of them; it counts as half an ulp of the largest number involved at least (in
   float64, where the plain step is the oracle, half an ulp a step). Such a flip is forgiven; what its element does
   later, and its gradients, are no longer compared. A flip in no recurrence is forgiven by itself.
2. The last states of a recurrence differ by at most {SLACK} times the plain step's error of them, taken likewise.
3. Each gradient (input, every parameter) differs, relative to its size, by at most 1e-5 in float32, 1e-10 in float64,
   2^-6 in bfloat16, 2^-9 in float16, or {SLACK} times the plain step's own error where that is more. Where the
   surrogate's derivative jumps (at the edges of a rectangle), rounding decides which side is taken, and both are right:
   an element that comes within {SLACK} times the error of such a place is left out and counted. At least half of the
   elements must remain.
4. A backend that claims to be exact must give a recurrence's plain spikes and states bit for bit: `torch` always,
   `fused` on the CPU in float32 and float64, unless a step computes a function like exp for every element.
5. Anything else - another shape or dtype, no number, a missing gradient, an error raised - is red."""
