"""Stores of invented runs, as large as asked for and valid in every respect, so that they go every way of real ones."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.fingerprint import implementation
from bench.present import Present
from papers import registry
from papers.measures import EVERY, TEST, TRAIN, VALIDATION
from results import Dataset, Metric, Run

if TYPE_CHECKING:
    from papers.experiment import Experiment
    from results import Store

TABLES = ("plif_ablation", "psn_sequential", "psn_order", "fptt_sequential", "fs_table")
FIRST_SEED = 2020
AT_ONCE = 500  # runs recorded together


def fill(store: Store, runs: int, metrics: int = 100) -> None:
    """Records so many invented runs with so many metrics each; a second call with more runs adds the others."""
    made = invented(metrics)
    for begin in range(0, runs, AT_ONCE):
        store.record_all(list(itertools.islice(made, min(AT_ONCE, runs - begin))))


def invented(metrics: int = 100) -> Iterator[Run]:
    """Runs of the experiments of TABLES at quick scale, with one seed after the other, for ever the same."""
    experiments = {e.key: e for name in TABLES for e in registry.get(name).experiments("quick", [0])}
    present = Present(None)
    known = [(e, implementation(e), present.digest(e)) for e in experiments.values()]
    for seed in itertools.count(FIRST_SEED):
        for experiment, code, data in known:
            yield _run(experiment.with_seed(seed), code, data, metrics)


def _run(experiment: Experiment, code: str, data: str, metrics: int) -> Run:
    draw = random.Random(experiment.key)
    best = draw.uniform(0.7, 0.95)
    found = [Metric("parameters", 12345, "count"), Metric("neuron_parameters", 3, "count")]
    epochs = experiment.epochs
    known = (EVERY[name] for name in experiment.measures if name in EVERY)
    measured = (measure.curve(split) for measure in known for split in (TEST, VALIDATION, TRAIN))
    kinds = (*measured, "train_loss", "lr", "train_seconds")
    names = itertools.chain(kinds, (f"rate_{layer}" for layer in itertools.count()))
    while len(found) < metrics:
        name = next(names)
        value = {"train_loss": 0.3, "lr": 0.01, "train_seconds": 1.5}.get(name, best)
        unit = {"train_loss": "1", "lr": "1", "train_seconds": "s"}.get(name, "fraction")
        curve = (value * (1 - 0.5 ** (epoch + 1)) for epoch in range(epochs))
        found += [Metric(name, value, unit, epoch) for epoch, value in enumerate(curve)][: metrics - len(found)]
    return Run(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, experiment.key)),
        experiment=experiment.document(),
        experiment_key=experiment.key,
        implementation=code,
        outcome="ok",
        reason="",
        started=f"2024-01-02T{experiment.seed % 24:02d}:04:05.{draw.randrange(10**6):06d}Z",
        seconds=61.0,
        seed=experiment.seed,
        device="cpu",
        backend="torch",
        command="python -m bench.reproduce plif_ablation",
        peak_memory=300 * 2**20,
        machine={"cpu": "invented", "cores": 2, "memory": 8 * 2**30, "system": "none", "gpus": []},
        environment={"python": "CPython 3.11", "packages": {"torch": "2.11.0"}, "revision": None},
        datasets=(Dataset(data, experiment.task, True, {"train": 1437, "test": 360}),),
        metrics=tuple(found),
    )
