"""Backpropagation through time, as the PLIF and PSN works train (Fang et al. 2021 and 2023, released code)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import models
from core.registry import unknown
from models.network import Network, Whole

from . import distributed
from .losses import LOSSES
from .optimizers import OPTIMIZERS, SCHEDULES
from .options import choose

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class BPTT:
    """Gradient descent through all time steps; the defaults are those of the PLIF work.

    `loss` is "rate_mse", "cross_entropy" or "tet" (training.losses); `optimizer` "adam", "adamw" or "sgd"; `anneal` the
    schedule that the learning rate follows epoch by epoch, "periodic" or "once" (training.optimizers). Options that are
    None have the default of the loss or optimiser; one that it does not take is a ValueError, an unknown name
    an UnknownName. With `precision` "bf16" or "fp16" the training runs under autocast ("fp16" with gradient scaling)
    on float32 parameters; predictions are always made in float32.

    The network answers [T, N, classes]. Labels are classes [N] (int64) or distributions [N, classes] (float). In a
    group of processes (training.distributed) every batch is a share, and the update is that of the whole.
    """

    def __init__(
        self,
        network: Network,
        *,
        loss: str = "rate_mse",
        label_smoothing: float | None = None,
        tet_lambda: float | None = None,
        tet_means: float | None = None,
        optimizer: str = "adam",
        lr: float = 1e-3,
        momentum: float | None = None,
        weight_decay: float | None = None,
        anneal: str = "periodic",
        T_max: int = 64,
        precision: str = "float32",
    ) -> None:
        self.network = network
        self.replica = distributed.replica(Whole(network))
        self.loss = choose(
            "loss", loss, LOSSES, label_smoothing=label_smoothing, tet_lambda=tet_lambda, tet_means=tet_means
        )
        make = choose("optimizer", optimizer, OPTIMIZERS, lr=lr, momentum=momentum, weight_decay=weight_decay)
        self.optimizer = make(network.parameters())
        share = choose("annealing", anneal, SCHEDULES, T_max=T_max)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, share)
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)
        self.dtype = PRECISIONS[precision]
        self.device = next(network.parameters()).device.type
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.dtype is torch.float16)

    @property
    def lr(self) -> float:
        """Learning rate of the present epoch."""
        return float(self.schedule.get_last_lr()[0])

    def train_batch(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One update; returns the loss and the number of correct predictions as scalars on the device.

        A prediction is correct when it is the class with the largest share in the label.
        """
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not torch.float32):
            outputs = self.replica(x)
            loss = self.loss(outputs, labels)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        models.reset(self.network)
        classes = labels.argmax(1) if labels.is_floating_point() else labels
        return loss.detach(), (outputs.sum(0).argmax(1) == classes).sum()

    def predict(self, x: Tensor) -> Tensor:
        """Class of each sample, [N]: the largest output summed over time, the lowest index among equals."""
        outputs = self.network.run(x)
        models.reset(self.network)
        return outputs.sum(0).argmax(1)

    def end_epoch(self) -> None:
        """Moves the schedule on."""
        self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on: network, optimiser, schedule, scale of the gradients."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }
