"""The mean squared error of told values."""

from __future__ import annotations

import torch
from torch import Tensor

from tasks import Target, Values

from . import distributed
from .measures import AnswerMeasure


class SquaredError(AnswerMeasure):
    """The mean of (told - true)^2 over samples and values."""

    name = "mse"
    unit = "1"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if not isinstance(target, Values):
            raise ValueError(f"The squared error needs a task of values, this one has {target}; name other measures.")
        self.sum = torch.zeros((), dtype=torch.float64)
        self.count = 0

    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        if predictions.shape != labels.shape:
            raise ValueError(
                f"The predictions have shape {list(predictions.shape)}, the values {list(labels.shape)}; choose a "
                "decision that tells values, such as 'last_value'."
            )
        self.sum = self.sum.to(labels.device) + (predictions - labels).square().sum(dtype=torch.float64)
        self.count += labels.numel()

    def value(self) -> float:
        count = int(distributed.total(torch.tensor(self.count)))
        return float(distributed.total(self.sum)) / count if count else float("nan")
