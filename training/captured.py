"""A step of training recorded as a CUDA graph: one start in place of hundreds, which small networks wait for.

What a step starts on the device is written down once for each shape of a batch and played back for the batches after
it. A graph holds addresses and numbers of Python, so that it lives for one epoch: learning rates and what neurons do at
the start of an epoch are such numbers. No GPU has run this yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from core.compare import relative, tolerance
from core.errors import Unsupported

from .scheme import Update

if TYPE_CHECKING:
    from .descent import Descent

WARM = 3  # batches of a shape that run as they are: kernels are chosen and proven in them, the optimiser gets its state
Shape = tuple[Any, ...]
Record = Callable[[Callable[[], None]], Callable[[], None]]


def record(step: Callable[[], None]) -> Callable[[], None]:
    """What `step` starts on the CUDA device, to be started again; it is not run now. RuntimeError for what a graph
    cannot hold."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    start: Callable[[], None] = graph.replay
    return start


class Captured:
    """The updates of `scheme`, recorded by `record`.

    The first playback of a graph is held against `scheme.update` from the same weights, state and random numbers.
    Unsupported where it comes to something else, and for an update that waits for the device: what Python reads there
    would be the same ever after.
    """

    def __init__(self, scheme: Descent, record: Record = record) -> None:
        self.scheme, self.record = scheme, record
        self._seen: Counter[Shape] = Counter()
        self._graphs: dict[Shape, _Graph] = {}
        for group in scheme.optimizer.param_groups:
            if "capturable" in group and group["params"][0].is_cuda:
                group["capturable"] = True  # its count of steps is kept on the device
                scheme.optimizer._warned_capturable_if_run_uncaptured = True  # the first steps are, and PyTorch minds

    def forget(self) -> None:
        """Ends all graphs: what Python decides may be another from here."""
        self._graphs.clear()

    def update(self, x: Tensor, labels: Tensor) -> Update:
        """As `scheme.update`."""
        shape = (x.shape, x.dtype, labels.shape, labels.dtype)
        if shape in self._graphs:
            return self._graphs[shape].play(x, labels)
        self._seen[shape] += 1
        if self._seen[shape] < WARM:
            return self.scheme.update(x, labels)
        # A recording that fails leaves generator and streams of the process unusable: better not to begin it.
        if self._seen[shape] == WARM:
            with _refused(), _without_waiting(x):
                return self.scheme.update(x, labels)
        with _refused():
            graph = _Graph(self.scheme, x, labels, self.record)
        return self._first(graph, shape, x, labels)

    def _first(self, graph: _Graph, shape: Shape, x: Tensor, labels: Tensor) -> Update:
        """The first playback of `graph`, from where the plain update began."""
        before = _Moment(self.scheme, x)
        plain = self.scheme.update(x, labels)
        expected = _Moment(self.scheme, x)
        before.restore()
        played = graph.play(x, labels)
        told = zip((played.outputs, *played.scalars.values()), (plain.outputs, *plain.scalars.values()), strict=True)
        changed = zip(expected.state, expected.values, before.values, strict=True)
        if not all(_alike(a, b, torch.zeros_like(b)) for a, b in told) or not all(_alike(*each) for each in changed):
            raise Unsupported("captured=True: played back, the recorded update comes to something else; leave it out.")
        self._graphs[shape] = graph
        return played


class _Graph:
    """An update of a batch like this one, in memory of its own."""

    def __init__(self, scheme: Descent, x: Tensor, labels: Tensor, record: Record) -> None:
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
    """All that an update reads and changes on the device of `x`: the `values` that `state` has now, random numbers."""

    def __init__(self, scheme: Descent, x: Tensor) -> None:
        self.state = _state(scheme)
        self.values = [value.clone() for value in self.state]
        self.device = x.device
        self.random = torch.cuda.get_rng_state(x.device) if x.is_cuda else torch.get_rng_state()

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


def _alike(found: Tensor, expected: Tensor, before: Tensor) -> bool:
    """Whether the way from `before` is the same; a change may be small beside what it changes."""
    if torch.equal(found, expected):
        return True
    if not expected.is_floating_point():
        return False
    return relative(found - before, expected - before) <= tolerance("use", expected.dtype)


@contextmanager
def _refused() -> Iterator[None]:
    """Turns what PyTorch says into Unsupported; memory that ran out stays what it is."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        said = str(error.__context__ or error).strip().split("\n")[0]  # a broken recording hides what broke it
        raise Unsupported(f"captured=True: the update cannot be a CUDA graph ({said}); leave it out.") from error


@contextmanager
def _without_waiting(x: Tensor) -> Iterator[None]:
    """RuntimeError where the CUDA device of `x` is waited for."""
    if not x.is_cuda:
        yield
        return
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(mode)
