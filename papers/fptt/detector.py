"""The detector of the FPTT work (SPYv4): average precision of the detections that the authors stored."""

from __future__ import annotations

from dataclasses import replace

from tasks.voc import CLASSES

from ..experiment import Experiment
from ..measures import AVERAGE_PRECISION
from ..table import Cell, Source, Table
from . import departures

COLUMN = "AP at 0.5"
# The printed values are of another run of the same network, with other initial potentials. By how much two such runs
# differ is known from these two alone: 0.2 points at most in any class.
BETWEEN_RUNS = 0.2


def stored(scale: str) -> Experiment:
    """The evaluation of the stored detections."""
    return Experiment(
        kind="detections",
        task="voc2007_detections",
        model="",
        neuron="",
        scheme="",
        epochs=0,
        batch_size=0,
        scale=scale,
        seed=0,
        measures=(AVERAGE_PRECISION.name,),
    )


def cells(scale: str) -> list[Cell]:
    """Average precision of each class and their mean."""
    experiment = stored(scale)
    rows = [("mean", ""), *((name, str(number)) for number, name in enumerate(CLASSES))]
    return [
        Cell(
            row,
            COLUMN,
            # Nothing is left to chance in it; the interval that is shown, over pictures, is found by the run.
            replace(AVERAGE_PRECISION.once(part), interval="exact"),
            experiment,
            (Source("spyv4_summary", row, COLUMN, within=BETWEEN_RUNS), Source("spyv4_files", row, COLUMN)),
        )
        for row, part in rows
    ]


FPTT_YOLO = Table(
    "fptt_yolo",
    "fptt",
    "SPYv4, a spiking detector: average precision on VOC 2007",
    cells,
    (),
    notes=(
        "The printed values are of another run of the network than the stored detections, with other random initial "
        f"potentials. So a cell is reproduced where both agree within {BETWEEN_RUNS} points, which is as far as these "
        "two runs differ in any class: by how much further ones would is not known.",
        "The intervals are over pictures, by resampling them: what another test set of the same kind would give.",
    ),
    departures=(departures.STORED_DETECTIONS,),
)
