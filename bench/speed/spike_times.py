"""A training step of networks of one shape: in closed form, with two operators a layer as in the released code, of
rectified linear units, and of LIF neurons through T time steps.

| contender       | is                                                                  | checked against           |
|-----------------|---------------------------------------------------------------------|---------------------------|
| closed form     | models.ttfs, released numerics                                      | two operators, in float64 |
| two operators   | the same in the operations of the released code (two_operators.py)  |                           |
| ReLU            | the same layers of rectified linear units                           | another network           |
| LIF, T=...      | the same layers of LIF neurons, surrogate gradients, mean over T    | another network           |
| operators alone | convolutions and products of the closed form, on arrays as large    | computes no step          |

The network is the small one of the work's spec: convolutions of n, 2n and 4n channels on 28 x 28 normalised pixels,
pooled twice. A step is the forward and backward pass and the update; `forward` is without gradients. Metric
`live_peak`: bytes that the tensors of a step take at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from core.compare import relative, tolerance
from papers.ttfs.speed import CLOSED, OPERATORS, RELU, STEPS, TWO_OPERATORS, through

from . import contenders, meters, race
from .job import Job, Measured
from .rounds import Trial

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.ttfs.networks import SpikeTimes

    from .child import Emitter

SIDE, CLASSES = 28, 10
LR, DECAY, CLIP = 1e-4, 0.1, 1.0
BACKGROUND, MEAN, DEVIATION = 0.8, 0.1307, 0.3081  # share of empty pixels, and how MNIST's pixels are normalised
DIFFERENT = "another network, so with other numbers"
PARTIAL = "the operators of a step alone, which compute no network"
Ways = dict[str, Callable[[], object]]


def architecture(channels: int) -> str:
    """The network as the work writes it."""
    return f"{channels}C3 - {2 * channels}C3 - P2 - {4 * channels}C3 - P2"


def measure(job: Job, emitter: Emitter) -> None:
    """Times every contender at each (batch, channels); ratios are to the closed form."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    label = f"ttfs batch={shape[0]} channels={shape[1]}"
    x, labels = _images(shape[0], job.device)
    entries: dict[str, dict[str, Trial]] = {}
    results: dict[str, Measured] = {}
    for name in job.contenders:
        emitter.note(f"{label} · {name}: checking")
        result = Measured(name, _backend(name, job), job.size(shape), neuron="lif" if name.startswith("LIF") else "")
        result.code = ("models.ttfs.networks",) if name == CLOSED else ()
        result.differs = {CLOSED: "", TWO_OPERATORS: "", OPERATORS: PARTIAL}.get(name, DIFFERENT)
        if name == CLOSED:
            wrong = _difference(shape, job.device)
            result.metrics.append(("largest_difference", wrong, "fraction"))
            if not wrong <= tolerance("parity", x.double().dtype):
                result.outcome = "parity_failed"
                result.reason = f"Not timed: outputs or gradients are off by {wrong:.1e} of their largest value."
                emitter.measured(result)
                return
        ways = race.attempt(result, lambda n=name: _ways(n, job, shape, x, labels))  # type: ignore[misc]
        if ways is None:
            emitter.measured(result)
            continue
        result.metrics.append(("live_peak", float(_peak(ways["training"], job.device)), "B"))
        entries[name], results[name] = {way: Trial(call) for way, call in ways.items()}, result
    times, surroundings = race.race(entries, job, emitter, label, job.base)
    for name, result in results.items():
        result.surroundings = surroundings
        race.figures(result, times, job.base)
        seconds = result.value("training_seconds")
        if seconds and name != OPERATORS:
            result.metrics.append(("samples_per_second", shape[0] / seconds, "samples/s"))
        emitter.measured(result)


def _backend(name: str, job: Job) -> str:
    if name == CLOSED:
        return name
    if name.startswith("LIF"):
        return _lif(job)
    return "torch"


def _lif(job: Job) -> str:
    """The suite's kernel of LIF where there is one."""
    return contenders.FUSED if contenders.FUSED in contenders.suite("lif", job.device)[0] else contenders.REFERENCE


def _images(batch: int, device: str) -> tuple[Tensor, Tensor]:
    """Normalised pixels, most of them of the background, as in MNIST: none is silent."""
    import torch

    generator = torch.Generator().manual_seed(0)
    shape = (batch, 1, SIDE, SIDE)
    ink = torch.rand(shape, generator=generator) * (torch.rand(shape, generator=generator) > BACKGROUND)
    labels = torch.randint(CLASSES, (batch,), generator=generator)
    return ((ink - MEAN) / DEVIATION).to(device), labels.to(device)


def _closed(shape: tuple[int, int], device: str) -> SpikeTimes:
    import torch

    from models.ttfs.networks import network

    torch.manual_seed(0)
    return network(architecture=architecture(shape[1]), side=SIDE, numerics="released", clip=CLIP).to(device)


def _difference(shape: tuple[int, int], device: str) -> float:
    """The largest difference of potentials and gradients from those of two operators, of their largest, in float64."""
    import torch

    from .two_operators import TwoOperators

    x, labels = _images(min(shape[0], 16), device)
    ours = _closed(shape, device).double()
    other = TwoOperators(ours, clip=CLIP, lr=LR, weight_decay=DECAY)
    expected = other.forward(x.double())
    gradients = other.backward(expected, labels)
    potentials = ours.run(x.double())[-1]
    torch.nn.functional.cross_entropy(potentials, labels).backward()
    pairs = [(potentials.detach(), expected)]
    pairs += [(p.grad, g) for p, g in zip(ours.parameters(), gradients, strict=True) if p.grad is not None]
    errors = [relative(found, should) for found, should in pairs]
    return max(errors) if all(error == error for error in errors) else float("nan")


