"""What must never be written over: a store, and the files that SQLite keeps beside it."""

import os
from contextlib import suppress
from pathlib import Path

from results.errors import StoreError

BESIDE = ("-wal", "-shm", "-journal")  # how the names of files end that SQLite keeps beside a database
DATABASE = b"SQLite format 3\0"  # how a database begins
_BEGINNINGS = (
    DATABASE,
    b"\x37\x7f\x06\x82",  # a log, in either order of bytes
    b"\x37\x7f\x06\x83",
    (3007000).to_bytes(4, "little"),  # the index of a log, in the machine's order
    (3007000).to_bytes(4, "big"),
    bytes.fromhex("d9d505f920a163d7"),  # a rollback journal
)


def is_database(path: Path) -> bool:
    """Whether the file begins as an SQLite database, by whatever name it is reached."""
    return _beginning(path).startswith(DATABASE)


def belongs_to_a_store(path: Path) -> bool:
    """Whether `path` is a database of SQLite or belongs to one, so that nothing else may be written there.

    What the file holds decides, which neither links nor another spelling of the path can hide; the place of a log that
    is not there at the moment is known by its name.
    """
    return _beginning(path).startswith(_BEGINNINGS) or _is_beside_a_database(path)


def require_no_store(path: Path) -> None:
    """StoreError if `path` belongs to a store."""
    if belongs_to_a_store(path):
        raise StoreError(
            f"{path} is a database or belongs to one, and is never written over. It was left as it is; "
            "name another file."
        )


def _is_beside_a_database(path: Path) -> bool:
    """Whether the file, if it is there or not, has the name of one that SQLite keeps beside a database."""
    for name in {os.path.abspath(path), os.path.realpath(path)}:
        for ending in BESIDE:
            if name.endswith(ending) and is_database(Path(name.removesuffix(ending))):
                return True
    return False


def _beginning(path: Path) -> bytes:
    with suppress(OSError):
        if path.is_file():  # a pipe would be emptied, or waited for
            with path.open("rb") as file:
                return file.read(16)
    return b""
