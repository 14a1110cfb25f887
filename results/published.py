"""The published values of the papers: read from published/PAPER.toml and kept in a store.

A file names its `paper` and holds tables, each with id, caption, source, provenance (results.run.PROVENANCES) and
perhaps a note. A table is made of blocks; all numbers of a block share protocol and unit:

    [[table]]
    id = "table1"
    caption = "..."
    source = "..."
    provenance = "reported"
    [[table.block]]
    protocol = "A"
    unit = "%"
    decimals = 2
    columns = ["MNIST", "CIFAR-10"]
    rows = [["PLIF 2 max", 99.72, 93.5], ["LIF 16 max", 99.49, ""]]

The first entry of a row is its label; "" is a cell without a number. `decimals` are the digits that the source prints
behind the point; without it they are those written here, number by number. [curves] describes the file PAPER.curves.csv
beside it, with the columns run, epoch and one per metric; its numbers become the table "curve" with row = run, column =
metric, step = epoch, and protocol A or B where the run's name begins so ("A-..."). `units` there gives the unit of each
metric, by its name without a final number (tau for tau_0, tau_1 ...).
"""

import csv
import functools
import hashlib
import math
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from results.errors import StoreError
from results.run import PROVENANCES, Published
from results.store import Store
from results.units import UNITS

FOLDER = Path(__file__).parent / "published"
CURVES = "curve"  # the table of all training curves of a paper


def sync(store: Store, folder: Path = FOLDER, others: Iterable[Path] = ()) -> list[str]:
    """Bring the store's published values up to date and return the papers that were loaded.

    `others` are files of plug-ins. Compares one digest per paper, so calling it when nothing changed costs
    milliseconds. StoreError if a file does not follow the format above, or has the name of one of ours.
    """
    known = store.published_digests()
    loaded = []
    ours = sorted(folder.glob("*.toml"))
    for path in (*ours, *others):
        if path not in ours and path.stem in {own.stem for own in ours}:
            raise StoreError(f"The published values {path} have the name of a work of the suite. Rename the file.")
        content = path.read_bytes()
        digest = hashlib.sha256(content)
        curves = path.with_name(f"{path.stem}.curves.csv")
        if curves.exists():
            digest.update(curves.read_bytes())
        if known.get(path.stem) != digest.hexdigest():
            tables, values = load(path)
            store.replace_published(path.stem, digest.hexdigest(), tables, values)
            loaded.append(path.stem)
    return loaded


def load(path: Path) -> tuple[list[dict[str, str]], list[Published]]:
    """Tables (table, caption, source, provenance, note) and values of one paper's file, in the order of the file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        if document["paper"] != path.stem:
            raise ValueError(f"it says paper = {document['paper']!r}")
        tables, values = [], []
        for table in document.get("table", []):
            tables.append(_described(table, table["id"]))
            values += list(_cells(document["paper"], table))
        if curves := document.get("curves"):
            tables.append(_described(curves, CURVES))
            values += list(_curves(document["paper"], curves, path.with_name(f"{path.stem}.curves.csv")))
        _require_unique(values)
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        found = f"{error} is missing" if isinstance(error, KeyError) else error
        raise StoreError(f"The published values {path} cannot be read: {found}. See results/published.py.") from error
    return tables, values


@functools.cache
def number(paper: str, table: str, row: str, column: str) -> float:
    """One number out of a table of a paper's file, without a store. StoreError where it is not there."""
    path = FOLDER / f"{paper}.toml"
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    for block in (block for found in document["table"] if found["id"] == table for block in found["block"]):
        for label, *cells in block["rows"] if column in block["columns"] else ():
            if label == row:
                return float(cells[block["columns"].index(column)])
    raise StoreError(f"{path.name} has no number in table {table!r}, row {row!r}, column {column!r}.")


def _described(table: dict[str, Any], name: str) -> dict[str, str]:
    if table["provenance"] not in PROVENANCES:
        raise ValueError(f"table {name}: provenance {table['provenance']!r} is none of {', '.join(PROVENANCES)}")
    return {"table": name, **{key: table.get(key, "") for key in ("caption", "source", "provenance", "note")}}


def _cells(paper: str, table: dict[str, Any]) -> Iterator[Published]:
    for block in table["block"]:
        for label, *cells in block["rows"]:
            if len(cells) != len(block["columns"]):
                raise ValueError(
                    f"table {table['id']}, row {label!r}: {len(cells)} cells, {len(block['columns'])} columns"
                )
            for column, cell in zip(block["columns"], cells, strict=True):
                if cell == "":
                    continue
                where = f"table {table['id']}, row {label!r}, column {column!r}"
                number = _number(cell, where)
                decimals = block.get("decimals", _decimals(cell))
                protocol, unit = block["protocol"], block["unit"]
                _require_unit(unit, where)
                if protocol not in ("A", "B", ""):
                    raise ValueError(f'{where}: protocol {protocol!r} is none of "A", "B", ""')
                place = paper, table["id"], label, column, protocol, None
                yield Published(*place, number, unit, table["source"], table["provenance"], decimals)


def _curves(paper: str, curves: dict[str, Any], path: Path) -> Iterator[Published]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        _, _, *metrics = next(lines)
        units = [curves["units"][metric.rstrip("0123456789").rstrip("_")] for metric in metrics]
        for unit in units:
            _require_unit(unit, path.name)
        source, provenance = curves["source"], curves["provenance"]
        for run, epoch, *cells in lines:
            protocol = run[0] if run.startswith(("A-", "B-")) else ""
            for metric, unit, cell in zip(metrics, units, cells, strict=True):
                if cell:
                    value, step = float(cell), int(epoch)
                    if not math.isfinite(value):
                        raise ValueError(f"{path.name}, line {lines.line_num}, {metric}: {value!r} is no number")
                    yield Published(paper, CURVES, run, metric, protocol, step, value, unit, source, provenance)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        found = str(value).lower() if isinstance(value, Decimal) else repr(value)
        raise ValueError(f'{where}: {found} is no number; write "" where there is none')
    return float(value)


def _decimals(value: int | Decimal) -> int:
    """Digits behind the point as the file writes them."""
    return max(0, -int(Decimal(value).as_tuple().exponent))


def _require_unit(unit: str, where: str) -> None:
    if unit not in UNITS:
        raise ValueError(f"{where}: unknown unit {unit!r}, known are {', '.join(UNITS)}")


def _require_unique(values: list[Published]) -> None:
    seen = set()
    for value in values:
        key = (value.table, value.row, value.column, value.protocol, value.step)
        if key in seen:
            raise ValueError(f"table {value.table} gives row {value.row!r}, column {value.column!r} twice")
        seen.add(key)
