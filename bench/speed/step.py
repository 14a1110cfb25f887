"""A training step of the convolutional networks, against its convolutions and matrix products alone.

| contender    | what                                                                                        |
|--------------|---------------------------------------------------------------------------------------------|
| products     | every convolution and linear layer of the step alone: outputs, gradients of weights, inputs |
| fused        | the network as it is: one pass for batch norm, neurons and pooling where one is proven      |
| layers       | the same kernels for the neurons, the layers one after the other                            |
| torch        | every neuron as a loop over the steps, the layers one after the other                       |
| spikingjelly | SpikingJelly's neurons, the layers one after the other (with --peers)                       |

Forward, backward and Adam, but for the products, which are without Adam. All begin with the same weights; outputs and
gradients are compared before anything is timed: with dropout off and in float64, where rounding moves no spike.
`live_peak` is what the tensors of a step hold at most.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.compare import relative, tolerance, worse

from . import contenders, meters, race
from .job import BATCH, Job, Measured
from .rounds import Trial

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .child import Emitter

PRODUCTS, LAYERS, PEER = "products", "layers", "spikingjelly"
NETWORKS: dict[str, dict[str, dict[str, Any]]] = {  # by neuron: networks and what is theirs beside T and channels
    "plif": {
        "plif_mnist": {"side": 28, "inputs": 1},
        "plif_cifar10": {"side": 32, "inputs": 3},
        "plif_nmnist": {"side": 34, "inputs": 2},
        "plif_cifar10dvs": {"side": 64, "inputs": 2},
    },
    "lif": {"psn_cifar10": {"side": 32, "inputs": 3}},
}
HIDDEN = 8  # hidden units of the fully connected part per channel
EVENTS = ("plif_nmnist", "plif_cifar10dvs")  # whose inputs have a frame a step
CLASSES = 10


def jobs(asked: Job, peers: tuple[str, ...]) -> list[tuple[Job, ...]]:
    """One process for each network of the neuron."""
    names = (PRODUCTS, contenders.REFERENCE, contenders.FUSED, LAYERS, *(p for p in peers if p == PEER))
    job = replace(asked, contenders=names, base=PRODUCTS, dtype="float32")
    return [(replace(job, options={**job.options, "network": network}),) for network in NETWORKS[asked.neuron]]


def measure(job: Job, emitter: Emitter) -> None:
    """Times forward, backward and Adam step of every contender at each (T, channels)."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    import torch

    name = job.options["network"]
    own = NETWORKS[job.neuron][name]
    label = f"{name} T={shape[0]} channels={shape[1]}"
    generator = torch.Generator().manual_seed(0)
    frames = (shape[0],) if name in EVENTS else ()
    x = torch.rand((BATCH, *frames, own["inputs"], own["side"], own["side"]), generator=generator)
    targets = torch.eye(CLASSES)[torch.randint(CLASSES, (BATCH,), generator=generator)]
    products = _products(_network(contenders.FUSED, job, shape), x)
    entries: dict[str, dict[str, Trial]] = {PRODUCTS: {"training": Trial(products)}}
    results = {PRODUCTS: Measured(PRODUCTS, "torch", job.size(shape))}
    reference: list[Tensor] | None = None
    for contender in job.contenders[1:]:
        emitter.note(f"{label} · {contender}: checking")
        result = Measured(contender, _backend(contender), job.size(shape))
        found = race.attempt(result, lambda c=contender: _checked(c, job, shape, x, targets))  # type: ignore[misc]
        if found is None:
            emitter.measured(result)
            continue
        step, outcome = found
        reference = reference or outcome
        error = functools.reduce(worse, [relative(a, b) for a, b in zip(outcome, reference, strict=True)])
        result.metrics.append(("largest_difference", error, "fraction"))
        if not error <= tolerance("network", x.dtype):
            result.outcome = "parity_failed"
            result.reason = f"Not timed: outputs or gradients are off by {error:.1e} of their largest value."
            emitter.measured(result)
            continue
        result.metrics.append(("live_peak", _live(step), "B"))
        entries[contender], results[contender] = {"training": Trial(step)}, result
    times, surroundings = race.race(entries, job, emitter, label, job.base)
    for result in results.values():
        result.surroundings = surroundings
        race.figures(result, times, job.base)
        emitter.measured(result)


def _backend(contender: str) -> str:
    return contenders.FUSED if contender == LAYERS else contender


def _live(step: Callable[[], object]) -> float:
    """Bytes that tensors of a step hold at most; the pool would hold those of earlier ones."""
    from neurons.backends.fused import pool

    was = pool.enabled()
    pool.enable(False)
    try:
        step()
        return float(meters.live_peak(step))
    finally:
        pool.enable(was)


def _network(contender: str, job: Job, shape: tuple[int, int]) -> Any:
    import torch

    import models

    steps, channels = shape
    name = job.options["network"]
    own = NETWORKS[job.neuron][name]
    options = {key: value for key, value in job.options.items() if key != "network"}
    torch.manual_seed(0)
    network = models.create(
        name,
        neuron=models.factory(job.neuron, backend=_backend(contender), **options),
        T=steps,
        channels=channels,
        hidden=HIDDEN * channels,
        **own,
    )
    return network if contender == contenders.FUSED else _one_by_one(network)


def _one_by_one(module: nn.Module) -> nn.Module:
    """The network with plain sequences of layers in the place of chains."""
    from torch import nn

    from models.chain import Chain

    for name, child in module.named_children():
        setattr(module, name, _one_by_one(nn.Sequential(*child) if type(child) is Chain else child))
    return module


def _products(network: Any, x: Tensor) -> Callable[[], object]:
    """Forward and backward of the convolutions and linear layers of a step, each on the input that it has there."""
    import torch
    from torch import nn

    seen: list[tuple[nn.Module, Tensor]] = []
    kinds = (nn.Conv1d, nn.Conv2d, nn.Linear)
    hooks = [
        layer.register_forward_pre_hook(lambda layer, args: seen.append((layer, args[0].detach().contiguous())))
        for layer in network.modules()
        if isinstance(layer, kinds)
    ]
    with torch.no_grad():
        network.run(x)
    for hook in hooks:
        hook.remove()
    inputs = [layer_input.requires_grad_(place > 0) for place, (_, layer_input) in enumerate(seen)]
    gradients = [torch.ones_like(layer(one)) for (layer, _), one in zip(seen, inputs, strict=True)]

    def step() -> None:
        for (layer, _), one, gradient in zip(seen, inputs, gradients, strict=True):
            wanted = [p for p in (one, *layer.parameters()) if p.requires_grad]
            torch.autograd.grad(layer(one), wanted, gradient)

    return step


def _checked(
    contender: str, job: Job, shape: tuple[int, int], x: Tensor, targets: Tensor
) -> tuple[Callable[[], object], list[Tensor]]:
    """The training step, and the outputs and gradients of a pass without dropout."""
    import torch

    import models

    def loss(network: Any, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        models.reset(network)
        outputs = network.run(x).mean(0)
        return outputs, torch.nn.functional.mse_loss(outputs, targets)

    exact = _network(contender, job, shape).double()
    for module in exact.modules():
        if "Dropout" in type(module).__name__:
            module.p = 0.0
    outputs, value = loss(exact, x.double(), targets.double())
    value.backward()
    observed = [outputs.detach(), *[p.grad for p in exact.parameters() if p.grad is not None]]
    network = _network(contender, job, shape)
    optimizer = torch.optim.Adam(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        loss(network, x, targets)[1].backward()
        optimizer.step()

    return step, observed
