"""A training step of a PLIF network: the suite's with each backend, and the same network of SpikingJelly's layers.

| contender             | layers       | neurons      | differs                                                      |
|-----------------------|--------------|--------------|--------------------------------------------------------------|
| torch, fused ...      | the suite's  | the suite's  |                                                              |
| spikingjelly          | the suite's  | SpikingJelly |                                                              |
| spikingjelly-layers   | SpikingJelly | SpikingJelly | batch norm over all steps at once, not step by step          |
| spikingjelly-stepwise | SpikingJelly | SpikingJelly | none: one step of the network after the other                |

All begin with the same weights; outputs and gradients are compared with dropout off, which draws its masks differently.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import contenders, contest
from .contest import Contest, network_code
from .job import BATCH, Job

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .child import Emitter

MODEL = "plif_mnist"
SIDE, CLASSES = 28, 10
HIDDEN = 16  # hidden units of the fully connected part per channel, as in the paper's network
OVER_STEPS = "batch norm takes its statistics over all steps at once, the paper's over each step"


def measure(job: Job, emitter: Emitter) -> None:
    """Times forward, backward and Adam step of every contender at each (T, channels)."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    import torch

    steps, channels = shape
    label = f"network T={steps} channels={channels}"
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((BATCH, 1, SIDE, SIDE), generator=generator).to(job.device)
    targets = torch.eye(CLASSES)[torch.randint(CLASSES, (BATCH,), generator=generator)].to(job.device)
    found = Contest(
        {name: _backend(name) for name in dict.fromkeys([contenders.REFERENCE, *job.contenders])},
        lambda name: _checked(name, job, shape, images, targets),
        differs={"spikingjelly-layers": OVER_STEPS},
        code=network_code(MODEL, job.neuron),
    )
    contest.measure(found, job, emitter, label, job.size(shape))


def _backend(name: str) -> str:
    if name.startswith("spikingjelly"):
        return "spikingjelly"
    return contenders.FUSED if name == contenders.SAVING else name


def _checked(
    name: str, job: Job, shape: tuple[int, int], images: Tensor, targets: Tensor
) -> tuple[Callable[[], object], list[Tensor]]:
    """The training step, and the outputs and gradients of a pass without dropout."""
    import torch

    network, reset = _network(name, job, shape)
    network.to(job.device)
    dropouts: list[Any] = [module for module in network.modules() if "Dropout" in type(module).__name__]
    parameters = list(network.parameters())
    saving = name == contenders.SAVING

    def loss() -> tuple[Tensor, Tensor]:
        reset()
        outputs = network(images).mean(0)
        return outputs, torch.nn.functional.mse_loss(outputs, targets)

    for dropout in dropouts:
        dropout.p = 0.0
    with _memory(saving):
        outputs, value = loss()
        value.backward()
    observed = [outputs.detach(), *[p.grad.clone() for p in parameters if p.grad is not None]]
    for dropout in dropouts:
        dropout.p = 0.5
    optimizer = torch.optim.Adam(parameters)

    def step() -> None:
        with _memory(saving):
            optimizer.zero_grad()
            loss()[1].backward()
            optimizer.step()

    return step, observed


def _memory(saving: bool) -> Any:
    from neurons.backends import fused

    return fused.checkpoint(0) if saving else contextlib.nullcontext()


def _network(name: str, job: Job, shape: tuple[int, int]) -> tuple[nn.Module, Callable[[], object]]:
    """The contender's network with the weights of the seed, and what resets it."""
    import torch

    import models
    from models.network import Whole

    steps, channels = shape
    backend = _backend(name)
    torch.manual_seed(0)
    network = models.create(
        MODEL,
        neuron=models.factory(job.neuron, backend=backend, **job.options),
        T=steps,
        side=SIDE,
        channels=channels,
        hidden=HIDDEN * channels,
    )
    if name in ("spikingjelly-layers", "spikingjelly-stepwise"):
        from spikingjelly.activation_based import functional

        peer = peer_network(network, "m" if name == "spikingjelly-layers" else "s")
        return peer, lambda: functional.reset_net(peer)
    return Whole(network), lambda: models.reset(network)


def peer_network(network: Any, step_mode: str) -> nn.Module:
    """The network (a models.plif.StaticNet) made of SpikingJelly's layers, with copies of the same weights."""
    import torch
    from torch import nn

    class Peer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.static_conv, self.T = network.static_conv, network.T
            self.conv, self.fc, self.vote = (
                peer_layers(part, step_mode) for part in (network.conv, network.fc, network.vote)
            )

        def forward(self, x: Tensor) -> Tensor:
            current = self.static_conv(x)
            if step_mode == "m":
                return self.vote(self.fc(self.conv(current.expand(self.T, *current.shape))))
            return torch.stack([self.vote(self.fc(self.conv(current))) for _ in range(self.T)])

    return Peer()


def peer_layers(module: Any, step_mode: str) -> Any:
    """SpikingJelly's layers with copies of the weights of `module`, a layer or a sequence of them."""
    from spikingjelly.activation_based import layer
    from torch import nn

    from models import layers
    from neurons.backends import spikingjelly

    mode = {"step_mode": step_mode}
    match module:
        case nn.Sequential():
            return nn.Sequential(*[peer_layers(part, step_mode) for part in module])
        case layers.Conv1d() | layers.Conv2d():
            kind: Any = getattr(layer, type(module).__name__)
            made: Any = kind(
                module.in_channels, module.out_channels, module.kernel_size, padding=module.padding, bias=False, **mode
            )
        case layers.StepBatchNorm2d() | layers.BatchNorm1d() | layers.BatchNorm2d():
            kind = getattr(layer, type(module).__name__.removeprefix("Step"))
            made = kind(module.num_features, **mode)
        case nn.Linear():
            bias = module.bias is not None
            made = layer.Linear(module.in_features, module.out_features, bias=bias, **mode)
        case layers.MaxPool2d() | layers.AvgPool1d() | layers.AvgPool2d():
            return getattr(layer, type(module).__name__)(module.kernel_size, **mode)
        case layers.SharedDropout():
            return layer.Dropout(module.p, **mode)
        case nn.Flatten():
            return layer.Flatten(1 if step_mode == "s" else module.start_dim - 1, **mode)
        case layers.Vote():
            return layer.VotingLayer(module.voters, **mode)
        case _:
            node = spikingjelly.node(module)
            node.step_mode = step_mode
            return node
    made.load_state_dict(module.state_dict())
    return made
