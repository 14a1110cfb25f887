"""An experiment: everything that decides a result, and nothing else."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .measures import USUAL

SCALES = ("quick", "short", "paper")

# Fields that came later, and what every experiment had before they did.
LATER: dict[str, Any] = {
    "kind": "training",
    "measures": USUAL,
    "batching": {"shuffle": True, "drop_last": True},
    "updates": None,
    "evaluation": {"repeats": 1},
}


@dataclass(frozen=True)
class Experiment:
    """One training run, or what its `kind` says (bench.kinds), described by plain values.

    `key` is a hash of the canonical JSON: equal descriptions have equal keys and are never run twice. The seed decides
    initial weights, batches and masks: of two experiments that differ in the neuron alone they are the same, what the
    neuron itself draws aside.

    `measures` (papers.measures) are recorded. An epoch is one pass through the training set, or so many `updates`;
    `batching` may say shuffle and drop_last (both true unless said), `evaluation` the repeats of an evaluation with
    random numbers (1 unless said). `checks` (papers.checks) look at the trained network and decide nothing of its
    training, so they are no part of the description; tables that share an experiment name the same ones.
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
    kind: str = "training"
    measures: tuple[str, ...] = USUAL
    batching: dict[str, bool] = field(default_factory=dict)
    updates: int | None = None
    evaluation: dict[str, int] = field(default_factory=dict)
    checks: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The description as plain data. What came later is left out at its default, so that keys stay."""
        return copy.deepcopy(self._described())

    def _described(self) -> dict[str, Any]:
        found = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        del found["checks"]
        for name, default in LATER.items():
            if isinstance(default, dict):
                found[name] = {key: value for key, value in found[name].items() if value != default.get(key)}
            if found[name] in (default, {}):
                del found[name]
        return found

    @classmethod
    def of(cls, document: dict[str, Any]) -> Experiment:
        """The experiment described by `document`, of any version, or by all of its fields."""
        lists: dict[str, Any] = {name: tuple(document[name]) for name in ("measures", "checks") if name in document}
        return cls(**{**document, **lists})

    @cached_property
    def key(self) -> str:
        """20 hexadecimal digits, the same for equal descriptions on every machine."""
        text = json.dumps(self._described(), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def with_seed(self, seed: int) -> Experiment:
        """The same with another seed."""
        return dataclasses.replace(self, seed=seed)
