"""Choosing a function by name, with the options that belong to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from core.registry import unknown


def choose(kind: str, name: str, known: Mapping[str, Callable[..., Any]], **options: Any) -> Callable[..., Any]:
    """`known[name]` with `options` filled in; an option that is None was not given and keeps its default.

    Raises UnknownName for an unknown `name`, ValueError for an option that this function does not take: a
    hyper-parameter without effect would be recorded with the result as if it had one.
    """
    if name not in known:
        raise unknown(kind, name, known)
    given = {option: value for option, value in options.items() if value is not None}
    parameters = inspect.signature(known[name]).parameters.values()
    taken = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for option, value in given.items():
        if option not in taken:
            raise ValueError(
                f"{kind.capitalize()} {name!r} has no option {option!r} (given: {value!r}); leave it out. "
                f"Options of {name!r}: {', '.join(taken) or 'none'}."
            )
    return partial(known[name], **given)
