"""The file of a store."""

from __future__ import annotations

import tempfile
from pathlib import Path

from results import Store, reading
from results.leases import Leases
from results.lines import dump

from .damage import damaged
from .reader import Reader


def _use(folder: Path) -> None:
    """Reads all that there is, and writes it again."""
    path = folder / "store.db"
    with Store(path, read_only=True) as store:
        ids = [run.id for run in store.runs()]
        list(store.values(ids))
        for read in (store.samples, store.datasets):
            read(ids)
        for read_all in (store.planned, store.parity, store.standing, store.published):
            read_all()
        runs = store.full_runs()
        list(dump(store))
    with Store(path) as store, Leases(store) as leases:
        leases.take("work")
        store.record_all(runs)


def readers(lines: bytes) -> list[Reader]:
    """`lines` are what is in the store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        (Path(folder) / "lines.jsonl").write_bytes(lines)
        with Store(path) as store:
            store.record_all(*reading.read([Path(folder) / "lines.jsonl"]))
        return [Reader("store", {"store.db": path.read_bytes()}, _use, damaged)]
