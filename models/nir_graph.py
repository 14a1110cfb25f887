"""Networks from files of the neuromorphic intermediate representation (NIR; Pedersen et al. 2024).

A file holds equations in continuous time; here they take steps of `dt` seconds (forward Euler, all states of a step
from those of the step before). Graphs that are chains are read: what is fed back, or neurons of one layer that differ,
is refused by name.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import neurons
from neurons.surrogate import ATan

from .layers import AvgPool2d, Conv2d
from .network import Network, frames


class Scaled(nn.Module):
    """X times a constant."""

    scale: Tensor

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Imported(Network):
    """The layers of a file, one after the other.

    With `still` each sample [N, ...] is shown at each of `T` steps; without it samples are sequences [N, T, ...].
    """

    def __init__(self, layers: nn.Sequential, T: int, still: bool) -> None:
        super().__init__()
        self.layers, self.T, self.still = layers, T, still

    def encode(self, x: Tensor) -> Tensor:
        return x.expand(self.T, *x.shape) if self.still else frames(x, self.T)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.layers(sequence)


def network(
    neuron: Any = None,
    *,
    path: str,
    sha256: str,
    T: int,
    dt: float = 1e-3,
    still: bool = False,
    root: str | None = None,
) -> Imported:
    """The network in the file `path` (below `root`, the data root, where it is not absolute); `neuron` takes no part.

    `sha256` is the sum of the file, or its beginning: a result rests on what is in it. ImportError without the package
    nir, ValueError for another file and for a graph that is not understood.
    """
    if find_spec("nir") is None:
        raise ImportError("Files of NIR are read by the package nir, which is not installed here: pip install nir.")
    import nir

    place = Path(root or ".") / path
    found = hashlib.sha256(place.read_bytes()).hexdigest()
    if len(sha256) < 8 or not found.startswith(sha256):
        raise ValueError(f"The sum of {place} is {found}, asked for was {sha256!r}; name the file that is meant.")
    graph = nir.read(place)
    made = [_layer(name, graph.nodes[name], dt) for name in _chain(graph)]
    return Imported(nn.Sequential(*(layer for layers in made for layer in layers)), T, still)


def _chain(graph: Any) -> list[str]:
    """The names of the nodes between input and output. ValueError for what is no chain."""
    after: dict[str, str] = {}
    for first, second in graph.edges:
        if first in after or second in after.values():
            raise ValueError(f"The graph is no chain: {first if first in after else second} has several neighbours.")
        after[first] = second
    starts = [name for name in graph.nodes if name in after and name not in after.values()]
    if len(starts) != 1:
        raise ValueError(f"The graph is no chain with one beginning; it begins at {', '.join(starts) or 'no node'}.")
    names = [starts[0]]
    while names[-1] in after:
        names.append(after[names[-1]])
    return names


def _layer(name: str, node: Any, dt: float) -> list[nn.Module]:
    kind = type(node).__name__
    if kind not in LAYERS:
        raise ValueError(f"The node {name!r} is of the kind {kind}, which is not read. Known: {', '.join(LAYERS)}.")
    try:
        return LAYERS[kind](node, dt)
    except ValueError as error:
        raise ValueError(f"The node {name!r}, {kind}: {error}") from error


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


def _same(node: Any, what: str) -> float:
    """The one value of a parameter that a kernel can take."""
    values = _tensor(getattr(node, what))
    if values.min() != values.max():
        raise ValueError(f"{what} differs from neuron to neuron, from {values.min():g} to {values.max():g}")
    return float(values.flatten()[0])


def _threshold(node: Any) -> dict[str, Any]:
    """The options that all neurons of NIR have in common; they fire above their threshold, not at it."""
    v_reset = 0.0 if node.v_reset is None else _same(node, "v_reset")
    if hasattr(node, "v_leak") and (v_leak := _same(node, "v_leak")) != v_reset:
        raise ValueError(f"it leaks to {v_leak:g} and is reset to {v_reset:g}; only one and the same is read")
    return {"v_threshold": _same(node, "v_threshold"), "v_reset": v_reset, "surrogate": ATan(strict=True)}


def _decay(tau: float, dt: float, what: str) -> float:
    """The share dt / tau that a step moves."""
    if not 0 < dt / tau < 1:
        raise ValueError(f"{what} is {tau:g} s, which has to be longer than a step of {dt:g} s")
    return dt / tau


def _integrate_and_fire(node: Any, dt: float) -> list[nn.Module]:
    return [Scaled(_tensor(node.r) * dt), neurons.create("if", **_threshold(node))]


def _leaky(node: Any, dt: float) -> list[nn.Module]:
    share = _decay(_same(node, "tau"), dt, "tau")
    return [Scaled(_tensor(node.r)), neurons.create("lif", tau=1 / share, **_threshold(node))]


def _current_based(node: Any, dt: float) -> list[nn.Module]:
    """I and V by one Euler step each: V sees the current of the step before."""
    membrane, synapse = (_decay(_same(node, what), dt, what) for what in ("tau_mem", "tau_syn"))
    drive = _tensor(node.w_in) * _tensor(node.r) * synapse
    tau_m, tau_s = (-1 / math.log1p(-share) for share in (membrane, synapse))  # its decays are exp(-1 / tau)
    made = neurons.create("culif", tau_m=tau_m, tau_s=tau_s, detach_reset=False, **_threshold(node))
    return [Scaled(drive), made]


def _linear(node: Any, dt: float) -> list[nn.Module]:
    weight = _tensor(node.weight)
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=hasattr(node, "bias"))
    return [_filled(made, node)]


def _convolution(node: Any, dt: float) -> list[nn.Module]:
    weight = _tensor(node.weight)
    out, per_group, height, width = weight.shape
    made = Conv2d(
        per_group * node.groups,
        out,
        (height, width),
        _pair(node.stride),
        node.padding if isinstance(node.padding, str) else _pair(node.padding),
        _pair(node.dilation),
        node.groups,
    )
    return [_filled(made, node)]


def _filled(made: Any, node: Any) -> nn.Module:
    with torch.no_grad():
        made.weight.copy_(_tensor(node.weight))
        if made.bias is not None:
            made.bias.copy_(_tensor(node.bias))
    return made


def _pooling(node: Any, dt: float) -> list[nn.Module]:
    kernel = _pair(node.kernel_size)
    made = AvgPool2d(kernel, _pair(node.stride), _pair(node.padding))
    area = kernel[0] * kernel[1]
    return [made, Scaled(torch.tensor(float(area)))] if type(node).__name__ == "SumPool2d" else [made]


def _pair(value: Any) -> tuple[int, int]:
    first, *others = torch.as_tensor(value).flatten().tolist()
    return int(first), int(others[0] if others else first)


def _flattened(node: Any, dt: float) -> list[nn.Module]:
    if (node.start_dim, node.end_dim) not in ((1, -1), (0, -1)):
        raise ValueError(f"it flattens dimensions {node.start_dim} to {node.end_dim}; only all of a sample are read")
    return [nn.Flatten(2)]


LAYERS: Mapping[str, Callable[[Any, float], list[nn.Module]]] = {
    "Input": lambda node, dt: [],
    "Output": lambda node, dt: [],
    "Linear": _linear,
    "Affine": _linear,
    "Conv2d": _convolution,
    "Flatten": _flattened,
    "SumPool2d": _pooling,
    "AvgPool2d": _pooling,
    "Scale": lambda node, dt: [Scaled(_tensor(node.scale))],
    "IF": _integrate_and_fire,
    "LIF": _leaky,
    "CubaLIF": _current_based,
}
