"""What bf16 costs and saves: networks of other tables, each trained in float32 and in bf16 with the same seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..first_spike.arms import ADLIF, CULIF, FS, Arm
from ..first_spike.behaviour import CORRECTED
from ..first_spike.table import accuracy_cells
from ..leaderboard.table import ONE
from ..leaderboard.table import cells as leaderboard_cells
from ..plif.tables import table_cells
from ..protocols import LAST
from ..psn.tables import sequential_cells
from ..table import Cell, Table

FLOAT32, BF16 = "float32", "bf16"
WHY = "no work has this table, so there is nothing to hold it against"


@dataclass(frozen=True)
class Network:
    """A network by its `name`: the training of a row and a column of another table, at the scales that have it."""

    name: str
    cells: Callable[[str], list[Cell]]
    row: str
    columns: tuple[str, ...]


NETWORKS = (
    Network("PLIF net", table_cells, "accuracy-A", ("MNIST", "N-MNIST")),
    Network("PSN net", sequential_cells, "PSN", ("CIFAR10",)),
    Network("budgeted LIF", leaderboard_cells, ONE, ("8x8 digits by column", "sequential MNIST")),
    Network("first spike, AdLIF", accuracy_cells, Arm(ADLIF, FS, CORRECTED).row, ("SHD",)),
    Network("first spike, recurrent", accuracy_cells, Arm(CULIF, FS, CORRECTED).row, ("SHD",)),
)


def cells(scale: str) -> list[Cell]:
    """The last epoch of each network in both precisions; the float32 trainings are those of the other tables."""
    found = []
    for network in NETWORKS:
        there = {cell.column: cell for cell in network.cells(scale) if cell.row == network.row}
        for column in network.columns:
            if column in there:
                found += [_cell(network, there[column], precision) for precision in (FLOAT32, BF16)]
    return found


def _cell(network: Network, like: Cell, precision: str) -> Cell:
    options = {name: given for name, given in like.experiment.scheme_options.items() if name != "precision"}
    if precision != FLOAT32:
        options["precision"] = precision
    made = replace(like.experiment, scheme_options=options)
    column = f"{network.name}: {like.column}"
    return Cell(precision, column, like.measure, made, (), LAST, WHY, stand_in=like.stand_in)


PRECISION = Table(
    "precision",
    "",
    "Training in bf16 against float32, with the same seeds: accuracy, speed and memory",
    cells,
    notes=(
        "No work has this table: nothing here is a published number, and it makes no claim of a work.",
        "In bf16 a training runs under autocast on parameters in float32; neurons compute in the type of their input, "
        "and the fused kernels keep their states in float32. Predictions are made in float32 in both.",
        "The values are those of the last epoch on the test set; nothing is chosen there.",
    ),
    paired=(FLOAT32, BF16),
)
