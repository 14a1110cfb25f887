"""The accuracy of networks of single spikes (spec, sections 6 to 8 and 12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..experiment import Experiment
from ..measures import ACCURACY
from ..protocols import LAST, Protocol
from ..table import Cell, Source
from . import claims
from .protocols import STOPPED

Options = dict[str, Any]

UNVERIFIED = "no published accuracy was verified: the README prints none, and the paper's tables could not be read"
OTHER_NETWORK = "the published value is a recollection, of a VGG-16"
NARROWER = "the network has an eighth of the channels of the work's"
SHORT_EPOCHS, QUICK_EPOCHS = 4, 20
DECAY, ANNEALING = 0.1, 0.999


@dataclass(frozen=True)
class Row:
    """A network and how it learns: `network` options, whether the `order` of samples is that of the data set in every
    epoch, `model` and `scheme`."""

    name: str
    network: Options = field(default_factory=dict)
    order: bool = False
    model: str = "ttfs"
    scheme: str = "ttfs"


RELEASED: Options = {"numerics": "released", "clip": 1.0}
QUICK_ROWS = (
    Row(claims.RELEASED, RELEASED, order=True),
    Row(claims.SHUFFLED, RELEASED),
    Row(claims.CORRECTED),
    Row(claims.NARROW, {**RELEASED, "clip": 0.25}),
    Row(claims.WIDE, {**RELEASED, "clip": 11.0}),
    Row(claims.CONSTANT, {"threshold": 1.0}),
    Row(claims.RELU, model="ttfs_relu", scheme="bptt"),
)
IN_BOTH = (claims.SHUFFLED, claims.CORRECTED, claims.RELU)  # rows that see normalised images as well
ROWS = (
    Row("VGG7, released", {**RELEASED, "architecture": "vgg7"}, order=True),
    Row("VGG11, released", {**RELEASED, "architecture": "vgg11"}, order=True),
    Row("VGG7, corrected", {"architecture": "vgg7"}),
)

NARROWED = 8  # by which the channels of VGG7 are divided where a CPU has to do
NARROW = "8C3 - 16C3 - P2 - 32C3 - 32C3 - P2 - 64C3 - 64C3 - P2"
NARROW_ROWS = (
    Row(f"VGG7 / {NARROWED}, released", {**RELEASED, "architecture": NARROW}, order=True),
    Row(f"VGG7 / {NARROWED}, corrected", {"architecture": NARROW}),
    Row(f"VGG7 / {NARROWED}, ReLU network", {"architecture": NARROW}, model="ttfs_relu", scheme="bptt"),
)


@dataclass(frozen=True)
class Column:
    """A data set; `network` says what its images are like, `recalled` the row of a recollection."""

    name: str
    task: str
    network: Options
    recalled: str = ""


GREY: Options = {"side": 28, "inputs": 1, "classes": 10}
COLOUR: Options = {"side": 32, "inputs": 3, "classes": 10}
COLUMNS = (
    Column("MNIST", "shuffled_mnist", GREY),
    Column("Fashion-MNIST", "shuffled_fashion_mnist", GREY),
    Column("CIFAR-10", "shuffled_cifar10", COLOUR, "CIFAR-10"),
    Column("CIFAR-100", "shuffled_cifar100", {**COLOUR, "classes": 100}, "CIFAR-100"),
)


def learning(row: Row, lr: float) -> Options:
    """The options of the scheme: Adam, decay after its step, a rate that falls by ANNEALING an epoch."""
    found: Options = {
        "optimizer": {"name": "adam_then_decay", "lr": lr, "weight_decay": DECAY},
        "schedule": {"name": "exponential", "factor": ANNEALING},
    }
    if row.scheme == "ttfs":
        return found
    return {"loss": {"name": "last_cross_entropy"}, "decision": {"name": "last"}, **found}


def quick(row: Row, normalised: bool) -> Experiment:
    """The training of a small network on digits (spec, section 12)."""
    return Experiment(
        task="shuffled_digits",
        task_options={} if normalised else {"normalised": False},
        model=row.model,
        model_options={"architecture": "16C3 - P2 - 32C3 - P2", "side": 8, **row.network},
        neuron="relpsp",
        scheme=row.scheme,
        scheme_options=learning(row, 1e-3),
        epochs=QUICK_EPOCHS,
        batch_size=32,
        scale="quick",
        seed=0,
        measures=("accuracy", "single_spikes"),
        batching={"shuffle": not row.order, "drop_last": False},
        checks=("ttfs_identities", "ttfs_answers") if row.model == "ttfs" else (),
    )


def published(row: Row, column: Column, scale: str) -> Experiment:
    """The training of the work, with its second shipped configuration (batches of 256).

    The exact checks are left to the small networks: simulated in double precision, these would need tens of GiB.
    """
    return Experiment(
        task=column.task,
        task_options={"validation": 0.1},
        model=row.model,
        model_options={**column.network, **row.network},
        neuron="relpsp",
        scheme=row.scheme,
        scheme_options=learning(row, 1e-4),
        epochs=SHORT_EPOCHS if scale == "short" else 1000,
        batch_size=256,
        scale=scale,
        seed=0,
        measures=("accuracy", "single_spikes"),
        batching={"shuffle": not row.order, "drop_last": False},
        checks=("ttfs_answers",) if row.model == "ttfs" else (),
    )


def cells(scale: str) -> list[Cell]:
    """One accuracy for each row and column; published values are recollections and decide nothing."""
    found = []
    if scale == "quick":
        why = f"8x8 digits in a narrow network stand in for MNIST, {QUICK_EPOCHS} epochs; {UNVERIFIED}"
        for row in QUICK_ROWS:
            for column in (claims.RAW, claims.NORMALISED):
                if column == claims.RAW or row.name in IN_BOTH:
                    made = quick(row, column == claims.NORMALISED)
                    found.append(Cell(row.name, column, ACCURACY, made, (), LAST, why, stand_in="8x8 digits"))
        return found
    protocol: Protocol = STOPPED if scale == "paper" else LAST
    for row in (*ROWS, *(NARROW_ROWS if scale == "short" else ())):
        for data in COLUMNS:
            recalled = scale == "paper" and data.recalled and row.name.startswith("VGG11")
            sources = (Source("main_recalled", data.recalled, "VGG-16"),) if recalled else ()
            why = f"{UNVERIFIED}; {OTHER_NETWORK}" if recalled else UNVERIFIED
            why += f"; {NARROWER}" if row in NARROW_ROWS else ""
            found.append(Cell(row.name, data.name, ACCURACY, published(row, data, scale), sources, protocol, why))
    return found
