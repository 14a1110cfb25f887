"""How soon a network of spike times answers: when its potentials are read, and how often they are right before that."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from models.network import Network
from models.ttfs.layers import Readout
from models.ttfs.networks import SpikeTimes
from results import Metric

if TYPE_CHECKING:
    from tasks import Split

BEFORE = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)  # windows before the end of the last one
BATCH = 250  # samples


def measure(network: Network, split: Split, device: str) -> tuple[Metric, ...]:
    """Of a network that answers with potentials, over the whole test set; nothing of any other.

    windows: how many pass from the first input to the answer. right_B: the share of samples whose largest potential is
    that of their class B windows before the end of the last one; up to 1, all spikes have come, before that only those
    until then count.
    """
    if not isinstance(network, SpikeTimes) or network.fires:
        return ()
    network.eval()
    correct = dict.fromkeys(BEFORE, 0)
    for start in range(0, len(split), BATCH):
        x, labels = split.batch(torch.arange(start, min(start + BATCH, len(split))))
        for before, potentials in _read(network, x.to(device)).items():
            correct[before] += int((potentials.argmax(1) == labels.to(device)).sum())
    return (
        Metric("windows", network.windows, "count"),
        *(Metric(f"right_{before:g}", correct[before] / len(split), "fraction") for before in BEFORE),
    )


@torch.no_grad()
def _read(network: SpikeTimes, x: Tensor) -> dict[float, Tensor]:
    """The potentials [N, classes] at each of BEFORE: an input that fired at t has added w (now - t) where t < now."""
    *hidden, last = network.layers
    assert isinstance(last, Readout)
    times = network.encode(x)[0]
    for layer in hidden:
        times = layer(times)
    T = network.encoding.window
    found = {}
    for before in BEFORE:
        since = ((2 - before) * T - times).clamp(min=0).masked_fill(times == inf, 0.0)
        found[before] = F.linear(since, last.weight)
    return found
