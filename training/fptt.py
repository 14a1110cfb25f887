"""Forward propagation through time (Kag and Saligrama 2021), as Yin, Corradi and Bohte 2023 train spiking networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

import models
from core.registry import unknown
from models.network import Network

from . import DECISIONS, LOSSES, OPTIMIZERS, SCHEDULES, distributed, update_pass, weight_update
from .auxiliary import WrongPredictions
from .decisions import Decision
from .flat import Flat
from .losses import Loss
from .optimizers import MakeOptimizer
from .parts import Spec, make
from .regulariser import DynamicRegulariser
from .schedules import Schedule
from .scheme import Update

# The weight of the loss of chunk p (from 0) of K.
WEIGHTS: dict[str, Callable[[int, int], float]] = {
    "linear": lambda p, K: (p + 1) / K,
    "slip": lambda p, K: p + 1 / K,  # the adding script's, which lacks the brackets
    "one": lambda p, K: 1.0,
}
FORGET = ("never", "epoch", "sequence")


class FPTT:
    """A training scheme (training.scheme): the sequence is cut into chunks, each with a loss and an update of its own.

    The state of the network goes on from chunk to chunk and the gradient does not, so that memory grows with the chunk
    and not with the sequence. Every chunk is asked for an answer, also the steps that a network calls silent; one that
    has a method `end`, as a network has that answers in its last step alone, is asked by it for that of the last step
    of the chunk. The loss of chunk p is c_p times `loss` of its outputs, plus the `auxiliary` loss and R.

    `chunks` is K, one step each without it; what T / K leaves over is a part of the last. `weights` names c_p, in
    WEIGHTS. Without `last` the last chunk is never trained. `regulariser` has the options of DynamicRegulariser; R is 0
    without it, "online". `auxiliary` has those of WrongPredictions. `clip` bounds the norm of all gradients together,
    that of R included. After every `average_every` epochs W_bar is put in the place of the weights, never with None.
    The traces begin anew as `forget` says: never, with each "epoch", or with each "sequence".

    Raises UnknownName for an unknown name, ValueError for options that go with this network or with each other not at
    all, or that a loss, decision, optimiser or schedule does not take.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: Spec,
        optimizer: Spec,
        decision: Spec | None = None,
        schedule: Spec | None = None,
        chunks: int | None = None,
        weights: str = "linear",
        last: bool = True,
        regulariser: Mapping[str, Any] | None = None,
        auxiliary: Mapping[str, Any] | None = None,
        clip: float | None = None,
        average_every: int | None = None,
        forget: str = "never",
    ) -> None:
        self.network = network
        self.answer: Callable[[Tensor], Tensor] = getattr(network, "end", network)
        self.bounds = list(_bounds(network, chunks))
        self.chunks = len(self.bounds)
        if not last:
            del self.bounds[-1]
        if not self.bounds:
            raise ValueError("A sequence of one chunk has no chunk but the last; train it, or choose more chunks.")
        if weights not in WEIGHTS:
            raise unknown("weight of the chunks", weights, WEIGHTS)
        if forget not in FORGET:
            raise unknown("moment to begin new traces", forget, FORGET)
        if regulariser is None and (average_every is not None or forget != "never"):
            raise ValueError("Without a regulariser there is no average; leave average_every and forget out.")
        if auxiliary is not None and distributed.size() > 1:
            raise ValueError("The auxiliary loss follows the samples of one process; train with --processes 1.")
        self.weight = [WEIGHTS[weights](p, self.chunks) for p in range(self.chunks)]
        self.loss: Loss = make(LOSSES, loss)
        self.decision: Decision = make(DECISIONS, decision or {"name": "last"})
        self.flat = Flat(network)
        build: MakeOptimizer = make(OPTIMIZERS, optimizer)
        self.optimizer = build([self.flat.weights])
        share: Schedule = make(SCHEDULES, schedule or {"name": "constant"})
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, share)
        self.regulariser = DynamicRegulariser(self.flat.weights, **regulariser) if regulariser is not None else None
        self.auxiliary = (
            WrongPredictions(self.chunks, self.flat.gradient, **auxiliary) if auxiliary is not None else None
        )
        self.clip, self.average_every, self.forget = clip, average_every, forget
        self.epoch = 0

    @property
    def lr(self) -> float:
        """Learning rate of the present epoch."""
        return float(self.schedule.get_last_lr()[0])

    def train_batch(self, x: Tensor, labels: Tensor) -> Update:
        """One update a chunk; scalars are means over the chunks, `loss` that of the task alone, not weighted."""
        if self.regulariser is not None and self.forget == "sequence":
            self.regulariser.forget()
        outputs: list[Tensor] = []
        sums: dict[str, Tensor] = {}
        sequence = self.network.encode(x)
        for p, (begin, end) in enumerate(self.bounds):
            if p:
                models.detach(self.network)
                if sequence.requires_grad:  # the encoding has learned, too
                    sequence = self.network.encode(x)
            said, scalars = self.learn(sequence[begin:end], labels, p)
            outputs.append(said)
            for name, value in scalars.items():
                sums[name] = sums[name] + value if name in sums else value
        models.reset(self.network)
        return Update(torch.cat(outputs), {name: value / len(self.bounds) for name, value in sums.items()})

    def learn(self, chunk: Tensor, labels: Tensor, p: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The update of chunk `p`, from the state that the network is in: what it answered, and the scalars."""
        outputs = self.answer(chunk)
        loss = self.loss(outputs, labels)
        total = self.weight[p] * loss
        if self.auxiliary is not None and p < self.chunks - 1:
            total = total + self.auxiliary.loss(outputs[-1], labels, p, self.epoch)
        gradient = self.flat.gradient.zero_()
        total.backward()
        if distributed.size() > 1:
            gradient.copy_(distributed.total(gradient)).div_(distributed.size())
        update = update_pass.find(self.optimizer, self.regulariser) or weight_update.plain
        scalars = update(gradient, self.optimizer, self.regulariser, self.clip, self.epoch)
        return outputs.detach(), {"loss": loss.detach(), **scalars}

    def outputs(self, x: Tensor) -> Tensor:
        """Outputs at every time step, [T, N, ...]."""
        outputs = self.network.run(x)
        models.reset(self.network)
        return outputs

    def decide(self, outputs: Tensor) -> Tensor:
        """The predictions made of `outputs`, by the decision that was named."""
        return self.decision(outputs)

    def end_epoch(self) -> None:
        """Moves the schedule on; averages and forgets where that is due."""
        self.schedule.step()
        self.epoch += 1
        if self.regulariser is not None:
            if self.average_every is not None and self.epoch % self.average_every == 0:
                self.regulariser.settle()
            if self.forget == "epoch":
                self.regulariser.forget()

    def state_dict(self) -> dict[str, Any]:
        """Network, optimiser, schedule, traces, the table of the auxiliary loss, and the epoch."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        table = {} if self.auxiliary is None else {"table": self.auxiliary.table}
        return {**state, **table, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        if self.auxiliary is not None:
            self.auxiliary.table.copy_(state["table"])
        self.epoch = state["epoch"]

    def _parts(self) -> dict[str, Any]:
        parts = {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}
        return parts if self.regulariser is None else {**parts, "regulariser": self.regulariser}


def _bounds(network: Network, chunks: int | None) -> Iterator[tuple[int, int]]:
    """First and last step (exclusive) of each chunk. ValueError for a network that cannot be cut so."""
    T, count = network.T, network.T if chunks is None else chunks
    if not 1 <= count <= T:
        raise ValueError(f"A sequence of {T} steps was to be cut into {count} chunks; choose 1 to {T}.")
    if count > 1 and (whole := network.uncut()):
        raise ValueError(
            f"The sequence of {', '.join(whole)} is whole and cannot be cut into {count} chunks; use chunks=1."
        )
    for p in range(count):
        yield p * (T // count), T if p == count - 1 else (p + 1) * (T // count)
