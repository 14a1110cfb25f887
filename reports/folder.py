"""The site's folder: writes what is new, removes what an earlier build left over, touches nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from results.spare import belongs_to_a_store, require_no_store

from .errors import ReportError

MANIFEST = "files.txt"  # the site's own files, one a line, with the key of those that may be kept (reports.kept)

_KEYED = re.compile(r"(.*?)(?: ([0-9a-f]{20} [0-9a-f]{20}))?")


def write(folder: Path, files: Mapping[str, str | None], keys: Mapping[str, str], before: Iterable[str]) -> None:
    """Make the site in `folder` consist of `files` (text by relative path, None for one that is there and stays) and
    remember the `keys` of some; `before` are those of the `earlier` build.

    ReportError if it cannot be written, StoreError, and nothing is written, where a store lies in the place of one.
    """
    for name in (MANIFEST, *(name for name, text in files.items() if text is not None)):
        require_no_store(folder / name)
    try:
        stale = sorted(set(before) - set(files))
        # Listed before they are written: a build cut short leaves no file that the next one does not know.
        _put(folder / MANIFEST, _listed([*files, *stale], {}))
        for name, text in files.items():
            if text is not None:
                _put(folder / name, text)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
            if (folder / name).parent != folder and not any((folder / name).parent.iterdir()):
                (folder / name).parent.rmdir()
        _put(folder / MANIFEST, _listed(files, keys))
    except OSError as error:
        raise ReportError(
            f"The report cannot be written to {folder}: {error.strerror} ({error.filename}). "
            "Free the place or name another folder with --out."
        ) from error


def named(name: str) -> str:
    """A part of a file name for any name that a store may hold, distinct for distinct names."""
    return re.sub(r"[^a-z0-9_]", lambda match: f"-{ord(match[0]):x}", name)


def earlier(folder: Path) -> dict[str, str]:
    """The files of the last build that are still plain files inside `folder`, with their keys ("" for none)."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return {}
    lines = manifest.read_text(encoding="utf-8", errors="replace").splitlines()
    found = {parts[1]: parts[2] or "" for line in lines if (parts := _KEYED.fullmatch(line))}
    return {name: key for name, key in found.items() if _inside(name) and _is_ours(folder / name)}


def _listed(names: Iterable[str], keys: Mapping[str, str]) -> str:
    return "".join(f"{name} {keys[name]}\n" if name in keys else f"{name}\n" for name in sorted(names))


def _is_ours(path: Path) -> bool:
    return path.is_file() and not belongs_to_a_store(path)


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return 0 < len(path.parts) <= 2 and not path.is_absolute() and ".." not in path.parts


def _put(path: Path, text: str) -> None:
    content = text.encode()
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
