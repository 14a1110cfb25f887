"""SPYv4 trained here (spec 4.6 and 8): by FPTT, by backpropagation through time, and not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models.fptt.neurons import NEURONS

from ..experiment import Experiment
from ..measures import AVERAGE_PRECISION
from ..protocols import LAST
from ..table import Cell, Source, Table
from . import claims, departures
from .classes import REPEATS
from .detector import COLUMN

Options = dict[str, Any]

DATA = "VOC 2007"
QUICK_EPOCHS, SHORT_EPOCHS, EPOCHS = 15, 2, 100
QUICK: Options = {
    "task": "shapes",
    "model_options": {"T": 4, "classes": 3, "divisor": 8},
    "epochs": QUICK_EPOCHS,
    "batch_size": 10,
}
WHOLE: Options = {"task": "voc2007", "epochs": EPOCHS, "batch_size": 16}
RATES = {"quick": 3e-3, "short": 1e-3, "paper": 1e-3}
# Over seeds: how AP varies over pictures is shown with the stored detections.
PRECISION = replace(AVERAGE_PRECISION, interval="student")
OURS = "data, optimiser, learning rate, batches and epochs are ours: the work's training script is missing"


def experiment(row: str, scale: str) -> Experiment:
    """The training with seed 0."""
    setting = QUICK if scale == "quick" else WHOLE
    trained = row != claims.DETECTOR_UNTRAINED
    options: Options = {
        "loss": {"name": "yolo"},
        "decision": {"name": "yolo"},
        "optimizer": {"name": "adam", "lr": RATES[scale] if trained else 0.0},
        "schedule": {"name": "constant"} if scale == "quick" else {"name": "once", "T_max": EPOCHS},
        "clip": 1.0,
    }
    epochs = SHORT_EPOCHS if scale == "short" else setting["epochs"]
    made = Experiment(
        model="fptt_spyv4",
        neuron=NEURONS["spyv4"][0],
        neuron_options=NEURONS["spyv4"][1],
        scheme="bptt",
        scheme_options=options,
        scale=scale,
        seed=0,
        measures=(AVERAGE_PRECISION.name, "firing_rates"),
        evaluation=REPEATS,
        **{**setting, "epochs": epochs if trained else 1},
    )
    if row == claims.DETECTOR_BPTT:
        return made
    online = {
        "weights": "one",
        "regulariser": {"alpha": 0.1, "beta": 0.5, "trace_alpha": 0.5},
        "average_every": 1,
    }
    return replace(made, scheme="fptt", scheme_options={**options, **online})


def cells(scale: str) -> list[Cell]:
    """Average precision after the last epoch, the mean over the classes."""
    quick = scale == "quick"
    why = "generated shapes in a network with an eighth of the channels stand in for VOC 2007" if quick else OURS
    return [
        Cell(
            row,
            DATA,
            PRECISION,
            experiment(row, scale),
            (Source("spyv4_summary", "mean", COLUMN),) if scale == "paper" and row == claims.DETECTOR_FPTT else (),
            LAST,
            why,
            stand_in="coloured shapes" if quick else "",
        )
        for row in (claims.DETECTOR_FPTT, claims.DETECTOR_BPTT, claims.DETECTOR_UNTRAINED)
    ]


FPTT_DETECTOR = Table(
    "fptt_detector",
    "fptt",
    "SPYv4 trained here: average precision at an overlap of 0.5",
    cells,
    (claims.C7_TRAINED,),
    (
        "Untrained is one epoch with a learning rate of 0: the weights stay, and the batch norms learn what comes in.",
        "Membrane potentials start at random, also when the network is tested: each evaluation is the mean of "
        f"{REPEATS['repeats']} passes with seeded starts.",
        "The page of a run shows the first pictures of the test set with the boxes that were found.",
    ),
    (departures.SHAPES, departures.RECIPE, departures.PIXELS),
)
