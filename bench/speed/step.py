"""A training step of the convolutional networks, against its products alone: convolutions and those of matrices.

| contender             | what                                                                                        |
|-----------------------|---------------------------------------------------------------------------------------------|
| products              | every convolution, linear layer and product over time alone, forward and backward           |
| fused                 | the network as it is: one pass for batch norm, neurons and pooling where one is proven      |
| layers                | the same kernels for the neurons, the layers one after the other                            |
| torch                 | every neuron as a loop over the steps, the layers one after the other                       |
| spikingjelly          | SpikingJelly's neurons, the layers one after the other (with --peers)                       |
| spikingjelly-layers   | SpikingJelly's layers, too; its batch norm takes its statistics over all steps              |
| spikingjelly-compiled | these layers under torch.compile, each part of the network as one graph                     |

Forward, backward and Adam, as trainings have it, but for the products, which are without Adam. All begin with the same
weights; outputs and gradients are compared before anything is timed: with dropout off and in float64, where rounding
moves no spike. `live_peak` is what the tensors of a step hold at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import contenders, contest, meters
from .contest import Contest, network_code
from .job import BATCH, Job, Measured
from .network import OVER_STEPS, peer_layers

if TYPE_CHECKING:
    from torch import Tensor, nn

    from . import race
    from .child import Emitter

PRODUCTS, LAYERS, PEER, PEER_LAYERS = "products", "layers", "spikingjelly", "spikingjelly-layers"
NETWORKS: dict[str, dict[str, dict[str, Any]]] = {  # by neuron: networks and what is theirs beside T and channels
    "plif": {
        "plif_mnist": {"side": 28, "inputs": 1},
        "plif_cifar10": {"side": 32, "inputs": 3},
        "plif_nmnist": {"side": 34, "inputs": 2},
        "plif_cifar10dvs": {"side": 64, "inputs": 2},
    },
    "lif": {"psn_cifar10": {"side": 32, "inputs": 3}},
    "psn": {"psn_cifar10": {"side": 32, "inputs": 3}, "psn_sequential": {"side": 32, "inputs": 3}},
}
HIDDEN = 8  # hidden units of the fully connected part per channel
EVENTS = ("plif_nmnist", "plif_cifar10dvs")  # whose inputs have a frame a step
COLUMNS = ("psn_sequential",)  # whose steps are the columns of the image
PARTS = ("conv", "fc", "vote")
CLASSES = 10


def jobs(asked: Job, peers: tuple[str, ...]) -> list[tuple[Job, ...]]:
    """One process for each network of the neuron."""
    names: tuple[str, ...] = (PRODUCTS, contenders.REFERENCE, contenders.FUSED, LAYERS)
    names += (PEER, PEER_LAYERS) if PEER in peers else ()
    names += (contenders.COMPILED,) if contenders.COMPILED in peers else ()
    job = replace(asked, contenders=names, base=PRODUCTS, dtype="float32")
    found: list[tuple[Job, ...]] = []
    for network, own in NETWORKS[asked.neuron].items():
        shapes = tuple((own["side"] if network in COLUMNS else T, channels) for T, channels in job.shapes)
        found.append((replace(job, shapes=shapes, options={**job.options, "network": network}),))
    return found


def measure(job: Job, emitter: Emitter) -> None:
    """Times forward, backward and Adam step of every contender at each (T, channels)."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    import torch

    name = job.options["network"]
    x, labels = samples(job, shape, BATCH)
    targets = torch.eye(CLASSES)[labels]
    steps: dict[str, Callable[[], object]] = {}

    def check(contender: str) -> tuple[Callable[[], object], list[Tensor]]:
        steps[contender], outcome = _checked(contender, job, shape, x, targets)
        return steps[contender], outcome

    def more(result: Measured, times: race.Times) -> None:
        if result.contender in steps:
            result.metrics.append(("live_peak", _live(steps[result.contender]), "B"))

    found = Contest(
        {contender: backend(contender) for contender in job.contenders if contender != PRODUCTS},
        check,
        products={PRODUCTS: _products(build(contenders.FUSED, job, shape), x)},
        differs=differing(name),
        code=network_code(name, job.neuron),
    )
    contest.measure(found, job, emitter, f"{name} T={shape[0]} channels={shape[1]}", job.size(shape), more)


def samples(job: Job, shape: tuple[int, int], batch: int) -> tuple[Tensor, Tensor]:
    """Inputs of the network of `job` and their labels, drawn alike each time."""
    import torch

    name = job.options["network"]
    own = NETWORKS[job.neuron][name]
    generator = torch.Generator().manual_seed(0)
    frames = (shape[0],) if name in EVENTS else ()
    x = torch.rand((batch, *frames, own["inputs"], own["side"], own["side"]), generator=generator)
    return x, torch.randint(CLASSES, (batch,), generator=generator)


