"""Keeps other processes out of timed windows, as far as this process is permitted to."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

_TASKS = Path("/proc/self/task")


class Undisturbed(AbstractContextManager["Undisturbed"]):
    """Puts all threads of this process into the real-time class (round robin), else to a lower nice value.

    `kind` says which of the two this process may use: "real-time", "nice" or "ordinary".
    """

    def __init__(self) -> None:
        self.kind = "ordinary"
        for kind, change in (("real-time", _real_time), ("nice", _nice)):
            try:
                change(0, True)
                change(0, False)
            except (OSError, AttributeError):
                continue
            self.kind = kind
            break

    def __enter__(self) -> Undisturbed:
        self._set(True)
        return self

    def __exit__(self, *exc: object) -> None:
        self._set(False)

    def _set(self, urgent: bool) -> None:
        if self.kind == "ordinary":
            return
        change = _real_time if self.kind == "real-time" else _nice
        for task in os.listdir(_TASKS) if _TASKS.is_dir() else ["0"]:
            try:
                change(int(task), urgent)
            except ProcessLookupError:  # a thread that has just ended
                continue


def _real_time(task: int, urgent: bool) -> None:
    policy, level = (os.SCHED_RR, 1) if urgent else (os.SCHED_OTHER, 0)
    os.sched_setscheduler(task, policy, os.sched_param(level))


def _nice(task: int, urgent: bool) -> None:
    os.setpriority(os.PRIO_PROCESS, task, -15 if urgent else 0)
