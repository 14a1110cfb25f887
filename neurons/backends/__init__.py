"""How a neuron's sequence is computed: one module for each backend. `neurons.choice` knows them by name."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from ..choice import AUTO, BY_NAME, DEVICES, MODULES, Available, available, chosen

__all__ = ["AUTO", "BY_NAME", "DEVICES", "MODULES", "Available", "available", "chosen"]

if TYPE_CHECKING:
    import torch


class _Callable(ModuleType):
    """This package is a room (`neurons.backends.eager`) and a question: `neurons.backends("plif", "cpu")`."""

    def __call__(self, name: str, device: str | torch.device = "cpu") -> Available:
        return available(name, device)


sys.modules[__name__].__class__ = _Callable
