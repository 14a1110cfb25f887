"""The tables of the first-spike work: accuracy, and how early and with how many spikes it is there."""

from __future__ import annotations

from ..table import Cell, Table
from . import claims, departures
from .arms import ARMS, OTHERS, STAND_IN, Arm, columns, experiment
from .protocols import READINGS, protocol

ACCURACIES = ("by first spike", "by rate")
LATENCIES = ("td50", "td90", "spikes per neuron")
WHY = f"{STAND_IN} and one narrow hidden layer stand in for the data of the work"
UNREAD = (
    "The tables of the work could not be read, and its release has neither models nor logs: no published value is "
    "known, and none is compared."
)


def _cells(arms: tuple[Arm, ...], readings: tuple[str, ...], scale: str) -> list[Cell]:
    quick = scale == "quick"
    return [
        Cell(
            arm.row,
            data.name,
            READINGS[reading][arm.coding],
            experiment(arm, data, scale),
            (),
            protocol(reading, arm.coding, scale),
            WHY if quick else "",
            stand_in=STAND_IN if quick else "",
        )
        for arm in arms
        for data in columns(scale)
        if arm.network in data.networks
        for reading in readings
    ]


def accuracy_cells(scale: str) -> list[Cell]:
    """Every network read both ways, whatever it was trained for."""
    return _cells((*ARMS, *OTHERS), ACCURACIES, scale)


def latency_cells(scale: str) -> list[Cell]:
    """Delays in the coding of the row; at quick scale also other settings of the output."""
    return _cells((*ARMS, *OTHERS, *(claims.SWEPT if scale == "quick" else ())), LATENCIES, scale)


SHARED = (
    departures.CLEARED, departures.FIXED_DECAYS, departures.EMPTY, departures.TIES, departures.COUNTS,
    departures.SCHEDULE, departures.WIDE_COUNTS, departures.TEN_GESTURES, departures.MANIFOLDS,
    departures.SPOKEN,
)  # fmt: skip
FS_TABLE = Table(
    "fs_table",
    "first_spike",
    "First-spike coding: accuracy of networks trained for first spikes (FS) and for rates (FR), read both ways",
    accuracy_cells,
    (claims.F5, claims.F8),
    (UNREAD, "Where no output neuron fires, the decision by first spike is the highest potential."),
    SHARED,
    like=("LIF, FS corrected", "PLIF, FS corrected"),  # at quick scale the second
)
FS_LATENCY = Table(
    "fs_latency",
    "first_spike",
    "First-spike coding: delays (steps) in the coding of the row, and spikes of a neuron in a sample",
    latency_cells,
    (claims.F6, claims.F7, claims.F9, claims.F10),
    (
        UNREAD,
        "A delay is the first step (from 0) at which the accuracy over time has come to half, or to 90 %, of its own "
        "maximum. Spikes are counted over the whole sequence, which does not end with the decision.",
    ),
    (*SHARED, departures.OWN_ROWS),
)
