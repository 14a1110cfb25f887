"""Backend `spikingjelly`: the same neuron computed by the peer library, for comparison.

| here                | SpikingJelly                                     |
|---------------------|--------------------------------------------------|
| if                  | IFNode                                           |
| lif(tau)            | LIFNode(tau)                                     |
| plif(init_tau), `w` | ParametricLIFNode, whose `w` is this layer's own |
| decay_input         | decay_input                                      |
| v_threshold         | v_threshold                                      |
| v_reset (None: soft)| v_reset                                          |
| detach_reset        | detach_reset                                     |
| ATan(alpha)         | surrogate.ATan(alpha)                            |
| state `v`           | state `v`                                        |
| psn, masked_psn     | PSN, MaskedPSN, with this layer's own parameters |
| sliding_psn         | SlidingPSN (a product, whatever the form here)   |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..computation import Computation, Refusal
from ..surrogate import ATan
from . import eager

if TYPE_CHECKING:
    from ..base import Neuron

_NODES = {
    "if": "IFNode",
    "lif": "LIFNode",
    "plif": "ParametricLIFNode",
    "psn": "PSN",
    "masked_psn": "MaskedPSN",
    "sliding_psn": "SlidingPSN",
}


def refuses(neuron: type[Neuron], device: str) -> Refusal | None:
    """Why the peer does not compute `neuron` on `device`, or None."""
    if neuron.name not in _NODES:
        return Refusal(f"SpikingJelly has no neuron with the equations of {neuron.name!r}")
    try:
        from spikingjelly.activation_based import neuron as peers
    except ImportError as error:
        return Refusal(f"SpikingJelly does not import ({error}); install it with: pip install spikingjelly")
    if not hasattr(peers, _NODES[neuron.name]):
        return Refusal(f"this SpikingJelly is too old for its {_NODES[neuron.name]}; install 2.0 or newer")
    return eager.refuses(neuron, device)


def find(neuron: Neuron, x: Tensor | None = None) -> Computation | Refusal:
    """What computes the layer, or why the peer does not."""
    shape: Any = neuron.surrogate
    if type(shape) is not ATan or isinstance(shape.alpha, nn.Parameter) or shape.strict:
        return Refusal("only ATan with a fixed alpha, firing at the threshold, is mapped to SpikingJelly's surrogate")
    if getattr(neuron, "without_reset", False):
        return Refusal("SpikingJelly resets after every spike")
    if neuron.name == "lif" and getattr(neuron, "tau", 0) <= 1:
        return Refusal("SpikingJelly's LIF needs a tau above 1")
    return _PEER


def sequence(neuron: Neuron, x: Tensor) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...], computed by SpikingJelly; the state stays on `neuron`."""
    peer = node(neuron)
    if not neuron.recurrent:
        rows = x if x.ndim > 1 else x.unsqueeze(1)  # its product is one of matrices, and autocast has a type for it
        return peer(rows).view(x.shape).to(x.dtype)
    peer.v = neuron.load_states(x[0])[0]
    spikes = peer(x)
    neuron.store_states([peer.v])
    return spikes


def in_graph(neuron: Neuron, x: Tensor) -> tuple[Any, ...]:
    """As in `eager`."""
    return sequence, ()


_PEER = Computation("spikingjelly", "SpikingJelly's layer", sequence)


def node(neuron: Any) -> Any:
    """SpikingJelly's layer with the parameters of `neuron`, step mode "m"; a learned `w` is shared."""
    from spikingjelly.activation_based import neuron as peers
    from spikingjelly.activation_based import surrogate

    shape = surrogate.ATan(alpha=neuron.surrogate.alpha)
    make = getattr(peers, _NODES[neuron.name])
    if not neuron.recurrent:
        peer = _parallel(make, neuron, shape)
        _share(peer, weight=neuron.weight, bias=neuron.bias)
        return peer.train(neuron.training)
    own: dict[str, Any] = {}
    if neuron.name == "lif":
        own = {"tau": neuron.tau, "decay_input": neuron.decay_input}
    elif neuron.name == "plif":
        own = {"decay_input": neuron.decay_input}
    peer = make(
        v_threshold=neuron.v_threshold,
        v_reset=neuron.v_reset,
        detach_reset=neuron.detach_reset,
        surrogate_function=shape,
        step_mode="m",
        **own,
    )
    if neuron.name == "plif":
        _share(peer, w=neuron.w)
    return peer.train(neuron.training)


def _share(peer: Any, **tensors: Tensor) -> None:
    """Puts `tensors` in the place of the peer's parameters; in a replica of DataParallel they are none."""
    for name, tensor in tensors.items():
        delattr(peer, name)
        setattr(peer, name, tensor)


def _parallel(make: Any, neuron: Any, shape: Any) -> Any:
    device = neuron.weight.device
    if neuron.name == "psn":
        return make(neuron.T, shape).to(device)
    if neuron.name == "masked_psn":
        peer = make(neuron.k, neuron.T, neuron.lambda_, shape, step_mode="m").to(device, neuron.weight.dtype)
        peer.lambda_ = neuron.lambda_  # kept in a buffer, which was float32 until now
        return peer
    return make(neuron.k, surrogate_function=shape, step_mode="m").to(device)
