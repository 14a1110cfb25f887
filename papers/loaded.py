"""Tables by name, of which those of plug-ins are made to list their cells: what is wrong there costs them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.registry import PluginError

from .experiment import SCALES

if TYPE_CHECKING:
    from .table import Table


def load(name: str) -> Table:
    """The table. UnknownName for a name that none has, PluginError for one of a plug-in that cannot be used."""
    from . import registry

    point = registry.plugin(name)
    try:
        table: Table = registry.get(name)
        for scale in SCALES if point else ():
            table.cells(scale)
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        if point is None:
            raise
        raise PluginError(
            f"The table {name!r} comes from a plug-in, {point.value}, that cannot be used: "
            f"{type(error).__name__}: {error}. Mend the plug-in or uninstall it."
        ) from error
    return table
