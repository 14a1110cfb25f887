"""Updates of forward propagation through time: the suite's way, a plain loop, and the matrix products alone.

| contender  | what computes                                                                        |
|------------|--------------------------------------------------------------------------------------|
| plain loop | the equations, step by step and parameter by parameter (bench.speed.plain_updates)   |
| torch      | the suite's scheme and network, its neurons on their plain backend                   |
| fused      | the same with every kernel that the suite has for it                                 |
| products   | the matrix products that such a batch cannot do without, and nothing else            |

Networks, batches and settings are the work's; potentials start at 0, so that nothing is left to chance. Sequences of
the S-MNIST network are cut short: an update there costs the same at every step. Before anything is timed, all begin
with the same weights and learn from one batch: the losses and the way that the weights went have to agree. That is
checked with plain gradient descent, since Adam turns the sign of a gradient that is but rounding into a step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import contest, estimate, race
from .contenders import FUSED, REFERENCE
from .contest import Contest, network_code
from .job import Job, Measured

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter
    from .plain_updates import Loop

LOOP, PRODUCTS = "plain loop", "products"
SUITE = "spikebench"  # computes; it is held against the plain loop here, no neuron of it against its step
CHECKED_RATE = 0.1


@dataclass(frozen=True)
class Case:
    """A network of the work with its neuron, batch, scheme and optimiser; `last`: whether it trains the last chunk."""

    network: str
    neuron: str
    batch: int
    small: int  # the batch of the quick form
    inputs: int
    alpha: float
    optimizer: dict[str, Any]
    scheme: dict[str, Any]
    last: bool

    def updates(self, chunks: int) -> int:
        """How many of `chunks` it trains; one alone is trained in any case."""
        return chunks if self.last or chunks == 1 else chunks - 1


CASES = {
    "adding": Case(
        "fptt_adding", "adding", 128, 16, 2, 0.5, {"name": "adam", "lr": 1e-3},
        {"loss": {"name": "last_mse"}, "decision": {"name": "last_value"}, "weights": "slip"}, False,
    ),
    "s-mnist": Case(
        "fptt_sequential", "sequential", 512, 32, 1, 0.1, {"name": "adamax", "lr": 3e-3},
        {"loss": {"name": "last_cross_entropy"}, "decision": {"name": "last"}, "auxiliary": {"mean": "entries"}}, True,
    ),
}  # fmt: skip


def measure(job: Job, emitter: Emitter) -> None:
    """Times a batch of updates of every contender at each (T, hidden neurons)."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def jobs(usual: Job, own: tuple[str, ...], quick: bool) -> list[tuple[Job, ...]]:
    """The jobs of this measurement, one for each way to cut the sequences; `own` are the suite's backends here."""
    case = CASES[usual.what]
    contenders = (LOOP, REFERENCE, *((FUSED,) if FUSED in own else ()), PRODUCTS)
    made = dataclasses.replace(usual, contenders=contenders, base=PRODUCTS, dtype="float32")
    steps = made.shapes[0][0]
    cuts = dict.fromkeys([1, min(10, steps // 2), steps]) if usual.what == "adding" else [steps]
    batch = case.small if quick else case.batch
    return [(dataclasses.replace(made, options={"batch": batch, "chunks": chunks}),) for chunks in cuts]


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    from models.fptt.neurons import NEURONS

    case, size = CASES[job.what], job.size(shape)
    steps, batch, chunks = shape[0], size["batch"], size["chunks"]
    updates = case.updates(chunks)
    label = f"{job.what} T={steps} chunks={chunks}"
    x, labels = _samples(job.what, steps, batch, job.device)
    names = [name for name in dict.fromkeys([LOOP, *job.contenders]) if name != PRODUCTS]
    found = Contest(
        {name: "torch" if name in (LOOP, REFERENCE) else SUITE for name in names},
        lambda name: _checked(name, case, shape, chunks, x, labels),
        "losses or weights are off by {:.1e} of their largest change",
        products={PRODUCTS: _products(job.what, shape, batch, chunks, updates, job.device)},
        code=("training.fptt", *network_code(case.network, NEURONS[case.neuron][0])),
    )

    def more(result: Measured, times: race.Times) -> None:
        own = times[result.contender]["training"]
        result.metrics.append(("updates_per_second", updates / estimate.median(own).median, "updates/s"))
        if LOOP in times:
            race.add(result, "training_gain", estimate.ratio(times[LOOP]["training"], own), "1")

    contest.measure(found, job, emitter, label, size, more)


def _samples(what: str, steps: int, batch: int, device: str) -> tuple[Tensor, Tensor]:
    """Inputs as the network's task gives them, and their labels, drawn alike each time."""
    import torch

    draw = torch.Generator().manual_seed(0)
    if what == "adding":
        x, labels = torch.rand(batch, steps, 2, generator=draw), 2 * torch.rand(batch, 1, generator=draw)
    else:
        side = round(steps**0.5)
        x, labels = torch.rand(batch, 1, side, side, generator=draw), torch.randint(10, (batch,), generator=draw)
    return x.to(device), labels.to(device)


def _checked(
    name: str, case: Case, shape: tuple[int, int], chunks: int, x: Tensor, labels: Tensor
) -> tuple[Callable[[], object], list[Tensor]]:
    """A batch of updates with the work's optimiser, and what one by gradient descent comes to: the mean of its losses,
    and how far each weight went."""
    import torch

    descent = {"name": "sgd", "lr": CHECKED_RATE}
    if name == LOOP:
        checked = _loop(case, shape, chunks, descent, x)
        start = {key: value.detach().clone() for key, value in checked.network.parameters.items()}
        checked.batch(_sequence(case, shape, x), labels)
        losses = sum(checked.losses) / len(checked.losses)
        weights = checked.network.parameters
        timed, sequence = _loop(case, shape, chunks, case.optimizer, x), _sequence(case, shape, x)
        step: Callable[[], object] = lambda: timed.batch(sequence, labels)  # noqa: E731
    else:
        scheme = _scheme(name, case, shape, chunks, descent, x)
        start = {key: value.detach().clone() for key, value in scheme.network.named_parameters()}
        losses = scheme.train_batch(x, labels).scalars["loss"]
        weights = dict(scheme.network.named_parameters())
        learning = _scheme(name, case, shape, chunks, case.optimizer, x)
        step = lambda: learning.train_batch(x, labels)  # noqa: E731
    # One vector: a weight that no gradient reaches moves by rounding alone.
    went = torch.cat([(weights[key] - start[key]).detach().flatten() for key in sorted(start)])
    return step, [torch.as_tensor(losses), went]


def _network(name: str, case: Case, shape: tuple[int, int], device: Any) -> Any:
    """The network with the weights of the seed."""
    import torch

    import models
    from models.fptt.neurons import NEURONS

    steps, width = shape
    neuron, options = NEURONS[case.neuron]
    own = {"T": steps} if case.neuron == "adding" else {"layers": 1, "side": round(steps**0.5)}
    backend = REFERENCE if name == REFERENCE else "auto"
    torch.manual_seed(0)
    factory = models.factory(neuron, **{**options, "v_start": 0.0, "backend": backend})
    return models.create(case.network, neuron=factory, hidden=width, **own).to(device)


def _sequence(case: Case, shape: tuple[int, int], x: Tensor) -> Tensor:
    return _network(REFERENCE, case, shape, x.device).encode(x).flatten(2)


def _scheme(name: str, case: Case, shape: tuple[int, int], chunks: int, optimizer: dict[str, Any], x: Tensor) -> Any:
    from training.fptt import FPTT

    network = _network(name, case, shape, x.device)
    return FPTT(
        network,
        optimizer=optimizer,
        chunks=chunks,
        last=case.updates(chunks) == chunks,
        clip=1.0,
        regulariser={"alpha": case.alpha, "beta": 0.5},
        **case.scheme,
    )


def _loop(case: Case, shape: tuple[int, int], chunks: int, optimizer: dict[str, Any], x: Tensor) -> Loop:
    import torch

    from . import plain_updates

    weights = {k: w.detach() for k, w in _network(REFERENCE, case, shape, x.device).named_parameters()}
    kind = plain_updates.Adding if case.neuron == "adding" else plain_updates.Sequential
    plain = kind(weights, shape[0])
    makers = {"adam": torch.optim.Adam, "adamax": torch.optim.Adamax, "sgd": torch.optim.SGD}
    descend = makers[optimizer["name"]](plain.parameters.values(), lr=optimizer["lr"])
    return plain_updates.Loop(plain, descend, chunks, case.updates(chunks), case.alpha)


def _products(
    what: str, shape: tuple[int, int], batch: int, chunks: int, updates: int, device: str
) -> Callable[[], object]:
    """All products of a batch, each into memory of its own that is there before."""
    import torch

    pairs = []
    for rows, inner, columns, times in _sizes(what, shape, batch, chunks):
        matrices = (torch.rand(rows, inner, device=device), torch.rand(inner, columns, device=device))
        pairs.append((*matrices, torch.empty(rows, columns, device=device), times))

    def multiply() -> None:
        for _ in range(updates):
            for a, b, out, times in pairs:
                for _ in range(times):
                    torch.mm(a, b, out=out)

    return multiply


def _sizes(what: str, shape: tuple[int, int], batch: int, chunks: int) -> Iterator[tuple[int, int, int, int]]:
    """Rows, inner size, columns and number of the products of one update.

    The products with a gate's two inputs count as one. No gradient goes from a chunk to what comes before it: neither
    to the spikes of its first step nor to its state there.
    """
    steps, width = shape
    length = steps // chunks
    if what == "adding":
        yield length * batch, 2, width, 1  # forward: input, spikes, membrane gate; the answer
        yield batch, width, width, length
        yield batch, 2 * width, width, length
        yield batch, width, 1, 1
        yield batch, width, width, length  # backward: from the gate to the current
        yield batch, width, width, 2 * (length - 1)  # to potential and spikes of the step before
        yield width, length * batch, width, 1  # to the weights
        yield width, length * batch, 2 * width, 1
        yield width, length * batch, 2, 1
        yield batch, 1, width, 1
        yield 1, batch, width, 1
        return
    classes = 10
    yield batch, 1, width, 1  # forward: input, spikes, both gates; the answer and its gate
    yield batch, width, width, 1
    yield batch, 2 * width, width, 2
    yield batch, width, classes, 1
    yield batch, 2 * classes, classes, 1
    yield batch, width, width, 2  # backward: from both gates to the current, from the answer to the spikes
    yield batch, classes, classes, 1
    yield batch, classes, width, 1
    yield width, batch, 2 * width, 2  # to the weights
    yield width, batch, width, 1
    yield width, batch, 1, 1
    yield classes, batch, width, 1
    yield classes, batch, 2 * classes, 1
