"""The options of a neuron: what its constructor takes, and what a layer shows of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Neuron

PLAIN = (bool, int, float, str, tuple, type(None))


def names(neuron: type[Neuron]) -> list[str]:
    """Names of the parameters of a class, its own first, then those it hands on to its bases."""
    known: list[str] = []
    for base in neuron.__mro__:
        if (init := base.__dict__.get("__init__")) is not None:
            try:
                _, *parameters = inspect.signature(init).parameters.values()
            except (TypeError, ValueError):  # no function, or one of C
                break
            variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
            known += [p.name for p in parameters if p.kind not in variable and p.name not in known]
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):
                break
    return known


def shown(layer: Neuron) -> str:
    """What stands in the brackets of the layer's `repr`: its learned scalars, the options that it keeps under their
    names, and the shapes of its other learned parameters. Options that are layers show themselves; what the layer
    cannot tell yet, or on the device meta, is left out.
    """
    kept = {name: _told(lambda name=name: getattr(layer, name), ...) for name in names(type(layer))}  # type: ignore[misc]
    plain = {name: value for name, value in kept.items() if isinstance(value, PLAIN)}
    constants: dict[str, float] = _told(layer.constants, {})
    scalars = {name: value for name, value in constants.items() if f"{name}_" not in plain}  # lambda_
    shapes = {name: _told(lambda p=p: list(p.shape), None) for name, p in layer.named_parameters(recurse=False)}  # type: ignore[misc]
    shapes = {name: shape for name, shape in shapes.items() if shape}
    return ", ".join(f"{name}={_short(value)}" for name, value in {**scalars, **plain, **scalars, **shapes}.items())


def _told(ask: Callable[[], Any], otherwise: Any) -> Any:
    """What is found, or `otherwise`: an error message or a debugger shows layers that are half built, too."""
    try:
        return ask()
    except Exception:
        return otherwise


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)
