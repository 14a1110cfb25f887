"""What goes into the worker process of a training and what comes out of it; free of PyTorch, for the parent's sake.

Measurements of kernels have a process of their own kind, with a `speed.job.Job` and what was `Measured`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from papers.experiment import Experiment
from results import Dataset, Metric, Picture, Raster, Sample
from results.run import pictured


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
    alone: bool = False  # what it measures would be disturbed by anything else on the machine
    code: str = ""  # digest of what another machine must have, too (bench.fingerprint.code); "" for this machine
    rasters: bool = False  # whether the spikes of a sample of each class are kept of any training

    def absolute(self) -> Request:
        """The same where another folder is the current one."""
        places = {name: getattr(self, name).absolute() for name in ("cache", "checkpoint", "log")}
        return dataclasses.replace(self, **places, data=self.data and str(Path(self.data).absolute()))

    @property
    def name(self) -> str:
        """What its files are called: of one experiment with the same code it is the same."""
        return self.checkpoint.stem

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
    machine: dict[str, Any] | None = None  # that it came from; None: this one
    environment: dict[str, Any] | None = None
    status: int = 0  # exit status of a command that was carried out
    lines: tuple[str, ...] = ()  # what it stored, as in results.lines
    id: str = ""  # of its run, where it may come home more than once

    def to_json(self) -> str:
        """The result as text, for another machine."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Result:
        """The result that `to_json` wrote."""
        fields = json.loads(text)
        for name, kind in (("datasets", Dataset), ("metrics", Metric), ("samples", Sample)):
            fields[name] = tuple(kind(**document) for document in fields[name])
        fields["lines"] = tuple(fields["lines"])
        fields["pictures"] = tuple(pictured(document.pop("index"), document) for document in fields["pictures"])
        return cls(**fields)