def _ways(name: str, job: Job, shape: tuple[int, int], x: Tensor, labels: Tensor) -> Ways:
    """The calls of a contender by direction."""
    import torch

    from .two_operators import TwoOperators

    spiking = _closed(shape, job.device)
    if name == OPERATORS:
        return _operators(spiking, x)
    if name == TWO_OPERATORS:
        other = TwoOperators(spiking, clip=CLIP, lr=LR, weight_decay=DECAY)
        return {"forward": lambda: other.forward(x), "training": lambda: other.step(x, labels)}
    answer, parameters = _network(name, job, shape, spiking, x)
    from training.decay_after import adam_then_decay

    optimizer = adam_then_decay(parameters, lr=LR, weight_decay=DECAY)

    def forward() -> object:
        with torch.no_grad():
            return answer()

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(answer(), labels).backward()
        optimizer.step()

    return {"forward": forward, "training": step}


def _network(
    name: str, job: Job, shape: tuple[int, int], spiking: SpikeTimes, x: Tensor
) -> tuple[Callable[[], Tensor], list[nn.Parameter]]:
    """What the network says to `x`, [batch, classes], and its parameters; all start with the weights of `spiking`."""
    import models
    from models.ttfs.networks import relu

    if name == CLOSED:
        return lambda: spiking.run(x)[-1], list(spiking.parameters())
    rate = relu(architecture=architecture(shape[1]), side=SIDE).to(job.device)
    for parameter, weight in zip(rate.parameters(), spiking.parameters(), strict=True):
        parameter.data.copy_(weight.data)
    if name == RELU:
        return lambda: rate.run(x)[-1], list(rate.parameters())
    steps = next(steps for steps in STEPS if through(steps) == name)
    first, *rest = _through_time(rate.layers, _lif(job))

    def answer() -> Tensor:
        for layer in rest:
            models.reset(layer)
        current = first(x[None]).expand(steps, -1, -1, -1, -1)  # the image is the same at every step
        for layer in rest:
            current = layer(current)
        return current.mean(0)

    return answer, list(rate.parameters())


def _through_time(layers: nn.Sequential, backend: str) -> list[Any]:
    """The layers of a network of rectified linear units on sequences, with LIF neurons in their place."""
    from torch import nn

    import neurons
    from models import layers as over_time

    found: list[Any] = []
    for layer in layers:
        match layer:
            case nn.Conv2d():
                made: Any = over_time.Conv2d(
                    layer.in_channels, layer.out_channels, layer.kernel_size[0], padding=layer.padding[0], bias=False
                )
                made.weight = layer.weight
            case nn.ReLU():
                made = neurons.create("lif", detach_reset=True, backend=backend, step_mode="m")
            case nn.MaxPool2d():
                made = over_time.MaxPool2d(layer.kernel_size, layer.stride)
            case nn.Flatten():
                made = nn.Flatten(2)
            case _:
                made = layer
        found.append(made)
    return found


def _operators(spiking: SpikeTimes, x: Tensor) -> Ways:
    """The convolutions and products of the closed form, on arrays as large as those it gives them."""
    import torch

    from models.ttfs.layers import SpikingLayer
    from models.ttfs.networks import weighted

    given: list[Tensor] = []
    hooks = [layer.register_forward_pre_hook(lambda _, x: given.append(x[0])) for layer in weighted(spiking)]
    with torch.no_grad():
        spiking.run(x)
    for hook in hooks:
        hook.remove()
    calls: list[tuple[Callable[[], object], list[Callable[[], object]]]] = []
    for number, (layer, times) in enumerate(zip(weighted(spiking), given, strict=True)):
        weight, n = layer.weight.detach(), len(times)
        if isinstance(layer, SpikingLayer):
            operator = layer.operator
            inputs = torch.rand(n + 1 if number == 0 else 2 * n, *times.shape[1:], device=x.device)
            grad = torch.rand_like(operator.apply(inputs, weight))
            back: list[Callable[[], object]] = [lambda o=operator, g=grad, i=inputs, w=weight: o.to_weight(g, i, w)]  # type: ignore[misc]
            if number:
                back.append(lambda o=operator, g=grad[:n], i=inputs, w=weight: o.to_input(g, i, w))  # type: ignore[misc]
            calls.append((lambda o=operator, i=inputs, w=weight: o.apply(i, w), back))  # type: ignore[misc]
        else:
            left = torch.rand_like(times)
            grad = torch.rand(n, len(weight), device=x.device)
            calls.append(
                (
                    lambda i=left, w=weight: torch.nn.functional.linear(i, w),  # type: ignore[misc]
                    [lambda g=grad, i=left: g.T @ i, lambda g=grad, w=weight: g @ w],  # type: ignore[misc]
                )
            )

    def forward() -> None:
        for call in _each([[call] for call, _ in calls]):
            call()

    def training() -> None:
        forward()
        for call in _each([back for _, back in calls]):
            call()

    return {"forward": forward, "training": training}


def _each(groups: list[list[Callable[[], object]]]) -> Iterator[Callable[[], object]]:
    for group in groups:
        yield from group


def _peak(step: Callable[[], object], device: str) -> int:
    """Bytes that a step takes at most; not the first, which makes what the optimiser keeps."""
    from neurons.backends.fused import pool

    step()
    pool.clear()  # what the first left there would come for nothing
    return meters.live_peak(step, device)
