"""Whole training steps, and inference, of convolutional networks on the CPU.

The suite of the newest commit runs against older ones: networks that they lack are skipped (asv's NotImplementedError).
"""

from __future__ import annotations

from typing import Any

import torch  # here and not in setup: asv then forks processes that have it already (launch_method in asv.conf.json)

BATCH, CHANNELS, CLASSES = 16, 32, 10
NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {  # neuron, options of the network, a sample's shape
    "plif_mnist": ("plif", {"T": 8, "hidden": 256}, (1, 28, 28)),
    "plif_cifar10": ("plif", {"T": 8, "hidden": 256}, (3, 32, 32)),
    "plif_nmnist": ("plif", {"T": 10}, (10, 2, 34, 34)),
    "plif_cifar10dvs": ("plif", {"T": 10, "side": 64}, (10, 2, 64, 64)),
    "psn_cifar10": ("psn", {"T": 4}, (3, 32, 32)),
    "psn_sequential": ("psn", {}, (3, 32, 32)),
}


class Steps:
    """Seconds of a training step (forward, backward, Adam) and of inference, float32, on one thread."""

    params = (list(NETWORKS),)
    param_names = ("network",)
    timeout = 300

    def setup(self, network: str) -> None:
        import models

        if network not in models.names():
            raise NotImplementedError(f"{network} is not in this commit")
        name, options, shape = NETWORKS[network]
        own = {"T": options.get("T", shape[-1])} if name == "psn" else {}
        torch.set_num_threads(1)  # steadier than several on shared machines
        torch.manual_seed(0)
        made: Any = models.create(network, neuron=models.factory(name, **own), channels=CHANNELS, **options)
        self.network, self.reset = made, lambda: models.reset(made)
        self.x = torch.rand(BATCH, *shape)
        self.targets = torch.eye(CLASSES)[torch.arange(BATCH) % CLASSES]
        self.optimizer = torch.optim.Adam(made.parameters(), fused=True)
        self.settle()
        self.train()
        self.infer()

    def settle(self) -> None:
        """Gives batch norm the statistics of the samples; with those that it begins with, few neurons fire."""
        norms = [m for m in self.network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        momentum = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = None
        with torch.no_grad():
            self.network.run(self.x)
        for norm, own in zip(norms, momentum, strict=True):
            norm.momentum = own
        self.reset()

    def train(self) -> None:
        self.network.train()
        self.optimizer.zero_grad()
        torch.nn.functional.mse_loss(self.network.run(self.x).mean(0), self.targets).backward()
        self.optimizer.step()
        self.reset()

    def infer(self, samples: int = BATCH) -> None:
        self.network.eval()
        with torch.no_grad():
            self.network.run(self.x[:samples])
        self.reset()

    def time_training_step(self, network: str) -> None:
        self.train()

    def time_inference(self, network: str) -> None:
        self.infer()

    def time_inference_of_one_sample(self, network: str) -> None:
        self.infer(1)

    def track_live_peak(self, network: str) -> float:
        """The most that tensors made by a training step held at one time."""
        try:
            from bench.speed import meters
            from neurons.backends.fused import pool
        except ImportError:
            raise NotImplementedError("this commit has no memory meters") from None
        pool.enable(False)
        return float(meters.live_peak(self.train))

    track_live_peak.unit = "bytes"  # type: ignore[attr-defined]
