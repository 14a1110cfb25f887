"""What was counted of a network by the measure `operations`, and the figures that are made of it, each by its name.

All are for one sample of the test set and its whole sequence of T steps. A sum of which a part is unknown is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import fmean
from typing import TYPE_CHECKING

from .costs import Cost
from .counted import Runs
from .experiment import Experiment

if TYPE_CHECKING:
    from results import Store, StoredRun

    from .table import Cell

NAME = "operations"  # of the measure
PREFIX = "ops_"  # of its metrics, as in training.operations
KIND = "training"  # of the experiments whose networks can be counted

DEFINITIONS = {
    "parameters": "All learned numbers of the network, frozen ones and those that take no part among them.",
    "footprint": "Bytes of the parameters and buffers (NeuroBench): weights of zero count, the state does not.",
    "state": "Bytes that neurons and other layers with memory carry from step to step, for one sample.",
    "spikes": "Spikes of a neuron in a sample: the spikes of all spiking layers divided by their neurons.",
    "updates": "Membrane updates: the steps of all neurons, whether their state changed or not.",
    "dense": "Operations if every input and every weight were at work (NeuroBench's Dense): padding does not count.",
    "AC": "Effective accumulates: an input and a weight that are not zero, in layers all of whose inputs over the test "
    "set are -1, 0 or 1.",
    "MAC": "Effective multiply-accumulates: the same in all other layers. NeuroBench decides this call by call, here "
    "a layer is one or the other.",
    "SynOps": "SpikingJelly's SynOpCounter: in layers whose inputs are 0 or 1, an input that is 1 and a weight, "
    "weights of zero among them; other layers have none.",
    "shortcut": "The usual formula: in each layer the rate of its inputs times its textbook FLOPs (padding counts, "
    "zero weights count, all are accumulates); a first layer whose inputs are not binary has all its FLOPs, as "
    "multiply-accumulates.",
}


@dataclass(frozen=True)
class Layer:
    """What passed through one layer. Counts are of a sample.

    `place`: the order in which layers are called. Of the inputs `nnz` are not zero, `ones` are 1, `graded` neither -1
    nor 1; `rate` is the share of the first. `reached`: inputs that are not zero times the weights that they meet, zero
    or not. `textbook`: outputs times inputs of each, padding among them. `zeros`: the share of the weights that are 0.
    """

    name: str
    place: float | None = None
    nnz: float | None = None
    ones: float | None = None
    graded: float | None = None
    ac: float | None = None
    mac: float | None = None
    reached: float | None = None
    dense: float | None = None
    textbook: float | None = None
    rate: float | None = None
    zeros: float | None = None

    @property
    def synops(self) -> float | None:
        """SpikingJelly's count."""
        return self.reached if self.nnz is None or self.nnz == self.ones else 0.0

    @property
    def shortcut(self) -> float | None:
        """Rate of the inputs times FLOPs."""
        return None if self.textbook is None else (self.rate or 0.0) * self.textbook


@dataclass(frozen=True)
class Spiking:
    """A spiking layer: its neurons, and of a sample its spikes and the steps that its neurons took."""

    name: str
    neurons: float | None = None
    spikes: float | None = None
    updates: float | None = None


@dataclass(frozen=True)
class Pair:
    """Accumulates and multiply-accumulates."""

    ac: float
    mac: float

    @property
    def all(self) -> float:
        return self.ac + self.mac


@dataclass(frozen=True)
class Operations:
    """A network over `samples` samples of `T` steps; `layers` in the order in which they are called.

    `joules` were measured on the whole board, `idle` is what it takes at rest in the same time; None where they were
    not measured.
    """

    layers: tuple[Layer, ...]
    spiking: tuple[Spiking, ...]
    samples: float | None = None
    T: float | None = None
    parameters: float | None = None
    footprint: float | None = None
    state: float | None = None
    joules: float | None = None
    idle: float | None = None

    @property
    def counts(self) -> Pair | None:
        """The effective operations."""
        ac, mac = _sum(layer.ac for layer in self.layers), _sum(layer.mac for layer in self.layers)
        return None if ac is None or mac is None else Pair(ac, mac)

    @property
    def ac(self) -> float | None:
        return None if self.counts is None else self.counts.ac

    @property
    def mac(self) -> float | None:
        return None if self.counts is None else self.counts.mac

    @property
    def dense(self) -> float | None:
        return _sum(layer.dense for layer in self.layers)

    @property
    def synops(self) -> float | None:
        return _sum(layer.synops for layer in self.layers)

    @property
    def shortcut(self) -> Pair | None:
        """What the usual formula takes for the operations."""
        products = [layer.shortcut for layer in self.layers]
        first = self.layers[0] if self.layers else None
        real = first is not None and bool(first.graded)
        ac = _sum(products[1:] if real else products)
        mac = first.textbook if first is not None and real else 0.0
        return None if ac is None or mac is None else Pair(ac, mac)

    @property
    def updates(self) -> float | None:
        return _sum(layer.updates for layer in self.spiking)

    @property
    def spikes_per_neuron(self) -> float | None:
        spikes, neurons = (_sum(getattr(one, what) for one in self.spiking) for what in ("spikes", "neurons"))
        return None if spikes is None or not neurons else spikes / neurons

    def energy(self, cost: Cost) -> float | None:
        """Joules of the effective operations by a cost table."""
        return None if self.counts is None else cost.joules(self.counts.ac, self.counts.mac)

    def shortcut_energy(self, cost: Cost) -> float | None:
        """Joules by the usual formula and a cost table."""
        return None if self.shortcut is None else cost.joules(self.shortcut.ac, self.shortcut.mac)


