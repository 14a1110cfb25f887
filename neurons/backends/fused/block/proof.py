"""The proof that a block owes before it is used: what batch norm, the neuron's step and pooling give one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.compare import relative, tolerance

from ....base import Neuron
from ..trace import layer_tensors, with_tensors
from .kernel import Kernel, Norm, Pool

STEPS, SAMPLES = 5, 3
EVERY = 2  # steps between checkpoints
SEEDS = (1, 2, 3)  # a spike on the other side of its threshold by rounding shows with one of them, a mistake with all
POOLS = (  # with planes that each way of a kernel is taken for
    (Pool(), (5, 6)), (Pool("max", (2, 2)), (5, 6)), (Pool("max", (2, 2)), (5, 7)), (Pool("mean", (2, 2)), (5, 6)),
    (Pool("max", (1, 3)), (5, 6)), (Pool("max", (1, 2)), (5, 6)), (Pool("mean", (1, 2)), (5, 6)),
)  # fmt: skip
NORMS = ((True, False), (True, True), (False, False))  # trained, together


def verdict(kernel: Kernel, neuron: Neuron) -> str | None:
    """None for a kernel that agrees with the layers one by one, else what differs. Agreement is remembered beside the
    library."""
    key = f"agrees with torch {torch.__version__}"
    if kernel.library.note.get(key) is True:
        return None
    found = difference(kernel, neuron)
    if found:
        return f"the block of {neuron.name!r} is wrong: {found} (source: {source_of(kernel)})"
    kernel.library.write_note(**{key: True})
    return None


def difference(kernel: Kernel, neuron: Neuron, samples: int = SAMPLES) -> str | None:
    """What a kernel computes otherwise than the layers one by one, and with which pooling; None where nothing."""
    for pooling, plane in POOLS:
        for trained, together in NORMS if kernel.normalised else NORMS[:1]:
            found = settled(partial(_difference, kernel, neuron, samples, pooling, plane, trained, together))
            if found:
                return f"{found}, {pooling}"
    return None


def settled(difference: Callable[[int], str | None]) -> str | None:
    """None where one of SEEDS shows no difference, else what the last shows."""
    found: str | None = None
    for seed in SEEDS:
        found = difference(seed)
        if found is None:
            break
    return found


def source_of(kernel: Any) -> Path:
    """Where the source of a kernel lies."""
    path: Path = kernel.library.path.with_suffix(".cpp")
    return path


def draws(seed: int, dtype: torch.dtype) -> Callable[..., Tensor]:
    """Draws normal numbers of a shape."""
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def normalised(x: Tensor, norm: Norm, affine: Sequence[Tensor], running: Sequence[Tensor]) -> Tensor:
    """Batch norm by PyTorch."""
    rows = [x.flatten(0, 1)] if norm.together else list(x.unbind(0))
    (mean, var), (weight, bias) = running, affine
    found = [functional.batch_norm(row, mean, var, weight, bias, norm.trained, norm.momentum, norm.eps) for row in rows]
    return torch.cat(found).view(x.shape)


def pooled(spikes: Tensor, pooling: Pool) -> Tensor:
    """Pooling by PyTorch of [T, N, C, H, W]."""
    flat = spikes.flatten(0, 1)
    if pooling.kind:
        function: Any = {"max": functional.max_pool2d, "mean": functional.avg_pool2d}[pooling.kind]
        flat = function(flat, pooling.size)
    return flat.unflatten(0, spikes.shape[:2])


def apart(
    names: Sequence[str],
    found: Sequence[Tensor | None],
    expected: Sequence[Tensor | None],
    stored: torch.dtype | None = None,
) -> str | None:
    """The first of `found` that is not as expected, in words; what is between the layers is `stored` in this type."""
    for name, value, right in zip(names, found, expected, strict=True):
        value = torch.zeros(()) if value is None else value
        error = relative(value, torch.zeros_like(value) if right is None else right, at_least=1e-30)
        if not error <= max(tolerance("use", t) for t in (value.dtype, stored or value.dtype)):
            return f"{name} is off by {error:.2g} of its largest value"
    return None


def _difference(
    kernel: Kernel, neuron: Neuron, samples: int, pooling: Pool, plane: tuple[int, int], trained: bool, together: bool,
    seed: int,
) -> str | None:  # fmt: skip
    dtype, compute = kernel.dtype, kernel.compute
    raw = {n: (t.float() if t.dtype.itemsize == 2 else t).detach().cpu() for n, t in layer_tensors(neuron).items()}
    channels = max([2, *(t.numel() for n, t in raw.items() if n in kernel.trace.raw_names())])
    draw = draws(seed, dtype)
    step = (samples, channels, *plane)
    threshold = float(torch.as_tensor(getattr(neuron, "v_threshold", 1.0)).detach().abs().max())
    x = draw(STEPS, *step) * (1.5 + threshold)
    states = [draw(*step).to(compute) * 0.5 for _ in neuron.states]
    weight, bias = 1 + threshold + 0.3 * draw(channels), 0.3 * draw(channels)
    gy, gs = draw(STEPS, *step[:2], *pooling.of(*plane)), [draw(*step).to(compute) for _ in states]
    mine = [0.1 * draw(channels), 1 + 0.1 * draw(channels).abs()]
    theirs = [t.to(compute, copy=True) for t in mine]
    norm = Norm(mine[0], mine[1], 1e-5, 0.1, trained, together) if kernel.normalised else None
    affine = (weight, bias) if norm else (None, None)
    values: dict[str, Tensor] = {n: raw[n] for n in kernel.trace.raw_names()}
    rest = [0.0] * len(states)
    y, after, kept, of_step = kernel.forward(x, norm, affine, pooling, states, rest, values, EVERY, True)
    gx, of_affine, before, params = kernel.backward(
        x,
        gy,
        norm,
        affine[0],
        of_step,
        pooling,
        states,
        kept,
        gs,
        True,
        [True] * len(states),
        rest,
        values,
        EVERY,
        False,
    )
    found: list[Tensor | None] = [y, *after, gx, *before, *params.values()]
    names = ["pooled spikes", *neuron.states, *(f"gradient of {n}" for n in ("x", *neuron.states, *params))]
    if norm:
        found += [*of_affine, *mine]
        names += ["gradient of the scale", "gradient of the shift", "running mean", "running variance"]
    expected = _reference(kernel, neuron, raw, x, states, (weight, bias), theirs, norm, of_step, pooling, gy, gs)
    return apart(names, found, expected, dtype if dtype.itemsize == 2 else None)


def _reference(
    kernel: Kernel, neuron: Neuron, raw: dict[str, Tensor], x: Tensor, states: list[Tensor],
    affine: tuple[Tensor, Tensor], running: list[Tensor], norm: Norm | None, of_step: Tensor | None, pooling: Pool,
    gy: Tensor, gs: list[Tensor],
) -> list[Tensor | None]:  # fmt: skip
    """The same as `found` in `_difference`, layer by layer."""
    leaves = {n: t.clone().requires_grad_(n in kernel.parameters) for n, t in raw.items()}
    twin: Any = with_tensors(neuron, leaves)
    with torch.enable_grad():
        inputs, weight, bias = (t.to(kernel.compute, copy=True).requires_grad_() for t in (x, *affine))
        before = [s.clone().requires_grad_() for s in states]
        sequence = normalised(inputs, norm, (weight, bias), running) if norm else inputs
        if kernel.dtype != kernel.compute:
            sequence = _stored(sequence, inputs, of_step).to(kernel.dtype).to(kernel.compute)
        now, spikes = before, []
        for x_t in sequence.unbind(0):
            spike, *now = twin.step(x_t, *now)
            spikes.append(spike)
        y = pooled(torch.stack(spikes).to(kernel.dtype).to(kernel.compute), pooling)
        wanted = [inputs, *before, *(leaves[n] for n in kernel.parameters)] + ([weight, bias] if norm else [])
        pairs = [(o, g.to(kernel.compute)) for o, g in zip([y, *now], [gy, *gs], strict=True) if o.requires_grad]
        grads = torch.autograd.grad([o for o, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True)
    return [y.detach(), *(s.detach() for s in now), *grads, *(running if norm else [])]


def _stored(sequence: Tensor, x: Tensor, of_step: Tensor | None) -> Tensor:
    """`sequence`, the normalised `x`, with the values that the kernel has by its own scale and shift, where these are
    as near as float32 allows: of 16 bits the last one may turn on nothing else."""
    if of_step is None:
        return sequence
    scale, shift = (of_step[..., k].t()[:, None, :, None, None] for k in (0, 1))
    own = (x * scale + shift).detach()
    near = relative(own, sequence.detach()) <= tolerance("use", torch.float32)
    return sequence + (own - sequence.detach()) if near else sequence
