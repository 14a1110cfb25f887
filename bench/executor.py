"""What an executor is: it runs requests, each in a process of its own, and says what becomes of them.

`local` does so on this machine, `ray` and `slurm` on others (`docs/clusters.md`). The store is for those who ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from core.errors import SpikebenchError, UsageError

from .job import Request, Result

if TYPE_CHECKING:
    from results.leases import Holder

    from .settings import Settings, Share

OnResult = Callable[[Request, Result], None]


def busy(holder: Holder) -> str:
    """Why a request is skipped that somebody else is at."""
    return f"it is being run by {holder}; run the command again when that is done"


class Listener(Protocol):
    """Told what becomes of requests while they run."""

    def started(self, request: Request) -> None:
        """Its process has been started."""

    def data(self, request: Request, done: int, of: int) -> None:
        """The preparation of its data has come to `done` of `of` samples."""

    def stage(self, request: Request, name: str) -> None:
        """It has come to this part of its work, in words."""

    def note(self, request: Request, text: str) -> None:
        """Something that its user must know."""

    def batches(self, request: Request, done: int, of: int) -> None:
        """So many batches of the present epoch's training are over."""

    def epoch(self, request: Request, epoch: int, record: dict[str, float]) -> None:
        """This epoch, from 0, is over and kept; those of an earlier run that is gone on with are told again."""

    def beat(self) -> None:
        """Some time has passed."""


class Quiet:
    """A listener that nothing is to be said to."""

    def started(self, request: Request) -> None: ...

    def data(self, request: Request, done: int, of: int) -> None: ...

    def stage(self, request: Request, name: str) -> None: ...

    def note(self, request: Request, text: str) -> None: ...

    def batches(self, request: Request, done: int, of: int) -> None: ...

    def epoch(self, request: Request, epoch: int, record: dict[str, float]) -> None: ...

    def beat(self) -> None: ...


class Executor(Protocol):
    """Made with `Settings`; UsageError where they cannot be met here, or a package is missing."""

    def __init__(self, settings: Settings) -> None: ...

    def device(self) -> str:
        """The kind of device that experiments compute on, "cpu" or "cuda". UsageError where there is none as asked."""

    def share(self, device: str, experiments: int) -> Share:
        """How much each of so many experiments gets."""

    def execute(
        self,
        requests: Iterable[Request],
        *,
        jobs: int | None,
        timeout: float | None,
        listener: Listener,
        on_result: OnResult,
    ) -> None:
        """Runs `requests`, at most `jobs` at a time, each for at most `timeout` seconds.

        A process that dies, hangs or runs out of memory costs its own result only. A request is `skipped` whose
        checkpoint another process writes. On KeyboardInterrupt those that run are stopped and handed over as
        `interrupted`, with the epoch they go on from, before the exception goes on; of those that had not begun nothing
        is said.
        """


class ClusterError(SpikebenchError):
    """A cluster cannot be reached, or does not do what it was asked for."""


def installed(asked: str, package: str, extra: str) -> None:
    """Raises UsageError where a package is missing that the option `asked` needs; `extra` of ours brings it."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise UsageError(
            f"{asked} needs the package {package}, which is not installed here. Install it with "
            f"pip install 'spikebench[{extra}]', or in a checkout pip install -c constraints.txt -e '.[{extra}]'."
        )
