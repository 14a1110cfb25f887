"""A training step of the feed-forward network of first-spike coding, as on SHD: 700 inputs of which 2 % are spikes.

| contender | what                                                                             |
|-----------|----------------------------------------------------------------------------------|
| products  | the dense matrix products of the step alone: forward, weights, inputs of layers  |
| torch     | every neuron as a loop over the steps, with autograd                             |
| fused     | the network of the tables: hidden neurons by kernels, the output step by step    |
| sparse    | kernels throughout, the first layer reads the spikes alone                       |

Dropout is off. All begin with the same weights; losses and gradients are compared before anything is timed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.compare import relative, tolerance, worse

from . import contenders, race
from .job import Job, Measured
from .rounds import Trial

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter

PRODUCTS, SPARSE = "products", "sparse"
INPUTS, CLASSES, DENSITY = 700, 20, 0.02
OUTPUT = {"name": "culif", "tau_m": 60.0, "tau_s": 60.0, "v_threshold": 1.0}  # so low that most output neurons fire
LOSS = {"name": "first_spike", "alpha": 0.2, "D": 2, "A": 200.0}
MODELS = {SPARSE: "fs_feed_forward_sparse"}


def job(asked: Job) -> Job:
    """What is asked for, with the contenders of this measurement."""
    return replace(
        asked, contenders=(PRODUCTS, contenders.REFERENCE, contenders.FUSED, SPARSE), base=PRODUCTS, dtype="float32"
    )


def measure(job: Job, emitter: Emitter) -> None:
    """Times forward, backward and Adam step of every contender at each (T, width)."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    import torch

    steps, width = shape
    size = job.size(shape)
    label = f"first-spike network T={steps} width={width}"
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand((size["batch"], steps, INPUTS), generator=generator) < DENSITY).float().to(job.device)
    labels = torch.randint(CLASSES, (size["batch"],), generator=generator).to(job.device)
    entries: dict[str, dict[str, Trial]] = {PRODUCTS: {"training": Trial(_products(x.transpose(0, 1), width))}}
    results = {PRODUCTS: Measured(PRODUCTS, "torch", size)}
    reference: list[Tensor] | None = None
    for name in (contenders.REFERENCE, contenders.FUSED, SPARSE):
        emitter.note(f"{label} · {name}: checking")
        result = Measured(name, contenders.REFERENCE if name == contenders.REFERENCE else contenders.FUSED, size)
        found = race.attempt(result, lambda n=name: _checked(n, job, shape, x, labels))  # type: ignore[misc]
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
        entries[name], results[name] = {"training": Trial(step)}, result
    times, surroundings = race.race(entries, job, emitter, label, job.base)
    for result in results.values():
        result.surroundings = surroundings
        race.figures(result, times, job.base)
        emitter.measured(result)


def _products(x: Tensor, width: int) -> Callable[[], object]:
    """The dense products of a training step: of each layer the outputs, the weights' and, behind the first, the inputs'
    gradients."""
    import torch

    rows = x.flatten(0, 1).contiguous()
    sizes = [(INPUTS, width), (width, width), (width, CLASSES)]
    layers = [
        (rows if place == 0 else torch.randn(len(rows), n, device=x.device), torch.randn(m, n, device=x.device))
        for place, (n, m) in enumerate(sizes)
    ]
    gradients = [torch.randn(len(rows), m, device=x.device) for _, m in sizes]

    def step() -> None:
        for place, ((inputs, weight), gradient) in enumerate(zip(layers, gradients, strict=True)):
            inputs @ weight.t()
            gradient.t() @ inputs
            if place:
                gradient @ weight

    return step


def _checked(
    name: str, job: Job, shape: tuple[int, int], x: Tensor, labels: Tensor
) -> tuple[Callable[[], object], list[Tensor]]:
    """The training step, and loss and gradients of a pass."""
    import torch

    import models
    import training

    steps, width = shape
    eager = {"backend": contenders.REFERENCE} if name == contenders.REFERENCE else {}
    own: dict[str, Any] = {"shape": "channels", "v_threshold": 0.5, **job.options, **eager}
    torch.manual_seed(0)
    network = models.create(
        MODELS.get(name, "fs_feed_forward"),
        neuron=models.factory(job.neuron, **own),
        T=steps,
        inputs=INPUTS,
        classes=CLASSES,
        hidden=[width, width],
        dropout=0.0,
        output={**OUTPUT, **eager},
        potentials=True,
    ).to(job.device)
    options = dict(LOSS)
    measure_loss = training.LOSSES.get(options.pop("name"))
    optimizer = torch.optim.Adam(network.parameters(), amsgrad=True)

    def loss() -> Tensor:
        models.reset(network)
        return measure_loss(network.run(x), labels, **options)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    value = loss()
    value.backward()
    return step, [value.detach(), *[p.grad.clone() for p in network.parameters() if p.grad is not None]]
