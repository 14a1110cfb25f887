"""The executor on a Ray cluster: each experiment is a task, which has a process of its own on a node.

What a task says comes as a stream, so that a node needs no way to this machine but Ray's. A node that dies costs its
experiments the epoch they were in: they go on elsewhere from the last one.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import re
import secrets
import signal
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import device as devices
from core.errors import UsageError

from .executor import ClusterError, Listener, OnResult, installed
from .job import Request, Result
from .remote import Remote

if TYPE_CHECKING:
    from .settings import Settings, Share

BEAT = 5.0  # seconds without news after which the listener is given a turn
TRIES = 3  # nodes that may die under an experiment without an epoch of progress
ENDS = 10.0  # seconds that cancelled tasks get
CALLED = 10.0  # seconds that a cluster gets to answer


@dataclass
class _Task(Remote):
    """A request and the stream of what its task says."""

    stream: Any = None
    before: int = 0  # epochs that were over when its node was given it
    deaths: int = 0  # of nodes in a row without an epoch


class OnRay:
    """As `bench.executor.Executor` says."""

    def __init__(self, settings: Settings) -> None:
        installed("--executor ray", "ray", "ray")
        self.settings = settings
        self.address = settings.ray or os.environ.get("RAY_ADDRESS") or "local"
        if self.address not in ("local", "auto") and not re.fullmatch(r"[\w.-]+:\d{1,5}", self.address):
            raise UsageError(
                f"The Ray cluster was named {self.address!r}; give the address of its head as HOST:PORT, local or auto."
            )

    def device(self) -> str:
        """On a cluster that is there already "auto" means a GPU where it has any."""
        if self.address == "local":
            return devices.find(self.settings.device)
        with self._cluster() as ray:
            gpus = ray.cluster_resources().get("GPU", 0)
        if self.settings.device == "cuda" and not gpus:
            raise UsageError("Device 'cuda' was asked for, but the Ray cluster has no GPU. Use --device cpu or auto.")
        return "cuda" if gpus and self.settings.device != "cpu" else "cpu"

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
        """As many are handed to Ray as may run, all without `jobs`; it starts each where there is room."""
        waiting = iter(requests)
        first = next(waiting, None)
        if first is None:
            return
        waiting = itertools.chain([first], waiting)
        with self._cluster() as ray:
            _require_room(ray, first)
            desk = _Desk(ray, timeout, listener, _token(first.checkpoint.parent))
            try:
                while True:
                    for request in itertools.islice(waiting, None if jobs is None else jobs - len(desk.tasks)):
                        desk.submit(request)
                    if not desk.tasks:
                        break
                    for request, result in desk.hear():
                        on_result(request, result)
                    listener.beat()
            except KeyboardInterrupt:
                for request, result in desk.cancel():
                    on_result(request, result)
                raise

    @contextlib.contextmanager
    def _cluster(self) -> Iterator[Any]:
        """Ray, connected. ClusterError where there is no cluster at the address."""
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if self.address == "local":
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # its default; said by us, it is not told with each start
            os.environ.setdefault("RAY_worker_niceness", "0")  # experiments are what this machine is to do
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # what makes Ray listen on loopback alone, anywhere
        self._require_answer()
        import ray

        options: dict[str, Any] = {"address": self.address}
        if self.address == "local":
            cores = len(os.sched_getaffinity(0))
            options |= {"include_dashboard": False, "num_cpus": cores}
        stopped_by = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**options, log_to_driver=False, configure_logging=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise self._unreachable((str(error).strip() or type(error).__name__).splitlines()[0]) from None
        signal.signal(signal.SIGTERM, stopped_by)  # Ray would end this process without a word
        try:
            yield ray
        finally:
            ray.shutdown()

    def _require_answer(self) -> None:
        """ClusterError where nobody listens at the address, which Ray would wait for."""
        host, _, port = self.address.partition(":")
        if port:
            try:
                socket.create_connection((host, int(port)), CALLED).close()
            except (OSError, OverflowError) as error:
                raise self._unreachable(f"{error}.") from None

    def _unreachable(self, why: str) -> ClusterError:
        return ClusterError(
            f"There is no Ray cluster to be reached at {self.address}: {why} Start one with ray start --head, or leave "
            "--ray and RAY_ADDRESS out for one of this machine's own."
        )


class _Desk:
    """The tasks that are with Ray."""

    def __init__(self, ray: Any, timeout: float | None, listener: Listener, token: tuple[str, str]) -> None:
        from .ray_task import carry_out

        self.ray, self.timeout, self.listener, self.token = ray, timeout, listener, token
        self.tasks: list[_Task] = []
        # What a task has to be given again after a death, the checkpoint, is for us to know: Ray repeats nothing.
        self._remote = ray.remote(num_returns="streaming", max_retries=0)(carry_out)

    def submit(self, request: Request) -> None:
        self.tasks.append(_Task(request, self.listener, stream=self._start(request)))

    def _start(self, request: Request) -> Any:
        kept = []
        with contextlib.suppress(OSError):
            kept = [self.ray.put(request.checkpoint.read_bytes())]  # in a list: fetched by a node that asks for it
        return self._remote.options(**_needs(self.ray, request)).remote(
            request.absolute().to_json(), self.timeout, self.token, kept, os.environ.get("SPIKEBENCH_DATA")
        )

    def hear(self) -> Iterator[tuple[Request, Result]]:
        """Tells the listener what tasks have said by now, or after a while; the results of those that are through."""
        streams = [task.stream for task in self.tasks]
        talking, _ = self.ray.wait(streams, num_returns=1, timeout=BEAT, fetch_local=False)
        if talking:  # others may have spoken, too
            talking, _ = self.ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        for task in [task for task in self.tasks if task.stream in talking]:
            if (result := self._next(task)) is not None:
                self.tasks.remove(task)
                yield task.request, result

    def _next(self, task: _Task) -> Result | None:
        """Handles one message by its kind; the result when the task is through."""
        try:
            kind, *rest = self.ray.get(next(task.stream))
        except StopIteration:
            return self._lost(task, "it ended without a result")
        except self.ray.exceptions.OutOfMemoryError:
            return task.failed("oom", "ended by Ray because its node was short of memory")
        except (self.ray.exceptions.RayTaskError, self.ray.exceptions.RuntimeEnvSetupError) as error:
            return task.failed("crashed", f"its node could not carry it out: {_last_line(error)}")
        except self.ray.exceptions.RayError as error:
            return self._lost(task, type(error).__name__)
        if kind == "result":
            return task.ended(rest[0])
        if kind == "file":
            self._keep(task.request, *rest)
        else:
            task.hear(kind, *rest)
        return None

    def _keep(self, request: Request, place: str, content: bytes) -> None:
        """Writes a file that a node without our folders has made, in whole."""
        path = request.checkpoint.parent.parent / place
        part = path.with_suffix(".carried")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self.listener.note(request, f"{place} could not be kept: {error.strerror}")

    def _lost(self, task: _Task, how: str) -> Result | None:
        """Its node died: gives the request to another one, unless it seems to be what nodes die of."""
        task.deaths = 1 if task.epochs > task.before else task.deaths + 1
        task.before = task.epochs
        if task.deaths >= TRIES:
            return task.failed("crashed", f"{TRIES} nodes in a row died or lost it within one epoch ({how})")
        if task.started:
            self.listener.note(task.request, f"its node is gone ({how}); it goes on elsewhere")
        task.stream = self._start(task.request)
        return None

    def cancel(self) -> Iterator[tuple[Request, Result]]:
        """Ends all tasks; what becomes of those that had begun."""
        for task in self.tasks:
            self.ray.cancel(task.stream, force=True)
        with contextlib.suppress(self.ray.exceptions.RayError):
            self.ray.wait([task.stream.completed() for task in self.tasks], num_returns=len(self.tasks), timeout=ENDS)
        for task in self.tasks:
            if task.started:
                yield task.request, task.interrupted()


def _token(folder: Path) -> tuple[str, str]:
    """A file, and what a node reads in it that has this folder in common with us."""
    folder.mkdir(parents=True, exist_ok=True)
    place, said = folder.resolve() / ".token", secrets.token_hex(16)
    place.write_text(said)
    return str(place), said


def _needs(ray: Any, request: Request) -> dict[str, float]:
    """What a task asks of its node; all cores of the largest one for what has to be alone."""
    memory = {"memory": request.memory * request.processes} if request.memory else {}
    gpus = request.processes if request.device == "cuda" else 0
    cores = request.threads * request.processes
    if request.alone:
        cores = int(max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=cores))
    return {"num_cpus": cores, "num_gpus": gpus, **memory}


def _require_room(ray: Any, request: Request) -> None:
    """UsageError where no node, however idle, has what a request needs."""
    named = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    needs = {named[name]: amount for name, amount in _needs(ray, request).items() if amount}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(name, 0) >= amount for name, amount in needs.items()) for node in nodes):
        wanted = ", ".join(f"{name} {amount:g}" for name, amount in needs.items())
        most = ", ".join(f"{name} {max((node.get(name, 0) for node in nodes), default=0):g}" for name in needs)
        raise UsageError(
            f"An experiment asks for {wanted}, but of the {len(nodes)} nodes of the Ray cluster none has as much; the "
            f"most is {most}. Lower --threads, --processes or --memory, or start larger nodes."
        )


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
