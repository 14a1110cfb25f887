"""A part of a scheme from its name and options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from core.registry import Registry

Spec = Mapping[str, Any]  # {"name": "adam", "lr": 0.001}


def make(known: Registry, spec: Spec) -> Callable[..., Any]:
    """The function that `spec` names in `known`, with the options beside its name filled in.

    Raises UnknownName for an unknown name, ValueError where there is none, and for an option that this function does
    not take: a hyper-parameter without effect would be recorded with the result as if it had one.
    """
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise ValueError(
            f'The {known.kind} was given as {spec!r}; give {{"name": NAME, ...}}. Known: {", ".join(known.names())}.'
        )
    options = dict(spec)
    name = options.pop("name")
    function = known.get(name)
    parameters = inspect.signature(function).parameters.values()
    taken = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for option, value in options.items():
        if option not in taken:
            raise ValueError(
                f"{known.kind.capitalize()} {name!r} has no option {option!r} (given: {value!r}); leave it out. "
                f"Options of {name!r}: {', '.join(taken) or 'none'}."
            )
    return partial(function, **options)
