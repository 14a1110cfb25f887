"""Carries out a plan: an executor runs what is left to do, and every outcome is stored as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.errors import UsageError
from papers.labels import labels
from results import Run, environment, new_id, timestamp
from results.leases import Leases
from results.spare import require_no_store
from results.standing import ON_CUDA

from .executor import busy
from .fingerprint import code
from .job import Request, Result
from .plan import done

if TYPE_CHECKING:
    from papers.experiment import Experiment
    from results import Store

    from .executor import Executor
    from .plan import Step
    from .settings import Settings

FAILURES = ("oom", "timeout", "crashed", "diverged", "interrupted")  # the last by others than the user


class Audience(Protocol):
    """Told what becomes of experiments while they run."""

    def started(self, experiment: Experiment) -> None:
        """Its process has been started."""

    def data(self, experiment: Experiment, done: int, of: int) -> None:
        """The preparation of its data has come to `done` of `of` samples."""

    def stage(self, experiment: Experiment, name: str) -> None:
        """It has come to this part of its work, in words."""

    def note(self, experiment: Experiment, text: str) -> None:
        """Something that its user must know."""

    def batches(self, experiment: Experiment, done: int, of: int) -> None:
        """So many batches of the present epoch's training are over."""

    def epoch(self, experiment: Experiment, epoch: int, record: dict[str, float]) -> None:
        """This epoch, from 0, is over and kept; those of an earlier run that is gone on with are told again."""

    def beat(self) -> None:
        """Some time has passed."""

    def known(self, experiment: Experiment) -> None:
        """Another command has done it meanwhile."""

    def finished(self, experiment: Experiment, run: Run) -> None:
        """It is through, or was stopped; `run` is what was stored of it."""


@dataclass(frozen=True)
class Tally:
    """How many experiments failed, and how many another process was running, which are not done yet."""

    failed: int
    elsewhere: int


