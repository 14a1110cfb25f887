"""From measurements to runs of the store."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from papers.measurement import KIND

from .job import Job, Measured

if TYPE_CHECKING:
    from results import Run

PEER = "spikingjelly"  # the backend that computes with another library
PACKAGES = ("snntorch", "norse", "sinabs")  # beyond those that results.environment lists


def document(job: Job, measured: Measured) -> dict[str, Any]:
    """What was measured, as the experiment of a run."""
    return {
        "kind": KIND,
        "what": job.what,
        "neuron": job.neuron,
        "options": job.options,
        "contender": measured.contender,
        "differs": measured.differs,
        "base": job.base,
        "size": measured.size,
        "dtype": job.dtype,
        "threads": job.threads,
        "allocator": job.allocator,
        **({"layer": measured.neuron} if measured.neuron else {}),
        **({"limit": job.limit} if job.limit else {}),
    }


class Recorder:
    """Makes runs of what `command`, as it was typed, measures; looks up machine and environment once."""

    def __init__(self, command: str) -> None:
        from results import environment

        self.machine = environment.machine()
        self.environment = environment.environment()
        self.environment["packages"] |= dict(_versions())
        self.command = command

    def run(self, job: Job, measured: Measured) -> Run:
        """The measurement as a run that is ready to be stored."""
        from results import Metric, Run, Sample, content_key, new_id, timestamp

        experiment = document(job, measured)
        return Run(
            id=new_id(),
            experiment=experiment,
            kernels=kernels(measured.neuron or job.neuron, measured.backend) if measured.code else {},
            experiment_key=content_key(experiment)[:20],
            implementation=implementation(measured.neuron or job.neuron, measured.backend, measured.code),
            outcome=measured.outcome,
            reason=measured.reason,
            started=timestamp(),
            seconds=measured.seconds,
            seed=0,
            device=job.device,
            backend=measured.backend,
            command=self.command,
            peak_memory=measured.peak_memory,
            machine=self.machine,
            environment={**self.environment, **measured.surroundings},
            metrics=tuple(Metric(name, value, unit) for name, value, unit in measured.metrics),
            samples=tuple(
                Sample(name, index, value, unit)
                for name, unit, values in measured.samples
                for index, value in enumerate(values)
            ),
        )


def implementation(neuron: str, backend: str, code: tuple[str, ...] = ()) -> str:
    """Fingerprint of the modules `code` of the suite, or else of the code behind a kernel; name and version of the
    library where another one computed."""
    if code and backend != PEER:
        from core.sources import digest

        return digest(code)
    if _of_the_suite(backend):
        from ..fingerprint import kernel_implementation

        return kernel_implementation(neuron, backend)
    package = "torch" if backend == "copy" else backend
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def kernels(neuron: str, backend: str) -> dict[str, Any]:
    """What a whole network rests on besides its own code: the kernel of its neurons, as a training has it."""
    if not _of_the_suite(backend):
        return {}
    from .. import fingerprint

    return {backend: fingerprint.kernels(neuron)[backend]}


def _of_the_suite(backend: str) -> bool:
    import neurons

    return backend in neurons.backends.MODULES and backend != PEER


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in PACKAGES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
