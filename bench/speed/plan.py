"""Which jobs answer what was asked, with the sizes and contenders of each."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from core.errors import UsageError
from papers.ttfs.speed import CLOSED, OPERATORS, RELU, STEPS, TWO_OPERATORS, through

from . import first_spike_network, inference, parallel, step, updates
from .contenders import COMPILED, FUSED, REFERENCE, known_options, suite
from .job import Job

WHATS = {
    "speed": "time of a layer, forward and training, against every contender and a copy of the same bytes",
    "first-use": "tracing and compiling with an empty cache, and from a filled one",
    "memory": "bytes saved for the backward pass, live tensors, pages of the process",
    "roofline": "the kernel alone, on arrays larger than caches",
    "frontier": "largest T, batch and width under a memory limit",
    "linear": "Linear + neuron, batch 16, against the Linear alone",
    "network": "training step of a PLIF network",
    "step": "training step of the convolutional networks, against their products alone",
    "inference": "inference of the same networks, a batch and one sample",
    "psn": "PSN, one product over time, against LIF, a loop, over steps and neurons",
    "adding": "updates of FPTT in the adding network, against a plain loop and the matrix products alone",
    "s-mnist": "the same in the network of sequential MNIST",
    "ttfs": "training step of a network of single spikes in closed form, against others of its shape",
    "first-spike": "the neurons of first-spike coding: fused kernels against their eager loops, over steps and neurons",
    "first-spike-network": "training step of networks of first-spike coding, against their products alone",
}
DEFAULT = ("speed", "first-use", "memory", "roofline")
SHAPES = ((4, 1048576), (16, 262144), (100, 32768), (1000, 4096), (16, 4096), (16, 32768))
QUICK_SHAPES = ((4, 4096), (16, 1024))
FIRST_SHAPES = ((16, 1024), (100, 777))
MEMORY_SHAPES = ((32, 262144),)
QUICK_MEMORY_SHAPES = ((8, 16384),)
ROOFLINE_SHAPES = ((16, 4194304),)
QUICK_ROOFLINE_SHAPES = ((16, 4096),)
LINEAR_SHAPES = ((500, 512), (500, 1024))  # T, width; batch 16
QUICK_LINEAR_SHAPES = ((20, 64),)
NETWORK_SHAPES = ((8, 32), (8, 128))  # T, channels
QUICK_NETWORK_SHAPES = ((4, 4),)
STEP_SHAPES = ((8, 32),)
PSN_SHAPES = tuple((steps, 2**n) for steps in (2, 4, 8, 16, 32, 64) for n in range(8, 21, 2))
QUICK_PSN_SHAPES = ((2, 256), (8, 256), (32, 256), (2, 4096), (8, 4096), (32, 4096))
FIRST_SPIKE = {  # neurons and their forms
    "adlif": ({},),
    "culif": ({}, {"variant": "superspike"}),
    "pculif": ({}, {"variant": "superspike"}),
}
FIRST_SPIKE_SHAPES = tuple((steps, n) for n in (2**12, 2**15) for steps in (20, 50, 100, 250))
QUICK_FIRST_SPIKE_SHAPES = ((20, 4096), (100, 4096))
FIRST_SPIKE_NETWORK_SHAPES = ((100, 256),)  # T, width; batch 128
QUICK_FIRST_SPIKE_NETWORK_SHAPES = ((10, 16),)
PSN_BYTES = 40  # per neuron and step that the LIF loop keeps for its backward pass
ADDING_SHAPES = ((200, 128),)  # T, hidden neurons, as in the work
QUICK_ADDING_SHAPES = ((20, 32),)
S_MNIST_SHAPES = ((16, 256),)  # an update costs the same at each of its 784 steps
QUICK_S_MNIST_SHAPES = ((4, 32),)
TTFS_SHAPES = ((32, 16), (256, 16))  # batch, channels of the first layer
QUICK_TTFS_SHAPES = ((16, 16),)
FRONTIER_START = ((100, 512),)  # T, width; batch 16
FRONTIER_NETWORKS = {"plif": ("plif_cifar10", "plif_cifar10dvs")}
KERNEL = "fused-kernel"  # without autograd
LINEAR = "linear"  # the Linear alone
OWN_BASE = (  # kinds of measurement with a base of their own
    "roofline", "linear", "psn", "adding", "s-mnist", "ttfs", "first-spike-network", "step",
    "inference",
)  # fmt: skip
SPIKINGJELLY = ("spikingjelly", "spikingjelly-layers", "spikingjelly-stepwise")  # as described in bench.speed.network
PEERS = ("spikingjelly", COMPILED, "snntorch", "norse", "sinabs")
BY_NAME = "inductor"  # a backend that compiles for so long that nobody times it unasked
ONLY: dict[str, Iterable[str]] = {  # whose neurons are given
    "network": ("plif",),
    "step": step.NETWORKS,
    "inference": step.NETWORKS,
    "psn": ("psn",),
    "adding": ("ltc",),
    "s-mnist": ("ltc",),
    "ttfs": ("relpsp",),
    "first-spike": FIRST_SPIKE,
    "first-spike-network": first_spike_network.MODELS,
}
MAPPED = ("if", "lif", "plif")  # the neurons that every peer has
LIMIT = 2**30  # bytes of the frontier
QUICK_LIMIT = 2**26


@dataclass(frozen=True)
class Asked:
    """The choices of the command line; empty shapes mean the usual ones."""

    neurons: tuple[str, ...]
    whats: tuple[str, ...]
    peers: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    allocators: tuple[str, ...]
    base: str | None  # None: the fused backend where there is one
    options: dict[str, Any]
    dtype: str
    device: str
    threads: int
    repeats: int
    budget: float
    limit: int
    quick: bool
    timeout: float


def installed(peer: str) -> bool:
    """Whether the library of `peer` is there, without importing it."""
    return peer == BY_NAME or importlib.util.find_spec("spikingjelly" if peer == COMPILED else peer) is not None


def refusals(asked: Asked) -> dict[tuple[str, str], list[str]]:
    """The neurons of each backend that does not run here, by backend and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for neuron in asked.neurons:
        for refusal in suite(neuron, asked.device)[1].items():
            if refusal[0] in asked.peers:
                continue
            found.setdefault(refusal, []).append(neuron)
    return found