class Runner:
    """One run of a plan's `steps` by an executor on `device`; `command` is how it was typed.

    Raises UsageError where the processes do not divide a batch.
    """

    def __init__(
        self, settings: Settings, steps: list[Step], store: Store, executor: Executor, device: str, command: str
    ) -> None:
        self.settings, self.steps, self.store = settings, steps, store
        self.executor, self.device, self.command = executor, device, command
        self.pending = [step for step in steps if step.to_run]
        self.names = labels(step.experiment for step in steps)
        self.share = executor.share(self.device, len(self.pending))
        self._by_key = {step.experiment.key: step for step in steps}
        self._machine = environment.machine()
        self._environment = environment.environment()
        self._failed = 0
        self._skipped: list[Step] = []
        for step in self.pending:
            if step.experiment.batch_size % settings.processes:
                raise UsageError(
                    f"--processes {settings.processes} does not divide the batch of {step.experiment.batch_size} "
                    f"samples of {self.names[step.experiment.key]}."
                )

    def carry_out(self, audience: Audience) -> Tally:
        """Runs what is left to do. On KeyboardInterrupt what ran is stored as interrupted before it goes on."""
        for step in self.steps:
            known = step.run is not None and (step.run.outcome, step.run.reason) == ("unavailable", step.reason)
            if step.status == "unavailable" and not known:
                self._record(step, Result("unavailable", step.reason))
        with Leases(self.store) as leases:

            def on_result(request: Request, result: Result) -> None:
                self._ended(request, result, audience)
                leases.leave(request.name)

            self.executor.execute(
                self._requests(audience, leases),
                jobs=self.share.jobs,
                timeout=self.settings.seconds,
                listener=_Listener(audience, leases),
                on_result=on_result,
            )
        elsewhere = [step for step in self._skipped if step.forced or not done(self.store, step)]
        return Tally(self._failed, len(elsewhere))

    def _requests(self, audience: Audience, leases: Leases) -> Iterator[Request]:
        """Asked for one by one as there is room, for another command on this store may have done some meanwhile."""
        for step in self.pending:
            request = self._request(step)
            holder = leases.take(request.name)
            if not step.forced and done(self.store, step):  # known for certain now that nobody else is at it
                leases.leave(request.name)
                audience.known(step.experiment)
            elif holder is not None:
                audience.started(step.experiment)
                self._ended(request, Result("skipped", busy(holder)), audience)
            else:
                self._begin_anew(step, request)
                yield request

    def _begin_anew(self, step: Step, request: Request) -> None:
        """Forgets what is kept of a forced step."""
        if step.forced and request.checkpoint.is_file():  # anything else is set aside by the training
            request.checkpoint.unlink(missing_ok=True)

    def _request(self, step: Step) -> Request:
        behind = code(step.implementation, step.now.kernels)
        name = f"{step.experiment.key}-{behind}"
        out = self.settings.out
        checkpoint, log = out / "checkpoints" / f"{name}.pt", out / "logs" / f"{name}.log"
        for place in (checkpoint, checkpoint.with_suffix(".part"), log):
            require_no_store(place)
        return Request(
            step.experiment,
            self.device,
            self.settings.root,
            self.settings.cache,
            checkpoint,
            log,
            self.share.threads,
            self.share.memory,
            self.settings.processes,
            code=behind,
            rasters=self.settings.rasters,
        )

    def _ended(self, request: Request, result: Result, audience: Audience) -> None:
        step = self._by_key[request.experiment.key]
        run = self._record(step, result, request)
        self._failed += result.outcome in FAILURES
        if result.outcome == "skipped":
            self._skipped.append(step)
        if result.outcome in ("ok", "diverged"):  # the others may go on from it
            request.checkpoint.unlink(missing_ok=True)
        audience.finished(step.experiment, run)

    def _record(self, step: Step, result: Result, request: Request | None = None) -> Run:
        """Stores what came of a step, once; `request` is what was carried out, maybe for an earlier command."""
        device = request.device if request else self.device
        run = Run(
            id=result.id or new_id(),
            experiment=step.experiment.document(),
            experiment_key=step.experiment.key,
            implementation=step.implementation,
            outcome=result.outcome,
            reason=result.reason,
            started=result.started or timestamp(),
            seconds=result.seconds,
            seed=step.experiment.seed,
            device=device,
            backend=result.backend,
            command=self.command,
            peak_memory=result.peak_memory,
            machine=result.machine or self._machine,
            environment={
                **(result.environment or self._environment),
                "torch_threads": request.threads if request else self.share.threads,  # of the workers
            },
            kernels={name: kernel for name, kernel in step.now.kernels.items() if name in ran(result.backend, device)},
            datasets=result.datasets,
            metrics=result.metrics,
            samples=result.samples,
            pictures=result.pictures,
        )
        if not any(stored.id == run.id for stored in (self.store.runs([run.experiment_key]) if result.id else ())):
            self.store.record(run)
        return run


class _Listener:
    """Tells an audience of experiments what an executor says of requests, and the store that they are at work."""

    def __init__(self, audience: Audience, leases: Leases) -> None:
        self.audience, self.leases = audience, leases

    def started(self, request: Request) -> None:
        self.audience.started(request.experiment)

    def data(self, request: Request, done: int, of: int) -> None:
        self.audience.data(request.experiment, done, of)

    def stage(self, request: Request, name: str) -> None:
        self.audience.stage(request.experiment, name)

    def note(self, request: Request, text: str) -> None:
        self.audience.note(request.experiment, text)

    def batches(self, request: Request, done: int, of: int) -> None:
        self.audience.batches(request.experiment, done, of)

    def epoch(self, request: Request, epoch: int, record: dict[str, float]) -> None:
        self.audience.epoch(request.experiment, epoch, record)

    def beat(self) -> None:
        self.leases.renew()
        self.audience.beat()


def ran(backends: str, device: str) -> set[str]:
    """Which of the kernels that an experiment has computed it: by the backends of a result and where it ran."""
    return {*backends.split(", "), *([ON_CUDA] if device.startswith("cuda") else [])}
