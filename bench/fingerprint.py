"""Which code computed a result: a digest of the sources behind an experiment or a kernel, so that a change makes it
stale.
"""

from __future__ import annotations

from core.registry import unknown
from core.sources import digest, package
from papers.experiment import Experiment

SHOWING = ("__main__", "record")  # modules of bench.parity that store and print what the others find out
CHOOSING = ("neurons.backends",)  # imports what it chooses from; what was chosen is named by whoever asks for a digest


def implementation(experiment: Experiment) -> str:
    """12 hexadecimal digits: equal for equal code behind `experiment`. UnknownName for names this version lacks."""
    import models
    import neurons
    import tasks
    import training

    parts = (
        (tasks.registry, experiment.task),
        (models.registry, experiment.model),
        (neurons.registry, experiment.neuron),
        (training.registry, experiment.scheme),
    )
    modules = {registry.module(name) for registry, name in parts}
    return digest({*modules, "training.loop"}, (registry.plugin(name) for registry, name in parts), CHOOSING)


def kernel_implementation(neuron: str, backend: str) -> str:
    """12 hexadecimal digits: equal for equal code behind a neuron, the way `backend` computes it and its parity rule.

    `backend` is a backend or a peer library. UnknownName for names this version lacks.
    """
    import neurons

    from . import peers

    if backend in neurons.backends.MODULES:
        computed = package(neurons.backends.MODULES[backend])
    elif backend in peers.names():
        computed = {"bench.peers"}
    else:
        raise unknown("backend", backend, [*neurons.backends.MODULES, *peers.names()])
    modules = {neurons.registry.module(neuron), *computed, *package("bench.parity", without=SHOWING)}
    return digest(modules, [neurons.registry.plugin(neuron)], CHOOSING)
