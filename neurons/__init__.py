"""Spiking neurons: one step function each; step modes, backends and proofs follow from it.

neuron = neurons.create("plif", init_tau=2.0)
spikes = neuron(currents)        # [T, N, ...] -> [T, N, ...]
neuron.reset()                   # or neurons.reset(network), for all layers of a network
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.registry import unknown

from . import backends as backends  # callable: neurons.backends("plif", "cpu")
from . import options
from .catalogue import registry
from .drawing import drawn_from as drawn_from

if TYPE_CHECKING:
    from torch import nn

    from .base import Neuron


def names() -> list[str]:
    """Names of all neurons."""
    return registry.names()


def create(name: str, *, step_mode: str = "m", backend: str = "auto", **params: Any) -> Neuron:
    """A neuron layer by name.

    `step_mode` "m" takes `[T, N, ...]`, "s" one step `[N, ...]`; `backend` is one of `neurons.backends(name)` or
    "auto". `params` are the neuron's own, under SpikingJelly's names where it has them; `surrogate` is a module, the
    name of a shape ("atan") or a mapping ({"name": "atan", "width": 1.0}). Raises UnknownName for an unknown neuron or
    surrogate and TypeError or ValueError for parameters that they do not have or accept.
    """
    if (shape := params.get("surrogate")) is not None:
        from torch import nn

        from . import surrogate

        if isinstance(shape, str | Mapping):
            params["surrogate"] = surrogate.create(shape)
        elif not isinstance(shape, nn.Module):
            shapes = ", ".join(surrogate.SHAPES)
            raise TypeError(f"A surrogate is a module, a name ({shapes}) or a mapping of options, got {shape!r}.")
    neuron = registry.get(name)
    try:
        return neuron(step_mode=step_mode, backend=backend, **params)
    except TypeError as error:
        known = options.names(neuron)
        for option in params:
            if option not in known:
                raise TypeError(str(unknown(f"{name} option", option, known))) from error
        raise


def reset(network: nn.Module) -> None:
    """Returns every stateful layer of `network` (neurons, time-shared dropout, a peer's) to its initial state."""
    _each(network, "reset")


def detach(network: nn.Module) -> None:
    """Ends the gradient at the present state of every stateful layer of `network`; the state itself goes on.

    For truncated training: between two pieces of a sequence, the second of which is not to send gradients into the
    first.
    """
    _each(network, "detach")


def _each(network: nn.Module, method: str) -> None:
    for module in network.modules():
        if callable(of_layer := getattr(module, method, None)):
            of_layer()
