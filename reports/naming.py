"""What the experiments behind runs are called in lists of runs of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from papers.experiment import Experiment
    from results import StoredRun


def names_of(runs: Sequence[StoredRun]) -> dict[str, str]:
    """The names of the experiments behind `runs` by their key."""
    from papers.calibration.rates import is_calibration
    from papers.experiment import Experiment
    from papers.labels import label, labels
    from papers.measurement import is_measurement

    from . import kernels

    names: dict[str, str] = {}
    trainings: dict[str, Experiment] = {}
    for run in runs:
        if is_measurement(run):
            names[run.experiment_key] = kernels.label(run)
            continue
        if is_calibration(run):
            names[run.experiment_key] = "calibration of the rules of judgement"
            continue
        if run.experiment.get("kind") == "asv" and "benchmark" in run.experiment:
            parts = ["asv " + str(run.experiment["benchmark"]), *_values(run.experiment.get("parameters"))]
            names[run.experiment_key] = ", ".join(parts)
            continue
        try:
            label(experiment := Experiment.of(run.experiment))
        except (TypeError, AttributeError):  # written by another version
            names[run.experiment_key] = f"experiment {run.experiment_key}"
        else:
            trainings[run.experiment_key] = experiment
    told_apart = labels(trainings.values())
    return names | {key: told_apart[experiment.key] for key, experiment in trainings.items()}


def _values(parameters: object) -> list[str]:
    return [str(value) for value in parameters.values()] if isinstance(parameters, dict) else []
