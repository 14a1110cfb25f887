"""Pages of an earlier build that show the same: of a thousand runs, one is new."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from core.imports import ROOT

MADE_BY = ("core", "papers", "reports", "results")  # rooms whose code is behind a page
CODE = (".py", ".html", ".css", ".js", ".toml")  # costs of operations are data in a .toml
DRAWN_BY = ("jinja2", "markupsafe", "matplotlib")


class Kept:
    """Made with the `keys` of the earlier build in `folder`, by file; has those of this one, from what it shows and its
    bytes."""

    def __init__(self, folder: Path, keys: Mapping[str, str]) -> None:
        self._folder, self._earlier = folder, keys
        self.keys: dict[str, str] = {}
        self._shows: dict[str, str] = {}

    def stays(self, name: str, shows: object) -> bool:
        """Whether the earlier page still says what it must: all that follows from `shows`, of which the `repr` tells
        all."""
        showed = self._shows[name] = _sha(f"{_code()} {shows!r}".encode())
        key = self._earlier.get(name, "")
        before, _, digest = key.partition(" ")  # of what it showed, and of its bytes: somebody may have changed it
        same = before == showed and _sha((self._folder / name).read_bytes()) == digest
        if same:
            self.keys[name] = key
        return same

    def made(self, name: str, text: str) -> str:
        """The `text` of a page that does not stay."""
        self.keys[name] = f"{self._shows[name]} {_sha(text.encode())}"
        return text


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


@functools.cache
def _code() -> str:
    """A digest of all that makes pages of values."""
    files = sorted(path for room in MADE_BY for path in Path(ROOT, room).rglob("*") if path.suffix != ".pyc")
    contents = (path.read_bytes() for path in files if path.is_file() and path.suffix in CODE)
    return _sha(b"".join(contents) + " ".join(map(version, DRAWN_BY)).encode())
