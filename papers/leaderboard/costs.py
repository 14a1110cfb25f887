"""What a trained network costs, and how far it is from the least that it could: a check (papers.checks)."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

import models
from models.network import Network
from neurons.base import Neuron
from results import Metric

from ..measures import INFERENCE, LATENCY, OVER_COPIES, OVER_PRODUCTS, SPIKES_PER_SAMPLE

if TYPE_CHECKING:
    from tasks import Split

BATCH = 64  # samples, as all experiments of the table train with
ROUNDS = 9  # in which everything is timed once, so that what disturbs one disturbs all; the first warms up
PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d)

Calls = list[tuple[nn.Module, Tensor]]  # layers and what they were given, in the order of the calls


def measure(network: Network, split: Split, device: str) -> tuple[Metric, ...]:
    """Of the first samples of `split`, each measure with its unit: times are medians of interleaved rounds, multiples
    those of the least times, which nothing has disturbed.

    inference_throughput: answers to a whole batch, without gradients. latency: one sample from its input to the answer.
    spikes_per_sample: of all layers, over all steps. over_products: the time of forward and backward pass of the batch
    as a multiple of that of its linear layers and convolutions alone; the product over time of a parallel neuron is the
    neuron's own cost here. over_copies: the time of the spiking layers in both passes as a multiple of that of copying
    what they must read and write at least, an input and its spikes, a gradient in and one out. The network is left as
    it was.
    """
    network = copy.deepcopy(network).eval()
    x = split.batch(torch.arange(min(BATCH, len(split))))[0].to(device)
    spikes = _spikes(network, x)
    trials: dict[str, Callable[[], object]] = {
        "batch": lambda: _answered(network, x),
        "sample": lambda: _answered(network, x[:1]),
    }
    learner = copy.deepcopy(network).train()
    products, neurons = _calls(learner, x, PRODUCTS), _calls(learner, x, (Neuron,))
    copies = [(given, torch.empty_like(given)) for _, given in neurons]
    trials |= {
        "step": lambda: _learned(learner, x),
        "products": lambda: _passes(products),
        "neurons": lambda: _passes(neurons),
        "copies": lambda: [into.copy_(given) for given, into in copies for _ in range(2)],
    }
    taken = _interleaved(trials, device)
    usual = {name: statistics.median(seconds) for name, seconds in taken.items()}
    least = {name: min(seconds) for name, seconds in taken.items()}
    found = {
        INFERENCE: len(x) / usual["batch"],
        LATENCY: 1e3 * usual["sample"],
        SPIKES_PER_SAMPLE: spikes / len(x),
        OVER_PRODUCTS: least["step"] / least["products"],
        OVER_COPIES: least["neurons"] / least["copies"],
    }
    return tuple(Metric(each.name, value, each.unit) for each, value in found.items())


@torch.inference_mode()
def _answered(network: Network, x: Tensor) -> None:
    network.run(x)
    models.reset(network)


def _learned(network: Network, x: Tensor) -> None:
    network.run(x).square().mean().backward()
    _forget(network)


def _passes(calls: Calls) -> None:
    """Forward and backward pass of each call by itself."""
    for layer, given in calls:
        layer(given).sum().backward()
    for layer, given in calls:
        given.grad = None
        _forget(layer)


def _forget(network: nn.Module) -> None:
    network.zero_grad(set_to_none=True)
    models.reset(network)


def _calls(network: Network, x: Tensor, kinds: tuple[type[nn.Module], ...]) -> Calls:
    """What reaches the layers of these kinds, with a gradient where theirs goes on to the layers before."""
    found: Calls = []

    def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append((layer, given[0].detach().clone().requires_grad_(given[0].requires_grad)))

    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    network.run(x)
    _forget(network)
    for hook in hooks:
        hook.remove()
    return found


def _spikes(network: Network, x: Tensor) -> float:
    """All spikes for the batch."""
    counted: list[Tensor] = []
    layers = [layer for layer in network.modules() if isinstance(layer, Neuron)]
    hooks = [layer.register_forward_hook(lambda _m, _x, out: counted.append(out.sum())) for layer in layers]
    _answered(network, x)
    for hook in hooks:
        hook.remove()
    return float(sum(map(float, counted)))


def _interleaved(trials: Mapping[str, Callable[[], object]], device: str) -> dict[str, list[float]]:
    """Seconds of each, a reading a round, the first left out."""
    taken: dict[str, list[float]] = {name: [] for name in trials}
    for _ in range(ROUNDS):
        for name, call in trials.items():
            _wait(device)
            start = time.perf_counter()
            call()
            _wait(device)
            taken[name].append(time.perf_counter() - start)
    return {name: seconds[1:] for name, seconds in taken.items()}


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
