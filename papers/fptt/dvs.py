"""Event cameras (spec 4.4 and 4.5): DVS128 Gesture and CIFAR10-DVS, by network, scheme and number of frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from models.fptt.neurons import NEURONS

from ..measures import ACCURACY
from ..protocols import BEST, LAST
from ..table import Cell, Source, Table
from . import claims, departures
from .behaviour import CORRECTED
from .classes import ADAMAX, CONSTANT, QUICK_ADAMAX, RANDOM_START, RECALLED, Column, Row, experiment

Options = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A network of the work, its neuron in NEURONS, and its options; `small` ones at quick scale, in that column.

    `slips`: it has parameters that it never uses, and can do without.
    """

    model: str
    neuron: str
    options: Options
    small: Options
    quick: str
    slips: bool = False


CNN = Network(
    "fptt_gesture_conv",
    "gesture_conv",
    {"hidden": 512, "recurrent": False},
    {"hidden": 32, "recurrent": False, "side": 16, "channels": [8, "P", 16, "P"], "kernels": 3},
    quick=claims.CIFAR10_DVS,
    slips=True,
)
STREAMS = Network(
    "fptt_gesture",
    "gesture",
    {"hidden": 512, "deep": True},
    {"hidden": 32, "deep": False, "side": 16, "pooled": 1},
    quick=claims.GESTURE_20,
)
ALIF_STREAMS = Network(
    "fptt_gesture",
    "gesture_asrnn",
    {"hidden": 512, "deep": False, "pool": "max"},
    {"hidden": 32, "deep": False, "side": 16, "pooled": 1},
    quick=claims.GESTURE_20,
)
ROWS = (
    (CNN, Row(claims.CNN_FPTT, "fptt")),
    (CNN, Row(claims.CNN_CORRECTED, "fptt", behaviour=CORRECTED)),
    (CNN, Row(claims.CNN_ONLINE, "online")),
    (CNN, Row(claims.CNN_BPTT, "bptt")),
    (STREAMS, Row(claims.LTC_FPTT, "fptt")),
    (STREAMS, Row(claims.LTC_CORRECTED, "fptt", behaviour=CORRECTED)),
    (STREAMS, Row(claims.LTC_ONLINE, "online")),
    (STREAMS, Row(claims.LTC_BPTT, "bptt")),
    (ALIF_STREAMS, Row(claims.ALIF_FPTT, "fptt")),
    (ALIF_STREAMS, Row(claims.ALIF_BPTT, "bptt")),
)
NOT_QUICK = (claims.CNN_CORRECTED,)

COSINE: Options = {"name": "periodic", "T_max": 30}
SEGMENTS = "the authors' logs count 1,116 training samples of the 1,176, and which ones is not known"
UNRECORDED = "network, optimiser and split of the authors on CIFAR10-DVS are not recorded"


def _column(
    name: str, task: str, classes: int, T: int, epochs: int, batch: int, why: str, recalled: str = ""
) -> Column:
    frames = {"T": T, "split_by": "number"}
    network = {"T": T, "classes": classes}
    return Column(
        name, task, "", network, epochs, batch, ADAMAX, COSINE, frames, 10, recalled, why, classes=classes
    )  # fmt: skip


def _stand_in(name: str, task: str, classes: int, T: int, epochs: int, batch: int, data: str) -> Column:
    made = _column(name, task, classes, T, epochs, batch, f"{data} stand in for it in a small network, {epochs} epochs")
    return replace(made, optimizer=QUICK_ADAMAX, schedule=CONSTANT, uniform=2, data=f"{data}, {T} frames")


COLUMNS = (
    _column(claims.GESTURE_20, "dvs128gesture", 11, 20, 170, 16, SEGMENTS, "DVS128 Gesture"),
    _column(claims.GESTURE_100, "dvs128gesture", 11, 100, 100, 32, SEGMENTS),
    _column(claims.CIFAR10_DVS, "cifar10dvs", 10, 100, 50, 32, UNRECORDED, "CIFAR10-DVS"),
)
QUICK_COLUMNS = (
    _stand_in(claims.GESTURE_20, "motion_events", 4, 10, 12, 32, "bars and dots that move"),
    _stand_in(claims.CIFAR10_DVS, "digits_events", 10, 5, 8, 64, "digit events"),
)
LOGS = {  # the row of the log's summary, and its curve
    claims.GESTURE_20: ("T=20", "dvs_gesture_conv_T20"),
    claims.GESTURE_100: ("T=100", "dvs_gesture_conv_T100"),
}


def cells(scale: str) -> list[Cell]:
    """The best epoch, at the scales of the work, and the last one."""
    found = []
    for network, row in ROWS:
        for column in QUICK_COLUMNS if scale == "quick" else COLUMNS:
            if scale == "quick":
                if column.name == network.quick and row.name not in NOT_QUICK:
                    found += _cells(network, row, column, scale)
            elif network is CNN or column.name in LOGS:
                found += _cells(network, row, column, scale)
    return found


def _cells(network: Network, row: Row, column: Column, scale: str) -> list[Cell]:
    options = {**column.model_options, **(network.small if scale == "quick" else network.options)}
    column = replace(column, model=network.model, model_options=options)
    made = experiment(column, row, scale, NEURONS[network.neuron])
    if not network.slips:
        made = replace(made, model_options=options)
    logged, log = LOGS.get(column.name, ("", "")) if row.name == claims.CNN_FPTT and scale != "quick" else ("", "")
    best: tuple[Source, ...] = ()
    last: tuple[Source, ...] = ()
    if scale == "short" and log:
        best = last = (Source("curve", log, until=made.epochs),)
    elif scale == "paper" and row.name == claims.CNN_FPTT:
        if logged:
            best, last = (Source("gesture_logs", logged, "best"),), (Source("gesture_logs", logged, "last epoch"),)
        if column.recalled:
            best += (Source("paper_recalled", column.recalled, "FPTT"),)
    shown = ((LAST, last),) if scale == "quick" else ((BEST, best), (LAST, last))
    return [
        Cell(row.name, column.name, ACCURACY, made, sources, protocol, column.why, log, column.data)
        for protocol, sources in shown
    ]


FPTT_DVS = Table(
    "fptt_dvs",
    "fptt",
    "Event cameras: DVS128 Gesture and CIFAR10-DVS, FPTT against BPTT",
    cells,
    (claims.C5, claims.C9_OFFLINE, claims.C9_ONLINE),
    (
        RECALLED,
        RANDOM_START,
        "The logs of DVS128 Gesture are of one run each; the best epoch is chosen on the test set, of 288 samples.",
        "The cosine falls for 30 epochs and rises for 30 again: it was never stopped.",
    ),
    (
        departures.OWN_ROWS, departures.ALL_SEGMENTS, departures.STREAMS, departures.CIFAR10_DVS,
        departures.MEAN_OF_PASSES, departures.QUICK_EVENTS,
    ),
    like=("LTC, FPTT",),
)  # fmt: skip
