"""An experiment: everything that decides a result, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

SCALES = ("quick", "short", "paper")


@dataclass(frozen=True)
class Experiment:
    """One training run, described by plain values.

    `key` is a hash of the canonical JSON: equal descriptions have equal keys and are never run twice. The seed decides
    initial weights, batches and masks, so two experiments that differ in the neuron alone are paired by it.
    """

    task: str
    model: str
    neuron: str
    scheme: str
    epochs: int
    batch_size: int
    scale: str
    seed: int
    task_options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)
    neuron_options: dict[str, Any] = field(default_factory=dict)
    scheme_options: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The description as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Experiment:
        """The experiment described by `document`."""
        return cls(**document)

    @property
    def key(self) -> str:
        """20 hexadecimal digits, the same for equal descriptions on every machine."""
        text = json.dumps(self.document(), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def with_seed(self, seed: int) -> Experiment:
        """The same with another seed."""
        return dataclasses.replace(self, seed=seed)
