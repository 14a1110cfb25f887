"""State under activation checkpointing: torch.utils.checkpoint runs a forward pass again during the backward pass.

The second run has to start from the state that the first one started from, and has to leave no trace in the state that
the first one left. So a layer with memory notes its state in every checkpointed region it is called in. The regions are
found on the Python stack, which is looked at only where one may be running: hooks on saved tensors are set, a backward
pass is running or gradients are off. Code that torch.compile has made does not look: there a checkpoint belongs inside
the compiled function, not around it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.utils import checkpoint

T = TypeVar("T")
State = dict[str, Any]

_FILE = checkpoint.__file__
_ATTRIBUTE = "_memory_of_layers"
_IN_NO_BACKWARD_PASS = -1

_UNKNOWN = (
    "A forward pass is run again of which {layer} has no note, so that its state there is unknown; call the layer "
    "inside torch.utils.checkpoint.checkpoint, which it knows."
)
_NO_GRADIENT = (
    "Reentrant checkpointing (use_reentrant=True) passes no gradient on through a state that is carried from one call "
    "to the next. Use use_reentrant=False, or neurons.detach(network) between the calls, which ends the gradient there."
)


class Remembering(Protocol):
    """A layer whose attributes `memory` go from call to call."""

    @property
    def memory(self) -> tuple[str, ...]: ...


def possible() -> bool:
    """Whether the present call may be one of a checkpointed region: cheap, and wrong in one direction alone."""
    if not torch.is_grad_enabled():
        return not torch.is_inference_mode_enabled()
    return (
        torch._C._autograd._top_saved_tensors_default_hooks(False) is not None
        or torch._C._current_graph_task_id() != _IN_NO_BACKWARD_PASS
    )


def trainable(kept: Tensor) -> Tensor:
    """What was kept under torch.inference_mode(), whose tensors take part in no gradient, as a tensor that does."""
    return kept.clone() if kept.is_inference() and not torch.is_inference_mode_enabled() else kept


def running() -> bool:
    """Whether a region is being run again."""
    return torch._C._current_graph_task_id() != _IN_NO_BACKWARD_PASS and _regions()[1] is not None


def call(layer: Remembering, run: Callable[[Tensor], T], x: Tensor) -> T:
    """`run(x)`, a call of `layer`: with the right state where it is run again, noted where it will be."""
    first, again = _regions()
    if again is None:
        return _noted(layer, run, x, first) if first else run(x)
    course = _course(again, layer)
    if course is None:
        raise RuntimeError(_UNKNOWN.format(layer=type(layer).__name__))
    present = _state(layer)
    _set(layer, course.next(torch._C._current_graph_task_id()))
    try:
        outputs = _noted(layer, run, x, first)
        course.left = _state(layer)
    finally:
        _set(layer, present)
    return outputs


class _Course:
    """The states before the calls of one layer in one region; None where a call began with what the last one left."""

    def __init__(self) -> None:
        self.before: list[State | None] = []
        self.left: State = {}
        self._last: dict[str, Any] = {}
        self._replay = (_IN_NO_BACKWARD_PASS, 0)  # backward pass, and how many calls it has run again

    def note(self, state: State, *, reentrant: bool) -> None:
        if self.before and all(_is(self._last[name], value) for name, value in state.items()):
            self.before.append(None)
            return
        self.before.append({name: _copy(value, cut=reentrant) for name, value in state.items()})

    def end(self, state: State) -> None:
        """`state` is what the call has left. A reference to it would keep the region's own graph alive."""
        self._last = {name: _identity(value) for name, value in state.items()}

    def next(self, backward_pass: int) -> State:
        """The state before the next call of this run."""
        running, place = self._replay
        place = place if running == backward_pass else 0
        self._replay = (backward_pass, place + 1)
        if place >= len(self.before):
            raise RuntimeError("A checkpointed region calls a layer more often when it is run again than at first.")
        noted = self.before[place]
        return self.left if noted is None else noted


def _noted(layer: Remembering, run: Callable[[Tensor], T], x: Tensor, regions: list[Any]) -> T:
    """`run(x)` for the first time in `regions`."""
    reentrant = [_is_reentrant(region) for region in regions]
    courses = [_course(region, layer, new=True) for region in regions]
    for course, cut in zip(courses, reentrant, strict=True):
        course.note(_state(layer), reentrant=cut)
    outputs = run(x)
    if any(reentrant):  # the graph that belongs to this state comes later, and too late for who uses it
        _set(layer, {name: _without_gradient(value) for name, value in _state(layer).items()})
    for course in courses:
        course.end(_state(layer))
    return outputs


def _course(region: Any, layer: Remembering, new: bool = False) -> Any:
    courses = getattr(region, _ATTRIBUTE, None)
    if courses is None:
        courses = weakref.WeakKeyDictionary()
        setattr(region, _ATTRIBUTE, courses)
    if new and layer not in courses:
        courses[layer] = _Course()
    return courses.get(layer)


def _regions() -> tuple[list[Any], Any]:
    """The regions of torch.utils.checkpoint around this call: those that run for the first time, the innermost first,
    up to one that is run again (None: there is none).
    """
    first: list[Any] = []
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == _FILE:
            function, local = frame.f_code.co_name, frame.f_locals
            if function == "backward" and "ctx" in local:
                return first, local["ctx"]
            if function == "unpack_hook" and "frame" in local:
                return first, local["frame"]
            if function == "forward" and "ctx" in local:
                first.append(local["ctx"])
            if function == "checkpoint" and local.get("gen") is not None and local["gen"].gi_frame is not None:
                first.append(local["gen"].gi_frame.f_locals["new_frame"])
        frame = frame.f_back  # type: ignore[assignment]
    return first, None


def _is_reentrant(region: Any) -> bool:
    return isinstance(region, torch.autograd.function.BackwardCFunction)


def _state(layer: Remembering) -> State:
    return {name: getattr(layer, name) for name in layer.memory}


def _set(layer: Remembering, state: State) -> None:
    for name, value in state.items():
        object.__setattr__(layer, name, value)


def _identity(value: Any) -> Any:
    return (weakref.ref(value), value._version) if isinstance(value, Tensor) else value


def _is(identity: Any, value: Any) -> bool:
    if isinstance(value, Tensor):
        return isinstance(identity, tuple) and identity[0]() is value and identity[1] == value._version
    return bool(identity == value)


def _copy(value: Any, cut: bool) -> Any:
    if not isinstance(value, Tensor):
        return value
    copied = value.detach().clone()
    if not value.requires_grad:
        return copied
    return _without_gradient(copied) if cut else copied.requires_grad_()  # what needs no gradient saves fewer tensors


def _without_gradient(value: Any) -> Any:
    """The same value; who asks for a gradient with respect to it is told why there is none."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    with torch.enable_grad():
        return torch._C._functions.DelayedError(_NO_GRADIENT.encode(), 1)(value.detach().requires_grad_())
