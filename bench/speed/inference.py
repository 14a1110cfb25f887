"""Inference of the convolutional networks: the throughput of a batch and the latency of one sample.

Contenders are those of a training step (bench.speed.step), the products without gradients. All have the same weights
and, like networks that were trained, running statistics; outputs are compared, in float64, before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import contenders, contest, race
from .contest import Contest, network_code
from .job import Job, Measured
from .step import PRODUCTS, backend, build, product, products_of, samples
from .step import jobs as of_training

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter

BATCHES = (64, 1)


def jobs(asked: Job, peers: tuple[str, ...]) -> list[tuple[Job, ...]]:
    """One process for each network of the neuron and each batch."""
    return [
        (replace(job, options={**job.options, "batch": batch}),)
        for (job,) in of_training(asked, peers)
        for batch in BATCHES
    ]


def measure(job: Job, emitter: Emitter) -> None:
    """Times a forward pass of every contender at each (T, channels)."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    name, size = job.options["network"], job.size(shape)
    x, _ = samples(job, shape, size["batch"])
    found = Contest(
        {contender: backend(contender) for contender in job.contenders if contender != PRODUCTS},
        lambda contender: _checked(contender, job, shape, x),
        "outputs are off by {:.1e} of their largest value",
        products={PRODUCTS: _products(_trained(contenders.FUSED, job, shape), x)},
        code=network_code(name, job.neuron),
        direction="forward",
    )

    def more(result: Measured, times: race.Times) -> None:
        seconds = result.value("forward_seconds")
        if seconds and result.contender != PRODUCTS:
            result.metrics.append(("samples_per_second", size["batch"] / seconds, "samples/s"))

    label = f"{name} T={shape[0]} channels={shape[1]} batch={size['batch']}"
    contest.measure(found, job, emitter, label, size, more)


def _trained(contender: str, job: Job, shape: tuple[int, int]) -> Any:
    """The network with running statistics of a few samples, in evaluation. Where they lag behind, few neurons fire."""
    import torch

    network = build(contenders.REFERENCE, job, shape)
    for layer in network.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.momentum = None  # the mean of what was seen, not a tenth of it
    with torch.no_grad():
        network.run(samples(job, shape, 4)[0])
    return build(contender, job, shape, network.state_dict()).eval()


def _products(network: Any, x: Tensor) -> Callable[[], object]:
    """The products alone, each on the input that it has there."""
    import torch

    seen = [(product(layer), given) for layer, given in products_of(network, x)]

    def step() -> None:
        with torch.no_grad():
            for multiply, given in seen:
                multiply(given)

    return step


def _checked(contender: str, job: Job, shape: tuple[int, int], x: Tensor) -> tuple[Callable[[], object], list[Tensor]]:
    """A pass of all samples, and what it gives in float64."""
    import torch

    import models

    def run(network: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            outputs = network.run(x)
        models.reset(network)
        return outputs

    exact = run(_trained(contender, job, shape).double(), x.double())
    network = _trained(contender, job, shape)
    return (lambda: run(network, x)), [exact.float()]
