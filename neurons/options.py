"""The options of a neuron: what its constructor takes, and what a layer shows of it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Neuron

PLAIN = (bool, int, float, str, tuple, type(None))


def names(neuron: type[Neuron]) -> list[str]:
    """Names of the parameters of a class, its own first, then those it hands on to its bases."""
    known: list[str] = []
    for base in neuron.__mro__:
        if (init := base.__dict__.get("__init__")) is not None:
            parameters = [p for name, p in inspect.signature(init).parameters.items() if name != "self"]
            known += [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name not in known]
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):
                break
    return known


def shown(layer: Neuron) -> str:
    """What stands in the brackets of the layer's `repr`: its learned scalars, the options that it keeps under their
    names, and the shapes of its other learned parameters. Options that are layers show themselves.
    """
    kept = {name: getattr(layer, name) for name in names(type(layer)) if hasattr(layer, name)}
    plain = {name: value for name, value in kept.items() if isinstance(value, PLAIN)}
    scalars = {name: value for name, value in layer.constants().items() if f"{name}_" not in plain}  # lambda_
    shapes = {name: list(p.shape) for name, p in layer.named_parameters(recurse=False) if p.ndim}
    return ", ".join(f"{name}={_short(value)}" for name, value in {**scalars, **plain, **scalars, **shapes}.items())


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)
