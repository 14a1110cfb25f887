"""The same neuron in other libraries, and in which of its options it is not the same.

    peer = peers.build("snntorch", neurons.create("lif", tau=2.0, detach_reset=True))
    spikes = peer(x)                 # [T, N, ...] -> [T, N, ...], from rest at every call
    peer.forward, peer.backward      # "equal", or the difference as a sentence

| peer         | if                   | lif, plif               | resets that are equal                        |
|--------------|----------------------|-------------------------|----------------------------------------------|
| spikingjelly | IFNode               | LIFNode, Parametric...  | hard and soft, detached or not               |
| snntorch     | Leaky(beta=1)        | Leaky(beta=1-1/tau)     | hard to 0; `reset_delay` on is detached, off |
|              |                      |                         | is not                                       |
| norse        | IAFCell              | LIFBoxCell(dt=1)        | hard, never detached; LIFBox also soft       |
| sinabs       | IAF                  | LIF(alpha=1-1/tau)      | hard to 0, detached; soft, never detached    |

SpikingJelly has psn, masked_psn and sliding_psn as well; they use this layer's own parameters.
A learned tau (plif) is the peer's own parameter set from this layer's `w` at every call, so that gradients reach `w`.
What a library leaves to its user (scaling the input by 1/tau for snnTorch) is done around it and counts as its cost.
snnTorch and Norse fire above the threshold, not at it: they equal a surrogate with `strict=True`.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.registry import unknown

if TYPE_CHECKING:
    from torch import Tensor

    from neurons.base import Neuron

EQUAL = "equal"
PACKAGES = {
    "spikingjelly": "spikingjelly.activation_based.neuron",
    "snntorch": "snntorch",
    "norse": "norse.torch",
    "sinabs": "sinabs.layers",
}
_AT_THRESHOLD = "{} a potential that equals the threshold exactly"


class NoPeer(Exception):
    """A library is not installed or has no such neuron; the message says which and what can be done."""


@dataclass(frozen=True)
class Peer:
    """A peer's layer, called with a sequence [T, N, ...] from rest; `call` is how the peer's layer is made."""

    name: str
    call: str
    forward: str  # EQUAL, or what differs in the spikes
    backward: str  # EQUAL, or what differs in the gradients besides
    run: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        return self.run(x)

    @property
    def semantics(self) -> str:
        """EQUAL where spikes and gradients are those of the suite's neuron, else every difference."""
        differences = [text for text in (self.forward, self.backward) if text != EQUAL]
        return "; ".join(differences) or EQUAL


def names() -> list[str]:
    """Names of the peer libraries, installed or not."""
    return list(PACKAGES)


def absent(peer: str) -> str | None:
    """Why the library `peer` cannot be used here, or None. Raises UnknownName."""
    if peer not in PACKAGES:
        raise unknown("peer", peer, PACKAGES)
    try:
        _load(peer)
    except ImportError as error:
        return f"{peer} does not import ({error}); install it with: pip install {peer}"
    return None


def build(peer: str, neuron: Neuron, *, unbind: bool = False) -> Peer:
    """The layer of library `peer` that comes nearest to `neuron`, in float32 or float64 as its input is.

    snnTorch and Norse are driven step by step; as their documentation does it, x[t] indexes the sequence, which costs
    a gradient of full size per step. `unbind` spares them that. Raises NoPeer where the library is absent or has no
    neuron of that kind, UnknownName for an unknown peer.
    """
    _require(peer, neuron.name)
    if getattr(neuron, "without_reset", False):
        raise NoPeer(f"{peer} resets after every spike")
    return _BUILDERS[peer](neuron, unbind)


def twin(peer: str, name: str, **options: Any) -> Neuron:
    """The suite's neuron `name` with the options under which `peer` computes the same spikes and gradients.

    `options` (tau, decay_input, v_threshold ...) go on top of them. Raises NoPeer where the library is absent or has no
    such neuron, UnknownName for an unknown peer.
    """
    import neurons
    from neurons import surrogate

    equal: dict[str, Any] = {
        "spikingjelly": {},
        "snntorch": {"surrogate": surrogate.ATan(strict=True)},
        "norse": {"surrogate": surrogate.FastSigmoid(1.0, strict=True)},
        "sinabs": {"detach_reset": True},
    }
    if peer not in equal:
        raise unknown("peer", peer, equal)
    _require(peer, name)
    return neurons.create(name, **{**equal[peer], **options})


