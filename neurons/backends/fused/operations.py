"""What each PyTorch operator means in the graph: the same elementary operations in the order in which PyTorch
rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .graph import Graph


def translate(graph: Graph, name: str, args: list[Any], kwargs: dict[str, Any], number: Callable[[float], int]) -> int:
    """Node for the PyTorch operator `name` ("add", "sigmoid_backward" ...).

    `args` holds `Operand`s for tensors and plain Python values otherwise; `number` makes the node of a Python number.
    Raises KeyError for an operator (or a form of it) that has no meaning here.
    """
    if name not in _TABLE:
        raise KeyError(name)
    return _TABLE[name](_Builder(graph, number), *args, **kwargs)


class Operand(int):
    """Index of a node; told apart from a Python integer, which is a number."""


class _Builder:
    def __init__(self, graph: Graph, number: Callable[[float], int]) -> None:
        self._graph = graph
        self._number = number

    def node(self, value: Any) -> int:
        if isinstance(value, Operand):
            return int(value)
        if isinstance(value, (int, float)):
            return self._number(float(value))
        raise KeyError(f"operand {value!r}")

    def __call__(self, op: str, *values: Any) -> Operand:
        return Operand(self._graph.add(op, *(self.node(v) for v in values)))

    def is_bool(self, value: Any) -> bool:
        return isinstance(value, Operand) and self._graph.nodes[value].is_bool

    def as_float(self, value: Any) -> Operand:
        return self("where", value, 1, 0) if self.is_bool(value) else Operand(self.node(value))


def _same(op: str) -> Callable[..., Operand]:
    return lambda g, *args: g(op, *args)


def _arithmetic(op: str) -> Callable[..., Operand]:
    return lambda g, a, b: g(op, g.as_float(a), g.as_float(b))


def _scaled(op: str) -> Callable[..., Operand]:
    def build(g: _Builder, a: Any, b: Any, alpha: float = 1) -> Operand:
        b = g.as_float(b)
        return g(op, g.as_float(a), b if alpha == 1 else g("mul", b, alpha))

    return build


def _divide(g: _Builder, a: Any, b: Any, rounding_mode: str | None = None) -> Operand:
    if rounding_mode is not None:
        raise KeyError(f"div with rounding_mode={rounding_mode!r}")
    if not isinstance(b, Operand) and abs(math.frexp(b)[0]) == 0.5 and 2.0**-60 < abs(b) < 2.0**60:
        return g("mul", g.as_float(a), 1 / b)  # a power of two: the same value, rounded once, without a division
    return g("div", g.as_float(a), g.as_float(b))


def _power(g: _Builder, base: Any, exponent: Any) -> Operand:
    if isinstance(base, Operand) and not isinstance(exponent, Operand):
        if exponent in (1, 2, 3):
            result = base
            for _ in range(int(exponent) - 1):
                result = g("mul", result, base)
            return result
        if exponent == 0:
            return g.as_float(1)
        if exponent == 0.5:
            return g("sqrt", base)
        if exponent == -1:
            return g("div", 1, base)
        if exponent == -2:
            return g("div", 1, g("mul", base, base))
    return g("pow", base, exponent)


def _clamp(g: _Builder, a: Any, low: Any = None, high: Any = None) -> Operand:
    if low is not None:
        a = g("max", a, low)
    return g("min", a, high) if high is not None else a


def _sigmoid(g: _Builder, a: Any) -> Operand:
    return g("div", 1, g("add", 1, g("exp", g("neg", a))))


def _sign(g: _Builder, a: Any) -> Operand:
    return g("sub", g.as_float(g("gt", a, 0)), g.as_float(g("lt", a, 0)))


def _to(g: _Builder, a: Any, dtype: Any = None, **_: Any) -> Operand:
    import torch

    if dtype is torch.bool:
        return a if g.is_bool(a) else g("ne", a, 0)
    return a if dtype is None else g.as_float(a)


def _fill(value: float | None = None) -> Callable[..., Operand]:
    return lambda g, like, *args, **_: Operand(g.node(args[0] if value is None else value))


_IDENTITY: dict[str, Callable[..., Operand]] = {
    name: lambda g, a, *_, **__: a for name in ("detach", "alias", "clone", "lift_fresh", "view_as", "contiguous")
}

_TABLE: dict[str, Callable[..., Operand]] = {
    **_IDENTITY,
    "_to_copy": _to,
    "add": _scaled("add"),
    "sub": _scaled("sub"),
    "rsub": lambda g, a, b, alpha=1: _scaled("sub")(g, b, a, alpha),
    "mul": _arithmetic("mul"),
    "div": _divide,
    "maximum": _arithmetic("max"),
    "minimum": _arithmetic("min"),
    **{name: _arithmetic(name) for name in ("ge", "gt", "le", "lt", "eq", "ne")},
    **{
        name: _same(name)
        for name in ("abs", "sqrt", "exp", "log", "log1p", "expm1", "sin", "cos", "tanh", "erf", "neg")
    },
    "reciprocal": lambda g, a: g("div", 1, a),
    "rsqrt": lambda g, a: g("div", 1, g("sqrt", a)),
    "square": lambda g, a: g("mul", a, a),
    "pow": _power,
    "exp2": lambda g, a: g("pow", 2, a),
    "sigmoid": _sigmoid,
    "relu": lambda g, a: g("max", a, 0),
    "clamp": _clamp,
    "clamp_min": lambda g, a, low: g("max", a, low),
    "clamp_max": lambda g, a, high: g("min", a, high),
    "hardtanh": lambda g, a, low=-1, high=1: _clamp(g, a, low, high),
    "sign": _sign,
    "sgn": _sign,
    "where": lambda g, c, a, b: g("where", c, g.as_float(a), g.as_float(b)),
    "masked_fill": lambda g, a, mask, value: g("where", mask, value, a),
    "heaviside": lambda g, a, at_zero: g("where", g("eq", a, 0), at_zero, g.as_float(g("gt", a, 0))),
    "logical_not": _same("not"),
    "bitwise_not": _same("not"),
    "logical_and": _same("and"),
    "bitwise_and": _same("and"),
    "logical_or": _same("or"),
    "bitwise_or": _same("or"),
    "addcmul": lambda g, a, b, c, value=1: g("add", a, g("mul", b if value == 1 else g("mul", value, b), c)),
    "addcdiv": lambda g, a, b, c, value=1: g("add", a, g("div", b if value == 1 else g("mul", value, b), c)),
    "zeros_like": _fill(0.0),
    "ones_like": _fill(1.0),
    "full_like": _fill(),
    "fill": _fill(),
    "empty_like": _fill(0.0),  # autograd makes one to fill it
    "sigmoid_backward": lambda g, grad, y: g("mul", g("mul", grad, g("sub", 1, y)), y),
    "tanh_backward": lambda g, grad, y: g("mul", grad, g("sub", 1, g("mul", y, y))),
    "threshold_backward": lambda g, grad, a, at: g("where", g("le", a, at), 0, grad),
    "hardtanh_backward": lambda g, grad, a, low, high: g("where", g("or", g("le", a, low), g("ge", a, high)), 0, grad),
}
