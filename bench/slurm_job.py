"""What a SLURM job does with a request: carries it out on its node and writes what is to be known of it into a folder.

The folder has request.json from those who ask; the job adds to events.jsonl as it goes on, also when it is started
again, and ends with result.json. Whoever looks later finds all there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from .job import Request, Result
from .node import attend

REQUEST, EVENTS, RESULT = "request.json", "events.jsonl", "result.json"
STOPPED = 128 + signal.SIGTERM  # exit status of a job that SLURM ended
WARNED = 90 + 60  # seconds before its time limit that a job is told of it, at most: submitit asks for 90, SLURM rounds


@dataclass
class Work:
    """The jobs of an array, as submitit calls them by their number; `folder` has a folder for each.

    `known` is how many epochs were over when an earlier start of this job ran out of time, -1 where none did.
    """

    folder: Path
    known: int = -1

    def __call__(self, index: int) -> None:
        signal.signal(signal.SIGTERM, _stop)  # of scancel, of a preemption, of a requeue: SLURM knows which
        folder = self.folder / str(index)
        self.begun, self.epochs = time.monotonic(), 0
        if (folder / RESULT).exists():  # started again when all was done
            return
        asked = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
        with (folder / EVENTS).open("a", encoding="utf-8") as events:
            for kind, *rest in attend(Request.of_json(asked["request"]), asked["timeout"]):
                if kind == "result":
                    _end(folder, asked, rest[0])
                elif kind != "beat":
                    self.epochs = rest[0] + 1 if kind == "epoch" else self.epochs
                    with contextlib.suppress(OSError):  # on a full disk the training may still come to its end
                        events.write(json.dumps([kind, *rest]) + "\n")
                        events.flush()

    def checkpoint(self, index: int) -> Any:
        """The work that is left when the job's time is up, or it has to make room: submitit puts it back.

        None, which ends the job, where its time was up before, too, and no epoch was finished since.
        """
        import submitit

        folder = self.folder / str(index)
        asked = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
        if time.monotonic() - self.begun < 60 * asked["minutes"] - WARNED:  # it has to make room
            return submitit.helpers.DelayedSubmission(Work(self.folder, self.known), index)
        if self.epochs <= self.known:
            reason = "the time limit of its job ran out twice within one epoch; ask for more with --slurm time=..."
            _end(folder, asked, Result("timeout", reason))
            return None
        return submitit.helpers.DelayedSubmission(Work(self.folder, self.epochs), index)


def _end(folder: Path, asked: dict[str, Any], result: Result) -> None:
    """Writes the result, unless SLURM ended the process that it is of, and so the job."""
    if (result.outcome, result.reason) == ("crashed", f"died of {signal.SIGTERM.name}"):
        time.sleep(2)  # the same signal is on its way to this process
        sys.exit(STOPPED)
    write(folder / RESULT, replace(result, id=asked["id"]).to_json())


def write(path: Path, text: str) -> None:
    """Writes a file in whole: whoever reads it finds all of it, or none."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _stop(_signal: int, _frame: object) -> NoReturn:
    sys.exit(STOPPED)
