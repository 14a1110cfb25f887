"""A measured table on another machine: its command runs there as a whole, and what it stored comes home as lines.

A speed counts beside the proof that was made on the same processor, so proof and timing stay together: a table is one
request, of the kind "table", and has a node for itself.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import FAILED, OK
from papers.experiment import Experiment

from .executor import Quiet, busy
from .fingerprint import code, here
from .job import Request, Result
from .measured import COMMANDS

if TYPE_CHECKING:
    from rich.console import Console

    from results.leases import Leases
    from training.clock import Clock

    from .executor import Executor
    from .settings import Settings

KIND = "table"


def carry_out(request: Request, send: Callable[[tuple[Any, ...]], None], clock: Clock) -> Result:
    """Runs the command of a table in the process of a request; what it shows is sent as notes, line by line."""
    from results import Store
    from results.lines import dump

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the command is ended, too
    experiment = request.experiment
    with tempfile.TemporaryDirectory(prefix="spikebench-") as folder:
        store, out = Path(folder) / "store.db", Path(folder) / "out"
        command = COMMANDS[experiment.task_options["table"]]
        try:
            status = command.run(experiment.scale, request.device, str(store), out, lambda line: send(("note", line)))
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGTERM)  # nobody waits for more
        with Store(store) as opened:
            lines = tuple(dump(opened))
    return Result("ok", status=status, lines=lines)


def run(settings: Settings, executor: Executor, console: Console) -> int:
    """Has the measured tables that are asked for carried out, shows and stores what comes home; the exit status."""
    from results import Store
    from results.leases import Leases
    from results.reading import Source, parse

    device = executor.device()
    statuses: list[int] = []
    with Store(settings.url) as store, Leases(store) as leases:

        def on_result(request: Request, result: Result) -> None:
            came = Source(_table(request), lambda: map(str.encode, result.lines))
            new = store.record_all(*parse([came]))
            said = f"{new} new results" if result.outcome == "ok" else f"{result.outcome}: {result.reason}"
            console.print(f"{_table(request)}: {said}", soft_wrap=True)
            statuses.append(result.status if result.outcome == "ok" else FAILED)
            leases.leave(request.name)

        def requests() -> Iterator[Request]:
            for name in settings.measured:
                request = _request(name, settings, executor, device)
                if holder := leases.take(request.name):
                    on_result(request, Result("skipped", busy(holder)))
                else:
                    yield request

        executor.execute(
            requests(),
            jobs=executor.share(device, len(settings.measured)).jobs,
            timeout=settings.timeout,
            listener=_Listener(console, leases),
            on_result=on_result,
        )
    return max(statuses, default=OK)


def _request(name: str, settings: Settings, executor: Executor, device: str) -> Request:
    experiment = Experiment(
        task="", model="", neuron="", scheme="", epochs=0, batch_size=1, scale=settings.scale, seed=0,
        task_options={"table": name}, kind=KIND, measures=(),
    )  # fmt: skip
    behind = code(*here(experiment))
    file = f"{name}-{settings.scale}-{device}-{behind}"
    out, share = settings.out, executor.share(device, 1)
    return Request(
        experiment, device, settings.root, settings.cache, out / "checkpoints" / f"{file}.pt",
        out / "logs" / f"{file}.log", share.threads, share.memory, alone=True, code=behind,
    )  # fmt: skip


def _table(request: Request) -> str:
    table: str = request.experiment.task_options["table"]
    return table


class _Listener(Quiet):
    """Shows what a command shows, each line with the table it belongs to where it says nothing else."""

    def __init__(self, console: Console, leases: Leases) -> None:
        self.console, self.leases = console, leases

    def started(self, request: Request) -> None:
        self.console.print(f"{_table(request)}: started", soft_wrap=True)

    def note(self, request: Request, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def beat(self) -> None:
        self.leases.renew()
