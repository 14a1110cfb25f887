"""Classes from sequences of pixels or rows (spec 4.2), and what other tables of classes share with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.fptt.neurons import NEURONS

from ..experiment import Experiment
from ..measures import ACCURACY
from ..protocols import BEST, LAST, Protocol
from ..table import Cell, Source, Table
from . import claims, departures
from .behaviour import CLASSES, CORRECTED, RELEASED

Options = dict[str, Any]

REPEATS = {"repeats": 3}  # evaluations, each from other random potentials
PERMUTATION = 1  # the seed of the order of pixels; the work's is not recorded
SHORT_EPOCHS = 4
QUICK_EPOCHS = 20

# No released network for these tasks has ALIF neurons: those of the event networks, with the starts of this one.
ALIF = ("alif", {"shape": "channels", "v_threshold": 0.1, "v_start": 1.0, "b_start": 0.1})


@dataclass(frozen=True)
class Column:
    """A data set and its network; `why` it must not be compared, `data` what stands in at quick scale.

    `uniform` epochs have a uniform auxiliary distribution, over `classes`; `recalled` is the row of a recollection of
    the paper.
    """

    name: str
    task: str
    model: str
    model_options: Options
    epochs: int
    batch_size: int
    optimizer: Options
    schedule: Options
    task_options: Options
    uniform: int = 0
    recalled: str = ""
    why: str = ""
    data: str = ""
    classes: int = 10


@dataclass(frozen=True)
class Row:
    """A neuron, by the network of the work or given, and how it learns: "fptt", "online" or "bptt"."""

    name: str
    scheme: str
    neuron: tuple[str, Options] | None = None
    behaviour: str = RELEASED


ROWS = (
    Row(claims.LTC_FPTT, "fptt"),
    Row(claims.LTC_CORRECTED, "fptt", behaviour=CORRECTED),
    Row(claims.LTC_ONLINE, "online"),
    Row(claims.LTC_BPTT, "bptt"),
    Row(claims.ALIF_FPTT, "fptt", ALIF),
    Row(claims.ALIF_BPTT, "bptt", ALIF),
)
MAIN = {  # the rows of the longer columns at quick scale
    "S-MNIST": (claims.LTC_FPTT, claims.LTC_BPTT, claims.ALIF_FPTT),
    "PS-MNIST": (claims.LTC_FPTT, claims.LTC_BPTT),
}


def learning(column: Column, row: Row) -> tuple[str, Options]:
    """The training scheme and its options; FPTT has an update after each step."""
    options: Options = {
        "loss": {"name": "last_cross_entropy"},
        "decision": {"name": "last"},
        "optimizer": column.optimizer,
        "schedule": column.schedule,
        "clip": 1.0,
    }
    if row.scheme == "bptt":
        return "bptt", options
    slips = CLASSES[row.behaviour]
    options["auxiliary"] = {**slips["auxiliary"], "classes": column.classes, "uniform": column.uniform}
    if row.scheme == "fptt":
        options |= {"regulariser": {"alpha": 0.1, "beta": 0.5}, "average_every": 1, "forget": slips["forget"]}
    return "fptt", options


def experiment(column: Column, row: Row, scale: str, neuron: tuple[str, Options]) -> Experiment:
    """The training with seed 0."""
    name, own = row.neuron or neuron
    scheme, options = learning(column, row)
    return Experiment(
        task=column.task,
        task_options=column.task_options,
        model=column.model,
        model_options={**column.model_options, "released": row.behaviour == RELEASED},
        neuron=name,
        neuron_options=own,
        scheme=scheme,
        scheme_options=options,
        epochs=SHORT_EPOCHS if scale == "short" else column.epochs,
        batch_size=column.batch_size,
        scale=scale,
        seed=0,
        evaluation=REPEATS,
    )


ADAMAX: Options = {"name": "adamax", "lr": 3e-3}
QUICK_ADAMAX: Options = {"name": "adamax", "lr": 1e-2}
STEPS: Options = {"name": "milestones", "at": [10, 30, 50, 75, 90], "factor": 0.1}
CONSTANT: Options = {"name": "constant"}


def _sequence(name: str, order: str, permutation: int | None = None, recalled: str = "") -> Column:
    options: Options = {} if permutation is None else {"permutation": permutation}
    network = {"layers": 2, "hidden": 256, "order": order}
    return Column(name, "plain_mnist", "fptt_sequential", network, 250, 512, ADAMAX, STEPS, options, recalled=recalled)


def _digits(name: str, order: str, permutation: int | None = None) -> Column:
    options: Options = {} if permutation is None else {"permutation": permutation}
    network = {"layers": 1, "hidden": 64, "order": order, "side": 8}
    steps = {"pixels": 64, "rows": 8}[order]
    data = f"8x8 digits, {steps} steps{', permuted' * (permutation is not None)}"
    why = f"8x8 digits ({steps} steps) and one layer of 64 neurons stand in for MNIST, {QUICK_EPOCHS} epochs"
    return Column(
        name,
        "plain_digits",
        "fptt_sequential",
        network,
        QUICK_EPOCHS,
        128,
        QUICK_ADAMAX,
        CONSTANT,
        options,
        why=why,
        data=data,
    )


SEQUENCES = (
    _sequence("S-MNIST", "pixels", recalled="S-MNIST"),
    _sequence("PS-MNIST", "pixels", PERMUTATION, recalled="PS-MNIST"),
    _sequence("R-MNIST", "rows"),
)
QUICK_SEQUENCES = (
    _digits("S-MNIST", "pixels"),
    _digits("PS-MNIST", "pixels", PERMUTATION),
    _digits("R-MNIST", "rows"),
)


def sequential_cells(scale: str) -> list[Cell]:
    """Accuracy after the last epoch and, at the scales of the work, of the best one."""
    found = []
    for row in ROWS:
        for column in QUICK_SEQUENCES if scale == "quick" else SEQUENCES:
            if scale == "quick" and row.name not in MAIN.get(column.name, (row.name,)):
                continue
            found += cells_of(column, row, scale, NEURONS["sequential"])
    return found


def cells_of(column: Column, row: Row, scale: str, neuron: tuple[str, Options]) -> list[Cell]:
    """The last epoch and, at the scales of the work, the best one in front; `neuron` is the work's in this network."""
    made = experiment(column, row, scale, neuron)
    recalled = scale == "paper" and row.name == claims.LTC_FPTT and column.recalled
    sources = (Source("paper_recalled", column.recalled, "FPTT"),) if recalled else ()
    if scale == "paper" and row.name == claims.ALIF_BPTT and column.recalled.endswith("S-MNIST"):
        sources = (Source("related_recalled", column.recalled, "ASRNN, BPTT"),)
    shown: tuple[tuple[Protocol, tuple[Source, ...]], ...] = ((LAST, ()),)
    if scale != "quick":  # with few test samples the best of all epochs flatters
        shown = ((BEST, sources), (LAST, ()))
    return [
        Cell(row.name, column.name, ACCURACY, made, found, protocol, column.why, stand_in=column.data)
        for protocol, found in shown
    ]


RECALLED = "The paper could not be consulted. Its values are recollections, shown with that mark, and decide nothing."
RANDOM_START = (
    "Membrane potentials start at random, also when the network is tested: each evaluation is the mean of "
    f"{REPEATS['repeats']} passes with seeded starts."
)
FPTT_SEQUENTIAL = Table(
    "fptt_sequential",
    "fptt",
    "Sequential MNIST by pixels, permuted pixels and rows: FPTT against BPTT",
    sequential_cells,
    (claims.C9_OFFLINE, claims.C9_ONLINE),
    (
        RECALLED,
        RANDOM_START,
        "The order of the permuted pixels is drawn by a seed, which names the data set; the authors' differs from run "
        "to run and is not recorded.",
    ),
    (
        departures.TWO_LAYERS, departures.ROWS_AS_RECALLED, departures.OWN_ROWS, departures.ALIF_OF_CLASSES,
        departures.QUICK,
    ),
    like=("LTC, FPTT",),
)  # fmt: skip
