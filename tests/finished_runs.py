"""Runs of experiments as if they had been measured."""

from __future__ import annotations

from bench import fingerprint
from papers.experiment import Experiment
from results import Dataset, Metric, Run, new_id, timestamp


def measured(experiment: Experiment, accuracy: float, **changes: object) -> Run:
    """A made-up run of `experiment` that ended with `accuracy` on 397 test samples."""
    names = ("test_accuracy", "validation_accuracy")
    values = {
        "id": new_id(),
        "experiment": experiment.document(),
        "experiment_key": experiment.key,
        "implementation": fingerprint.implementation(experiment),
        "outcome": "ok",
        "reason": "",
        "started": timestamp(),
        "seconds": 1.0,
        "seed": experiment.seed,
        "device": "cpu",
        "backend": "torch",
        "command": "made up",
        "peak_memory": None,
        "machine": {},
        "environment": {},
        "datasets": (Dataset("d", "digits", True, {"train": 1400, "test": 397}),),
        "metrics": tuple(Metric(name, accuracy, "fraction", 0) for name in names),
    }
    return Run(**{**values, **changes})  # type: ignore[arg-type]
