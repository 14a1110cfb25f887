"""The local executor: experiments side by side on this machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from core import device as devices

from .child import Child, ready
from .executor import Listener, OnResult
from .job import Request

if TYPE_CHECKING:
    from .settings import Settings, Share

BEAT = 5.0  # seconds without a message after which the listener is given a turn


class Local:
    """As `bench.executor.Executor` says."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def device(self) -> str:
        return devices.find(self.settings.device)

    def share(self, device: str, experiments: int) -> Share:
        from .settings import Share

        return Share.of(self.settings, device, experiments)

    def execute(
        self,
        requests: Iterable[Request],
        *,
        jobs: int | None,
        timeout: float | None,
        listener: Listener,
        on_result: OnResult,
    ) -> None:
        """One of `requests` is taken when there is room."""
        waiting = iter(requests)
        running: list[Child] = []
        try:
            while True:
                for request in itertools.islice(waiting, None if jobs is None else jobs - len(running)):
                    running.append(Child(request, timeout))
                    listener.started(request)
                if not running:
                    break
                for child in ready(running, BEAT):
                    kind, *rest = child.message()
                    if kind != "result":
                        getattr(listener, kind)(child.request, *rest)
                        continue
                    running.remove(child)
                    child.stop()
                    if rest[0].outcome == "ok":  # now that nobody writes it any more
                        child.request.log.unlink(missing_ok=True)
                    on_result(child.request, rest[0])
                listener.beat()
        except KeyboardInterrupt:
            for child in running:
                result = child.last_words()
                child.stop()
                on_result(child.request, result)
            running.clear()
            raise
        finally:
            for child in running:
                child.stop()
