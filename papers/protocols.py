"""Which value of a training counts: pure functions of its curves, the same for our runs and for the authors'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from .layers import of_layers
from .measures import TEST, VALIDATION, Measure

Curve = Mapping[int, float]  # value by step (an epoch, counted from 0)
Curves = Mapping[str, Curve]  # by metric


@dataclass(frozen=True)
class Selected:
    """A reported value and the step that it belongs to."""

    value: float
    step: int


@dataclass(frozen=True)
class Protocol:
    """`select` finds the value in the curves of a training, None where they do not have it.

    `says` tells a reader which value it is; `label` is short for it, put behind a column whose cells have another
    protocol than the table's first.
    """

    name: str
    says: str
    select: Callable[[Curves, Measure], Selected | None]
    label: str = ""


def best_of(curve: Curve, measure: Measure) -> int | None:
    """The step of the best value, the last among equals (the authors' code compares with <=)."""
    return max(curve, key=lambda step: (measure.sign * curve[step], step), default=None)


def _best(curves: Curves, measure: Measure) -> Selected | None:
    return _at(best_of(test := _test(curves, measure), measure), test)


def _chosen(curves: Curves, measure: Measure) -> Selected | None:
    test = _test(curves, measure)
    validation = {step: v for step, v in curves.get(measure.curve(VALIDATION), {}).items() if step in test}
    return _at(best_of(validation, measure), test)


def _last(curves: Curves, measure: Measure) -> Selected | None:
    return _at(max(test := _test(curves, measure), default=None), test)


def best_where(metric: str, least: float) -> Callable[[Curves, Measure], Selected | None]:
    """The best test value among the steps at which `metric` is known to be at least `least` in every layer."""

    def select(curves: Curves, measure: Measure) -> Selected | None:
        layers = [curves[name] for name in of_layers(curves, metric)]
        test = {
            step: value
            for step, value in _test(curves, measure).items()
            if layers and all(layer.get(step, -inf) >= least for layer in layers)
        }
        return _at(best_of(test, measure), test)

    return select


def _test(curves: Curves, measure: Measure) -> Curve:
    return curves.get(measure.curve(TEST), {})


def _at(step: int | None, curve: Curve) -> Selected | None:
    return None if step is None else Selected(curve[step], step)


BEST = Protocol("A", "best epoch on the test set, an optimistic choice", _best)
CHOSEN = Protocol("B", "test value of the best epoch on validation", _chosen)
LAST = Protocol("last", "last epoch", _last, "last epoch")
