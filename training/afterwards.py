"""What is measured of a trained network, once, when its training is over.

It decides nothing of the training, and a network that is measured was trained as one that is not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results import Metric

if TYPE_CHECKING:
    from tasks import Split

    from .scheme import Scheme


@dataclass(frozen=True)
class Found:
    """What was measured, and for each value that could not be (None) a sentence that says why."""

    metrics: tuple[Metric, ...]
    reasons: tuple[str, ...] = ()


class Afterwards(ABC):
    """A measure of the trained network, as an experiment names it beside those of training.measures."""

    @classmethod
    @abstractmethod
    def of(cls, scheme: Scheme, split: Split, *, device: str, batch_size: int, seed: int) -> Found:
        """What is found of the network of `scheme` on the test set `split`; it is left at rest, in evaluation mode.

        In a group of processes (training.distributed) each calls this and gets the same.
        """
