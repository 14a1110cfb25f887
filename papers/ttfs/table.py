"""The table of networks of single spikes."""

from __future__ import annotations

from ..table import Table
from . import claims, classes, config, convergence, departures

TTFS_TABLE = Table(
    "ttfs_table",
    "ttfs",
    "Networks of single spikes with a falling threshold, trained through their spike times",
    classes.cells,
    claims.ALL,
    (
        "No published accuracy was verified. The README of the code prints none; the tables of the paper could not be "
        "read, and two values that are recalled from them are shown with that mark and decide nothing.",
        "Normalised pixels fire before and after the window of the input, so that the network is no causal one: late "
        "inputs act in closed form before they come. Raw pixels fire within it.",
        "A neuron without any input spike fires at the very end of its window and is counted as firing.",
    ),
    departures.ALL,
    drawings=convergence.drawings,
    configured=config.asked,
)
