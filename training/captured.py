"""A step of training recorded as a CUDA graph: one start in place of hundreds, which small networks wait for.

What a step starts on the device is written down once for each shape of a batch and played back for the batches after
it. A graph holds addresses and numbers of Python, so that it lives for one epoch: learning rates and what neurons do at
the start of an epoch are such numbers. No GPU has run this yet.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import models
from core.compare import relative, tolerance

from .scheme import Update

if TYPE_CHECKING:
    from .descent import Descent

WARM = 3  # batches of a shape that run as they are: kernels are chosen and proven in them, the optimiser gets its state
Shape = tuple[Any, ...]


def record(step: Callable[[], None]) -> Callable[[], None]:
    """What `step` starts on the CUDA device, to be started again; it is not run now. RuntimeError for what a graph
    cannot hold, such as a value that Python reads."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # another thread loads the next batch
        step()
    start: Callable[[], None] = graph.replay
    return start


class Captured:
    """The updates of `scheme`, recorded by `record` where they can be.

    The first playback of a graph is held against `scheme.update` from the same weights, state and random numbers. Where
    it comes to something else, or nothing can be recorded, all goes on as without it, and a RuntimeWarning says why.
    """

    def __init__(self, scheme: Descent, record: Callable[[Callable[[], None]], Callable[[], None]] = record) -> None:
        self.scheme, self.record, self.refused = scheme, record, False
        for group in scheme.optimizer.param_groups:
            if "capturable" in group and group["params"][0].is_cuda:
                group["capturable"] = True  # its count of steps is kept on the device
                scheme.optimizer._warned_capturable_if_run_uncaptured = True  # the first steps are, and PyTorch minds
        self.forget()

    def forget(self) -> None:
        """Ends all graphs: what Python decides may be another from here."""
        self._seen: Counter[Shape] = Counter()
        self._graphs: dict[Shape, _Graph] = {}

    def update(self, x: Tensor, labels: Tensor) -> Update:
        """As `scheme.update`."""
        shape = (x.shape, x.dtype, labels.shape, labels.dtype)
        if shape in self._graphs:
            return self._graphs[shape].play(x, labels)
        self._seen[shape] += 1
        if self.refused or self._seen[shape] <= WARM:
            return self.scheme.update(x, labels)
        try:
            graph = _Graph(self.scheme, x, labels, self.record)
        except RuntimeError as error:
            models.reset(self.scheme.network)  # it is in the midst of a sequence that nobody ran
            self._refuse(f"it cannot be recorded ({str(error).splitlines()[0]})")
            return self.scheme.update(x, labels)
        return self._first(graph, shape, x, labels)

    def _first(self, graph: _Graph, shape: Shape, x: Tensor, labels: Tensor) -> Update:
        """The first playback of `graph` beside the plain update, which stays if they differ."""
        before = _Moment(self.scheme, x)
        plain = self.scheme.update(x, labels)
        after = _Moment(self.scheme, x)
        before.restore()
        played = graph.play(x, labels)
        pairs = zip(
            [played.outputs, *played.scalars.values(), *_state(self.scheme)],
            [plain.outputs, *plain.scalars.values(), *after.values],
            strict=True,
        )
        if all(_alike(found, expected) for found, expected in pairs):
            self._graphs[shape] = graph
            return played
        after.restore()
        self._refuse("played back it comes to something else")
        return plain

    def _refuse(self, reason: str) -> None:
        self.refused = True
        warnings.warn(f"Steps of training are not run as a CUDA graph: {reason}.", RuntimeWarning, stacklevel=4)


class _Graph:
    """An update of a batch like this one, in memory of its own."""

    def __init__(self, scheme: Descent, x: Tensor, labels: Tensor, record: Callable[..., Callable[[], None]]) -> None:
        self.x, self.labels = x.clone(), labels.clone()

        def step() -> None:
            self.told = scheme.update(self.x, self.labels)

        self.start = record(step)

    def play(self, x: Tensor, labels: Tensor) -> Update:
        self.x.copy_(x)
        self.labels.copy_(labels)
        self.start()
        scalars = {name: value.clone() for name, value in self.told.scalars.items()}  # the next playback writes there
        return Update(self.told.outputs.clone(), scalars)


class _Moment:
    """All that an update reads and changes, as it is now."""

    def __init__(self, scheme: Descent, like: Tensor) -> None:
        self.state = _state(scheme)
        self.values = [value.clone() for value in self.state]
        self.device = like.device
        self.random = torch.cuda.get_rng_state(like.device) if like.is_cuda else torch.get_rng_state()

    def restore(self) -> None:
        for place, value in zip(self.state, self.values, strict=True):
            place.copy_(value)
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(self.random, self.device)
        else:
            torch.set_rng_state(self.random)


def _state(scheme: Descent) -> list[Tensor]:
    """Weights, buffers, what the optimiser keeps, and gradients that are never cleared."""
    weights = list(scheme.network.parameters())
    kept = [value for state in scheme.optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    gradients = [weight.grad for weight in weights if scheme.accumulate and weight.grad is not None]
    return [*(weight.detach() for weight in weights), *scheme.network.buffers(), *kept, *gradients]


def _alike(found: Tensor, expected: Tensor) -> bool:
    if not expected.is_floating_point() or not expected.numel():
        return torch.equal(found, expected)
    return relative(found, expected) <= tolerance("use", expected.dtype)