def backend(contender: str) -> str:
    """What computes the neurons of a contender."""
    return {LAYERS: contenders.FUSED, PEER_LAYERS: PEER, contenders.COMPILED: PEER}.get(contender, contender)


def differing(network: str) -> dict[str, str]:
    """Why a contender of a network gives something else."""
    return dict.fromkeys((PEER_LAYERS, contenders.COMPILED), OVER_STEPS) if network.startswith("plif") else {}


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


def build(contender: str, job: Job, shape: tuple[int, int], state: dict[str, Tensor] | None = None) -> Any:
    """The contender's network with the weights of the seed, or with all of `state`."""
    import torch

    import models
    import neurons

    steps, channels = shape
    name = job.options["network"]
    own = NETWORKS[job.neuron][name] | ({} if name in COLUMNS else {"T": steps})
    options = {key: value for key, value in job.options.items() if key not in ("network", "batch")}
    options |= neurons.registry.get(job.neuron).example(steps)
    torch.manual_seed(0)
    network = models.create(
        name,
        neuron=models.factory(job.neuron, backend=backend(contender), **options),
        channels=channels,
        hidden=HIDDEN * channels,
        **own,
    )
    if state is not None:
        network.load_state_dict(state)
    if contender in (PEER_LAYERS, contenders.COMPILED):
        torch._dynamo.reset()  # of each code it compiles a few versions alone
        for part in filter(lambda part: hasattr(network, part), PARTS):
            layers = peer_layers(getattr(network, part), "m")
            setattr(network, part, layers if contender == PEER_LAYERS else torch.compile(layers, dynamic=False))
        return network
    return network if contender == contenders.FUSED else _one_by_one(network)


def _one_by_one(module: nn.Module) -> nn.Module:
    """The network with plain sequences of layers in the place of chains."""
    from torch import nn

    from models.chain import Chain

    for name, child in module.named_children():
        setattr(module, name, _one_by_one(nn.Sequential(*child) if type(child) is Chain else child))
    return module


def _products(network: Any, x: Tensor) -> Callable[[], object]:
    """Forward and backward of the products of a step, each on the input that it has there."""
    import torch

    work = []
    for place, (layer, given) in enumerate(products_of(network, x)):
        multiply, one = product(layer), given.requires_grad_(place > 0)
        wanted = [p for p in (one, *layer.parameters()) if p.requires_grad]
        work.append((multiply, one, wanted, torch.ones_like(multiply(one))))

    def step() -> None:
        for multiply, one, wanted, gradient in work:
            torch.autograd.grad(multiply(one), wanted, gradient)

    return step


def product(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """What a layer multiplies: a parallel neuron is a product over time before it is a threshold."""
    from neurons.psn import ParallelNeuron

    return layer.charge if isinstance(layer, ParallelNeuron) else layer


def products_of(network: Any, x: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """The convolutions, linear layers and parallel neurons of the network, each with the input that it has."""
    import torch
    from torch import nn

    from neurons.psn import ParallelNeuron

    seen: list[tuple[nn.Module, Tensor]] = []
    kinds = (nn.Conv1d, nn.Conv2d, nn.Linear, ParallelNeuron)

    def note(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        x = args[0].detach()
        seen.append((layer, (x[:1] if len(x) > 1 and x.stride(0) == 0 else x).contiguous()))  # one step serves all

    hooks = [layer.register_forward_pre_hook(note) for layer in network.modules() if isinstance(layer, kinds)]
    with torch.no_grad():
        network.run(x)
    for hook in hooks:
        hook.remove()
    return seen


def _checked(
    contender: str, job: Job, shape: tuple[int, int], x: Tensor, targets: Tensor
) -> tuple[Callable[[], object], list[Tensor]]:
    """The training step, and the outputs and gradients, computed in float64, of a pass without dropout."""
    import torch

    import models
    import training

    def loss(network: Any, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        models.reset(network)
        outputs = network.run(x).mean(0)
        return outputs, torch.nn.functional.mse_loss(outputs, targets)

    exact = build(contender, job, shape).double()
    dropouts: list[Any] = [module for module in exact.modules() if "Dropout" in type(module).__name__]
    for dropout in dropouts:
        dropout.p = 0.0
    outputs, value = loss(exact, x.double(), targets.double())
    value.backward()
    observed = [t.float() for t in (outputs.detach(), *(p.grad for p in exact.parameters() if p.grad is not None))]
    network = build(contender, job, shape)
    optimizer = training.OPTIMIZERS.get("adam")(network.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss(network, x, targets)[1].backward()
        optimizer.step()

    return step, observed
