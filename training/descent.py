"""Gradient descent through whole sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import models
from core.errors import Unsupported
from core.registry import unknown
from models.network import Network, Whole

from . import CONSTRAINTS, DECISIONS, LOSSES, OPTIMIZERS, SCHEDULES, distributed
from .captured import Captured
from .decisions import Decision
from .losses import Loss
from .optimizers import MakeOptimizer
from .parts import Spec, make
from .schedules import Schedule
from .scheme import Update

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Descent:
    """A training scheme (training.scheme): one forward and one backward pass through all time steps, one update.

    `loss`, `decision`, `optimizer`, `schedule` and `constraint` name a part (training.PARTS) with its options. The
    learning rate follows `schedule` epoch by epoch, None for a constant one. `clip` bounds the norm of all gradients
    together. With `accumulate` gradients are never cleared, so that a batch adds its own to what clipping has left of
    the earlier ones. `constraint` changes the network after each update, without gradients.

    With `precision` "bf16" or "fp16" the training runs under autocast ("fp16" with gradient scaling) on float32
    parameters; outputs for predictions are always made in float32. In a group of processes (training.distributed) the
    update is that of the whole batch. With `captured` an update on a CUDA device is recorded once and played back
    (training.captured).

    Raises UnknownName for an unknown name, ValueError for an option that a part does not take and for options that do
    not go together, Unsupported for `captured` elsewhere.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: Spec,
        optimizer: Spec,
        decision: Spec | None = None,
        schedule: Spec | None = None,
        clip: float | None = None,
        accumulate: bool = False,
        constraint: Spec | None = None,
        precision: str = "float32",
        captured: bool = False,
    ) -> None:
        self.network = network
        self.replica = distributed.replica(Whole(network))
        self.loss: Loss = make(LOSSES, loss)
        self.decision: Decision = make(DECISIONS, decision or {"name": "rate"})
        build: MakeOptimizer = make(OPTIMIZERS, optimizer)
        self.optimizer = build(network.parameters())
        share: Schedule = make(SCHEDULES, schedule or {"name": "constant"})
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, share)
        self.clip, self.accumulate = clip, accumulate
        self.constraint: Callable[[nn.Module], object] | None = make(CONSTRAINTS, constraint) if constraint else None
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)
        self.dtype = PRECISIONS[precision]
        if accumulate and self.dtype is torch.float16:
            raise ValueError(
                "With precision 'fp16' the gradients kept by accumulate=True would differ in scale from those that are "
                "added; use precision 'bf16' or 'float32'."
            )
        self.device = next(network.parameters()).device.type
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.dtype is torch.float16)
        if captured and (self.dtype is torch.float16 or distributed.size() > 1):
            raise ValueError(
                "captured=True records the whole update, which the scale of precision 'fp16' and the exchange between "
                "processes do not allow; use precision 'bf16' or 'float32' and --processes 1."
            )
        if captured and self.device != "cuda":
            raise Unsupported(
                f"captured=True records the update as a CUDA graph, but this network is on {self.device}."
            )
        self.captured = Captured(self) if captured else None

    @property
    def lr(self) -> float:
        """Learning rate of the present epoch."""
        return float(self.schedule.get_last_lr()[0])

    def train_batch(self, x: Tensor, labels: Tensor) -> Update:
        """One update."""
        return self.update(x, labels) if self.captured is None else self.captured.update(x, labels)

    def update(self, x: Tensor, labels: Tensor) -> Update:
        """One update, step by step."""
        if not self.accumulate:
            self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not torch.float32):
            outputs = self.replica(x)
            loss = self.loss(outputs, labels)
        self.scaler.scale(loss).backward()
        if self.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.constraint is not None:
            with torch.no_grad():
                self.constraint(self.network)
        models.reset(self.network)
        return Update(outputs.detach(), {"loss": loss.detach()})

    def outputs(self, x: Tensor) -> Tensor:
        """Outputs at every time step, [T, N, ...]."""
        outputs = self.network.run(x)
        models.reset(self.network)
        return outputs

    def decide(self, outputs: Tensor) -> Tensor:
        """The predictions made of `outputs`, by the decision that was named."""
        return self.decision(outputs)

    def end_epoch(self) -> None:
        """Moves the schedule on."""
        self.schedule.step()
        if self.captured is not None:
            self.captured.forget()

    def state_dict(self) -> dict[str, Any]:
        """Network, optimiser, schedule, scale of the gradients, and the gradients where they accumulate."""
        state = {name: part.state_dict() for name, part in self._parts().items()}
        if self.accumulate:
            state["gradients"] = [parameter.grad for parameter in self.network.parameters()]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        if self.accumulate:
            for parameter, gradient in zip(self.network.parameters(), state["gradients"], strict=True):
                parameter.grad = None if gradient is None else gradient.to(parameter.device, copy=True)
        if self.captured is not None:
            self.captured.forget()

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }
