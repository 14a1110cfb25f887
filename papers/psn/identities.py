"""Exact statements about parallel neurons, checked on the trained layers of a network with what really reaches them.

The PSN work states them for random inputs (spec, C1 to C4 and C14). Two computations of a potential differ by rounding,
so that a spike may differ where the potential lies within rounding of the threshold: such differences are counted
apart, as ties. Every check here is written from the definition and shares no formula with the layer.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

import models
from models.network import Network
from neurons.base import Neuron
from neurons.integrate_and_fire import LIF
from neurons.psn import MaskedPSN, ParallelNeuron, SlidingPSN
from results import Metric

if TYPE_CHECKING:
    from tasks import Split

SAMPLES = 16  # of the test set


def measure(network: Network, split: Split, device: str) -> tuple[Metric, ...]:
    """The checks that apply to the layers of `network`, on the first samples of `split`; nothing where none does.

    masked_steps, sliding_steps: a sequence step by step against the whole; sliding_forms: matrix product against
    convolution; fixed_matrix: LIF without reset against a masked PSN with a fixed matrix. Of each `_difference` is the
    sum of absolute differences of the spikes, `_ties` those of them within rounding of the threshold.
    weight_difference: the masked weight against its definition. neuron_parameters: learned values of the parallel
    layers, `_expected` by the formulas T^2 + T and k + 1. The network is left as it was, in evaluation mode.
    """
    layers = [m for m in network.modules() if isinstance(m, ParallelNeuron) or (isinstance(m, LIF) and m.without_reset)]
    if not layers:
        return ()
    found: Counter[str] = Counter()
    for layer, x in _inputs(network, layers, split, device):
        for name, (difference, ties) in _compared(layer, x):
            found[f"{name}_difference"] += difference
            found[f"{name}_ties"] += ties
        if isinstance(layer, ParallelNeuron):
            found["neuron_parameters"] += sum(p.numel() for p in layer.parameters())
            found["neuron_parameters_expected"] += _expected(layer, len(x))
    worst = [_weight_difference(layer) for layer in layers if isinstance(layer, MaskedPSN)]
    return (
        *(Metric(name, float(value), "count") for name, value in sorted(found.items())),
        *(Metric("weight_difference", max(worst), "1") for _ in worst[:1]),
    )


def _inputs(network: Network, layers: Sequence[Neuron], split: Split, device: str) -> Iterator[tuple[Neuron, Tensor]]:
    """Each layer with the sequence [T, N, ...] that reaches it."""
    seen: dict[Neuron, Tensor] = {}
    hooks = [layer.register_forward_pre_hook(lambda m, args: seen.__setitem__(m, args[0])) for layer in layers]
    network.eval()
    try:
        with torch.inference_mode():
            network.run(split.batch(torch.arange(min(SAMPLES, len(split))))[0].to(device))
            models.reset(network)
    finally:
        for hook in hooks:
            hook.remove()
    yield from seen.items()


@torch.inference_mode()
def _compared(layer: Neuron, x: Tensor) -> Iterator[tuple[str, tuple[int, int]]]:
    """Differing spikes of every pair of computations that should agree, and how many of them are ties."""
    T = len(x)
    layer = copy.deepcopy(layer)
    spikes = layer(x)
    if isinstance(layer, LIF):
        fixed = _fixed(layer, T).to(x)
        yield "fixed_matrix", _differing(spikes, fixed(x), x, fixed.weight, fixed.bias)
    if isinstance(layer, SlidingPSN):
        other = copy.deepcopy(layer)
        other.form = "conv" if layer.form == "gemm" else "gemm"
        yield "sliding_forms", _differing(spikes, other(x), x, _band(layer.weight, T), layer.bias)
        yield "sliding_steps", _differing(spikes, _step_by_step(layer, x), x, _band(layer.weight, T), layer.bias)
    if isinstance(layer, MaskedPSN) and layer.lambda_ >= 1:
        weight = layer.weight * _mask(T, layer.k, 1.0).to(x)
        yield "masked_steps", _differing(spikes, _step_by_step(layer, x), x, weight, layer.bias)


def _step_by_step(layer: Neuron, x: Tensor) -> Tensor:
    layer.step_mode = "s"
    layer.reset()
    return torch.stack([layer(x_t) for x_t in x])


def _differing(a: Tensor, b: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[int, int]:
    """How many spikes of `a` and `b` differ, and how many of these lie within rounding of the threshold.

    The potential weight @ x + bias is made in float64. Rounding is bounded by three roundings a step (as many as LIF
    has) of the sum of the absolute values of its terms.
    """
    T = len(x)
    different = (a != b).flatten(1)
    where = different.any(0)  # the neurons concerned
    x64, weight64 = x.flatten(1)[:, where].double(), weight.double()
    bias64 = bias.double().expand(T, 1) if bias.ndim == 0 else bias.double()
    potential = weight64 @ x64 + bias64
    rounding = (weight64.abs() @ x64.abs() + bias64.abs()) * 3 * (T + 1) * torch.finfo(x.dtype).eps
    ties = different[:, where] & (potential.abs() <= rounding)
    return int(different.sum()), int(ties.sum())


def _mask(T: int, k: int, lambda_: float) -> Tensor:
    """lambda M_k + (1 - lambda) J, entry by entry: M_k[i][j] = 1 for j <= i <= j + k - 1."""
    return torch.tensor([[lambda_ * (j <= i <= j + k - 1) + 1 - lambda_ for j in range(T)] for i in range(T)])


def _band(weight: Tensor, T: int) -> Tensor:
    """[T, T] of a sliding PSN: the newest input's weight, the last of k, on the diagonal, older ones to its left."""
    k = len(weight)
    band = weight.new_zeros(T, T)
    for ago in range(min(k, T)):
        band.diagonal(-ago).fill_(weight[k - 1 - ago])
    return band


def _fixed(lif: LIF, T: int) -> MaskedPSN:
    """The masked PSN that LIF without reset is: W[i][j] = (1 - 1/tau)^(i - j) / tau for j <= i, B = V_th."""
    keep, rate = 1 - 1 / lif.tau, 1 / lif.tau if lif.decay_input else 1.0
    same = MaskedPSN(T, T, lambda_=1.0, surrogate=lif.surrogate, backend="torch")
    same.weight.copy_(torch.tensor([[rate * keep ** (i - j) if j <= i else 0.0 for j in range(T)] for i in range(T)]))
    same.bias.fill_(-lif.v_threshold)
    return same


def _weight_difference(layer: MaskedPSN) -> float:
    layer = copy.deepcopy(layer)
    differences = []
    for lambda_ in (0.0, 0.25, 0.5, 0.75, 1.0):
        layer.lambda_ = lambda_
        expected = layer.weight * _mask(layer.T, layer.k, lambda_).to(layer.weight)
        differences.append(float((layer.masked_weight() - expected).detach().abs().max()))
    return max(differences)


def _expected(layer: ParallelNeuron, T: int) -> int:
    """Learned values by the work's count: T^2 + T, of a sliding PSN k + 1."""
    return layer.k + 1 if isinstance(layer, SlidingPSN) else T * T + T
