"""Living layers by number: operators in compiled graphs know their layer by it."""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Neuron

_numbers = itertools.count()
_layers: weakref.WeakValueDictionary[int, Neuron] = weakref.WeakValueDictionary()


def number(layer: Neuron) -> int:
    """A number that no other layer has or had."""
    given = next(_numbers)
    _layers[given] = layer
    return given


def by_number(number: int) -> Neuron:
    """The living layer with this number."""
    return _layers[number]
