"""The epochs of trainings, told to TensorBoard or MLflow while they run: for watching, the store is what counts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from papers.overrides import flat

from .executor import installed

if TYPE_CHECKING:
    from papers.experiment import Experiment
    from results import Run

    from .runner import Audience
    from .settings import Settings


class Tracker(Protocol):
    """Told of trainings by their key; `name` is what a training is called, with its seed."""

    def begin(self, key: str, name: str, experiment: Experiment) -> None: ...

    def epoch(self, key: str, epoch: int, record: Mapping[str, float]) -> None: ...

    def end(self, key: str, outcome: str) -> None: ...


class TensorBoard:
    """Files of events below `folder`, a folder for each training."""

    def __init__(self, folder: Path) -> None:
        installed("--tensorboard", "tensorboardX", "tensorboard")
        self.folder = folder
        self._writers: dict[str, Any] = {}

    def begin(self, key: str, name: str, experiment: Experiment) -> None:
        from tensorboardX import SummaryWriter

        place = self.folder / f"{re.sub(r'[^A-Za-z0-9._=-]+', '_', name)}-{key[:8]}"
        self._writers[key] = SummaryWriter(str(place))

    def epoch(self, key: str, epoch: int, record: Mapping[str, float]) -> None:
        for name, value in record.items():
            self._writers[key].add_scalar(name, value, epoch)
        self._writers[key].flush()

    def end(self, key: str, outcome: str) -> None:
        self._writers.pop(key).close()


class MLflow:
    """Runs of the MLflow experiment "spikebench" at a tracking server or in a database."""

    def __init__(self, uri: str) -> None:
        installed("--mlflow", "mlflow", "mlflow")
        self.uri = uri
        self._runs: dict[str, str] = {}
        self._client: Any = None

    def begin(self, key: str, name: str, experiment: Experiment) -> None:
        if self._client is None:
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # by default a server that is away
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")  # keeps all experiments waiting for minutes
            from mlflow import MlflowClient

            self._client = MlflowClient(self.uri)
        known = self._client.get_experiment_by_name("spikebench")
        place = known.experiment_id if known else self._client.create_experiment("spikebench")
        self._runs[key] = self._client.create_run(place, run_name=name, tags={"experiment_key": key}).info.run_id
        for option, value in flat(experiment.document()):
            self._client.log_param(self._runs[key], option, value)

    def epoch(self, key: str, epoch: int, record: Mapping[str, float]) -> None:
        for name, value in record.items():
            self._client.log_metric(self._runs[key], name, value, step=epoch)

    def end(self, key: str, outcome: str) -> None:
        status = {"ok": "FINISHED", "interrupted": "KILLED"}.get(outcome, "FAILED")
        self._client.set_terminated(self._runs.pop(key), status)


def trackers(settings: Settings) -> list[Tracker]:
    """Those that are asked for. UsageError where a package is missing."""
    found: list[Tracker] = []
    if settings.tensorboard is not None:
        found.append(TensorBoard(settings.tensorboard))
    if settings.mlflow is not None:
        found.append(MLflow(settings.mlflow))
    return found


class Tracked:
    """An audience (bench.runner) that hands on to another, and tells trackers, too.

    What a tracker cannot do, as with a server that is away, is said once and costs nothing but its own record.
    """

    def __init__(self, audience: Audience, names: Mapping[str, str], trackers: Sequence[Tracker]) -> None:
        self.audience, self.names = audience, names
        self._trackers = list(trackers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.audience, name)

    def started(self, experiment: Experiment) -> None:
        self.audience.started(experiment)
        name = f"{self.names[experiment.key]} seed {experiment.seed}"
        self._tell("begin", experiment, experiment.key, name, experiment)

    def epoch(self, experiment: Experiment, epoch: int, record: dict[str, float]) -> None:
        self.audience.epoch(experiment, epoch, record)
        self._tell("epoch", experiment, experiment.key, epoch, record)

    def finished(self, experiment: Experiment, run: Run) -> None:
        self.audience.finished(experiment, run)
        self._tell("end", experiment, experiment.key, run.outcome)

    def _tell(self, what: str, experiment: Experiment, *told: Any) -> None:
        for tracker in list(self._trackers):
            try:
                getattr(tracker, what)(*told)
            except Exception as error:
                self._trackers.remove(tracker)
                kind = type(tracker).__name__
                said = str(error).strip().partition("\n")[0]
                print(f"{kind} is told no more: {type(error).__name__}: {said}", flush=True)
