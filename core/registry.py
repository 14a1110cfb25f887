"""Names for the things of the suite, without importing them."""

from __future__ import annotations

import difflib
import importlib
import warnings
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from . import plugins
from .errors import WRONG_USAGE, SpikebenchError
from .plugins import PluginWarning as PluginWarning  # who refuses names says so by it


class UnknownName(SpikebenchError, LookupError):
    """A name that no registry entry has; the message names the near ones."""

    exit_status = WRONG_USAGE

    def __str__(self) -> str:  # LookupError would print the repr
        return str(self.args[0])


class PluginError(SpikebenchError):
    """An installed plug-in that cannot be used; the message says which and why."""


def unknown(kind: str, name: object, known: Iterable[str]) -> UnknownName:
    """The error for an unknown `name` of a `kind` ("neuron", "table", ...), with what was probably meant."""
    known = list(known)
    spelled = {one.casefold(): one for one in reversed(known)}  # "mnist" means MNIST
    near = [spelled[one] for one in difflib.get_close_matches(str(name).casefold(), spelled, n=2)]
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return UnknownName(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known) or 'none'}.")


class Registry:
    """Maps names to objects given as lazy `"module:attribute"` strings.

    Listing imports nothing. Further entries come from installed packages through the entry point group `group` and from
    single files (core.plugins). A name that exists already is refused with a PluginWarning, so that a plug-in never
    replaces a reference implementation; of two plug-ins with one name the first in the order of their values counts,
    on every machine.
    """

    def __init__(self, kind: str, entries: Mapping[str, str], group: str | None = None) -> None:
        self.kind = kind
        self._group = group
        self._entries = dict(entries)
        self._plugins: dict[str, metadata.EntryPoint] | None = None

    def names(self) -> list[str]:
        """All names, the suite's own first."""
        return list(self._all())

    def plugin(self, name: str) -> metadata.EntryPoint | None:
        """The entry point that brings `name`; None for one of the suite's own. Raises UnknownName."""
        self._entry(name)
        return (self._plugins or {}).get(name)

    def module(self, name: str) -> str:
        """Dotted name of the module that defines `name`, without importing it."""
        return self._entry(name).partition(":")[0]

    def get(self, name: str) -> Any:
        """The object called `name`; raises UnknownName, and PluginError for a plug-in that cannot be loaded."""
        entry = self._entry(name)
        module, _, attribute = entry.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:  # a module that ends the program ends itself alone
            if name in self._entries:
                raise
            raise PluginError(
                f"The {self.kind} {name!r} comes from a plug-in, {entry}, that cannot be loaded: "
                f"{type(error).__name__}: {error}. Mend the plug-in or uninstall it."
            ) from error

    def _entry(self, name: str) -> str:
        entries = self._all()
        if name not in entries:
            raise unknown(self.kind, name, entries)
        return entries[name]

    def _all(self) -> dict[str, str]:
        if self._plugins is None:
            found = [*metadata.entry_points(group=self._group), *plugins.points(self._group)] if self._group else []
            self._plugins, refused = {}, []
            for point in sorted(found, key=lambda point: (point.name, point.value)):
                taken = self._entries.get(point.name) or self._plugins.setdefault(point.name, point).value
                if taken != point.value:
                    refused.append(
                        f"The {self.kind} {point.name!r} of the plug-in {point.value} is refused, for {taken} has that "
                        "name already. Rename it there or uninstall the plug-in."
                    )
            for sentence in refused:
                warnings.warn(sentence, PluginWarning, stacklevel=4)
        return {**self._entries, **{name: point.value for name, point in self._plugins.items()}}
