"""What experiments measured, without what differs from run to run: for holding one way of running against another."""

from __future__ import annotations

from pathlib import Path

from results import Store
from tests.campaign.judge import OF_TIME

Curves = dict[str, dict[tuple[str, int | None], float | None]]


def curves(path: Path) -> Curves:
    """The metrics of the finished runs of a store, times aside, by experiment."""
    with Store(path) as store:
        runs = [run for run in store.full_runs() if run.outcome == "ok"]
    assert len({run.experiment_key for run in runs}) == len(runs)
    return {
        run.experiment_key: {
            (metric.name, metric.step): metric.value for metric in run.metrics if metric.name not in OF_TIME
        }
        for run in runs
    }