def _require(peer: str, neuron: str) -> None:
    reason = absent(peer)
    if reason is not None:
        raise NoPeer(reason)
    if peer != "spikingjelly" and neuron not in ("if", "lif", "plif"):
        raise NoPeer(f"only if, lif and plif are mapped to {peer}")


def _load(peer: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Norse scripts functions, which PyTorch deprecates
        return importlib.import_module(PACKAGES[peer])


def _steps(x: Tensor, unbind: bool) -> Any:
    return x.unbind(0) if unbind else (x[t] for t in range(x.shape[0]))


def _rate(neuron: Any) -> Any:
    """1/tau: 1 for an integrator without leak input scaling, a number, or a tensor that leads to `w`."""
    return {"if": lambda: 1.0, "lif": lambda: 1 / neuron.tau, "plif": lambda: neuron.w.sigmoid()}[neuron.name]()


def _keep(neuron: Any) -> Any:
    """What is left of the potential after one step: 1 for an integrator, else 1 - 1/tau."""
    return 1.0 if neuron.name == "if" else 1 - _rate(neuron)


def _scaled(neuron: Any) -> bool:
    """Whether the input is multiplied by 1/tau."""
    return neuron.name != "if" and neuron.decay_input


def _equal_unless(*differences: tuple[bool, str]) -> str:
    return "; ".join(text for differs, text in differences if differs) or EQUAL


def _spikingjelly(neuron: Any, unbind: bool) -> Peer:
    from spikingjelly.activation_based import functional

    from neurons.backends import spikingjelly
    from neurons.computation import Refusal

    found = spikingjelly.refuses(type(neuron), "cpu") or spikingjelly.find(neuron)
    if isinstance(found, Refusal):
        raise NoPeer(found.reason)
    node = spikingjelly.node(neuron)

    def run(x: Tensor) -> Tensor:
        functional.reset_net(node)
        return node(x)

    return Peer("spikingjelly", f"{type(node).__name__}(step_mode='m')", EQUAL, EQUAL, run)


def _snntorch(neuron: Any, unbind: bool) -> Peer:
    import torch

    snntorch = _load("snntorch")
    shapes = importlib.import_module("snntorch.surrogate")
    soft, shape = neuron.v_reset is None, neuron.surrogate
    mapped = {"ATan": shapes.atan, "FastSigmoid": shapes.fast_sigmoid, "Sigmoid": shapes.sigmoid}
    known = type(shape).__name__ in mapped and isinstance(shape.alpha, float)
    spike_grad = mapped[type(shape).__name__](shape.alpha) if known else shapes.atan(2.0)
    # With the delay the reset of a spike is applied, detached, at the next step; without it, at once, with a gradient.
    delay = neuron.detach_reset and not soft
    options: dict[str, Any] = {
        "threshold": neuron.v_threshold,
        "reset_mechanism": "subtract" if soft else "zero",
        "reset_delay": delay,
    }
    layer = snntorch.Leaky(beta=1.0 if neuron.name == "plif" else _keep(neuron), spike_grad=spike_grad, **options)

    def run(x: Tensor) -> Tensor:
        if neuron.name == "plif":
            layer.beta = _keep(neuron)
        rate = _rate(neuron) if _scaled(neuron) else None
        potential, spikes = torch.zeros_like(x[0]), []
        for x_t in _steps(x, unbind):
            spike, potential = layer(x_t if rate is None else x_t * rate, potential)
            spikes.append(spike)
        return torch.stack(spikes)

    listed = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return Peer(
        "snntorch",
        f"snntorch.Leaky(beta=1-1/tau, {listed})",
        _equal_unless(
            (not shape.strict, _AT_THRESHOLD.format("Leaky does not fire at")),
            (soft, "Leaky subtracts again at the next step while a potential stays above the threshold"),
            (neuron.v_rest != 0, "Leaky rests at 0 and resets to 0"),
        ),
        _equal_unless(
            (not known, f"snnTorch has no surrogate {shape}; its atan(2) is used"),
            (soft and neuron.detach_reset, "with subtraction at once, Leaky's reset is not detached"),
        ),
        run,
    )


def _norse(neuron: Any, unbind: bool) -> Peer:
    import torch

    norse = _load("norse")
    shape, integrates = neuron.surrogate, neuron.name == "if"
    # In Norse 1.1 "super" ignores its alpha (1 always), "triangle" scales the height alone, and tanh(k) has height 1.
    methods = {
        ("FastSigmoid", 1.0): ("super", 1.0),
        ("Triangle", 1.0): ("triangle", 1.0),
        ("Sigmoid", 4.0): ("tanh", 2.0),
    }
    known = isinstance(shape.alpha, float) and (type(shape).__name__, shape.alpha) in methods
    method, alpha = methods[type(shape).__name__, shape.alpha] if known else ("super", 1.0)
    soft = neuron.v_reset is None

    def run(x: Tensor) -> Tensor:
        def tensor(value: float) -> Tensor:
            return torch.as_tensor(value, dtype=x.dtype, device=x.device)

        common = {
            "v_th": tensor(neuron.v_threshold),
            "v_reset": tensor(neuron.v_rest),
            "method": method,
            "alpha": alpha,
        }
        if integrates:
            functional = importlib.import_module("norse.torch.functional.iaf")
            cell = norse.IAFCell(functional.IAFParameters(**common))
            state = functional.IAFFeedForwardState(v=torch.full_like(x[0], neuron.v_rest))
        else:
            reset = importlib.import_module("norse.torch.functional.reset")
            box = importlib.import_module("norse.torch.functional.lif_box")
            rate = _rate(neuron)
            common["reset_method"] = reset.reset_subtract if soft else reset.reset_value
            common["v_leak"] = tensor(neuron.v_rest)
            common["tau_mem_inv"] = rate if isinstance(rate, torch.Tensor) else tensor(rate)
            cell = norse.LIFBoxCell(box.LIFBoxParameters(**common), dt=1.0)
            state = box.LIFBoxFeedForwardState(v=torch.full_like(x[0], neuron.v_rest))
            if not neuron.decay_input:
                x = x / rate
        spikes = []
        for x_t in _steps(x, unbind):
            spike, state = cell(x_t, state)
            spikes.append(spike)
        return torch.stack(spikes)

    return Peer(
        "norse",
        f"norse.torch.{'IAFCell' if integrates else 'LIFBoxCell'}(method={method!r}"
        + ("" if integrates else ", tau_mem_inv=1/tau, dt=1")
        + ")",
        _equal_unless(
            (not shape.strict, _AT_THRESHOLD.format("Norse does not fire at")),
            (soft and integrates, "IAFCell resets to a value and cannot subtract"),
        ),
        _equal_unless(
            (not known, f"Norse has no surrogate {shape}; its {method!r} is used"),
            (neuron.detach_reset, "Norse does not detach its reset"),
        ),
        run,
    )


def _sinabs(neuron: Any, unbind: bool) -> Peer:
    import torch

    layers, activation = _load("sinabs"), importlib.import_module("sinabs.activation")
    soft, shape = neuron.v_reset is None, neuron.surrogate
    common = {
        "spike_threshold": torch.tensor(neuron.v_threshold, dtype=torch.float64),
        "spike_fn": activation.SingleSpike,
        "reset_fn": activation.MembraneSubtract() if soft else activation.MembraneReset(),
        "surrogate_grad_fn": lambda v, threshold: shape.derivative(v - threshold, shape.alpha),
    }
    if neuron.name == "if":
        layer = layers.IAF(**common)
    else:
        layer = layers.LIF(tau_mem=1.0, train_alphas=True, norm_input=neuron.decay_input, **common)
        del layer.alpha_mem  # set below, in full precision and with the gradient of a learned tau

    def run(x: Tensor) -> Tensor:
        layer.to(x.device).reset_states()  # sinabs.reset_states resets the layers inside a network, not a layer
        if neuron.name != "if":
            layer.alpha_mem = torch.as_tensor(_keep(neuron), dtype=x.dtype, device=x.device)
        return layer(x.unsqueeze(0)).squeeze(0)  # [batch 1, T, N, ...]

    return Peer(
        "sinabs",
        f"sinabs.layers.{'IAF' if neuron.name == 'if' else 'LIF'}(SingleSpike, "
        f"{'MembraneSubtract' if soft else 'MembraneReset'})",
        _equal_unless(
            (shape.strict, _AT_THRESHOLD.format("Sinabs fires at")),
            (neuron.v_rest != 0, "Sinabs rests at 0, and a reset value is added at every step, spike or not"),
        ),
        _equal_unless(
            (isinstance(shape.alpha, torch.nn.Parameter), "the slope of Sinabs' surrogate is not learned"),
            (neuron.detach_reset == soft, "Sinabs detaches the hard reset and does not detach the soft one"),
        ),
        run,
    )


_BUILDERS: dict[str, Callable[[Any, bool], Peer]] = {
    "spikingjelly": _spikingjelly,
    "snntorch": _snntorch,
    "norse": _norse,
    "sinabs": _sinabs,
}
