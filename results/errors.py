"""The one exception of this room, and the sentences that turn a driver's error into it."""

import sqlite3

from core.errors import SpikebenchError
from core.masking import hidden

_ELSEWHERE = "or name another store with --store or SPIKEBENCH_STORE"


class StoreError(SpikebenchError):
    """Something asked of the results cannot be done; the message says what was asked, found, and can be done."""


class NoStore(StoreError):
    """A store that was to be read does not exist, or holds no tables yet."""


class Foreign(StoreError):
    """A database that holds something else."""


class Damaged(StoreError):
    """What a store holds is not what was written to it."""


def explain(error: BaseException, store: str) -> StoreError:
    """Return the sentence for an error of SQLAlchemy or of a database driver met while using `store` (a URL)."""
    cause = getattr(error, "orig", None) or error
    found = hidden((str(cause).strip() or type(cause).__name__).splitlines()[0])
    if not isinstance(cause, sqlite3.Error):
        return StoreError(
            f"The store {store} refused: {found}. Nothing of this step was kept; check the server, the database's "
            f"name and your rights, {_ELSEWHERE}."
        )
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return damaged(store, found)
    if code == sqlite3.SQLITE_READONLY:
        return StoreError(
            f"The store {store} cannot be written: {found}. Make the file and its folder writable, {_ELSEWHERE}."
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreError(
            f"The store {store} cannot grow: {found}. What was stored before is intact, this step was not kept; "
            "free some space and repeat it."
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(
            f"The store {store} cannot be opened: {found}. Check that its folder exists and is writable, {_ELSEWHERE}."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"The store {store} is held by another process: {found} after 30 s. Wait for it to finish and repeat."
        )
    return StoreError(
        f"The store {store} failed: {found}. Nothing of this step was kept; see whether the disk is full or failing."
    )


def damaged(store: str, found: str) -> Damaged:
    return Damaged(
        f"The store {store} is damaged or no database: {found}. It was left as it is; put a copy in its place, or "
        "import exported lines into a new store (python -m results import)."
    )
