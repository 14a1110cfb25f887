"""One time step and its gradient as an expression graph, free of any language: what every code generator reads.

A graph is a list of nodes in order of computation; a node refers to its operands by their index. Equal nodes exist
once. The operators, each of them elementwise over the neurons:

| op                                               | operands      | value                                     |
|--------------------------------------------------|---------------|-------------------------------------------|
| input                                            |               | name: x, s0.., p0.., gy, gs0..            |
| literal                                          |               | a number written into the code            |
| constant                                         |               | index into the run-time scalars           |
| add sub mul div max min                          | a, b          |                                           |
| neg abs sqrt exp log log1p expm1 sin cos tanh erf | a             |                                           |
| pow                                              | a, b          |                                           |
| ge gt le lt eq ne                                | a, b -> bool  |                                           |
| and or not                                       | bool -> bool  |                                           |
| where                                            | bool, a, b    |                                           |

Inputs: `x` this step's input, `s<i>` state i before the step, `p<k>` value k of the prologue (a parameter or what is
computed from parameters alone), `gy` and `gs<i>` the gradients of the spikes and of state i after the step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

COMPARISONS = ("ge", "gt", "le", "lt", "eq", "ne")
LOGIC = ("and", "or", "not")
FUNCTIONS = ("exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "erf", "pow")  # rounded by a library, not by IEEE


@dataclass(frozen=True)
class Node:
    """One elementwise operation; `args` are indices of earlier nodes."""

    op: str
    args: tuple[int, ...] = ()
    value: float | int | str | None = None

    @property
    def is_bool(self) -> bool:
        return self.op in COMPARISONS or self.op in LOGIC


class Graph:
    """Nodes in order of computation, built by `add`, which returns the index of the (possibly older, equal) node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._index: dict[Node, int] = {}

    def add(self, op: str, *args: int, value: float | int | str | None = None) -> int:
        same = self._unchanged(op, args)
        if same is not None:
            return same
        node = Node(op, args, value)
        if node not in self._index:
            self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return self._index[node]

    def literal(self, value: float) -> int:
        return self.add("literal", value=float(value))

    def input(self, name: str) -> int:
        return self.add("input", value=name)

    def is_literal(self, index: int, value: float) -> bool:
        node = self.nodes[index]
        return node.op == "literal" and node.value == value

    def _unchanged(self, op: str, args: tuple[int, ...]) -> int | None:
        """The operand that `op` returns bit for bit, if it does: a - 0, a * 1, a / 1, 0 + literal 0 excepted for -0."""
        if op == "sub" and self.is_literal(args[1], 0.0):
            return args[0]
        if op in ("mul", "div") and self.is_literal(args[1], 1.0):
            return args[0]
        if op == "mul" and self.is_literal(args[0], 1.0):
            return args[1]
        return None

    def ancestors(self, roots: Iterable[int], stop: Iterable[int] = ()) -> list[int]:
        """Indices of the nodes that `roots` need, in order of computation, not looking behind those in `stop`."""
        halt, found, todo = set(stop), set(), list(roots)
        while todo:
            index = todo.pop()
            if index not in found:
                found.add(index)
                if index not in halt:
                    todo.extend(self.nodes[index].args)
        return sorted(found)

    def inputs(self, indices: Iterable[int], prefix: str) -> list[str]:
        """Names of the inputs among `indices` that begin with `prefix`, in the order of their numbers."""
        names = {str(self.nodes[i].value) for i in indices if self.nodes[i].op == "input"}
        found = [name for name in names if name.startswith(prefix) and name[len(prefix) :].isdigit()]
        return sorted(found, key=lambda name: int(name[len(prefix) :]))
