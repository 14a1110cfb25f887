"""What can be wrong with a task: a wrong request, data that is not there, data that is damaged."""

from __future__ import annotations

from pathlib import Path

from core.errors import SpikebenchError


class TaskError(SpikebenchError):
    """A task was asked for something it cannot give; the message is one sentence for the user."""


class DataMissing(TaskError):
    """The data of a task is not on this machine.

    The sentence says what is missing and where it was looked for, where it is published and how to get it.
    """


def shown(value: object) -> str:
    """What a file holds, as a message may quote it: never more than a short piece, and of containers the kind alone."""
    if isinstance(value, str | bytes):
        return repr(value[:40]) + ("…" if len(value) > 40 else "")
    if value is None or isinstance(value, float | bool) or (isinstance(value, int) and value.bit_length() <= 64):
        return repr(value)
    return f"an object of type {type(value).__name__}"


class DataDamaged(TaskError):
    """A file holds something other than its format allows.

    Attributes: `path` of the file, `where` in it ("byte 12", "record 3", "line 4"), `problem` and `remedy` in words.
    """

    def __init__(self, path: str | Path, where: str, problem: str, remedy: str = "fetch the file again") -> None:
        self.path, self.where, self.problem, self.remedy = Path(path), where, problem, remedy
        super().__init__(f"{path} is damaged at {where}: {problem}; {remedy}.")

    def __reduce__(self) -> tuple:
        return DataDamaged, (self.path, self.where, self.problem, self.remedy)
