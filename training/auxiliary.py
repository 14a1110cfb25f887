"""The auxiliary loss of forward propagation through time: what a chunk says is drawn to a distribution of its class.

As released (Yin et al. 2023, code): the distribution of a class at a chunk is what the network last said of a sample of
it that it told wrongly there. Its weight falls to 0 at the last chunk.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.registry import unknown

MEANS = ("entries", "samples")


class WrongPredictions:
    """(1 - (p+1)/K) of the cross-entropy between P[class of the sample, p] and the softmax of the logits of chunk p.

    `table` P [classes, K, classes] is 0 at first. Until epoch `uniform` each class counts 1/classes in its place. With
    `mean` "entries" the mean is over samples and classes, as released, 1/classes of the cross-entropy; with "samples"
    over samples alone.
    """

    def __init__(
        self, chunks: int, like: Tensor, *, classes: int = 10, uniform: int = 0, mean: str = "entries"
    ) -> None:
        if mean not in MEANS:
            raise unknown("mean of the auxiliary loss", mean, MEANS)
        self.chunks, self.classes, self.uniform, self.mean = chunks, classes, uniform, mean
        self.table = like.new_zeros(classes, chunks, classes)

    def loss(self, logits: Tensor, labels: Tensor, p: int, epoch: int) -> Tensor:
        """The loss of chunk `p` (from 0) of `logits` [N, classes]; then P follows what was told wrongly."""
        said = F.log_softmax(logits, 1)
        uniform = epoch < self.uniform
        drawn_to = torch.full_like(said, 1 / self.classes) if uniform else self.table[labels, p]
        entropies = -(drawn_to * said)
        entropy = entropies.mean() if self.mean == "entries" else entropies.sum(1).mean()
        self._follow(said.detach(), labels, p)
        return entropy * (1 - (p + 1) / self.chunks)

    def _follow(self, said: Tensor, labels: Tensor, p: int) -> None:
        """P[c, p] becomes what was said of the first sample of class c in the batch that was told wrongly."""
        samples = len(labels)
        places = torch.arange(samples, device=labels.device)
        places = torch.where(said.argmax(1) == labels, samples, places)
        first = torch.full((self.classes,), samples, device=labels.device).scatter_reduce_(0, labels, places, "amin")
        found = said.exp()[first.clamp(max=samples - 1)]
        self.table[:, p] = torch.where((first < samples)[:, None], found, self.table[:, p])
