"""What goes into the worker process of a training and what comes out of it; free of PyTorch, for the parent's sake.

Measurements of kernels have a process of their own kind, with a `speed.job.Job` and what was `Measured`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from papers.experiment import Experiment
from results import Dataset, Metric, Picture, Raster, Sample


@dataclass(frozen=True)
class Request:
    """What a worker needs besides the experiment: where and with how much."""

    experiment: Experiment
    device: str
    data: str | None
    cache: Path
    checkpoint: Path
    log: Path
    threads: int
    memory: int | None  # bytes of private memory on the host, for each process
    processes: int = 1

    @property
    def log_place(self) -> str:
        """Where the log is, in words that hold on any machine."""
        return f"{self.log.parent.name}/{self.log.name} below --out"

    def to_json(self) -> str:
        """The request as text, for another process."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def of_json(cls, text: str) -> Request:
        """The request that `to_json` wrote."""
        fields = json.loads(text)
        paths = {name: Path(fields[name]) for name in ("cache", "checkpoint", "log")}
        return cls(**{**fields, **paths, "experiment": Experiment.of(fields["experiment"])})


@dataclass(frozen=True)
class Result:
    """What came of a request; fields as in the store."""

    outcome: str
    reason: str = ""
    started: str = ""
    seconds: float | None = None
    backend: str = ""
    peak_memory: int | None = None
    datasets: tuple[Dataset, ...] = ()
    metrics: tuple[Metric, ...] = ()
    samples: tuple[Sample, ...] = ()
    pictures: tuple[Picture | Raster, ...] = ()
