"""One neuron carried through one sequence, with what has to be compared: spikes, distances, states, gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import neurons
from neurons.surrogate import Surrogate

if TYPE_CHECKING:
    from neurons.base import Neuron


@dataclass(frozen=True)
class Outcome:
    """What a neuron did with a sequence of T steps and E elements (all other axes), attached to its graph.

    `spikes` [T, N, ...]; `states` the last ones by name, each [N, ...]; `distances` [T, E], u of S = Theta(u), and
    `course` of every state [T, E] are detached and empty where they could not be seen.
    """

    spikes: Tensor
    states: dict[str, Tensor]
    distances: Tensor
    course: dict[str, Tensor]


def run(neuron: Neuron, x: Tensor, step_mode: str, cut: int | None = None) -> Outcome:
    """`neuron` from rest over `x` [T, N, ...]: step by step ("s") or as a sequence ("m"), in two calls if `cut`."""
    from_rest(neuron, x.shape[1:])
    neuron.step_mode = step_mode
    if step_mode == "m":
        parts = [x] if cut is None else [x[:cut], x[cut:]]
        spikes = torch.cat([neuron(part) for part in parts]) if cut else neuron(x)
        return Outcome(spikes, _states(neuron), torch.empty(0), {})
    made: list[Tensor] = []
    course: dict[str, list[Tensor]] = {name: [] for name in neuron.states}
    with distances(neuron) as found:
        for x_t in x.unbind(0):
            made.append(neuron(x_t))
            for name, value in _states(neuron).items():
                course[name].append(value.detach().flatten())
    seen = torch.stack([u.flatten() for u in found]) if len(found) == len(made) else torch.empty(0)
    return Outcome(torch.stack(made), _states(neuron), seen, {name: torch.stack(c) for name, c in course.items() if c})


def from_rest(neuron: Neuron, shape: Sequence[int]) -> None:
    """Takes `neuron` to its initial state for inputs [N, ...] of `shape`; a random one is the same every time."""
    neuron.reset()
    with neurons.drawn_from(torch.Generator().manual_seed(0)):
        neuron.begin(torch.Size(shape))


def reference(neuron: Neuron, x: Tensor) -> Outcome:
    """What defines `neuron`, from rest over `x` [T, N, ...]: its step, or its plain sequence where it has no step."""
    if neuron.has_step():
        return run(neuron, x, "s")
    with distances(neuron) as found:
        spikes = neuron.sequence(x)
    seen = found[0].flatten(1) if len(found) == 1 else torch.empty(0)
    return Outcome(spikes, {}, seen, {})


@contextmanager
def distances(neuron: Neuron) -> Iterator[list[Tensor]]:
    """Collects the distance to threshold that the neuron's surrogate is given, at each step or of a sequence."""
    found: list[Tensor] = []

    def note(module: Any, args: tuple[Tensor, ...]) -> None:
        found.append(args[0].detach())

    hooks = [module.register_forward_pre_hook(note) for module in neuron.modules() if isinstance(module, Surrogate)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def gradients(
    outcome: Outcome, x: Tensor, parameters: Mapping[str, Tensor], upstream: Upstream, kept: Tensor
) -> dict[str, Tensor | None]:
    """Gradients in `x` ("input") and in each parameter by name, of the elements `kept` [E] alone."""
    ends = [(outcome.spikes, upstream.spikes), *((outcome.states.get(name), g) for name, g in upstream.states.items())]
    attached = [(value, grad.to(value.dtype)) for value, grad in ends if value is not None and value.requires_grad]
    outputs, grads = [value for value, _ in attached], [grad for _, grad in attached]
    if not bool(kept.all()):
        grads = [g * kept.reshape(outcome.spikes.shape[1:]).to(g.dtype) for g in grads]
    wanted = {**({"input": x} if x.requires_grad else {}), **parameters}
    if not outputs:
        return dict.fromkeys(wanted)
    found = torch.autograd.grad(outputs, list(wanted.values()), grads, retain_graph=True, allow_unused=True)
    return dict(zip(wanted, found, strict=True))


@dataclass(frozen=True)
class Upstream:
    """The gradients given to a neuron's outputs: `spikes` [T, N, ...], `states` by name, each [N, ...]."""

    spikes: Tensor
    states: dict[str, Tensor]

    def signed(self, generator: torch.Generator) -> Upstream:
        """The same with every sign drawn anew."""

        def drawn(values: Tensor) -> Tensor:
            return values * (2 * torch.randint(0, 2, values.shape, generator=generator) - 1).to(values.device)

        return Upstream(drawn(self.spikes), {name: drawn(value) for name, value in self.states.items()})


def _states(neuron: Neuron) -> dict[str, Tensor]:
    return {name: value for name in neuron.states if isinstance(value := getattr(neuron, name), Tensor)}
