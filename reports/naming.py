"""What the experiments behind runs are called in lists of runs of every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from papers.experiment import Experiment
    from results import StoredRun


def names_of(runs: Sequence[StoredRun], described: Mapping[str, Experiment] | None = None) -> dict[str, str]:
    """The names of the experiments behind `runs` by their key; `described` are their `trainings`, where known."""
    from papers.calibration.rates import is_calibration
    from papers.labels import labels
    from papers.measurement import is_measurement

    from . import kernels

    names: dict[str, str] = {}
    described = trainings(runs) if described is None else described
    for run in runs:
        if is_measurement(run):
            names[run.experiment_key] = kernels.label(run)
        elif is_calibration(run):
            names[run.experiment_key] = "calibration of the rules of judgement"
        elif run.experiment.get("kind") == "asv" and "benchmark" in run.experiment:
            parts = ["asv " + str(run.experiment["benchmark"]), *_values(run.experiment.get("parameters"))]
            names[run.experiment_key] = ", ".join(parts)
        elif run.experiment_key not in described:  # written by another version
            names[run.experiment_key] = f"experiment {run.experiment_key}"
    told_apart = labels(described.values())
    return {key: told_apart[key] for key in described} | names


def trainings(runs: Sequence[StoredRun]) -> dict[str, Experiment]:
    """The experiments of runs that are described as this version describes them, by their key."""
    from papers.experiment import Experiment
    from papers.labels import label

    found: dict[str, Experiment] = {}
    labelled = set()  # another seed does not change the label
    for run in runs:
        if run.experiment_key not in found:
            with suppress(TypeError, AttributeError):
                experiment = Experiment.of(run.experiment)
                if experiment.template not in labelled:
                    label(experiment)
                    labelled.add(experiment.template)
                found[run.experiment_key] = experiment
    return found


def _values(parameters: object) -> list[str]:
    return [str(value) for value in parameters.values()] if isinstance(parameters, dict) else []
