"""What a kernel has to do: forward and backward of one step, and which values the forward pass keeps for the backward.

The choice is a minimum cut through the graph between what the forward pass reads and what the gradient needs. The
weight of a value is the traffic of keeping it: the input and the spikes are there anyway and only read, any other value
is written and read.
"""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Graph
from .trace import Reduction, Trace


@dataclass(frozen=True)
class Program:
    """One neuron's kernels for one choice of wanted gradients; numbers are nodes of `graph`.

    Forward at step t: from x, s<i>, p<k> compute `spikes` and `next_states`, keep `saved`.
    Backward at step t (last first): from `saved`, from x if `reads_x`, from the spikes if `reads_spikes`, from gy and
    gs<i> compute `grad_x` (None: not wanted), `grad_states` (None: zero), which are gs<i> of step t - 1, and add
    each of `sums` to its accumulator.
    """

    graph: Graph
    spikes: int
    next_states: tuple[int, ...]
    saved: tuple[int, ...]
    reads_x: bool
    reads_spikes: bool
    grad_x: int | None
    grad_states: tuple[int | None, ...]
    sums: tuple[int, ...]
    prologue_is_scalar: tuple[bool, ...]
    constants: int

    @property
    def forward_nodes(self) -> list[int]:
        """What one step forward computes, in order."""
        return self.graph.ancestors([self.spikes, *self.next_states, *self.saved])

    @property
    def restart_nodes(self) -> list[int]:
        """What one step of the second forward pass (from a checkpoint) computes, in order."""
        return self.graph.ancestors([*self.next_states, *self.kept])

    @property
    def kept(self) -> tuple[int, ...]:
        """Per step, what the second forward pass keeps: as `saved`, and the spikes if they are read."""
        return (*self.saved, self.spikes) if self.reads_spikes else self.saved

    @property
    def backward_nodes(self) -> list[int]:
        """What one step backward computes, in order; `kept` values are loaded, not computed."""
        return self.graph.ancestors(self._gradients, stop=self.kept)

    @property
    def _gradients(self) -> list[int]:
        return [g for g in (self.grad_x, *self.grad_states, *self.sums) if g is not None]


def program(trace: Trace, *, grad_x: bool, parameters: list[str], storage_bytes: int, compute_bytes: int) -> Program:
    """The program of `trace` that gives the gradients of x (if `grad_x`) and of `parameters`."""
    sums = []
    for place in trace.reductions(parameters):
        entry = trace.host[place]
        assert isinstance(entry, Reduction)
        sums.append(entry.node)
    wanted_x = trace.grad_x if grad_x else None
    gradients = [g for g in (wanted_x, *trace.grad_states, *sums) if g is not None]
    cut = _cheapest(trace.graph, gradients, trace.spikes, storage_bytes, compute_bytes)
    x = trace.graph.input("x")
    return Program(
        graph=trace.graph,
        spikes=trace.spikes,
        next_states=tuple(trace.next_states),
        saved=tuple(i for i in cut if i not in (x, trace.spikes)),
        reads_x=x in cut,
        reads_spikes=trace.spikes in cut,
        grad_x=wanted_x,
        grad_states=tuple(trace.grad_states),
        sums=tuple(sums),
        prologue_is_scalar=tuple(trace.prologue_is_scalar),
        constants=len(trace.constants),
    )


def _cheapest(graph: Graph, gradients: list[int], spikes: int, storage_bytes: int, compute_bytes: int) -> list[int]:
    """Forward values to have at hand in the backward pass: a minimum cut with the traffic of each value as its
    weight.
    """
    reachable = graph.ancestors(gradients)
    forward, moving = set(), set()  # nodes that depend on x or a state; on an incoming gradient
    for index, node in enumerate(graph.nodes):
        name = str(node.value) if node.op == "input" else ""
        if name.startswith("g") or any(a in moving for a in node.args):
            moving.add(index)
        elif name == "x" or name.startswith("s") or any(a in forward for a in node.args):
            forward.add(index)
    needed = {a for i in reachable if i in moving for a in graph.nodes[i].args if a in forward}
    needed |= {g for g in gradients if g in forward}
    inside = [i for i in graph.ancestors([*needed, spikes] if needed else []) if i in forward]

    unlimited = 10**9
    source, sink = -1, -2
    flow = _Flow()
    for i in inside:
        node = graph.nodes[i]
        if i == spikes:
            weight = 10 * storage_bytes
        elif node.op == "input" and node.value == "x":
            weight = 10 * storage_bytes + 1  # at equal traffic rather the spikes, which the next layer keeps anyway
        else:
            weight = unlimited if node.is_bool else 20 * compute_bytes + 2
        flow.edge((i, 0), (i, 1), weight)
        if node.op == "input":
            flow.edge(source, (i, 0), unlimited)
        for a in node.args:
            if a in forward:
                flow.edge((a, 1), (i, 0), unlimited)
        if i in needed:
            flow.edge((i, 1), sink, unlimited)
    behind = flow.cut(source, sink)
    return [i for i in inside if (i, 1) in behind and (i, 0) not in behind]


class _Flow:
    """Maximum flow by shortest augmenting paths; the graphs have some dozens of nodes."""

    def __init__(self) -> None:
        self._room: dict[object, dict[object, int]] = {}

    def edge(self, a: object, b: object, capacity: int) -> None:
        self._room.setdefault(a, {})[b] = capacity
        self._room.setdefault(b, {}).setdefault(a, 0)

    def cut(self, source: object, sink: object) -> set[object]:
        """The nodes on the sink's side of the minimum cut that lies nearest to the sink."""
        if source not in self._room or sink not in self._room:
            return set()
        while path := self._path(source, sink):
            least = min(self._room[a][b] for a, b in path)
            for a, b in path:
                self._room[a][b] -= least
                self._room[b][a] += least
        side, todo = {sink}, [sink]
        while todo:
            b = todo.pop()
            for a in self._room[b]:
                if a not in side and self._room[a].get(b, 0) > 0:
                    side.add(a)
                    todo.append(a)
        return side

    def _path(self, source: object, sink: object) -> list[tuple[object, object]]:
        came: dict[object, object] = {source: source}
        todo = [source]
        for a in todo:
            for b, room in self._room[a].items():
                if room > 0 and b not in came:
                    came[b] = a
                    todo.append(b)
        path, at = [], sink
        while at in came and at != source:
            path.append((came[at], at))
            at = came[at]
        return path
