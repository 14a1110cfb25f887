"""The proof that a kernel owes before it is used: the same spikes, states and gradients as the neuron's own step."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from core.compare import relative, tolerance

from . import layout
from .trace import layer_tensors, with_tensors

if TYPE_CHECKING:
    from ...base import Neuron
    from .kernel import Kernel

STEPS, NEURONS = 5, 67
_WEAKEST = 1e-3  # drive
_NOTHING = 1e-30  # where nothing is expected, anything is an error


def verdict(kernel: Kernel, neuron: Neuron) -> str | None:
    """None for a kernel that agrees with `neuron.step`, else what differs. Agreement is remembered beside the
    library.
    """
    key = f"agrees with torch {torch.__version__}"
    if kernel.library.note.get(key) is True:
        return None
    found = check(kernel, neuron)
    if found is None:
        kernel.library.write_note(**{key: True})
        return None
    return f"the kernel of {neuron.name!r} is wrong: {found} (source: {kernel.library.path.with_suffix('.cpp')})"


def check(kernel: Kernel, neuron: Neuron) -> str | None:
    """Compares random sequences, forward and backward; a sentence on the first difference or None."""
    found = _compare(kernel, neuron, seed=1)
    if found and any(found.startswith(f"gradient of {name} ") for name in kernel.parameters):
        found = _compare(kernel, neuron, seed=2)  # the sum over all neurons may have cancelled, but not twice
    return found


def _compare(kernel: Kernel, neuron: Neuron, seed: int, drive: float = 1.0) -> str | None:
    """`check` with one sequence.

    A neuron that runs away (EIF without a hard reset) is driven less, by `drive`, as long as that keeps it in bounds.
    """
    dtype, compute = kernel.dtype, kernel.compute
    raw = {n: (t.float() if t.dtype.itemsize == 2 else t).detach().cpu() for n, t in layer_tensors(neuron).items()}
    per_step = _enlarged(neuron, raw, kernel)
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    threshold = torch.as_tensor(getattr(neuron, "v_threshold", 1.0)).detach()
    scale = drive * (1.5 + float(threshold.abs().max()))
    x = (draw(STEPS, *per_step) * scale).to(dtype)
    states = [draw(*per_step).to(compute) * 0.5 * drive for _ in neuron.states]
    gy, gs = draw(STEPS, *per_step).to(dtype), [draw(*per_step).to(compute) for _ in states]

    expected = _reference(neuron, raw, kernel, x, states, gy, gs)
    if drive > _WEAKEST and not all(t is None or bool(t.isfinite().all()) for t in expected.values()):
        return _compare(kernel, neuron, seed, drive / 4)
    place = layout.of_sequence(x)[1]
    every = 2
    constants = kernel.trace.constants
    y, after, kept = kernel.forward(x, place, states, [0.0] * len(states), raw, constants, True, every)
    silent = kernel.forward(x, place, states, [0.0] * len(states), raw, constants, False, every)
    gx, before, params = kernel.backward(x, y, kept, raw, constants, gy, gs, [True] * len(states), place, STEPS, every)
    found: dict[str, Tensor | None] = {"spikes": y, "spikes without gradient": silent[0], "gradient of x": gx}
    for i, name in enumerate(neuron.states):
        found |= {f"state {name}": after[i], f"gradient of state {name}": before[i]}
    found |= {f"gradient of {name}": value for name, value in params.items()}
    for name, value in found.items():
        difference = _difference(name, value, expected[name], dtype)
        if difference:
            return difference
    return None


def _enlarged(neuron: Neuron, raw: dict[str, Tensor], kernel: Kernel) -> list[int]:
    """The shape of the trace with one dimension stretched to `NEURONS` neurons: the last that the step, and so every
    parameter in it, lets be of any size.
    """
    twin: Any = with_tensors(neuron, raw)
    for back in range(1, len(kernel.trace.shape) + 1):
        sizes = list(kernel.trace.shape)
        sizes[-back] = -(-NEURONS * sizes[-back] // math.prod(sizes))
        silence = torch.zeros(sizes, dtype=kernel.compute)
        with torch.no_grad(), suppress(RuntimeError):
            if all(list(t.shape) == sizes for t in twin.step(silence, *[silence] * len(neuron.states))):
                return sizes
    return list(kernel.trace.shape)


def _reference(
    neuron: Neuron,
    raw: dict[str, Tensor],
    kernel: Kernel,
    x: Tensor,
    states: list[Tensor],
    gy: Tensor,
    gs: list[Tensor],
) -> dict[str, Tensor | None]:
    leaves = {n: t.clone().requires_grad_(n in kernel.parameters) for n, t in raw.items()}
    twin: Any = with_tensors(neuron, leaves)
    with torch.enable_grad():
        inputs = x.to(kernel.compute).requires_grad_()
        before = [s.clone().requires_grad_() for s in states]
        now, spikes = before, []
        for x_t in inputs.unbind(0):
            spike, *now = twin.step(x_t, *now)
            spikes.append(spike)
        y = torch.stack(spikes)
        wanted = [inputs, *before, *(leaves[n] for n in kernel.parameters)]
        pairs = [(o, g.to(kernel.compute)) for o, g in zip([y, *now], [gy, *gs], strict=True) if o.requires_grad]
        grads = torch.autograd.grad([o for o, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True)
    found: dict[str, Tensor | None] = {"spikes": y.detach(), "spikes without gradient": y.detach()}
    found["gradient of x"] = grads[0] if kernel.program.grad_x is not None else None
    for i, name in enumerate(neuron.states):
        found |= {f"state {name}": now[i].detach(), f"gradient of state {name}": grads[1 + i]}
    found |= {f"gradient of {n}": g for n, g in zip(kernel.parameters, grads[1 + len(states) :], strict=True)}
    return found


def _difference(name: str, value: Tensor | None, expected: Tensor | None, dtype: torch.dtype) -> str | None:
    if value is None or expected is None:
        zero = expected if value is None else value
        return None if zero is None or not zero.any() else f"{name} is missing on one side"
    allowed = max(tolerance("use", dtype), tolerance("use", expected.dtype))  # a float32 parameter in a float64 layer
    value, expected = value.double(), expected.double()
    if name.startswith("spikes") and bool(((expected == 0) | (expected == 1)).all()):  # no spike of any size
        flips = int((value != expected).sum())
        return f"{flips} of {value.numel()} {name} differ" if flips else None
    # A neuron may run away (EIF): where the plain step leaves its number format, so must the kernel.
    finite = expected.isfinite()
    if bool((value.isfinite() != finite).any()):
        return f"{name} leaves its number format in other places"
    if not bool(finite.any()):
        return f"{name} could not be compared: nothing of it is finite"
    error = relative(value[finite], expected[finite], at_least=_NOTHING)
    return f"{name} is off by {error:.2g} of its largest value" if not error <= allowed else None
