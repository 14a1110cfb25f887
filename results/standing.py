"""What a result must rest on to be current."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.run import Dataset

CODE = "code"  # of a kernel's document: the digest of the backend; the others say what it was proven by
LAYERS = "layers"  # there, too: of a network's passes over layers around neurons, which no parity check proves
ON_CUDA = "on CUDA"  # what a network computes with there beside its neurons: no parity check proves it


@dataclass(frozen=True)
class Standing:
    """What an experiment rests on now: fingerprint of the code, digest of the data ("" where it is not here), kernels.

    `kernels` are documents by backend, as a run has them: digests of the backend's code, of what its parity checks are
    made with ("rule") and of both with the neuron ("proof", the implementation of its parity checks).
    """

    implementation: str
    data: str = ""
    kernels: Mapping[str, Any] = field(default_factory=dict)

    def reason_against(self, implementation: str, datasets: Sequence[Dataset]) -> str:
        """Why a result of that code, measured on these data sets, is stale; empty if it is current."""
        if implementation != self.implementation:
            return "the code behind it has changed since it was measured"
        return other_data(datasets, self.data)

    def changed(self, kernels: Mapping[str, Any]) -> list[str]:
        """The backends among those that computed a result whose code is another one now."""
        return [
            backend
            for backend, then in sorted(kernels.items())
            if backend in self.kernels and then[CODE] != self.kernels[backend][CODE]
        ]


def other_data(datasets: Sequence[Dataset], digest: str) -> str:
    """Why a result measured on `datasets` is stale where `digest` is at hand; "" where it is not, or nothing tells.

    Digests of another length were made by another rule and tell nothing.
    """
    comparable = [dataset for dataset in datasets if len(dataset.digest) == len(digest)]
    if not comparable or any(dataset.digest == digest for dataset in comparable):
        return ""
    measured = comparable[0]
    subset = f" ({measured.note})" if measured.note else ""
    return f"other data: measured on {measured.digest[:12]}{subset}, here is {digest[:12]}"
