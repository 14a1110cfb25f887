"""Names for the things of the suite, without importing them."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any


class UnknownName(LookupError):
    """A name that no registry entry has; the message names the near ones."""

    def __str__(self) -> str:  # LookupError would print the repr
        return str(self.args[0])


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for an unknown `name` of a `kind` ("neuron", "table", ...), with what was probably meant."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=2)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return UnknownName(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known) or 'none'}.")


class Registry:
    """Maps names to objects given as lazy `"module:attribute"` strings.

    Listing imports nothing. Further entries come from installed packages through the entry point group `group`;
    a name that exists already is refused, so that a plug-in never replaces a reference implementation silently.
    """

    def __init__(self, kind: str, entries: Mapping[str, str], group: str | None = None) -> None:
        self.kind = kind
        self._group = group
        self._entries = dict(entries)
        self._plugins: dict[str, str] | None = None

    def names(self) -> list[str]:
        """All names, the suite's own first."""
        return list(self._all())

    def module(self, name: str) -> str:
        """Dotted name of the module that defines `name`, without importing it."""
        return self._entry(name).partition(":")[0]

    def get(self, name: str) -> Any:
        """The object called `name`; raises UnknownName."""
        module, _, attribute = self._entry(name).partition(":")
        return getattr(importlib.import_module(module), attribute)

    def _entry(self, name: str) -> str:
        entries = self._all()
        if name not in entries:
            raise unknown(self.kind, name, entries)
        return entries[name]

    def _all(self) -> dict[str, str]:
        if self._plugins is None:
            found = metadata.entry_points(group=self._group) if self._group else ()
            self._plugins = {}
            for point in found:
                if point.name in self._entries or point.name in self._plugins:
                    raise ValueError(f"{self.kind} {point.name!r} of {point.value} exists already; choose another name")
                self._plugins[point.name] = point.value
        return {**self._entries, **self._plugins}