def jobs(asked: Asked) -> list[tuple[Job, ...]]:
    """The work in order; the processes of one tuple are the stages of one measurement.

    Raises UsageError where the base that was asked for takes no part.
    """
    work: list[tuple[Job, ...]] = []
    for what in asked.whats:
        for neuron in ONLY.get(what, asked.neurons):
            for allocator in asked.allocators:
                # These are allocators of host memory, which a GPU's tensors do not use.
                if allocator == asked.allocators[0] or (what in ("speed", "memory") and asked.device == "cpu"):
                    work += _planned(what, neuron, allocator, asked)
    return work


def _planned(what: str, neuron: str, allocator: str, asked: Asked) -> list[tuple[Job, ...]]:
    names = _networks(neuron, asked) if what == "network" else _contenders(neuron, asked)
    job = Job(
        what=what,
        neuron=neuron,
        contenders=names,
        shapes=_shapes(what, asked),
        base=_base(what, neuron, names, asked),
        options=known_options(neuron, asked.options),
        dtype=asked.dtype,
        device=asked.device,
        threads=asked.threads,
        repeats=asked.repeats,
        budget=asked.budget,
        allocator=allocator,
        timeout=asked.timeout,
    )
    if what == "first-use":
        if not _recurrent(neuron):  # its weights are for one number of steps
            job = replace(job, shapes=tuple((job.shapes[0][0], width) for _, width in job.shapes))
        alone = [replace(job, contenders=(name,)) for name in names if name in (FUSED, COMPILED)]
        return [(replace(one, stage="fresh"), replace(one, stage="cached")) for one in alone]
    if what == "memory":
        alone = [replace(job, contenders=(name,)) for name in names]
        return [(replace(one, stage="live"), replace(one, stage="process")) for one in alone]
    if what == "roofline":
        return [(replace(job, contenders=(KERNEL,), base=KERNEL),)] if FUSED in names and _recurrent(neuron) else []
    if what == "psn":
        return [(parallel.job(job, asked.peers),)]
    if what in updates.CASES:
        return updates.jobs(job, suite(neuron, asked.device)[0], asked.quick)
    if what == "ttfs":
        names = (CLOSED, TWO_OPERATORS, RELU, *map(through, STEPS), OPERATORS)
        return [(replace(job, contenders=names, base=CLOSED, options={}, dtype="float32"),)]
    if what == "first-spike":
        job = replace(job, contenders=tuple(name for name in names if name in (REFERENCE, FUSED)))
        return [(replace(job, options={**job.options, **form}),) for form in FIRST_SPIKE[neuron]]
    if what == "step":
        return step.jobs(job, asked.peers)
    if what == "inference":
        return inference.jobs(job, asked.peers)
    if what == "first-spike-network":
        return [(first_spike_network.job(job),)]
    if what == "frontier":
        alone = [replace(job, contenders=(name,), limit=asked.limit) for name in names if name != COMPILED]
        return [(one,) for one in (*alone, *_networks_of_frontier(job, asked))]
    if what == "linear":
        return [(replace(job, base=LINEAR, contenders=tuple(name for name in names if name != COMPILED)),)]
    if what == "network":
        return [(replace(job, dtype="float32"),)]  # its networks know no other
    return [(job,)]


