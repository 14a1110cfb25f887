"""A training step of the networks of first-spike coding, as on SHD: 700 inputs of which 2 % are spikes.

| network      | contender | what                                                                            |
|--------------|-----------|---------------------------------------------------------------------------------|
| both         | products  | the dense matrix products of the step alone: outputs, weights, inputs of layers |
| both         | torch     | every neuron as a loop over the steps, with autograd                            |
| feed-forward | fused     | the network of the tables: hidden neurons by kernels, the output step by step   |
| feed-forward | sparse    | kernels throughout, the linear layers read the spikes alone                     |
| recurrent    | whole     | the same, and the recurrent layer in one piece (models.first_spike.whole)       |

The feed-forward network is that of AdLIF, the recurrent one that of PCuLIF in the SuperSpike form. Dropout is off. All
begin with the same weights; losses and gradients are compared before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import contenders, contest
from .contest import Contest, network_code
from .job import Job

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter

PRODUCTS, SPARSE, WHOLE = "products", "sparse", "whole"
FEED_FORWARD, RECURRENT = "adlif", "pculif"  # the networks by their neuron
INPUTS, CLASSES, DENSITY = 700, 20, 0.02
OUTPUT = {"name": "culif", "tau_m": 60.0, "tau_s": 60.0, "v_threshold": 1.0}  # so low that most output neurons fire
LOSS = {"alpha": 0.2, "A": 200.0}  # of first_spike
LATE = {"variant": "superspike"}
MODELS = {  # of each network by contender
    FEED_FORWARD: {
        contenders.REFERENCE: "fs_feed_forward",
        contenders.FUSED: "fs_feed_forward",
        SPARSE: "fs_feed_forward_sparse",
    },
    RECURRENT: {contenders.REFERENCE: "fs_recurrent", WHOLE: "fs_recurrent_whole"},
}


def job(asked: Job) -> Job:
    """What is asked for, with the contenders of this measurement."""
    return replace(asked, contenders=(PRODUCTS, *MODELS[asked.neuron]), base=PRODUCTS, dtype="float32")


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
    fused = (contenders.FUSED, SPARSE)
    found = Contest(
        {name: contenders.FUSED if name in fused else contenders.REFERENCE for name in MODELS[job.neuron]},
        lambda name: _checked(name, job, shape, x, labels),
        products={PRODUCTS: _products(job.neuron, x.transpose(0, 1), width)},
        code=_code(job.neuron),
    )
    contest.measure(found, job, emitter, label, size)


def _code(neuron: str) -> tuple[str, ...]:
    """The modules of all networks of the neuron."""
    found = (network_code(name, neuron, str(OUTPUT["name"])) for name in MODELS[neuron].values())
    return tuple(sorted({module for modules in found for module in modules}))


def _products(neuron: str, x: Tensor, width: int) -> Callable[[], object]:
    """The dense products of a training step: of each layer the outputs, the weights' and, behind the first, the inputs'
    gradients; those of a feedback step by step, but for the gradient of its weights."""
    import torch

    rows = x.flatten(0, 1).contiguous()
    hidden = [(width, width)] if neuron == FEED_FORWARD else []
    sizes = [(INPUTS, width), *hidden, (width, CLASSES)]
    layers = [
        (rows if place == 0 else torch.randn(len(rows), n, device=x.device), torch.randn(m, n, device=x.device))
        for place, (n, m) in enumerate(sizes)
    ]
    gradients = [torch.randn(len(rows), m, device=x.device) for _, m in sizes]
    feedback = torch.randn(width, width, device=x.device)
    steps = gradients[0].reshape(len(x), -1, width)

    def step() -> None:
        for place, ((inputs, weight), gradient) in enumerate(zip(layers, gradients, strict=True)):
            inputs @ weight.t()
            gradient.t() @ inputs
            if place:
                gradient @ weight
        if neuron == RECURRENT:
            for at in steps:
                at @ feedback.t()
                at @ feedback
            gradients[0].t() @ gradients[0]

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
    form = LATE if job.neuron == RECURRENT else {}
    own: dict[str, Any] = {"shape": "channels", "v_threshold": 0.5, **form, **job.options, **eager}
    options: dict[str, Any] = {"hidden": [width]} if form else {"hidden": [width, width], "dropout": 0.0}
    torch.manual_seed(0)
    network = models.create(
        MODELS[job.neuron][name],
        neuron=models.factory(job.neuron, **own),
        T=steps,
        inputs=INPUTS,
        classes=CLASSES,
        output={**OUTPUT, **form, **eager},
        potentials=True,
        **options,
    ).to(job.device)
    measure_loss = training.LOSSES.get("first_spike")
    optimizer = torch.optim.Adam(network.parameters(), amsgrad=True)

    def loss() -> Tensor:
        models.reset(network)
        return measure_loss(network.run(x), labels, D=min(16, steps), **LOSS)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    value = loss()
    value.backward()
    return step, [value.detach(), *[p.grad.clone() for p in network.parameters() if p.grad is not None]]