def read(values: Mapping[str, float | None]) -> Operations | None:
    """What the metrics of a run say, by name; None where nothing was counted."""
    whole: dict[str, float | None] = {}
    by_layer: dict[type[Layer | Spiking], dict[str, dict[str, float | None]]] = {Layer: {}, Spiking: {}}
    for name, value in values.items():
        if not name.startswith(PREFIX):
            continue
        what, _, layer = name.removeprefix(PREFIX).partition("_")
        kind = next((kind for kind in by_layer if what in _names(kind)), None)
        if not layer and what in _names(Operations):
            whole[what] = value
        elif layer and kind is not None:
            by_layer[kind].setdefault(layer, {})[what] = value
    if not whole:
        return None
    layers = [Layer(name, **found) for name, found in by_layer[Layer].items()]
    layers.sort(key=lambda one: (one.place is None, one.place, one.name.endswith(".hh"), one.name))
    spiking = [Spiking(name, **found) for name, found in by_layer[Spiking].items()]
    return Operations(tuple(layers), tuple(spiking), **whole)


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _sum(values: Iterable[float | None]) -> float | None:
    found = list(values)
    return None if None in found else sum(filter(None, found), 0.0)


def counted(experiment: Experiment) -> Experiment:
    """The experiment whose run tells the operations of the network that `experiment` trains.

    A trained network is not kept, so that it is trained again, in the same way, as an experiment of its own: what is
    stored of `experiment` stays as it is. One that names the measure already is its own.
    """
    if NAME in experiment.measures:
        return experiment
    return replace(experiment, measures=(*experiment.measures, NAME), checks=())


@dataclass(frozen=True)
class Row:
    """The network behind a cell: the mean over its `runs`, one a seed. `stale` says why it is no longer current."""

    name: str
    operations: Operations
    runs: tuple[StoredRun, ...]
    stale: str

    @property
    def reasons(self) -> list[str]:
        """Why figures are unknown, as the runs say."""
        return list(dict.fromkeys(part for run in self.runs for part in run.reason.split("; ") if part))


def rows(store: Store, cells: Sequence[Cell]) -> list[Row]:
    """The networks behind `cells`, each once, as far as they were counted."""
    found: dict[str, Cell] = {}
    for cell in cells:
        if cell.experiment.kind == KIND:
            one = replace(cell, experiment=counted(cell.experiment))
            found.setdefault(one.experiment.key, one)
    if not found or not any(NAME in run.experiment.get("measures", ()) for run in store.runs()):
        return []  # which is so in most stores
    runs = Runs(store, list(found.values()), None)
    made = []
    for key, cell in found.items():
        of_cell = runs.of(cell)
        values = [{**dict.fromkeys(runs.unbounded[run.id]), **runs.finals[run.id]} for run in of_cell]
        operations = read(_mean(values))
        if operations is not None:
            name = " · ".join(filter(None, (cell.row, cell.data)))
            stale = next(filter(None, (runs.stale(key, run) for run in of_cell)), "")
            made.append(Row(name, operations, tuple(of_cell), stale))
    return made


def _mean(values: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of each value; None where one of them is."""
    found: dict[str, float | None] = {}
    for name in dict.fromkeys(name for one in values for name in one if name.startswith(PREFIX)):
        known = [value for one in values if (value := one.get(name)) is not None]
        found[name] = fmean(known) if len(known) == len(values) else None
    return found
