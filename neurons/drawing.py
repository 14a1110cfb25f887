"""Where random initial states are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)


@contextmanager
def drawn_from(generator: torch.Generator) -> Iterator[None]:
    """Inside, random initial states are drawn with `generator`: the same seed gives the same states, whatever else
    draws."""
    token = _generator.set(generator)
    try:
        yield
    finally:
        _generator.reset(token)


def generator() -> torch.Generator | None:
    """That of `drawn_from`, None outside."""
    return _generator.get()
