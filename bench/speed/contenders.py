"""Who computes a neuron's sequence: the suite's backends, other libraries, and a compiler's version of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from neurons.base import Neuron

REFERENCE = "torch"  # the neuron's own step in a loop over unbound steps: the oracle
FUSED = "fused"
SAVING = "fused-saving"  # keeps what the backward pass needs of every step, computes nothing again
COMPILED = "spikingjelly-compiled"
LONGEST_COMPILED = 16  # steps; torch.compile unrolls the loop and needs minutes at 100


class Unfit(Exception):
    """A contender cannot take part; the message is the reason, `outcome` what the store calls it."""

    def __init__(self, reason: str, outcome: str = "unsupported") -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(frozen=True)
class Contender:
    """A neuron's sequence ready to run, [T, N, ...] -> [T, N, ...], from rest at every call."""

    name: str
    backend: str  # the suite's backend, or the library
    call: Callable[[Tensor], Tensor]
    parameters: Mapping[str, Tensor] = field(default_factory=dict)  # by the suite's names, with gradients
    differs: str = ""  # how it is known to differ from the suite's neuron; empty: spikes and gradients must be equal
    gradients: bool = True  # whether its gradients are meant to be the suite's
    shape_bound: bool = False  # prepared for one shape
    require: Callable[[Tensor], object] = lambda x: None  # raises Unfit where it cannot run on inputs like x
    layer: Neuron | None = None  # of the suite's own


def suite(neuron: str, device: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """The suite's own contenders for `neuron` on `device`, the reference first, and why other backends do not run."""
    import neurons
    from neurons import backends

    found = backends.available(neuron, device)
    names = [backend for backend in found if backend != "spikingjelly" and backend not in backends.BY_NAME]
    keeps_states = FUSED in names and neurons.registry.get(neuron).recurrent
    own = (*names, SAVING) if keeps_states else tuple(names)
    reasons = {**found.refused, **backends.BY_NAME}
    return own, {name: reason for name, reason in reasons.items() if name != "spikingjelly"}


def build(name: str, neuron: str, options: Mapping[str, Any], device: str, steps: int) -> Contender:
    """The contender `name` for a layer of `neuron` with `options`, for sequences of `steps`. Raises Unfit."""
    import torch

    from .. import peers

    torch.manual_seed(0)  # parameters that start at random are everybody's the same
    layer = create(neuron, options, steps).to(device)
    if name == COMPILED:
        return _compiled(layer, steps)
    if name not in peers.names():
        return own(name, layer, device)
    try:
        peer = peers.build(name, layer)
    except peers.NoPeer as error:
        raise Unfit(str(error), "unavailable" if peers.absent(name) else "unsupported") from None
    return Contender(
        name,
        name,
        peer.run,
        dict(layer.named_parameters()),
        differs="" if peer.semantics == peers.EQUAL else peer.semantics,
        gradients=peer.backward == peers.EQUAL,
        shape_bound=not layer.recurrent,
    )


def create(neuron: str, options: Mapping[str, Any], steps: int) -> Neuron:
    """A usual layer of `neuron` for sequences of `steps`, with `options` on top."""
    import neurons

    kind = neurons.registry.get(neuron)
    if not kind.pointwise:
        raise Unfit("its neurons act on each other, so that a layer has a width of its own and fits no other size")
    return neurons.create(neuron, **{**kind.example(steps), **options})


def known_options(neuron: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `options` that the neuron has."""
    import neurons

    from ..parity.cases import accepted

    names = accepted(neurons.registry.get(neuron))
    return {name: value for name, value in options.items() if name in names}


def own(name: str, layer: Neuron, device: str) -> Contender:
    """`layer` computed by a backend of the suite, or by the fused one that keeps every step."""
    from neurons import backends
    from neurons.backends import fused

    layer.backend = FUSED if name == SAVING else name

    def require(x: Tensor) -> None:
        try:
            backends.chosen(layer, device, x)
        except RuntimeError as error:
            raise Unfit(str(error)) from None

    def call(x: Tensor) -> Tensor:
        layer.reset()
        return layer(x)

    def saving(x: Tensor) -> Tensor:
        with fused.checkpoint(0):
            return call(x)

    run = saving if name == SAVING else call
    bound = not layer.recurrent or layer.backend == "inductor"
    return Contender(
        name, layer.backend, run, dict(layer.named_parameters()), shape_bound=bound, require=require, layer=layer
    )


def _compiled(layer: Neuron, steps: int) -> Contender:
    """SpikingJelly's neuron under torch.compile, for one shape; its reset stays outside, where it costs no guards."""
    import torch
    from spikingjelly.activation_based import functional

    from neurons.backends import spikingjelly
    from neurons.computation import Refusal

    if steps > LONGEST_COMPILED and layer.recurrent:
        raise Unfit(f"torch.compile unrolls the {steps} steps, which takes minutes beyond {LONGEST_COMPILED}")
    found = spikingjelly.refuses(type(layer), "cpu") or spikingjelly.find(layer)
    if isinstance(found, Refusal):
        raise Unfit(found.reason)
    torch._dynamo.reset()
    node = spikingjelly.node(layer)
    run = torch.compile(node, dynamic=False)

    def call(x: Tensor) -> Tensor:
        functional.reset_net(node)
        return run(x)

    return Contender(COMPILED, "spikingjelly", call, dict(layer.named_parameters()), shape_bound=True)
