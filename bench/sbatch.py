"""Options of sbatch as they are typed after --slurm."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.errors import UsageError

# What an experiment needs follows from its own options, and how its job is made is ours to say.
OURS = {
    "array": "--jobs",
    "cpus-per-task": "--threads",
    "mem": "--memory",
    "ntasks": "--processes",
    "ntasks-per-node": "--processes",
    "nodes": "--processes",
    **dict.fromkeys(("chdir", "error", "job-name", "open-mode", "output", "requeue", "no-requeue", "signal", "wrap")),
}
_TIME = re.compile(r"(?:(?P<d>\d+)-)?(?P<a>\d+)(?::(?P<b>\d+))?(?::(?P<c>\d+))?")


def parsed(given: Iterable[str]) -> dict[str, str]:
    """The options by name. UsageError for what is no key=value, is given twice or is not for the user to choose."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z0-9-]*", key) or not value.strip() or not value.isprintable():
            raise UsageError(
                f"--slurm was given {text!r}; it takes an option of sbatch without its dashes and its value, as in "
                "--slurm partition=gpu."
            )
        if key in OURS:
            instead = f"; say {OURS[key]} instead" if OURS[key] else ""
            raise UsageError(f"--slurm was given {text!r}, but {key} is set for each experiment{instead}.")
        if key in found:
            raise UsageError(f"--slurm was given {key} twice, {found[key]!r} and {value!r}; give it once.")
        if key == "time":
            minutes(value)
        found[key] = value
    return found


def minutes(time: str) -> int:
    """A time limit as sbatch takes it, M, M:S, H:M:S, D-H, D-H:M or D-H:M:S, in minutes, rounded up. UsageError."""
    match = _TIME.fullmatch(time)
    if match is None or not (match["d"] or match["b"] or match["a"]):
        raise UsageError(f"--slurm time was given {time!r}; sbatch takes minutes, H:M:S or D-H:M:S.")
    days, first, second, third = (int(match[name] or 0) for name in "dabc")
    if match["d"]:
        seconds = ((days * 24 + first) * 60 + second) * 60 + third
    elif match["c"]:
        seconds = (first * 60 + second) * 60 + third
    else:
        seconds = first * 60 + second
    if not seconds:
        raise UsageError(f"--slurm time was given {time!r}; give a job some time, as in --slurm time=4:00:00.")
    return -(-seconds // 60)
