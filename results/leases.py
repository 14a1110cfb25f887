"""Who is at work at what: rows of a store, so that two commands on one store never do the same thing at once.

A lease ends with its holder. On the machine of whoever asks, that is a process, which is there or is not; of another
machine it is only known that its leases are not renewed any more.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from results import connect, schema
from results.errors import StoreError
from results.run import new_id, timestamp
from results.store import Store

LASTS = 300.0  # seconds that a lease counts without being renewed, where its holder cannot be looked for
RENEWED = 60.0  # seconds after which it is renewed


@dataclass(frozen=True)
class Holder:
    """Who is at work: the process `pid` of `host`, since `begun` (a timestamp)."""

    host: str
    pid: int
    begun: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.begun[:10]} {self.begun[11:16]} UTC"


class Leases:
    """What this process is at work at, in a store that is open for writing; all of it is given back at the end.

    `clock` gives the seconds between two renewals.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store, self.clock = store, clock
        self.id = new_id()
        self._held: set[str] = set()
        self._renewed = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(StoreError):  # whoever asks finds this process gone, or the lease not renewed
            self._leave(self._held)

    def take(self, name: str) -> Holder | None:
        """Who else has it; None where nobody has, and from now on this process does. StoreError as from a store."""
        with connect.writing(self.store.engine, self.store.url) as connection:
            row = connection.execute(select(schema.lease).where(schema.lease.c.name == name)).one_or_none()
            now = _now(connection)
            if row is not None and row.holder != self.id and _at_work(row, now):
                return Holder(row.host, row.pid, row.begun)
            connection.execute(delete(schema.lease).where(schema.lease.c.name == name))
            pid = os.getpid()
            connection.execute(
                insert(schema.lease).values(
                    name=name, holder=self.id, host=socket.gethostname(), pid=pid, process=process(pid),
                    begun=timestamp(), renewed=now,
                )
            )  # fmt: skip
        self._held.add(name)
        return None

    def leave(self, name: str) -> None:
        """Lets others have it."""
        self._leave({name})
        self._held.discard(name)

    def renew(self) -> None:
        """To be called again and again while there is work: once in a while it tells the store so.

        A store that does not answer is asked again later: the leases last longer than that, and work goes on.
        """
        if not self._held or self.clock() - self._renewed < RENEWED:
            return
        self._renewed = self.clock()
        with suppress(StoreError), connect.writing(self.store.engine, self.store.url) as connection:
            mine = schema.lease.c.holder == self.id
            connection.execute(update(schema.lease).where(mine).values(renewed=_now(connection)))

    def _leave(self, names: set[str]) -> None:
        if names:
            with connect.writing(self.store.engine, self.store.url) as connection:
                mine = schema.lease.c.holder == self.id
                for name in sorted(names):
                    connection.execute(delete(schema.lease).where(mine, schema.lease.c.name == name))


def _now(connection: Connection) -> float:
    """Seconds since 1970 by the clock that all who ask this database have in common."""
    if connection.dialect.name == "postgresql":
        return float(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)
    return time.time()


def _at_work(row: "Row[tuple[object, ...]]", now: float) -> bool:
    """Whether the holder of a lease still is there, as far as can be known here.

    A lease that was renewed long after now is of a clock that has been set back since.
    """
    mine = process(os.getpid())
    if mine and _where(row.process) == _where(mine):
        return bool(process(row.pid) == row.process)
    return bool(abs(now - row.renewed) < LASTS)


def process(pid: int) -> str:
    """This start of this machine, the space of numbers, the number, and when the process began, in ticks.

    Numbers are used again, machines are started again, and clocks are set: all of it together is used once. Empty for a
    process that is over, and where the system does not tell.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return "" if state in "ZX" else f"{boot} {space} {pid} {rest[18]}"


def _where(identity: str) -> list[str]:
    """The part of a `process` that all processes have which can look for each other."""
    return identity.split()[:2]
