"""The measure `operations`: what a trained network computes for a sample of the test set, layer by layer.

Only what was counted is stored, in sums over the whole sequence, per sample. Popular figures, energies among them, are
made of it where they are shown (papers.operations, which says what the names mean).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from models.network import Network
from models.stateful import Stateful
from models.ttfs.layers import SpikingLayer
from neurons.base import Neuron
from results import Metric

from . import distributed, joules
from .afterwards import Afterwards, Found
from .connections import Watched, watched
from .loop import evaluate
from .measures import spiking
from .uncounted import uncounted

if TYPE_CHECKING:
    from tasks import Split

    from .scheme import Scheme

PREFIX = "ops_"
NULL = float("nan")


class Operations(Afterwards):
    """Operations, spikes and updates by layer; parameters, footprint and state of the network; joules of a GPU."""

    @classmethod
    def of(cls, scheme: Scheme, split: Split, *, device: str, batch_size: int, seed: int) -> Found:
        network = scheme.network
        reasons: list[str] = []
        with _plain(network):
            state, elsewhere = _first_look(scheme, split, device, seed)
            counter = _Counter(network)
            with counter:
                evaluate(scheme, split, batch_size, device, list, seed=seed)
        metrics = [
            _metric("samples", len(split), "count"),
            _metric("T", network.T if isinstance(network, Network) else NULL, "steps"),
            _metric("parameters", sum(p.numel() for p in network.parameters()), "count"),
            _metric("footprint", sum(map(_bytes, (*network.parameters(), *network.buffers()))), "B"),
            _metric("state", state, "B"),
        ]
        for name, product in elsewhere.items():
            where = f"its module {name}" if name else "the network itself"
            reasons.append(f"operations are not all known: {where} computes {product}, which nothing here counts")
            metrics += [_metric(what, NULL, "op", name or "network") for what in ("ac", "mac", "reached", "dense")]
        closed = [name for name, layer in network.named_modules() if isinstance(layer, SpikingLayer)]
        if closed:
            reasons.append("membrane updates are unknown: spike times in closed form update no membrane")
        metrics += counter.metrics(len(split))
        energy, reason = _joules(scheme, split, device, batch_size)
        return Found((*metrics, *energy), (*reasons, *([reason] if reason else [])))


def _metric(what: str, value: float, unit: str, layer: str = "") -> Metric:
    return Metric(f"{PREFIX}{what}_{layer}" if layer else f"{PREFIX}{what}", float(value), unit)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


@contextmanager
def _plain(network: nn.Module) -> Iterator[None]:
    """Neurons with connections of their own (gates) are computed by their plain step inside, which calls them."""
    gated = [layer for layer in spiking(network).values() if any(True for _ in watched(layer))]
    backends = [layer.backend for layer in gated]
    try:
        for layer in gated:
            layer.backend = "torch"
        yield
    finally:
        for layer, backend in zip(gated, backends, strict=True):
            layer.backend = backend


def _first_look(scheme: Scheme, split: Split, device: str, seed: int) -> tuple[int, dict[str, str]]:
    """Runs one sample: the bytes of all states that go from step to step, and what multiplies where nothing counts."""
    network = scheme.network
    held: dict[str, int] = {}

    def hold(module: Any, _args: object, _out: object, name: str, layer: Neuron | Stateful) -> None:
        if module is layer:  # no copy of it
            values = (getattr(module, state) for state in layer.memory)
            held[name] = sum(_bytes(value) for value in values if isinstance(value, Tensor))

    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, (Neuron, Stateful))}
    hooks = [layer.register_forward_hook(partial(hold, name=name, layer=layer)) for name, layer in layers.items()]
    counted = {name for name, _ in watched(network)} | set(spiking(network))  # what a neuron computes is its own
    processes = distributed.size()
    first = split.subset(torch.arange(processes))  # one for each
    try:
        elsewhere = uncounted(network, counted, lambda: evaluate(scheme, first, processes, device, list, seed=seed))
    finally:
        for hook in hooks:
            hook.remove()
    return sum(held.values()), dict(elsewhere)


class _Counter:
    """Counts what passes through a network while it is entered."""

    def __init__(self, network: nn.Module) -> None:
        self.watched: dict[str, Watched] = dict(watched(network))
        self.neurons: dict[str, Neuron | SpikingLayer] = {
            name: layer for name, layer in network.named_modules() if isinstance(layer, (Neuron, SpikingLayer))
        }
        self.order: list[str] = []  # of the watched layers, by their first call
        self.size: dict[str, int] = dict.fromkeys(self.neurons, 0)  # neurons of a layer
        self.spikes: dict[str, Tensor | float] = dict.fromkeys(self.neurons, 0.0)
        self.updates = dict.fromkeys(self.neurons, 0)

    def __enter__(self) -> _Counter:
        self.hooks = [
            *(one.layer.register_forward_hook(partial(self._passed, name=name)) for name, one in self.watched.items()),
            *(layer.register_forward_hook(partial(self._fired, name=name)) for name, layer in self.neurons.items()),
        ]
        return self

    def __exit__(self, *exc: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _passed(self, module: nn.Module, args: tuple[Any, ...], out: Any, name: str) -> None:
        one = self.watched[name]
        if module is not one.layer:  # a copy computes nothing that the network needs
            return
        if name not in self.order:
            self.order.append(name)
        one.called(args, out)

    def _fired(self, module: nn.Module, _args: object, out: Tensor, name: str) -> None:
        if module is not self.neurons[name]:
            return
        closed = isinstance(module, SpikingLayer)
        spikes = out < inf if closed else out
        self.spikes[name] = self.spikes[name] + spikes.sum(dtype=torch.float64)
        self.updates[name] += out.numel()
        self.size[name] = (out[0] if closed or module.step_mode == "s" else out[0, 0]).numel()

    def metrics(self, samples: int) -> list[Metric]:
        """Per sample, of all processes together."""
        found = []
        for name, one in self.watched.items():
            place = self.order.index(name) if name in self.order else len(self.order)
            for part, connection in one.connections.items():
                found += self._of(f"{name}{part}", place, connection, samples)
        for name, layer in self.neurons.items():
            closed = isinstance(layer, SpikingLayer)
            spikes, updates = _total(float(self.spikes[name]), self.updates[name])
            found += [
                _metric("neurons", self.size[name], "count", name),
                _metric("spikes", spikes / samples, "count", name),
                _metric("updates", NULL if closed else updates / samples, "count", name),
            ]
        return found

    @staticmethod
    def _of(name: str, place: int, connection: Any, samples: int) -> list[Metric]:
        counts = connection.counts()
        inputs, nonzero, ones, graded, effective, reached, dense, textbook = _total(*vars(counts).values())
        return [
            _metric("place", place, "count", name),
            _metric("nnz", nonzero / samples, "count", name),
            _metric("ones", ones / samples, "count", name),
            _metric("graded", graded / samples, "count", name),
            _metric("ac", 0.0 if graded else effective / samples, "op", name),
            _metric("mac", effective / samples if graded else 0.0, "op", name),
            _metric("reached", reached / samples, "op", name),
            _metric("dense", dense / samples, "op", name),
            _metric("textbook", textbook / samples, "op", name),
            _metric("rate", nonzero / inputs if inputs else NULL, "1", name),
            _metric("zeros", connection.zeros, "fraction", name),
        ]


def _total(*values: float) -> list[float]:
    """Each summed over all processes."""
    found: list[float] = distributed.total(torch.tensor(values, dtype=torch.float64)).tolist()
    return found


def _joules(scheme: Scheme, split: Split, device: str, batch_size: int) -> tuple[list[Metric], str]:
    """Joules of the board per sample, gross and what it takes at rest in the same time; or NULL, and why."""
    unknown = [_metric("joules", NULL, "J")]
    if device != "cuda":
        return unknown, f"joules are not measured: they are an NVIDIA GPU's, and this ran on {device}"
    if distributed.size() > 1:
        return unknown, "joules are not measured: several processes share the work"
    x = split.batch(torch.arange(min(batch_size, len(split))))[0].to(device)

    def work() -> None:
        with torch.inference_mode():
            scheme.decide(scheme.outputs(x))

    try:
        board = joules.Board(str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid))
        energy = joules.measured(work, board, wait=torch.cuda.synchronize)
    except joules.Unmeasurable as error:
        return unknown, f"joules are not measured: {error}"
    samples = energy.times * len(x)
    return [
        _metric("joules", energy.joules / samples, "J"),
        _metric("idle", energy.idle * energy.seconds / samples, "J"),
    ], ""
