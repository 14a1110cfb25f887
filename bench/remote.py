"""A request that another machine is at, and what was heard of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from .child import paused
from .executor import Listener
from .job import Request, Result


@dataclass
class Remote:
    """What is told goes on to `listener`, who hears of a start once, however often another machine begins."""

    request: Request
    listener: Listener
    started: bool = False
    epochs: int = 0  # that are over and kept
    here: dict[str, Any] = field(default_factory=dict)  # machine and environment of its node
    _moves: list[int] = field(default_factory=list)  # epochs after which it was begun again

    def start(self) -> None:
        """Something came of it."""
        if not self.started:
            self.listener.started(self.request)
        self.started = True

    def hear(self, kind: str, *rest: Any) -> None:
        """Takes a message of `bench.node.attend` that is not the result."""
        if kind == "here":
            self._begun(*rest)
        elif kind != "beat":
            self.start()  # on a full disk the line that says so may be lost
            if kind == "epoch":
                self.epochs = max(self.epochs, rest[0] + 1)
            getattr(self.listener, kind)(self.request, *rest)

    def _begun(self, machine: dict[str, Any], environment: dict[str, Any]) -> None:
        if self.started:
            self.listener.note(self.request, f"begun again by the cluster after {self.epochs} epochs")
        if self.epochs:
            self._moves.append(self.epochs)
        self.start()
        self.here = {"machine": machine, "environment": environment}

    def ended(self, result: Result) -> Result:
        """The result with what its run has to say of the way there."""
        self.start()
        if not self._moves:
            return result
        said = f"begun again by the cluster after epoch {', '.join(map(str, self._moves))}"
        return replace(result, reason="; ".join(filter(None, (result.reason, said))))

    def failed(self, outcome: str, reason: str) -> Result:
        """What came of it where no node could say so."""
        return self.ended(replace(Result(outcome, reason), **self.here))

    def interrupted(self, why: str = "") -> Result:
        """What is kept of it where it was stopped."""
        return self.failed("interrupted", "; ".join(filter(None, (why, paused(self.request, self.epochs)))))
