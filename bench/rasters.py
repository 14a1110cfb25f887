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

from core.randomness import seeded
from models.network import Network
from papers.measures import RIGHT_BY_STEP
from results import Raster, Sample
from tasks import Split
from training.first_spike import spikes_of
from training.measures import spiking
from training.scheme import Scheme
from training.spike_timing import right_by_first_spike, right_by_rate

KEPT = 64  # neurons of a layer, the first; of the output all
AT_ONCE = 100  # samples
INPUT = "input"
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


def shown(scheme: Scheme, test: Split, device: str, seed: int) -> tuple[Raster, ...]:
    """The spikes of the first test sample of each class, of the input and of every spiking layer."""
    chosen = _first_of_each(test)
    x, labels = test.batch(chosen)
    network = scheme.network
    assert isinstance(network, Network)
    network.eval()
    with torch.inference_mode(), seeded(seed), _watched(network) as fired:
        outputs = scheme.outputs(x.to(device))
        found = scheme.decide(outputs).cpu()
        layers = {INPUT: network.encode(x.to(device)), **{name: _sequence(of) for name, of in fired.items()}}
    last = next(reversed(layers))
    return tuple(
        Raster(
            index,
            len(outputs),
            tuple((name, *_packed(spikes[:, place], name == last)) for name, spikes in layers.items()),
            int(_classes(labels)[place]),
            int(found[place]),
        )
        for place, index in enumerate(chosen)
    )


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
def _watched(network: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """What the spiking layers give inside, call by call."""
    fired: dict[str, list[Tensor]] = defaultdict(list)
    hooks = [
        layer.register_forward_hook(lambda _m, _x, spikes, name=name: fired[name].append(spikes))
        for name, layer in spiking(network).items()
    ]
    try:
        yield fired
    finally:
        for hook in hooks:
            hook.remove()


def _sequence(calls: list[Tensor]) -> Tensor:
    """[T, N, ...] of a layer that was called once, or step by step."""
    return calls[0] if len(calls) == 1 else torch.stack(calls)


def _packed(spikes: Tensor, whole: bool) -> tuple[int, int, str]:
    """Neurons of a layer, how many are kept, and their spikes as `results.Raster` has them; of `spikes` [T, ...]."""
    fired = (spikes != 0).flatten(1).cpu()
    kept = fired if whole else fired[:, :KEPT]
    return fired.shape[1], kept.shape[1], b64encode(np.packbits(kept.numpy()).tobytes()).decode()
