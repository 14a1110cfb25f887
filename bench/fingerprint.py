"""Which code computed a result: a digest of the sources behind an experiment or a kernel, so that a change makes it
stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

from core.registry import unknown
from core.sources import digest, followed, own, package
from papers.experiment import Experiment
from results import content_key
from results.standing import CODE, LAYERS, ON_CUDA

# What networks compute with on CUDA devices alone, by the module that imports it there by name.
BY_NAME = {f"neurons.backends.{name}": f"neurons.backends.{name}_cuda" for name in ("recurrence", "liquid_step")}
CHAIN = "models.chain"  # the networks that rest on it run layers around neurons in the passes of these modules
PASSES_ON_CUDA = {f"neurons.backends.fused.block.{name}" for name in ("triton", "triton_kernel")}
PASSES = {*package("neurons.backends.fused.block"), "neurons.backends.fused.packed"} - PASSES_ON_CUDA
SHOWING = ("__main__", "record")  # modules of bench.parity that store and print what the others find out


def implementation(experiment: Experiment) -> str:
    """12 hexadecimal digits: equal for equal code behind `experiment`. UnknownName for names this version lacks."""
    return digest(*_behind(experiment))


def _behind(experiment: Experiment) -> tuple[set[str], list[EntryPoint | None]]:
    """The modules that compute an experiment, and the entry points that named some of them."""
    import models
    import neurons
    import tasks
    import training
    from papers import checks, measures

    from . import kinds

    named = _named(experiment.scheme_options)
    every = (
        (tasks.registry, experiment.task),
        (models.registry, experiment.model),
        (neurons.registry, experiment.neuron),
        (training.registry, experiment.scheme),
        *((measures.registry, name) for name in experiment.measures),
        *((checks.registry, name) for name in experiment.checks),
        *((part, name) for part in training.PARTS for name in named.intersection(part.names())),
    )
    parts = [(registry, name) for registry, name in every if name]  # not every kind has all of them
    modules = {registry.module(name) for registry, name in parts}
    run = "training.loop" if experiment.kind == kinds.TRAINING else kinds.registry.module(experiment.kind)
    return {*modules, run}, [registry.plugin(name) for registry, name in parts]


def here(experiment: Experiment) -> tuple[str, dict[str, dict[str, str]]]:
    """Implementation and kernels of an experiment on this machine."""
    behind = followed(_behind(experiment)[0])
    found = kernels(experiment.neuron)
    if CHAIN in behind and (layers := {name: code for name, code in followed(PASSES).items() if name in PASSES}):
        found["fused"][LAYERS] = content_key(layers)[:12]
    on_cuda = [digest(named)] if (named := {BY_NAME[module] for module in behind if module in BY_NAME}) else []
    if CHAIN in behind:
        on_cuda.append(own(PASSES_ON_CUDA))
    if on_cuda:
        found[ON_CUDA] = {CODE: "-".join(on_cuda)}
    return implementation(experiment), found


def code(implementation: str, kernels: Mapping[str, Mapping[str, str]]) -> str:
    """One digest of both: equal where a result of one machine counts for another."""
    codes = {backend: kernel[CODE] for backend, kernel in kernels.items()}
    return f"{implementation}-{content_key(codes)[:8]}"


def _named(options: object) -> set[str]:
    """All texts in the options of a scheme: among them are the names of its parts."""
    if isinstance(options, Mapping):
        return set().union(*map(_named, options.values()))
    return {options} if isinstance(options, str) else set()


def kernel_implementation(neuron: str, backend: str) -> str:
    """12 hexadecimal digits: equal for equal code behind a neuron, the way `backend` computes it and its parity rule.

    `backend` is a backend or a peer library. UnknownName for names this version lacks.
    """
    import neurons

    from . import peers

    if backend in neurons.backends.MODULES:
        computed = package(neurons.backends.MODULES[backend])
    elif backend in peers.names():
        computed = frozenset({"bench.peers"})
    else:
        raise unknown("backend", backend, [*neurons.backends.MODULES, *peers.names()])
    modules = {neurons.registry.module(neuron), *computed, *package("bench.parity", without=SHOWING)}
    return digest(modules, [neurons.registry.plugin(neuron)])


def kernels(neuron: str) -> dict[str, dict[str, str]]:
    """What each backend would compute `neuron` with, by its name, as in `results.standing`; nothing for no neuron."""
    if not neuron:
        return {}
    import neurons

    rule = digest(package("bench.parity", without=SHOWING))
    return {
        backend: {"code": digest(package(module)), "rule": rule, "proof": kernel_implementation(neuron, backend)}
        for backend, module in neurons.backends.MODULES.items()
    }
