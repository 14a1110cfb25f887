"""Networks from files of the neuromorphic intermediate representation (NIR; Pedersen et al. 2024).

A file holds equations in continuous time; here they take steps of `dt` seconds (forward Euler, all states of a step
from those of the step before). What several nodes send to one is added. Of a cycle, the edge that closes it on the way
from the input carries what its node gave one step before, nothing before the first. Spiking neurons of one layer that
differ are refused by name.
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
from .readout import LeakyReadout
from .stateful import Stateful


class Scaled(nn.Module):
    """X times a constant."""

    scale: Tensor

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Kept(Stateful):
    """What a node gave at the last step, None before the first."""

    memory = ("value",)
    value: Tensor | None

    def forward(self) -> Tensor | None:  # type: ignore[override]
        return self.value


class Imported(Network):
    """The nodes of a file, each with what is sent to it; the first takes the input, the last gives the output.

    `sources` and `fed_back` are, by node, the places of those whose outputs it gets: of this step, and of the one
    before. With `still` each sample [N, ...] is shown at each of `T` steps; without it samples are sequences
    [N, T, ...]. With feedback it runs step by step.
    """

    def __init__(
        self, nodes: list[nn.Module], sources: list[list[int]], fed_back: list[list[int]], T: int, still: bool
    ) -> None:
        super().__init__()
        self.nodes, self.sources, self.fed_back, self.T, self.still = nn.ModuleList(nodes), sources, fed_back, T, still
        self.kept = nn.ModuleDict({str(place): Kept() for places in fed_back for place in places})

    def encode(self, x: Tensor) -> Tensor:
        return x.expand(self.T, *x.shape) if self.still else frames(x, self.T)

    def forward(self, sequence: Tensor) -> Tensor:
        if not self.kept:
            return self._through(sequence)
        return torch.cat([self._through(x) for x in sequence.split(1)])

    def _through(self, sequence: Tensor) -> Tensor:
        found: list[Tensor] = []
        for node, sources, fed_back in zip(self.nodes, self.sources, self.fed_back, strict=True):
            sent = [found[place] for place in sources] or [sequence]
            before = [self.kept[str(place)]() for place in fed_back]
            first, *others = (x for x in (*sent, *before) if x is not None)
            found.append(node(sum(others, first)))
        for place, kept in self.kept.items():
            kept.value = found[int(place)]
        return found[-1]


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
    try:
        found = hashlib.sha256(place.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"The network {place} cannot be read: {error.strerror}.") from None
    if len(sha256) < 8 or not found.startswith(sha256):
        raise ValueError(f"The sum of {place} is {found}, asked for was {sha256!r}; name the file that is meant.")
    try:
        graph = nir.read(place)
    except (OSError, LookupError, TypeError) as error:
        raise ValueError(f"{place} is no file of NIR: {error}.") from error
    nodes, edges = _flat(graph)
    order, closing = _ordered(nodes, edges)
    places = {name: place for place, name in enumerate(order)}
    into: dict[bool, list[list[int]]] = {closes: [[] for _ in order] for closes in (False, True)}
    for edge in edges:
        into[edge in closing][places[edge[1]]].append(places[edge[0]])
    return Imported([_layer(name, nodes[name], dt) for name in order], into[False], into[True], T, still)


def _flat(graph: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The nodes and edges of a graph, those of graphs within it among them, by names with a dot."""
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    starts: dict[str, str] = {}  # of a graph in this one: its input
    ends: dict[str, str] = {}  # and its output
    for name, node in graph.nodes.items():
        if type(node).__name__ != "NIRGraph":
            nodes[name] = node
            continue
        inner, connected = _flat(node)
        within = {f"{name}.{own}": found for own, found in inner.items()}
        if twice := within.keys() & graph.nodes.keys():
            raise ValueError(f"Two nodes have the name {min(twice)!r}; it is that of one in a graph within the graph.")
        nodes |= within
        edges += [(f"{name}.{first}", f"{name}.{second}") for first, second in connected]
        for kind, found in (("Input", starts), ("Output", ends)):
            own = [place for place, node in inner.items() if type(node).__name__ == kind]
            if len(own) != 1:
                raise ValueError(
                    f"The graph {name!r} within the graph has {len(own)} nodes of the kind {kind}, not one."
                )
            found[name] = f"{name}.{own[0]}"
    edges += [(ends.get(first, first), starts.get(second, second)) for first, second in graph.edges]
    return nodes, edges


def _ordered(nodes: Mapping[str, Any], edges: list[tuple[str, str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """The names, each after all that it gets something of this step from, and the edges that close a cycle.

    ValueError unless one node has none before it, one none behind it, and all lie between them.
    """
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for first, second in edges:
        after[first].append(second)
    begins = [name for name in nodes if all(second != name for _, second in edges)]
    ends = [name for name in nodes if not after[name]]
    if len(begins) != 1 or len(ends) != 1:
        raise ValueError(
            f"One beginning and one end are read; the graph begins at {', '.join(begins) or 'no node'} and ends at "
            f"{', '.join(ends) or 'no node'}."
        )
    closing: set[tuple[str, str]] = set()
    done: dict[str, None] = {}  # in the order in which they are left for good: the last one first
    way = [(begins[0], iter(after[begins[0]]))]  # from the input to where the search stands
    while way:
        name, others = way[-1]
        other = next(others, None)
        if other is None:
            done[name] = None
            way.pop()
        elif any(other == passed for passed, _ in way):
            closing.add((name, other))
        elif other not in done:
            way.append((other, iter(after[other])))
    if missed := [name for name in nodes if name not in done]:
        raise ValueError(f"Nothing leads from the input to {', '.join(missed)}.")
    order = [name for name in reversed(done) if name != ends[0]]
    return [*order, ends[0]], closing


def _layer(name: str, node: Any, dt: float) -> nn.Module:
    kind = type(node).__name__
    if kind not in LAYERS:
        raise ValueError(f"The node {name!r} is of the kind {kind}, which is not read. Known: {', '.join(LAYERS)}.")
    try:
        return nn.Sequential(*LAYERS[kind](node, dt))
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


def _leaky_readout(node: Any, dt: float) -> list[nn.Module]:
    if _tensor(node.v_leak).any():
        raise ValueError("it leaks to another value than 0")
    share = dt / _tensor(node.tau)
    if not ((share > 0) & (share < 1)).all():
        raise ValueError(f"tau has to be longer than a step of {dt:g} s")
    made = LeakyReadout(tuple(share.shape))
    with torch.no_grad():
        made.p.copy_(torch.logit(share.double()))  # its k is sigmoid(p)
    return [Scaled(_tensor(node.r)), made]


def _linear(node: Any, dt: float) -> list[nn.Module]:
    weight = _tensor(node.weight)
    if weight.ndim != 2:
        raise ValueError(f"its weight has the shape {list(weight.shape)}, not that of a matrix")
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
    first, last = (int(place) + 2 * (place >= 0) for place in (node.start_dim, node.end_dim))
    return [nn.Flatten(first, last)]  # behind time and batch, of which a file knows nothing


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
    "LI": _leaky_readout,
}