def _contenders(neuron: str, asked: Asked) -> tuple[str, ...]:
    peers = [p for p in asked.peers if neuron in MAPPED or p in ("spikingjelly", BY_NAME)]
    return (*suite(neuron, asked.device)[0], *peers)


def _networks_of_frontier(job: Job, asked: Asked) -> list[Job]:
    """The training steps of whole networks whose frontier is searched."""
    shapes = QUICK_NETWORK_SHAPES if asked.quick else STEP_SHAPES
    return [
        replace(job, contenders=(name,), shapes=shapes, limit=asked.limit, options={**job.options, "network": network})
        for network in FRONTIER_NETWORKS.get(job.neuron, ())
        for name in (REFERENCE, FUSED, step.LAYERS)
    ]


def _networks(neuron: str, asked: Asked) -> tuple[str, ...]:
    own = suite(neuron, asked.device)[0]
    return (*own, *SPIKINGJELLY) if "spikingjelly" in asked.peers else own


def _base(what: str, neuron: str, names: tuple[str, ...], asked: Asked) -> str:
    if asked.base in names:
        return asked.base
    if asked.base is None or what in OWN_BASE:
        return FUSED if FUSED in names else names[0]
    raise UsageError(
        f"The base {asked.base!r} was asked for, but takes no part in {what} of {neuron}. "
        f"Taking part: {', '.join(names)}. Name one of them, or let more take part with --peers."
    )


def _shapes(what: str, asked: Asked) -> tuple[tuple[int, int], ...]:
    if asked.shapes and what in ("speed", "memory", "roofline", "psn", "first-spike", "step", "inference"):
        return asked.shapes
    usual, quick = {
        "speed": (SHAPES, QUICK_SHAPES),
        "first-use": (FIRST_SHAPES, FIRST_SHAPES),
        "memory": (MEMORY_SHAPES, QUICK_MEMORY_SHAPES),
        "roofline": (ROOFLINE_SHAPES, QUICK_ROOFLINE_SHAPES),
        "frontier": (FRONTIER_START, FRONTIER_START),
        "linear": (LINEAR_SHAPES, QUICK_LINEAR_SHAPES),
        "network": (NETWORK_SHAPES, QUICK_NETWORK_SHAPES),
        "step": (STEP_SHAPES, QUICK_NETWORK_SHAPES),
        "inference": (STEP_SHAPES, QUICK_NETWORK_SHAPES),
        "psn": (PSN_SHAPES, QUICK_PSN_SHAPES),
        "adding": (ADDING_SHAPES, QUICK_ADDING_SHAPES),
        "s-mnist": (S_MNIST_SHAPES, QUICK_S_MNIST_SHAPES),
        "ttfs": (TTFS_SHAPES, QUICK_TTFS_SHAPES),
        "first-spike": (FIRST_SPIKE_SHAPES, QUICK_FIRST_SPIKE_SHAPES),
        "first-spike-network": (FIRST_SPIKE_NETWORK_SHAPES, QUICK_FIRST_SPIKE_NETWORK_SHAPES),
    }[what]
    if what == "psn":
        usual = tuple((steps, n) for steps, n in usual if steps * n * PSN_BYTES <= asked.limit)
    return quick if asked.quick else usual


def _recurrent(neuron: str) -> bool:
    import neurons

    return neurons.registry.get(neuron).recurrent
