"""JSON configuration files of the released code, read as they are (T2FSNN spec, section 8).

The released command takes data set and network beside the file; here they are the columns and rows of the table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from reprlib import repr as short
from typing import Any

from core.errors import UsageError
from core.registry import unknown

from ..measures import ACCURACY
from ..protocols import LAST
from ..table import Cell, Table
from . import classes
from .protocols import stopped


@dataclass(frozen=True)
class Field:
    """A field of the file: `kind` is what JSON calls its values, `fits` refuses some; no `default`: it is required."""

    kind: type
    says: str
    fits: Callable[[Any], bool]
    default: Any = None


LARGEST = sys.float_info.max
MOST = 10**9  # of what is counted; beyond it the numbers of a machine end
WHOLE: tuple[type, str, Callable[[Any], bool]] = (
    int,
    f"a whole number from 1 to {MOST:,}",
    lambda value: 1 <= value <= MOST,
)
POSITIVE: tuple[type, str, Callable[[Any], bool]] = (float, "a positive number", lambda value: 0 < value <= LARGEST)
FLAG: tuple[type, str, Callable[[Any], bool]] = (bool, "true or false", lambda value: True)
FIELDS = {
    "epochs": Field(*WHOLE),
    "batch_size": Field(*WHOLE),
    "lr": Field(*POSITIVE, 1e-4),
    "annealing": Field(*POSITIVE, 1.0),
    "w_decay": Field(float, "a number, at least 0", lambda value: 0 <= value <= LARGEST, 0.0),
    "grad_clip": Field(*POSITIVE, 1.0),
    "use_adam": Field(*FLAG, True),
    "early_stopping": Field(*WHOLE, 25),
    "w_ei": Field(*FLAG, False),
}


def read(path: Path) -> dict[str, Any]:
    """All fields of the file, those that it leaves out at the released defaults.

    UsageError for what is no such file; UnknownName for fields that there are not, which the released code ignores.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"The configuration {path} cannot be read: {error}. Give a JSON file of the work.") from None
    if not isinstance(found, dict):
        raise UsageError(f"The configuration {path} holds a {type(found).__name__}; one of the work holds an object.")
    for name in found:
        if name not in FIELDS:
            raise unknown("field of the configuration", name, FIELDS)
    return {name: _value(path, name, field, found) for name, field in FIELDS.items()}


def _value(path: Path, name: str, field: Field, found: dict[str, Any]) -> Any:
    if name not in found:
        if field.default is None:
            raise UsageError(f"The configuration {path} has no {name!r}, which the work requires: {field.says}.")
        return field.default
    value = found[name]
    kinds = (int, float) if field.kind is float else (field.kind,)
    right = isinstance(value, kinds) and isinstance(value, bool) == (field.kind is bool)
    if not right or not field.fits(value):
        raise UsageError(f"The field {name!r} of the configuration {path} is {field.says}, got {short(value)}.")
    return field.kind(value)


def asked(table: Table, path: Path) -> Table:
    """The `table` with the rows that the file asks for: its training of the work's networks, and at quick scale of the
    small one on digits, where nothing is held out for its early stopping."""
    values = read(path)
    names = {"vgg7": f"VGG7, {path.name}", "vgg11": f"VGG11, {path.name}"}

    def cells(scale: str) -> list[Cell]:
        if scale == "quick":
            stand_in = "8x8 digits in a narrow network stand in for MNIST; nothing is held out to stop early by"
            why = f"{stand_in}; {classes.UNVERIFIED}"
            return [
                Cell(path.name, column, ACCURACY, _asked(values, path.name, None, raw=raw, scale=scale), (), LAST,
                     why, stand_in="8x8 digits")
                for column, raw in (("MNIST, raw", True), ("MNIST, normalised", False))
            ]  # fmt: skip
        protocol = stopped(values["early_stopping"])
        return [
            Cell(names[network], column.name, ACCURACY,
                 _asked(values, names[network], column, network=network, scale=scale), (), protocol, classes.UNVERIFIED)
            for network in names
            for column in classes.COLUMNS
        ]  # fmt: skip

    title = f"{table.title}, as {path.name} has it"
    return replace(table, title=title, cells=cells, claims=(), drawings=None)


def _asked(
    values: dict[str, Any],
    name: str,
    column: classes.Column | None,
    *,
    scale: str,
    network: str | None = None,
    raw: bool = False,
) -> Any:
    options: dict[str, Any] = {"numerics": "released", "clip": values["grad_clip"]}
    if values["w_ei"]:
        options["fixed_signs"] = True
    if network:
        options["architecture"] = network
    row = classes.Row(name, options, order=True)
    made = classes.quick(row, not raw) if column is None else classes.published(row, column, scale)
    scheme: dict[str, Any] = {
        "optimizer": {
            "name": "adam_then_decay" if values["use_adam"] else "sgd_then_decay",
            "lr": values["lr"],
            "weight_decay": values["w_decay"],
        },
        "schedule": {"name": "exponential", "factor": values["annealing"]},
    }
    if values["w_ei"]:
        scheme["constraint"] = {"name": "fixed_signs"}
    return replace(made, epochs=values["epochs"], batch_size=values["batch_size"], scheme_options=scheme)
