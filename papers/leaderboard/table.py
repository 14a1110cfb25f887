"""The leaderboard: every neuron, plug-ins too, on tasks that ask for different things, under one recipe.

All networks are `budgeted`: two layers of as many neurons as come nearest to one budget of trainable parameters. All
trainings of a task see the same batches for the same number of epochs with the same optimiser. No neuron is tuned: its
options are those of a typical layer (Neuron.example). papers.board ranks the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import neurons

from ..experiment import Experiment
from ..measures import ACCURACY, MSE, Measure
from ..protocols import LAST
from ..table import Cell, Span, Table

Options = dict[str, Any]

MEASURED = ("firing_rates", "operations")  # beside the score
WIDTH = {"quick": 128, "short": 256}  # of a layer whose neurons have no parameters of their own
BATCH, CHUNKS, ORDER = 64, 4, 8  # ORDER: the steps that masked and sliding PSN look back, as in Neuron.example
OPTIMIZER: Options = {"name": "adam", "lr": 5e-3}
OF_CLASSES = Span(0.1, 1.0)  # of ten
OF_ADDING = Span(1 / 6, 0.0)  # the mean squared error of who always says 1, the mean of the sum of two from U(0, 1)
CLASSES: Options = {"loss": {"name": "cross_entropy"}, "decision": {"name": "rate"}}
VALUE: Options = {"loss": {"name": "last_mse"}, "decision": {"name": "last_value"}}
WHY = "no work has this table, so there is nothing to hold it against"


@dataclass(frozen=True)
class Column:
    """A task, and what a network of it reads: `values` at each of `T` steps, an image in `order` or frames.

    It answers in its last `answer` steps, in all by default.
    """

    name: str
    task: str
    task_options: Options
    T: int
    values: int
    epochs: int
    order: str = ""
    answer: int | None = None
    outputs: int = 10
    measure: Measure = ACCURACY
    learned: Options = field(default_factory=lambda: CLASSES)
    span: Span = OF_CLASSES


QUICK = (
    Column("8x8 digits by column", "digits", {}, 8, 8, 12, "columns"),
    Column("8x8 digits by pixel", "digits", {}, 64, 1, 12, "pixels"),
    Column("recall", "digits_recall", {"T": 16}, 16, 8, 12, "columns", answer=4),
    Column("digit events", "digits_events", {"side": 16, "T": 8}, 8, 512, 6),
    Column(
        "adding", "adding", {"T": 20, "train": 3200, "test": 640}, 20, 2, 12,
        answer=1, outputs=1, measure=MSE, learned=VALUE, span=OF_ADDING,
    ),
    Column("spoken digits", "fsdd", {"T": 40, "dt": 25, "channels": 16}, 40, 16, 6),
)  # fmt: skip
COLUMNS = {
    "quick": QUICK,
    "short": (Column("sequential MNIST", "plain_mnist", {}, 784, 1, 4, "pixels"),),
    "paper": (),
}
# Options that depend on the length of a sequence; all other neurons of the suite have their defaults.
OF_LENGTH: dict[str, Callable[[int], Options]] = {
    "psn": lambda T: {"T": T},
    "masked_psn": lambda T: {"T": T, "k": min(T, ORDER), "lambda_": 1.0},
    "sliding_psn": lambda T: {"k": min(T, ORDER)},
    "relpsp": lambda T: {"window": max(1, (T + 1) // 2)},
}
ONE = "lif"  # the neuron that all schemes train
SCHEMES: dict[str, Options] = {
    f"{ONE}, fptt": {"regulariser": {"alpha": 0.1, "beta": 0.5}, "average_every": 1},
    f"{ONE}, online": {},  # as fptt without its regulariser
}


def cells(scale: str) -> list[Cell]:
    """A cell for each task: of every neuron trained by bptt, then of one neuron trained otherwise."""
    found = []
    for name in neurons.names():
        found += [_cell(name, column, scale, name, "bptt", {}) for column in COLUMNS[scale]]
    for row, options in SCHEMES.items():
        found += [_cell(row, column, scale, ONE, "fptt", {**options, "chunks": CHUNKS}) for column in COLUMNS[scale]]
    return found


def _cell(row: str, column: Column, scale: str, neuron: str, scheme: str, scheme_options: Options) -> Cell:
    made = Experiment(
        task=column.task,
        task_options=column.task_options,
        model="budgeted",
        model_options={
            "width": WIDTH[scale],
            "T": column.T,
            "values": column.values,
            "outputs": column.outputs,
            **({"order": column.order} if column.order else {}),
            **({"answer": column.answer} if column.answer else {}),
        },
        neuron=neuron,
        neuron_options=options_of(neuron, column.T),
        scheme=scheme,
        scheme_options={**column.learned, "optimizer": OPTIMIZER, "schedule": {"name": "constant"}, **scheme_options},
        epochs=column.epochs,
        batch_size=BATCH,
        scale=scale,
        seed=0,
        measures=(column.measure.name, *MEASURED),
        checks=("costs",),
    )
    return Cell(row, column.name, column.measure, made, (), LAST, WHY)


def options_of(neuron: str, T: int) -> Options:
    """The options of a typical layer for sequences of `T` steps, "channels" where they name the layer's shape.

    A plug-in is asked for them; one that cannot be asked gets none, and its trainings tell what is wrong with it.
    """
    if neurons.registry.plugin(neuron) is None:
        return OF_LENGTH.get(neuron, lambda T: {})(T)
    shape = (8191,)  # like no other number
    try:
        found = {
            name: "channels" if value in (shape, list(shape), *shape) else value
            for name, value in neurons.registry.get(neuron).example(T, shape).items()
        }
        json.dumps(found, allow_nan=False)
    except Exception:
        return {}
    return found


LEADERBOARD = Table(
    "leaderboard",
    "",
    "Every neuron of the suite under one recipe: equal parameters, equal training, tasks that ask for different things",
    cells,
    notes=(
        "No work has this table: nothing here is a published number, and it makes no claim of a work.",
        f"All neurons have two layers in a network of equally many trainable parameters (as {WIDTH['quick']} neurons a "
        "layer have at quick scale), the same epochs, batches and optimiser, and the options of a typical layer; "
        "none is tuned, so that a low rank says what a neuron does untuned, not what it can.",
        "The scheme ttfs trains networks of single spikes alone and is no scheme for this network; it has a table of "
        "its own, ttfs_table.",
    ),
    like=(ONE,),
    ranked={column.name: column.span for columns in COLUMNS.values() for column in columns},
)
