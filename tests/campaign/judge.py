"""What of a store is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from results import Run, Store, StoreError

Curves = dict[str, dict[tuple[str, int | None], float | None]]
OF_TIME = ("train_seconds", "train_throughput", "waiting")  # what differs from run to run
FINISHED = re.compile(r"^\[\d+/\d+\] .* seed \d+: A [\d.]+ %.* in \d+ s$", re.MULTILINE)


class Lost(Exception):
    """Something that was to be kept is not there, or not as it was."""


def sound(url: str) -> dict[str, Run]:
    """The runs of a store by id. Lost where it cannot be read, or does not hold together."""
    try:
        with Store(url, read_only=True) as store:
            if store.engine.dialect.name == "sqlite":
                with store.engine.connect() as connection:
                    for check in ("integrity_check", "foreign_key_check"):
                        found = [row for row in connection.exec_driver_sql(f"PRAGMA {check}") if tuple(row) != ("ok",)]
                        if found:
                            raise Lost(f"{check} of the store says {found[0]}")
            return {run.id: run for run in store.full_runs()}
    except (StoreError, SQLAlchemyError) as error:
        raise Lost(f"the store cannot be read: {error}") from error


def kept(before: Mapping[str, Run], after: Mapping[str, Run], said: str = "") -> None:
    """Lost where a run of `before` is gone or another one, or one that was `said` to be finished is in no store."""
    for name, run in before.items():
        if name not in after:
            raise Lost(f"the run {name}, {run.outcome}, is gone")
        if after[name] != run:
            raise Lost(f"the run {name} is another one now")
    told, there = len(FINISHED.findall(said)), sum(run.outcome == "ok" for run in after.values())
    if told > there:
        raise Lost(f"{told} experiments were said to be finished, {there} are stored")


def curves(runs: Mapping[str, Run]) -> Curves:
    """The metrics of finished runs, times aside, by experiment. Lost where an experiment was done twice."""
    found: Curves = {}
    for run in runs.values():
        if run.outcome == "ok":
            if run.experiment_key in found:
                raise Lost(f"the experiment {run.experiment_key} was done twice")
            metrics = {(metric.name, metric.step): metric.value for metric in run.metrics}
            found[run.experiment_key] = {key: value for key, value in metrics.items() if key[0] not in OF_TIME}
    return found


def same(found: Curves, expected: Curves) -> None:
    """Lost where curves are not those of the undisturbed run, bit for bit."""
    if missing := expected.keys() - found.keys():
        raise Lost(f"{len(missing)} of {len(expected)} experiments have no result")
    for key, curve in expected.items():
        if found[key] != curve:
            differing = sorted(str(at) for at in curve if found[key].get(at) != curve[at]) or ["more than there was"]
            raise Lost(f"the result of {key} is not that of the undisturbed run: {differing[0]}")
