"""What SLURM is asked by its commands: which jobs there are and what became of them, without its accounting."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence

from .executor import ClusterError

PATIENCE = 60  # seconds for a command of SLURM
TOGETHER = 500  # jobs that one command names
MOST = 1001  # jobs of an array, where SLURM does not say

# Of a job that will not run any more: outcome and what to say. Of all others SLURM may still make something.
ENDED = {
    "COMPLETED": ("crashed", "its job ended without a result"),
    "FAILED": ("crashed", "its job ended without a result"),
    "OUT_OF_MEMORY": ("oom", "ended by SLURM for more memory than its job was given; ask for more with --memory"),
    "TIMEOUT": ("timeout", "ended by SLURM at the time limit of its job; ask for more with --slurm time=..."),
    "DEADLINE": ("timeout", "ended by SLURM at the deadline of its job"),
    "CANCELLED": ("interrupted", "cancelled in SLURM"),
    "NODE_FAIL": ("interrupted", "its node failed, and SLURM did not start its job again"),
    "BOOT_FAIL": ("interrupted", "its node failed to start, and SLURM did not start its job again"),
    "PREEMPTED": ("interrupted", "it had to make room, and SLURM did not start its job again"),
}
GONE = ("crashed", "its job ended without a result, and SLURM knows nothing of it any more")


def jobs() -> dict[str, tuple[str, str]]:
    """Name and state of this user's jobs by their number, "7_3" in an array. ClusterError where SLURM does not answer.

    Those that ended are known for some minutes only (MinJobAge).
    """
    command = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", "--format=%i|%T|%j"]
    rows = (line.split("|", 2) for line in _ask(command).splitlines() if line.count("|") >= 2)
    return {number: (name, state) for number, state, name in rows}


def cancel(numbers: Sequence[str]) -> None:
    """Ends jobs; of those that have ended nothing is said. ClusterError."""
    for start in range(0, len(numbers), TOGETHER):
        _ask(["scancel", "--quiet", *numbers[start : start + TOGETHER]])


def most_together() -> int:
    """How many jobs an array may have. ClusterError."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _ask(["scontrol", "show", "config"]), re.MULTILINE)
    return max(1, int(found[1])) if found else MOST


def said(text: str) -> str:
    """The sentence in what a command of SLURM wrote when it failed."""
    lines: Iterable[str] = (line.strip() for line in text.splitlines())
    found = [re.sub(r"^\w+: (error|fatal): ", "", line) for line in lines if re.match(r"^\w+: ", line)]
    return ". ".join(dict.fromkeys(line.rstrip(".") for line in found)) or "it gave no reason"


def _ask(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except subprocess.CalledProcessError as error:
        raise ClusterError(f"SLURM did not answer {command[0]}: {said(error.stderr)}.") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"SLURM could not be asked by {command[0]}: {error}.") from None
    return done.stdout
