"""python -P hdf5_child.py FILE SECONDS BYTES: reads an HDF5 file for `tasks.hdf5`, in a process that may fall.

In a damaged file the HDF5 library may find no end, use memory that is not its own, or ask for any amount of it. Here
each answer may take SECONDS of the processor, so that a slow disk is no fault, and the process BYTES of memory.

Standard input is a socket. What comes are pairs of what is asked and a name, what goes are pairs of a problem in words,
or None, and what was found, all of them as pickles; the first answer is to the opening of the file. Standard output is
left to what others print, as a start of Python may. Imports nothing of this project.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

Answer = tuple[str | None, Any]

TIGHTEST = 1032  # times that deflate, the strongest of the filters in HDF5, makes zeros smaller


def main(path: str, seconds: int, memory: int) -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)  # the parent may ignore it
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_DATA, memory)
    with open(0, "rb") as requests, open(os.dup(0), "wb") as answers:
        for answer in _answers(path, requests, seconds):
            pickle.dump(answer, answers, protocol=5)
            answers.flush()
            del answer  # else there would be two at a time


def _answers(path: str, requests: IO[bytes], seconds: int) -> Iterator[Answer]:
    import h5py

    _limit(resource.RLIMIT_CPU, _used() + seconds)
    try:
        file = h5py.File(path, "r", locking=False)
    except Exception as problem:
        yield f"it cannot be opened as HDF5 ({problem})", None
        return
    yield None, None
    with suppress(EOFError):
        while True:
            asked, name = pickle.load(requests)
            _limit(resource.RLIMIT_CPU, _used() + seconds)
            yield _found(file, asked, name)


def _found(file: Any, asked: str, name: str) -> Answer:
    try:
        return None, _count(file, name) if asked == "count" else _read(file, name)
    except _Damage as problem:
        return str(problem), None
    except Exception as problem:  # h5py has no kind of its own for what is damaged
        return f"it cannot be read ({type(problem).__name__}: {problem})", None


class _Damage(Exception):
    """What is wrong, in words."""


def _count(file: Any, name: str) -> int:
    """How many entries the group `name` has; 0 where there is none."""
    return len(file.get(name, ()))


def _read(file: Any, name: str) -> Any:
    """The array `name`."""
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise _Damage("there is no such data set")
    if not _portable(found.dtype):
        raise _Damage(f"it has values of the type {found.dtype}, which belong to the file")
    stored = found.id.get_storage_size()
    if found.nbytes > TIGHTEST * stored:
        raise _Damage(f"{stored} bytes of it are stored, too few for {found.size} values")
    return found[()]


def _portable(dtype: Any) -> bool:
    """Whether values of it mean anything outside the file, unlike its references."""
    import h5py

    if h5py.check_string_dtype(dtype) is not None:
        return True
    if (of_each := h5py.check_vlen_dtype(dtype)) is not None:
        return _portable(of_each)
    if dtype.subdtype is not None:
        return _portable(dtype.subdtype[0])
    if dtype.fields is not None:
        return all(_portable(of_field) for of_field, *_ in dtype.fields.values())
    return not dtype.hasobject


def _used() -> int:
    """Whole seconds of the processor so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int(usage.ru_utime + usage.ru_stime)


def _limit(what: int, value: int) -> None:
    """Limits what this process may use to `value`, or to less where it was limited to less from outside."""
    _, most = resource.getrlimit(what)
    resource.setrlimit(what, (value if most == resource.RLIM_INFINITY else min(value, most), most))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
