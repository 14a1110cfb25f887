"""How a measurement of speed or memory stands in the store: its document and the names of its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results import StoredRun

KIND = "kernel"  # of the experiment documents
KEYS = frozenset(
    ["kind", "what", "neuron", "options", "contender", "differs", "base", "size", "dtype", "threads", "allocator"]
)  # of every such document
DIRECTIONS = ("forward", "training")  # without gradients; forward and backward through autograd
HOST = "_host"  # after a direction: not how long the device computed, but how long the host was busy with the call


def is_measurement(run: StoredRun) -> bool:
    """Whether a run is such a measurement, as this version writes them."""
    return run.experiment.get("kind") == KIND and set(run.experiment) >= KEYS
