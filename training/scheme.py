"""What the loop asks of a training scheme; a scheme of your own is any class that has this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Update:
    """What training on one batch tells, all detached and on the device.

    `outputs` [T, N, ...] are those that were learned from, for the measures of the training set. `scalars` are recorded
    by name as their mean over the batches of an epoch; a training whose "loss" is no longer finite has diverged.
    """

    outputs: Tensor
    scalars: dict[str, Tensor] = field(default_factory=dict)


class Scheme(Protocol):
    """A network and the way it learns.

    It is made with the network, on its device, and the options of the experiment. In a group of processes
    (training.distributed) every batch is a share of the whole one.
    """

    network: nn.Module

    @property
    def lr(self) -> float:
        """Learning rate of the present epoch."""

    def train_batch(self, x: Tensor, labels: Tensor) -> Update:
        """Learns from a batch, in one update of the network or in several; the network is left at rest.

        `labels` are as the target of the task has them (tasks.task).
        """

    def outputs(self, x: Tensor) -> Tensor:
        """What the network answers to a batch at every time step, [T, N, ...]; it is left at rest."""

    def decide(self, outputs: Tensor) -> Tensor:
        """The predictions [N, ...] made of `outputs`."""

    def end_epoch(self) -> None:
        """Called after each epoch's training, before its evaluation: moves schedules on."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on from here, the network included."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`."""
