"""The executor on SLURM: the experiments of a plan are the jobs of an array, which go on without this process.

What is submitted is written down below `--out` first, so that the same command, started again, finds its jobs. A job
leaves its result in a folder (`bench.slurm_job`); it has the number that its run will have in the store from the
beginning, so that it is stored once, whoever collects it and however often.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shutil
import signal
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core.errors import INTERRUPTED, SpikebenchError, UsageError
from results import StoreError, new_id

from . import sbatch, slurm_queue
from .executor import ClusterError, Listener, OnResult, installed
from .job import Request, Result
from .remote import Remote
from .slurm_job import EVENTS, REQUEST, RESULT, Work, write

if TYPE_CHECKING:
    from .settings import Settings, Share

PATIENCE = 15.0  # seconds at most between two questions to SLURM
LATE = 30.0  # seconds that a result may need to be seen through a file system after its job has ended
ATTENDANT = 2**30  # bytes for the process that attends an experiment, beside those of the experiment
BEYOND = 10  # minutes of a job beyond the time-out of its experiment
GPUS = ("gpus", "gpus-per-node", "gpus-per-task", "gpus-per-socket", "gres", "tres-per-task")
NAMES, NUMBER, COLLECTED = "names.json", "number", "collected"


class Left(SpikebenchError):
    """This command ends, its jobs go on."""

    exit_status = INTERRUPTED


@dataclass
class _Job(Remote):
    """A job and where it leaves what it has to say."""

    folder: Path = Path()
    number: str = ""  # as SLURM has it, "7_3"
    read: int = 0  # bytes of its events
    gone: float | None = None  # when it was first seen that SLURM had ended it

    @property
    def asked(self) -> dict[str, Any]:
        """What was written down when it was submitted."""
        found: dict[str, Any] = json.loads((self.folder / REQUEST).read_text(encoding="utf-8"))
        return found

    def news(self) -> int:
        """Hears what is new in its events; how much that is."""
        try:
            with (self.folder / EVENTS).open("rb") as file:
                file.seek(self.read)
                text = file.read()
        except OSError:
            return 0
        text = text[: text.rfind(b"\n") + 1]
        self.read += len(text)
        lines = text.splitlines()
        for line in lines:
            with contextlib.suppress(ValueError):  # a line that a full disk has cut short
                self.hear(*json.loads(line))
        return len(lines)

    def result(self) -> Result | None:
        """What came of it, where it could say so."""
        try:
            text = (self.folder / RESULT).read_text(encoding="utf-8")
        except OSError:
            return None
        try:
            return self.ended(Result.of_json(text))
        except (ValueError, TypeError, LookupError, StoreError) as error:
            return self.failed("crashed", f"what its job left cannot be read: {type(error).__name__}: {error}")

    def failed(self, outcome: str, reason: str) -> Result:
        return replace(super().failed(outcome, reason), id=self.asked["id"])


class OnSlurm:
    """As `bench.executor.Executor` says; all is submitted at once, and SLURM runs at most `jobs` of it at a time."""

    def __init__(self, settings: Settings) -> None:
        installed("--executor slurm", "submitit", "slurm")
        if shutil.which("sbatch") is None or shutil.which("srun") is None:
            raise UsageError(
                "--executor slurm needs the commands of SLURM, but there is no sbatch here. Start this command on a "
                "login node of the cluster."
            )
        if "time" not in settings.sbatch and settings.seconds is None:
            raise UsageError(
                f"At scale {settings.scale} an experiment takes as long as it needs; say how long a job may take until "
                "it is put back into the queue, as in --slurm time=24:00:00."
            )
        self.settings = settings
        self.folder = settings.out.absolute() / "slurm"

    def device(self) -> str:
        """A GPU where it was asked for; this machine need not have one."""
        asked = self.settings.device
        if asked == "auto":
            return "cuda" if not self.settings.sbatch.keys().isdisjoint(GPUS) else "cpu"
        return asked

    def share(self, device: str, experiments: int) -> Share:
        from .settings import Share

        return Share.on_cluster(self.settings)

    def execute(
        self,
        requests: Iterable[Request],
        *,
        jobs: int | None,
        timeout: float | None,
        listener: Listener,
        on_result: OnResult,
    ) -> None:
        """Waits for the jobs of `requests`, those of an earlier command or new ones.

        On SIGTERM, as at the end of a session, this process ends and the jobs go on: Left.
        """
        with _leaving() as begun:
            mine = list(requests)
            if not mine:
                return
            waiting = self._submitted({request.name for request in mine}, listener)
            known = {job.request.name for job in waiting}
            new = [request for request in mine if request.name not in known]
            try:
                most = slurm_queue.most_together() if new else 1
                for start in range(0, len(new), most):
                    begun.update(jobs=len(waiting))
                    waiting += self._submit(new[start : start + most], jobs, timeout, listener)
                begun.update(jobs=len(waiting))
                for job, result in _Watch(waiting, listener).results():
                    self._collect(job, result, on_result)
                    begun.update(jobs=len(waiting))
            except KeyboardInterrupt:
                for job, found in _cancelled(waiting):
                    if found is None:
                        self._clear(job)
                    else:
                        self._collect(job, found, on_result)
                raise

    def _submit(
        self, requests: Sequence[Request], jobs: int | None, timeout: float | None, listener: Listener
    ) -> list[_Job]:
        """Puts an array for `requests` into the queue."""
        token = secrets.token_hex(4)
        place = self.folder / token
        common = {"timeout": timeout, "minutes": self._minutes()}
        try:
            for index, request in enumerate(requests):
                (place / str(index)).mkdir(parents=True)
                document = {"id": new_id(), "request": request.absolute().to_json(), **common}
                write(place / str(index) / REQUEST, json.dumps(document))
            write(place / NAMES, json.dumps([request.name for request in requests]))
            number = self._sbatch(place, requests, jobs or len(requests))
        except BaseException as error:
            left = _in_queue(token)
            if left and isinstance(error, KeyboardInterrupt):
                slurm_queue.cancel([left])
            if not left or isinstance(error, KeyboardInterrupt):  # else the name finds the jobs
                shutil.rmtree(place, ignore_errors=True)
            raise
        write(place / NUMBER, number)
        others = f" with {len(requests) - 1} others" if len(requests) > 1 else ""
        listener.note(requests[0], f"submitted{others} as job {number}")
        return [
            _Job(request, listener, folder=place / str(index), number=_number(number, index, len(requests)))
            for index, request in enumerate(requests)
        ]

    def _sbatch(self, place: Path, requests: Sequence[Request], jobs: int) -> str:
        """The number that SLURM gives the array. UsageError where it refuses the options."""
        import submitit

        request = requests[0]  # all ask for the same
        cores = request.threads * request.processes
        options: dict[str, Any] = {"requeue": True, **self.settings.sbatch}
        if request.device == "cuda" and options.keys().isdisjoint(GPUS):
            options["gpus-per-node"] = request.processes
        if request.memory:
            options["mem"] = f"{-(-(request.memory * request.processes + ATTENDANT) // 2**20)}M"
        binding = [f"--cpus-per-task={cores}"]
        if request.alone:
            options, binding = {"exclusive": True, **options}, ["--cpu-bind=none"]
        executor = submitit.SlurmExecutor(place, max_num_timeout=10**6)  # bench.slurm_job.Work says when it is enough
        executor.update_parameters(
            job_name=_name(place.name),
            time=self._minutes(),
            cpus_per_task=cores,
            srun_args=binding,
            array_parallelism=jobs,
            additional_parameters=options,
        )
        # What sbatch says is told below, in a sentence.
        with _no_store(), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                first, *_ = executor.map_array(Work(place), range(len(requests)))
            except submitit.core.utils.FailedJobError as error:
                said = slurm_queue.said(str(error))
                if "contact slurm controller" in said:
                    raise ClusterError(f"SLURM cannot be reached: {said}. Run the command again when it can.") from None
                raise UsageError(f"SLURM refused the jobs: {said}. Check what was given to --slurm.") from None
        return first.job_id.partition("_")[0]

    def _minutes(self) -> int:
        """The time limit of a job."""
        if "time" in self.settings.sbatch:
            return sbatch.minutes(self.settings.sbatch["time"])
        assert self.settings.seconds is not None
        return int(self.settings.seconds // 60) + BEYOND

    def _submitted(self, wanted: set[str], listener: Listener) -> list[_Job]:
        """The jobs of earlier commands for these requests, by their names; all of it that has not been collected."""
        found: dict[str, _Job] = {}
        queue: dict[str, tuple[str, str]] | None = None
        submitted = sorted(self.folder.glob(f"*/{NAMES}"), key=lambda names: names.stat().st_mtime)
        for names in submitted:  # of two jobs for one request the later one counts
            place, all_names = names.parent, json.loads(names.read_text(encoding="utf-8"))
            left = {
                index: (name, folder)
                for index, name in enumerate(all_names)
                if name in wanted and (folder := _uncollected(place / str(index)))
            }
            if not left:
                continue
            try:
                number = (place / NUMBER).read_text(encoding="utf-8")
            except FileNotFoundError:  # its command ended in the middle of the submission
                queue = slurm_queue.jobs() if queue is None else queue
                number = _in_queue(place.name, queue)
                if not number:
                    shutil.rmtree(place, ignore_errors=True)
                    continue
            for index, (name, folder) in left.items():
                asked = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
                request, mine = Request.of_json(asked["request"]), _number(number, index, len(all_names))
                found[name] = _Job(request, listener, folder=folder, number=mine)
        return list(found.values())

    def _collect(self, job: _Job, result: Result, on_result: OnResult) -> None:
        """Hands the result over; then its folder has done its work."""
        place = job.folder.with_name(f"{job.folder.name.partition('.')[0]}.{COLLECTED}")
        if job.folder != place:  # should this process end now, whoever finds the folder has the same result
            job.folder.replace(place)
            job.folder = place
        on_result(job.request, result)
        self._clear(job)

    def _clear(self, job: _Job) -> None:
        """Removes the folder of a job, with the last one that of its array."""
        shutil.rmtree(job.folder, ignore_errors=True)
        array = job.folder.parent
        if not any(place.is_dir() for place in array.iterdir()):
            shutil.rmtree(array, ignore_errors=True)


class _Watch:
    """Follows jobs by what they write and by what SLURM says of them."""

    def __init__(self, waiting: list[_Job], listener: Listener) -> None:
        self.waiting, self.listener = waiting, listener
        self.unreachable = False

    def results(self) -> Iterator[tuple[_Job, Result]]:
        """Each job with what came of it, as it comes; a job leaves `waiting` then."""
        asked = pause = 0.0
        while self.waiting:
            heard = 0
            for job in list(self.waiting):
                heard += job.news()
                if (result := job.result()) is not None:
                    self.waiting.remove(job)
                    yield job, result
            pause = 0.2 if heard else min(PATIENCE, pause * 1.3 + 0.1)
            if time.monotonic() - asked >= min(pause * 2, PATIENCE):
                yield from self._ended()
                asked = time.monotonic()
            self.listener.beat()
            if self.waiting:
                time.sleep(min(pause, 2.0))

    def _ended(self) -> Iterator[tuple[_Job, Result]]:
        """The jobs that SLURM has ended without a result of their own."""
        try:
            queue = slurm_queue.jobs()
        except ClusterError as error:
            if not self.unreachable:
                self.listener.note(self.waiting[0].request, f"{error} Its jobs go on, and it is asked again")
            self.unreachable = True
            return
        self.unreachable = False
        now = time.monotonic()
        for job in list(self.waiting):
            state = queue.get(job.number, ("", ""))[1]
            if state and state not in slurm_queue.ENDED:
                job.gone = None
                continue
            job.gone = now if job.gone is None else job.gone
            outcome, reason = slurm_queue.ENDED.get(state, slurm_queue.GONE)
            late = outcome == "crashed" and now - job.gone < LATE
            if late or (job.folder / RESULT).exists():
                continue
            job.news()
            self.waiting.remove(job)
            if outcome == "interrupted":
                yield job, job.interrupted(reason)
            else:
                yield job, job.failed(outcome, reason + (_keep_log(job) if outcome == "crashed" else ""))


def _keep_log(job: _Job) -> str:
    """Puts what the job printed to the logs of the experiments, which stay; says where it is."""
    printed = job.folder.parent / f"{job.number}_0_log.err"
    try:
        job.request.log.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(printed, job.request.log)
    except OSError:
        return ""
    return f"; what it printed is in {job.request.log_place}"


def _cancelled(waiting: list[_Job]) -> Iterator[tuple[_Job, Result | None]]:
    """Ends all jobs; what came of each, None of one that had not begun."""
    slurm_queue.cancel([job.number for job in waiting])
    end, live = time.monotonic() + LATE, {job.number for job in waiting}
    while live and time.monotonic() < end:
        queue = slurm_queue.jobs()
        live = {number for number in live if queue.get(number, ("", "CANCELLED"))[1] not in slurm_queue.ENDED}
        time.sleep(0.2 if live else 0)
    for job in waiting:
        job.news()
        yield job, job.result() or (job.interrupted() if job.started else None)


def _uncollected(folder: Path) -> Path | None:
    """The folder of a job whose result may not be in the store yet."""
    collected = folder.with_name(f"{folder.name}.{COLLECTED}")
    return folder if folder.is_dir() else collected if collected.is_dir() else None


def _name(token: str) -> str:
    return f"spikebench-{token}"


def _in_queue(token: str, queue: dict[str, tuple[str, str]] | None = None) -> str:
    """The number of the array with this token in its name, "" where SLURM has none."""
    if queue is None:
        try:
            queue = slurm_queue.jobs()
        except ClusterError:
            return ""
    return next((number.partition("_")[0] for number, (name, _) in queue.items() if name == _name(token)), "")


def _number(array: str, index: int, size: int) -> str:
    return f"{array}_{index}" if size > 1 else array  # submitit makes no array of one


@contextlib.contextmanager
def _no_store() -> Iterator[None]:
    """Within, no job is given the store's URL, which may hold a password: nodes do not write it."""
    url = os.environ.pop("SPIKEBENCH_STORE", None)
    try:
        yield
    finally:
        if url is not None:
            os.environ["SPIKEBENCH_STORE"] = url


@contextlib.contextmanager
def _leaving() -> Iterator[dict[str, int]]:
    """Within, SIGTERM raises Left, which tells how many `jobs` go on."""
    begun = {"jobs": 0}

    def leave(_signal: int, _frame: object) -> NoReturn:
        several = begun["jobs"] != 1
        raise Left(
            f"Ended. {begun['jobs']} {'jobs go' if several else 'job goes'} on in SLURM; the same command collects "
            f"{'their results' if several else 'its result'}. To end {'them' if several else 'it'}: scancel, or press "
            "Ctrl-C in that command."
        )

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield begun
    finally:
        signal.signal(signal.SIGTERM, before)
