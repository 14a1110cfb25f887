"""Forward propagation through time written plainly: the equations in a loop over steps and parameters, as one would
write them down in PyTorch, and as the authors' scripts do.

It is what the suite's own way is held against, in speed and in results, so it shares no code with it: R goes through
autograd, norms, optimiser and traces go from parameter to parameter. Spec: FPTT 2.1, 2.3, 2.6, 2.7, 3 and 4.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BETA = 1.8
SIGMA, HEIGHT, SCALE, GAMMA = 0.3, 0.15, 6.0, 0.5


def _normal(a: Tensor, mean: float, sigma: float) -> Tensor:
    return torch.exp(-((a - mean) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))


class Spike(torch.autograd.Function):
    """1 above 0, with the multi-Gaussian derivative."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        ctx.save_for_backward(a)
        return (a > 0).to(a.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        sides = _normal(a, SIGMA, SCALE * SIGMA) + _normal(a, -SIGMA, SCALE * SIGMA)
        return upstream * GAMMA * ((1 + HEIGHT) * _normal(a, 0.0, SIGMA) - HEIGHT * sides)


def fire(v: Tensor, theta: Tensor | float) -> tuple[Tensor, Tensor]:
    """Spikes, and the potentials after the reset."""
    z = Spike.apply(v - theta)
    return z, v * (1 - z)


class Adding:
    """One recurrent layer of liquid neurons and a number from its potentials; sequences [T, N, 2].

    `weights` are those of the suite's network, by its names. State: u, b and z.
    """

    def __init__(self, weights: dict[str, Tensor], T: int) -> None:
        self.parameters = {name: nn.Parameter(value.clone()) for name, value in weights.items()}
        self.T = T

    def begin(self, samples: int) -> None:
        like = self.parameters["hidden.0.weight"]
        self.state = [like.new_zeros(samples, len(like)) for _ in range(3)]

    def say(self, chunk: Tensor, first: int) -> Tensor:
        """The number after the steps `chunk`."""
        w = self.parameters
        joint = torch.cat([w["hidden.0.weight"], w["hidden.1.layer.feedback.weight"]], 1)
        gates = "hidden.1.layer.neuron.gates"
        u, b, z = self.state
        for x in chunk:
            current = F.linear(torch.cat([x, z], 1), joint, w["hidden.0.bias"])
            g = F.linear(torch.cat([current, u], 1), w[f"{gates}.membrane.weight"], w[f"{gates}.membrane.bias"])
            # The script computes this gate and has no use for it: the threshold is constant.
            F.linear(torch.cat([current, b], 1), w[f"{gates}.adaptation.weight"], w[f"{gates}.adaptation.bias"])
            z, u = fire(u + g.sigmoid() * (current - u), 0.5)
        self.state = [u, b, z]
        return F.linear(u, w["readout.weight"], w["readout.bias"])

    def loss(self, said: Tensor, labels: Tensor, p: int, chunks: int) -> tuple[Tensor, Tensor]:
        """That of the task alone, and what is learned from."""
        loss = F.mse_loss(said, labels)
        return loss, (p + 1 / chunks) * loss


class Sequential:
    """One recurrent layer of liquid neurons with adaptation and a liquid readout; batch norm of each step by itself.

    Sequences [T, N, 1]; a step is a chunk. State: u, b, z and the readout's o.
    """

    def __init__(self, weights: dict[str, Tensor], T: int) -> None:
        self.parameters = {name: nn.Parameter(value.clone()) for name, value in weights.items()}
        self.T = T
        like = self.parameters["fc.1.0.weight"]
        width, classes = len(like), len(self.parameters["fc.3.0.weight"])
        sizes = {"fc.1.1": width, "fc.2.feedback.1": width, "fc.3.1": classes}
        self.running = {name: (like.new_zeros(T, size), like.new_ones(T, size)) for name, size in sizes.items()}
        self.table = like.new_zeros(classes, T, classes)

    def begin(self, samples: int) -> None:
        like = self.parameters["fc.1.0.weight"]
        width, classes = len(like), len(self.parameters["fc.3.0.weight"])
        u, b, z = (like.new_full((samples, width), value) for value in (0.0, 0.1, 0.0))
        self.state = [u, b, z, like.new_zeros(samples, classes)]

    def say(self, chunk: Tensor, first: int) -> Tensor:
        """The logits after the one step of `chunk`, which is number `first`."""
        w, (u, b, z, o) = self.parameters, self.state

        def linear(name: str, x: Tensor) -> Tensor:
            return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

        def normed(name: str, x: Tensor) -> Tensor:
            mean, variance = (running[first] for running in self.running[name])
            return F.batch_norm(x, mean, variance, w[f"{name}.weight"], w[f"{name}.bias"], training=True)

        current = normed("fc.1.1", linear("fc.1.0", chunk[0]))
        current = current + normed("fc.2.feedback.1", linear("fc.2.feedback.0", z))
        gates = "fc.2.neuron.gates"
        g = linear(f"{gates}.membrane", torch.cat([current, u], 1)) * w[f"{gates}.squash_membrane.a"]
        r = linear(f"{gates}.adaptation", torch.cat([current, b], 1)) * w[f"{gates}.squash_adaptation.a"]
        g, r = g.sigmoid(), r.sigmoid()
        b = r * b + (1 - r) * z
        z, u = fire(u + g * (current - u), 0.1 + BETA * b)
        out = normed("fc.3.1", linear("fc.3.0", z))
        k = linear("fc.4.mixing", torch.cat([out, o], 1)) * w["fc.4.squash.a"]
        o = o + k.sigmoid() * (out - o)
        self.state = [u, b, z, o]
        return o

    def loss(self, said: Tensor, labels: Tensor, p: int, chunks: int) -> tuple[Tensor, Tensor]:
        """That of the task alone, and what is learned from."""
        weight, loss = (p + 1) / chunks, F.cross_entropy(said, labels)
        total = weight * loss
        if p < chunks - 1:
            logs = said.log_softmax(1)
            total = total - (1 - weight) * (self.table[labels, p] * logs).mean()
            with torch.no_grad():
                wrong = said.argmax(1) != labels
                for label in labels[wrong].unique().tolist():
                    sample = int((wrong & (labels == label)).nonzero()[0])
                    self.table[label, p] = logs[sample].exp()
        return loss, total


class Loop:
    """The scheme around such a network, parameter by parameter."""

    def __init__(
        self, network: Adding | Sequential, optimizer: torch.optim.Optimizer, chunks: int, trained: int, alpha: float
    ) -> None:
        """The first `trained` of `chunks` chunks are learned from; `optimizer` has the network's parameters."""
        self.network, self.optimizer = network, optimizer
        self.chunks, self.trained, self.alpha, self.beta = chunks, trained, alpha, 0.5
        self.average = [p.detach().clone() for p in network.parameters.values()]
        self.dual = [torch.zeros_like(average) for average in self.average]
        self.losses: list[Tensor] = []

    def batch(self, sequence: Tensor, labels: Tensor) -> None:
        """An update for each chunk of `sequence` [T, N, ...]."""
        network, step = self.network, self.network.T // self.chunks
        parameters = list(network.parameters.values())
        network.begin(sequence.shape[1])
        self.losses = []
        for p in range(self.trained):
            network.state = [value.detach() for value in network.state]
            said = network.say(sequence[p * step : (p + 1) * step], p * step)
            told, loss = network.loss(said, labels, p, self.chunks)
            self.losses.append(told.detach())
            for w, average, dual in zip(parameters, self.average, self.dual, strict=True):
                loss = loss - (w * dual).sum() + self.alpha / 2 * ((w - average) ** 2).sum()
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            self.optimizer.step()
            with torch.no_grad():
                for w, average, dual in zip(parameters, self.average, self.dual, strict=True):
                    dual -= self.alpha * (w - average)
                    average.mul_(1 - self.beta).add_(self.beta * w - self.beta / self.alpha * dual)
