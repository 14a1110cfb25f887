"""Places in the file system as they are typed."""

import os

from results.errors import StoreError


def at_home(given: str) -> str:
    """The path with ~ or ~USER at its beginning replaced by a home folder, as a shell does where it sees it.

    StoreError where there is no such user, whose name would become that of a folder here.
    """
    path = os.path.expanduser(given)
    if path.startswith("~"):
        user = path.partition("/")[0]
        whose = f"no user {user[1:]}" if user[1:] else "no home folder"
        raise StoreError(f"{given} begins with {user}, but there is {whose}; write the path in full, or ./{given}.")
    return path
