"""Event-driven backpropagation through spike times (T2FSNN; Wei et al., ICCV 2023)."""

from __future__ import annotations

from models.network import Network
from models.ttfs.networks import SpikeTimes

from .descent import Descent
from .parts import Spec


class TTFS(Descent):
    """A training scheme (training.scheme): descent along the gradients of spike times (models.ttfs.functions).

    Loss and decision follow from what the network answers with: potentials (cross-entropy, the largest) or spike times
    (cross-entropy of minus the times, the earliest). `optimizer`, `schedule` and `constraint` as in Descent; the work
    has "adam_then_decay". TypeError for a network that has no spike times.
    """

    def __init__(
        self, network: Network, *, optimizer: Spec, schedule: Spec | None = None, constraint: Spec | None = None
    ) -> None:
        if not isinstance(network, SpikeTimes):
            raise TypeError(
                f"The scheme ttfs trains networks of spike times, and this is a {type(network).__name__}; use "
                "model 'ttfs' or another scheme."
            )
        loss, decision = ("earliest_cross_entropy", "earliest") if network.fires else ("last_cross_entropy", "last")
        super().__init__(
            network,
            loss={"name": loss},
            decision={"name": decision},
            optimizer=optimizer,
            schedule=schedule,
            constraint=constraint,
        )
