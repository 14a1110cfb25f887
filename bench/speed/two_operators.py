"""The closed form in the operations of the released code (T2FSNN spec, sections 1 to 5): what ours is held against.

Each layer applies its operator to the fired mask and to the times, one after the other, and back again; every step of
the rule is a pass over arrays of its own, the readout multiplies a [batch, inputs, outputs] array out, the gradient of
the pixels is computed, and Adam is written out. Written anew from the description of these operations.
"""

from __future__ import annotations

from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from models.ttfs.layers import Conv2d, EarliestPool2d, Readout
from models.ttfs.networks import SpikeTimes

BETAS, EPSILON = (0.9, 0.999), 1e-8


class _Convolution:
    def __init__(self, layer: Conv2d, clip: float) -> None:
        self.weight, self.clip = layer.weight.detach().clone(), clip
        self.padding = layer.weight.shape[-1] // 2

    def forward(self, times: Tensor) -> Tensor:
        self.mask = (times != inf).to(times.dtype)
        self.times = torch.where(times == inf, torch.zeros_like(times), times)
        self.S = F.conv2d(self.mask, self.weight, padding=self.padding)
        self.I = F.conv2d(self.times, self.weight, padding=self.padding)
        u = (2 + self.I) / (1 + self.S)
        u[u > 2] = inf
        u[u < 0] = inf
        u = torch.where(self.S >= 1 + self.I, torch.ones_like(u), u) - 1
        u[u < 0] = inf
        self.out = u
        return u

    def backward(self, d: Tensor) -> Tensor:
        """Signals are minus the gradients of times, as in the released code."""
        inside = ((self.out > 0) & (self.out < 1)).to(d.dtype)
        by_I = torch.clip(1 / (1 + self.S), -self.clip, self.clip)
        by_S = torch.clip(-(2 + self.I) / (1 + self.S) ** 2, -self.clip, self.clip)
        p, q = d * inside * by_I, d * inside * by_S
        shape, padding = self.weight.shape, self.padding
        of_times = conv2d_weight(self.times, shape, p, padding=padding)
        self.gradient = -(of_times + conv2d_weight(self.mask, shape, q, padding=padding))
        return F.conv_transpose2d(p, self.weight, padding=padding)


class _Pool:
    def __init__(self, layer: EarliestPool2d) -> None:
        self.kernel = layer.kernel

    def forward(self, times: Tensor) -> Tensor:
        self.size: torch.Size = times.shape[-2:]
        found, self.where = F.max_pool2d(-times, self.kernel, return_indices=True)
        return -found

    def backward(self, d: Tensor) -> Tensor:
        return F.max_unpool2d(d, self.where, [self.kernel] * 2, output_size=list(self.size))


class _Readout:
    def __init__(self, layer: Readout) -> None:
        self.weight = layer.weight.detach().clone()

    def forward(self, times: Tensor) -> Tensor:
        self.shape = times.shape
        times = times.reshape(len(times), -1)
        self.mask = (times != inf).to(times.dtype)
        self.left = torch.where(times == inf, torch.zeros_like(times), 1 - times)
        return self.mask @ self.weight.T + self.left @ self.weight.T

    def backward(self, grad: Tensor) -> Tensor:
        left = torch.where(self.mask > 0, self.left + 1, self.left)
        self.gradient = (grad[:, None, :] * left[:, :, None]).sum(0).T
        return torch.where(self.left > 0, grad @ self.weight, torch.zeros_like(self.left)).reshape(self.shape)


class TwoOperators:
    """The network of convolutions, pooling and a readout with a copy of its weights, and its training step."""

    def __init__(self, network: SpikeTimes, *, clip: float, lr: float, weight_decay: float) -> None:
        made: list[Any] = []
        for layer in network.layers:
            match layer:
                case Conv2d():
                    made.append(_Convolution(layer, clip))
                case EarliestPool2d():
                    made.append(_Pool(layer))
                case Readout():
                    made.append(_Readout(layer))
        self.layers, self.lr, self.weight_decay = made, lr, weight_decay
        self.weighted = [layer for layer in made if not isinstance(layer, _Pool)]
        self.first = [torch.zeros_like(layer.weight) for layer in self.weighted]
        self.second = [torch.zeros_like(layer.weight) for layer in self.weighted]
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        times = 1 - x
        times[times == 1] = inf
        for layer in self.layers:
            times = layer.forward(times)
        return times

    def backward(self, potentials: Tensor, labels: Tensor) -> list[Tensor]:
        """The gradients of all weights, for the mean cross-entropy."""
        d = torch.softmax(potentials, 1)
        d[torch.arange(len(labels)), labels] -= 1
        d = d / len(labels)
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return [layer.gradient for layer in self.weighted]

    def step(self, x: Tensor, labels: Tensor) -> None:
        gradients = self.backward(self.forward(x), labels)
        self.steps += 1
        slow, slower = BETAS
        for i, (layer, gradient) in enumerate(zip(self.weighted, gradients, strict=True)):
            self.first[i] = slow * self.first[i] + (1 - slow) * gradient
            self.second[i] = slower * self.second[i] + (1 - slower) * gradient**2
            corrected = torch.sqrt(self.second[i] / (1 - slower**self.steps)) + EPSILON
            layer.weight = layer.weight - self.lr * self.first[i] / (1 - slow**self.steps) / corrected
            layer.weight = layer.weight - self.lr * self.weight_decay * layer.weight
