"""What the end of a child process means, for trainings and measurements alike."""

from __future__ import annotations

import signal

from . import memory


def ended(status: int, said: str = "") -> tuple[str, str]:
    """Outcome ("oom" or "crashed") and reason of a child that ended without a result and that nobody stopped.

    `status` is its exit status, or the number of the signal it died of, negated. `said` is what it wrote on standard
    error, where that was kept.
    """
    if status == -signal.SIGKILL:
        return "oom", "killed by SIGKILL, as the system does when memory runs out"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    outcome = "oom" if memory.tells_of_a_lack(last) else "crashed"
    if status < 0:  # what it said last may be about something else, unless it explains the signal
        return outcome, f"died of {_name(-status)}" + (f": {last}" if outcome == "oom" else "")
    return outcome, last or f"ended with exit status {status} and no result"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"
