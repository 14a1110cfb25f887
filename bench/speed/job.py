"""What of a kernel is to be measured in a process of its own, and what comes back: plain data that fits through a pipe.

Trainings have a process of another kind, with a `bench.job.Request` and its `Result`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

ALLOCATORS = {
    "pooled": "the suite's buffer pool on, the C library's allocator as it comes",
    "plain": "no pool, the C library's allocator as it comes: large blocks are fresh pages every time",
    "kept": "no pool, the C library told to keep freed memory (mallopt), for every contender",
}


BATCH = 16  # samples of those measurements whose size has one
_WIDTHS = {
    "linear": "width",
    "frontier": "width",
    "network": "channels",
    "step": "channels",
    "inference": "channels",
    "adding": "hidden",
    "s-mnist": "hidden",
    "first-spike-network": "width",
}
_BATCHES = {"linear": BATCH, "network": BATCH, "step": BATCH, "first-spike-network": 128}  # of the SHD script


@dataclass(frozen=True)
class Job:
    """Measurements of one kind (`what`) that belong into one process.

    `shapes` are (T, N), of "ttfs" (batch, channels); `base` is the contender that ratios refer to; `limit` is in bytes,
    `budget` in seconds a contender may be timed at one shape. `stage` tells the processes of one job apart where it
    needs several.
    """

    what: str
    neuron: str
    contenders: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    base: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1
    repeats: int = 15
    budget: float = 20.0
    allocator: str = "pooled"
    limit: int = 0
    timeout: float = 1800.0
    stage: str = ""

    def size(self, shape: tuple[int, int]) -> dict[str, int]:
        """The numbers of a shape by their names in this kind of measurement, with the batch where it is fixed."""
        if self.what == "ttfs":
            return {"batch": shape[0], "channels": shape[1]}
        own: dict[str, int] = {name: self.options[name] for name in ("batch", "chunks") if name in self.options}
        batch = {"batch": _BATCHES[self.what]} if self.what in _BATCHES else {}
        return {"T": shape[0], _WIDTHS.get(self.what, "N"): shape[1], **batch, **own}

    def document(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Job:
        """The job of a document that went through JSON."""
        return cls(
            **{
                **document,
                "contenders": tuple(document["contenders"]),
                "shapes": tuple((t, n) for t, n in document["shapes"]),
            }
        )


@dataclass
class Measured:
    """What became of one contender at one size.

    `size` is what names the size (T, N, width ...); `metrics` are (name, value, unit), `samples` (name, unit, readings
    in the order of measuring). `backend` is the suite's backend or the library that computed; `code` names the modules
    of the suite that it ran besides, as those of a network.
    """

    contender: str
    backend: str
    size: dict[str, int]
    outcome: str = "ok"
    reason: str = ""
    differs: str = ""
    metrics: list[tuple[str, float | None, str]] = field(default_factory=list)
    samples: list[tuple[str, str, list[float]]] = field(default_factory=list)
    neuron: str = ""  # where it is not the job's
    code: tuple[str, ...] = ()
    peak_memory: int | None = None
    seconds: float | None = None
    surroundings: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Measured:
        """The same from a document that went through JSON."""
        return cls(
            **{
                **document,
                "metrics": [(name, value, unit) for name, value, unit in document["metrics"]],
                "samples": [(name, unit, list(values)) for name, unit, values in document["samples"]],
                "code": tuple(document["code"]),
            }
        )

    def value(self, name: str) -> float | None:
        """The metric `name`, None where there is none."""
        return next((value for found, value, _ in self.metrics if found == name), None)

    def joined(self, earlier: Measured) -> Measured:
        """This and what an earlier stage of the same measurement found; the first failure decides the outcome."""
        failed = self if earlier.outcome == "ok" else earlier
        return dataclasses.replace(
            self,
            outcome=failed.outcome,
            reason=failed.reason,
            metrics=[*earlier.metrics, *self.metrics],
            samples=[*earlier.samples, *self.samples],
            peak_memory=earlier.peak_memory if self.peak_memory is None else self.peak_memory,
        )
