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


class DataDamaged(TaskError):
    """A file holds something other than its format allows.

    Attributes: `path` of the file, `where` in it ("byte 12", "record 3", "line 4"), `problem` in words.
    """

    def __init__(self, path: str | Path, where: str, problem: str) -> None:
        self.path, self.where, self.problem = Path(path), where, problem
        super().__init__(f"{path} is damaged at {where}: {problem}; fetch the file again.")

    def __reduce__(self) -> tuple:
        return DataDamaged, (self.path, self.where, self.problem)
