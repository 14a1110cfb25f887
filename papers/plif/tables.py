"""PLIF: learnable membrane time constant (Fang et al., ICCV 2021, arXiv 2007.05785).

Networks, loss, optimiser, schedule, augmentation, splits and the choice of the reported epoch are those of the released
code, apart from the numbered departures (departures.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..experiment import Experiment
from ..measures import ACCURACY
from ..protocols import BEST, CHOSEN
from ..table import Cell, Source, Table
from . import claims, departures


@dataclass(frozen=True)
class Column:
    """A data set of the tables, its network, and the small embedded set that stands in for it at quick scale."""

    name: str
    task: str
    model: str
    log: str  # how the authors' training logs name it
    T: int
    T_b: int  # time steps of the accuracy-B run
    events: bool
    log_suffix: str = ""
    standin: str = "digits"
    standin_options: dict[str, Any] = field(default_factory=dict)
    standin_model: dict[str, Any] = field(default_factory=dict)
    not_comparable: str = ""


_DIGITS_NET = {"side": 8, "inputs": 1, "channels": 12, "hidden": 64, "T": 8}


def _digit_events(side: int, layers: int) -> dict[str, Any]:
    return {
        "standin": "digits_events",
        "standin_options": {"side": side, "T": 8, "split_by": "number"},
        "standin_model": {"side": side, "T": 8, "number_layer": layers, "channels": 12, "hidden": 64, "classes": 10},
    }


COLUMNS = (
    Column("MNIST", "mnist", "plif_mnist", "MNIST", 8, 8, False, standin_model=_DIGITS_NET),
    Column("Fashion-MNIST", "fashion_mnist", "plif_mnist", "FashionMNIST", 8, 8, False, standin_model=_DIGITS_NET),
    Column("CIFAR-10", "cifar10", "plif_cifar10", "CIFAR10", 8, 8, False, standin_model=_DIGITS_NET),
    Column("N-MNIST", "nmnist", "plif_nmnist", "NMNIST", 10, 20, True, "-n2-number", **_digit_events(16, 2)),
    Column(
        "CIFAR10-DVS", "cifar10dvs", "plif_cifar10dvs", "CIFAR10DVS", 20, 20, True, "-n4-number", **_digit_events(16, 4)
    ),
    Column(
        "DVS128 Gesture", "dvs128gesture", "plif_dvs128gesture", "DVS128Gesture", 20, 20, True, "-n5-number",
        **_digit_events(32, 5),
        not_comparable="the authors trained on 936 of the 1,176 segments, and which ones is not known",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """A row of the ablation: neuron, (initial) time constant and pooling."""

    neuron: str
    tau: float
    pooling: str

    @property
    def row(self) -> str:
        return f"{self.neuron.upper()} {self.tau:g} {self.pooling}"


MAIN_ARM = Arm("plif", 2.0, "max")
ARMS = (MAIN_ARM, Arm("plif", 16.0, "max"), Arm("lif", 2.0, "max"), Arm("lif", 16.0, "max"), Arm("plif", 2.0, "avg"))

SHORT_EPOCHS = 4
PAPER_EPOCHS = 1024
QUICK_EPOCHS = 24


def experiment(column: Column, arm: Arm, protocol: str, scale: str) -> Experiment:
    """The training run behind a cell, with seed 0."""
    tau = {"init_tau" if arm.neuron == "plif" else "tau": arm.tau}
    common: dict[str, Any] = {
        "model": column.model,
        "neuron": arm.neuron,
        "neuron_options": {**tau, "detach_reset": True},
        "scheme": "bptt",
        "scale": scale,
        "seed": 0,
    }
    max_pool = arm.pooling == "max"
    if scale == "quick":
        # lr 1e-2: w moves by about lr a step, and from tau0 = 16 it has a long way to go in few steps (spec, trap 19).
        return Experiment(
            task=column.standin,
            task_options={**column.standin_options, "validation": 0.15},
            model_options={**column.standin_model, "max_pool": max_pool},
            scheme_options={"lr": 1e-2, "T_max": 64},
            epochs=QUICK_EPOCHS,
            batch_size=64,
            **common,
        )
    T = column.T_b if protocol == "B" else column.T
    events: dict[str, Any] = {"T": T, "split_by": "number"} if column.events else {}
    return Experiment(
        task=column.task,
        task_options={**events, "validation": 0.15 if protocol == "B" else 0.0},
        model_options={"T": T, "max_pool": max_pool},
        scheme_options={"lr": 1e-3, "T_max": 64},
        epochs=SHORT_EPOCHS if scale == "short" else PAPER_EPOCHS,
        batch_size=16,
        **common,
    )


def _stand_in(column: Column, scale: str) -> str:
    if scale != "quick":
        return ""
    return "digit events" if column.events else "8x8 digits"


def _not_comparable(column: Column, scale: str) -> str:
    if what := _stand_in(column, scale):
        return f"{what} stand in for {column.name} in a narrow network, {QUICK_EPOCHS} epochs"
    return column.not_comparable


def _cell(row: str, column: Column, arm: Arm, protocol: str, scale: str, printed: tuple[Source, ...]) -> Cell:
    steps = "-T20" if column.events and protocol == "B" and column.T_b != column.T else ""
    log = f"{protocol}-{column.log}-{arm.neuron}{arm.tau:g}-{arm.pooling}{column.log_suffix}{steps}"
    if scale == "short":  # the same training, stopped early: held against the same epochs of the authors' curve
        printed = (Source("curve", log, until=SHORT_EPOCHS),)
    return Cell(
        row,
        column.name,
        ACCURACY,
        experiment(column, arm, protocol, scale),
        printed,
        {"A": BEST, "B": CHOSEN}[protocol],
        _not_comparable(column, scale),
        log,
        _stand_in(column, scale),
        epoch_seconds=None if scale == "quick" else Source("epoch_seconds_b", column.name, "mean_s"),
    )


def _ablation_sources(column: Column, arm: Arm) -> tuple[Source, ...]:
    return (Source("readme_ablation_a", arm.row, column.name),)


def table_cells(scale: str) -> list[Cell]:
    """Accuracy A and B of PLIF, tau0 = 2, max pooling."""
    return [
        _cell(
            f"accuracy-{protocol}",
            column,
            MAIN_ARM,
            protocol,
            scale,
            (
                Source("readme_accuracy_ab", f"accuracy-{protocol}", column.name),
                *(_ablation_sources(column, MAIN_ARM) if protocol == "A" else ()),
                Source(
                    "paper_table7", column.name, "without_validation" if protocol == "A" else "with_15pct_validation"
                ),
            ),
        )
        for protocol in "AB"
        for column in COLUMNS
    ]


def ablation_cells(scale: str) -> list[Cell]:
    """Accuracy A of PLIF and LIF, tau 2 and 16, max and average pooling."""
    return [
        _cell(arm.row, column, arm, "A", scale, _ablation_sources(column, arm)) for arm in ARMS for column in COLUMNS
    ]


PLIF_TABLE = Table(
    "plif_table",
    "plif",
    "PLIF: accuracy A (best on test) and B (chosen on validation)",
    table_cells,
    (claims.C9,),
    departures=departures.ALL,
)
PLIF_ABLATION = Table(
    "plif_ablation",
    "plif",
    "PLIF against LIF, initial tau 2 and 16, max and average pooling",
    ablation_cells,
    (claims.C1_TAU2, claims.C1_TAU16, claims.C2, claims.C3, claims.C4, claims.C5_TAU2, claims.C5_TAU16, claims.C6),
    departures=(departures.ALL_SEGMENTS, departures.RANDOM_NUMBERS, departures.QUICK),
)
