"""Backpropagation through time, the way the PLIF work trains (Fang et al. 2021, supplement G and released code)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

import models

from .losses import rate_mse


class BPTT:
    """Adam on the rate loss through all time steps; the learning rate follows a cosine of period 2 `T_max` epochs.

    lr(e) = lr (1 + cos(pi e / T_max)) / 2 in epoch e from 0: down to 0 in epoch T_max and back up, without restarts.
    """

    def __init__(self, network: nn.Module, *, lr: float = 1e-3, T_max: int = 64) -> None:
        self.network = network
        # The fused update exists for float parameters on CPU and CUDA and is the fastest on both.
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda epoch: (1 + math.cos(math.pi * epoch / T_max)) / 2
        )

    @property
    def lr(self) -> float:
        """Learning rate of the present epoch."""
        return float(self.schedule.get_last_lr()[0])

    def train_batch(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One update; returns the loss and the number of correct predictions as scalars on the device."""
        self.optimizer.zero_grad(set_to_none=True)
        outputs = self.network(x)
        loss = rate_mse(outputs, labels)
        loss.backward()
        self.optimizer.step()
        models.reset(self.network)
        return loss.detach(), (outputs.sum(0).argmax(1) == labels).sum()

    def predict(self, x: Tensor) -> Tensor:
        """Class of each sample, [N]: the largest summed vote, the lowest index among equals."""
        outputs = self.network(x)
        models.reset(self.network)
        return outputs.sum(0).argmax(1)

    def end_epoch(self) -> None:
        """Moves the schedule on."""
        self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on: network, optimiser, schedule."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from `state`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
