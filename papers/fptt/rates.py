"""How often a liquid neuron and a LIF neuron fire at the same noisy current (spec 7, claim 8)."""

from __future__ import annotations

from typing import Any

from ..experiment import Experiment
from ..measures import RATE
from ..table import Cell, Source, Table
from . import claims, departures

MEANS = (1.0, 1.2, 1.4, 1.6, 1.8, 1.98)
SPREAD = 0.1  # from the lowest to the highest current
STEPS = 500
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    claims.LTC_CELL: ("ltc", {"gates": "dense", "shape": 2, "v_threshold": 1.0, "adaptive": False, "backend": "torch"}),
    claims.LIF_CELL: ("lif", {"tau": 2.0, "backend": "torch"}),
}


def experiment(row: str, mean: float, scale: str) -> Experiment:
    """The simulation with seed 0."""
    neuron, options = CELLS[row]
    return Experiment(
        kind="rates",
        task="noisy_current",
        task_options={"T": STEPS, "mean": mean, "spread": SPREAD},
        model="",
        neuron=neuron,
        neuron_options=options,
        scheme="",
        epochs=0,
        batch_size=0,
        scale=scale,
        seed=0,
        measures=(),
    )


def cells(scale: str) -> list[Cell]:
    """The same at every scale."""
    return [
        Cell(
            row,
            f"current {mean:g}",
            RATE,
            experiment(row, mean, scale),
            (Source("notebook_rates", f"{mean:g}", row),),
        )
        for row in CELLS
        for mean in MEANS
    ]


FPTT_RATES = Table(
    "fptt_rates",
    "fptt",
    "Spikes a step of single neurons at noisy currents",
    cells,
    (claims.C8,),
    (
        f"Currents are drawn from mean - {SPREAD / 2:g} to mean + {SPREAD / 2:g}, {STEPS} steps. The notebook counts "
        "the state before the first step, too, so that its rates, and these, are spikes over 501.",
        "The notebook drew its noise once, without a seed; its rates are single runs.",
        "The liquid neuron is one of two equal ones whose gates weigh all they see by 1, with a bias of -5: weights "
        "that the notebook gave it and that nothing learned.",
    ),
    (departures.MEANS_OF_CURRENT,),
)
