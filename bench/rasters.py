"""Which neurons of a trained network fire when, for the page of its run: one sample of each class, and how many samples
are told right by each step.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

import models
from core.randomness import seeded
from models.network import Network
from neurons.base import Neuron
from papers.measures import RIGHT_BY_STEP
from results import Raster, Sample
from tasks import Classes, Split, Target
from training.first_spike import spikes_of
from training.measures import spiking
from training.scheme import Scheme
from training.spike_timing import right_by_first_spike, right_by_rate

KEPT, BITS = 64, 2**14  # neurons of a layer, the first, and their steps, at most; of the output all
AT_ONCE = 100  # samples
INPUT, NOT_ZERO = "input", "input, not 0"  # of zeros and ones, and of other numbers
OVER_TIME = dict(zip(RIGHT_BY_STEP, (right_by_first_spike, right_by_rate), strict=True))


def over_time(scheme: Scheme, test: Split, device: str, seed: int) -> tuple[Sample, ...]:
    """The share of the test set that is told right by each step, by first spike and by rate."""
    right: dict[str, Tensor | float] = dict.fromkeys(OVER_TIME, 0.0)
    scheme.network.eval()
    with torch.inference_mode(), seeded(seed):
        for start in range(0, len(test), AT_ONCE):
            x, labels = test.batch(range(start, min(start + AT_ONCE, len(test))))
            spikes = spikes_of(scheme.outputs(x.to(device))).cpu()
            for name, told in OVER_TIME.items():
                right[name] = right[name] + told(spikes, _classes(labels)).sum(1, dtype=torch.float64)
    return tuple(
        Sample(name, step, value / len(test), "fraction")
        for name, counts in right.items()
        if isinstance(counts, Tensor)
        for step, value in enumerate(counts.tolist())
    )


def lacking(scheme: Scheme, target: Target) -> str:
    """Why there is nothing to show of a network and its task; empty where there is."""
    if not isinstance(target, Classes):
        return "no spikes are kept, for the task has no classes"
    if not isinstance(scheme.network, Network) or not spiking(scheme.network):
        return "no spikes are kept, for no layer of the network spikes step by step"
    return ""


def shown(scheme: Scheme, test: Split, device: str, seed: int) -> tuple[Raster, ...]:
    """The spikes of the first test sample of each class, of the input and of every layer that spikes at each step.

    Of an input that is not of zeros and ones, where it is not 0; none of one that is 0 nowhere, as a current is.
    """
    chosen = _first_of_each(test)
    x, labels = test.batch(chosen)
    network = scheme.network
    assert isinstance(network, Network)
    network.eval()
    with torch.inference_mode(), seeded(seed):
        encoded = network.encode(x.to(device))
        models.reset(network)
    with torch.inference_mode(), seeded(seed), _watched(network) as fired:
        outputs = scheme.outputs(x.to(device))
        found = scheme.decide(outputs).cpu()
    layers = _input(encoded) | {name: spikes for name, spikes in fired.items() if len(spikes) == len(encoded)}
    last = next(reversed(layers), "")
    answers = bool(layers) and _answers(layers[last], outputs)
    return tuple(
        Raster(
            index,
            len(encoded),
            tuple((name, *_packed(spikes[:, place], answers and name == last)) for name, spikes in layers.items()),
            int(_classes(labels)[place]),
            int(found[place]),
            answers,
        )
        for place, index in enumerate(chosen)
        if layers
    )


def _input(encoded: Tensor) -> dict[str, Tensor]:
    """The input [T, N, ...] by what it is called; nothing where it is 0 nowhere."""
    if not (encoded == 0).any():
        return {}
    return {INPUT if ((encoded == 0) | (encoded == 1)).all() else NOT_ZERO: encoded}


def _answers(spikes: Tensor, outputs: Tensor) -> bool:
    """Whether the outputs are these spikes, or these spikes and potentials (training.first_spike)."""
    told = outputs[:, :, 0] if outputs.ndim == 4 and outputs.shape[2] == 2 else outputs
    return told.shape == spikes.shape and bool((told == spikes).all())


def _classes(labels: Tensor) -> Tensor:
    return labels.argmax(1) if labels.is_floating_point() else labels


def _first_of_each(test: Split) -> list[int]:
    first: dict[int, int] = {}
    for start in range(0, len(test), AT_ONCE):
        _, labels = test.batch(range(start, min(start + AT_ONCE, len(test))))
        for place, label in enumerate(_classes(labels).tolist()):
            first.setdefault(label, start + place)
    return [first[label] for label in sorted(first)]


@contextmanager
def _watched(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What the spiking layers have given inside, [T, N, ...], when it is over."""
    calls: dict[str, list[Tensor]] = defaultdict(list)
    fired: dict[str, Tensor] = {}
    layers = spiking(network)
    hooks = [
        layer.register_forward_hook(lambda _m, _x, spikes, name=name: calls[name].append(spikes))
        for name, layer in layers.items()
    ]
    try:
        yield fired
    finally:
        for hook in hooks:
            hook.remove()
    fired.update((name, _sequence(layers[name], found)) for name, found in calls.items())


def _sequence(layer: Neuron, calls: list[Tensor]) -> Tensor:
    """[T, N, ...] of a layer that was called once, piece by piece, or step by step."""
    return torch.stack(calls) if layer.step_mode == "s" else torch.cat(calls)


def _packed(spikes: Tensor, whole: bool) -> tuple[int, int, str]:
    """Neurons of a layer, how many are kept, and their spikes as `results.Raster` has them; of `spikes` [T, ...]."""
    fired = (spikes != 0).flatten(1).cpu()
    kept = fired if whole else fired[:, : max(1, min(KEPT, BITS // len(fired)))]
    return fired.shape[1], kept.shape[1], b64encode(np.packbits(kept.numpy()).tobytes()).decode()
