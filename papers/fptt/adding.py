"""The adding problem (spec 4.1): FPTT and backpropagation through time on LTC, ALIF, LSTM and tanh RNN."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from models.fptt.neurons import NEURONS

from ..experiment import Experiment
from ..measures import MSE
from ..table import Cell, Source, Table
from . import claims, departures
from .behaviour import ADDING, CORRECTED, RELEASED
from .protocols import BEST_100, LAST_100, UPDATES

Options = dict[str, Any]

CHUNKS = 10
LENGTHS = (200, 500, 1000)
QUICK_LENGTHS = {20: 5, 50: 10}  # with the number of chunks
EPOCHS = {"quick": 24, "short": 20, "paper": 400}  # of UPDATES updates each
RATES = {200: 1e-3}  # learning rates of the README; for T = 1000, and here for all others, 3e-3
UNKNOWN = "the authors' stored runs do not tell their settings"


@dataclass(frozen=True)
class Network:
    """The layer with memory, and the neuron in it; none in those that have their own."""

    model: str
    neuron: str = ""
    options: Options | None = None


LTC = Network("fptt_adding", *NEURONS["adding"])
ALIF = Network("fptt_adding", *NEURONS["adding_asrnn"])
LSTM = Network("fptt_adding_lstm")
RNN = Network("fptt_adding_rnn")


@dataclass(frozen=True)
class Row:
    """A network and how it learns: "fptt", "online" (without the regulariser) or "bptt".

    `logs` are the authors' runs of 10,000 updates, or that became NaN before, by length.
    """

    name: str
    network: Network
    scheme: str
    logs: dict[int, tuple[str, ...]]
    behaviour: str = RELEASED


ROWS = (
    Row(
        claims.LTC_FPTT,
        LTC,
        "fptt",
        {
            200: ("snn_fptt_mem_200", "snn_v2_fptt_mem_200"),
            500: ("snn_fptt_mem_500", "snn_v2_fptt_mem_500"),
            1000: ("snn_fptt_mem_1000_1", "snn_v2_fptt_mem_1000"),
        },
    ),
    Row(claims.LTC_CORRECTED, LTC, "fptt", {}, CORRECTED),
    Row(claims.LTC_ONLINE, LTC, "online", {}),
    Row(
        claims.LTC_BPTT,
        LTC,
        "bptt",
        {
            200: ("snn_bptt_mem_200",),
            500: ("snn_bptt_mem_500",),
            1000: tuple(f"snn_bptt_mem_1000_{run}" for run in ("1", "v2", "v3", "v4")),
        },
    ),
    Row(
        claims.ALIF_FPTT,
        ALIF,
        "fptt",
        {
            200: ("asrnn_fptt_mem_200", "asrnn_fptt_mem_200_v1", "asrnn_v2_fptt_mem_200"),
            500: ("asrnn_fptt_mem_500",),
            1000: ("asrnn_fptt_mem_1000", "asrnn_v2_fptt_mem_1000"),
        },
    ),
    Row(
        claims.ALIF_BPTT,
        ALIF,
        "bptt",
        {
            200: ("asrnn_bptt_mem_200", "asrnn_bptt_mem_200_v1"),
            500: ("asrnn_bptt_mem_500", "asrnn_bptt_mem_500_v2"),
            1000: ("asrnn_bptt_mem_1000", "asrnn_v2_bptt_mem_1000"),
        },
    ),
    Row(claims.LSTM_FPTT, LSTM, "fptt", {500: ("lstm_500_fptt",), 1000: ("lstm_1000_fptt",)}),
    Row(
        claims.LSTM_BPTT,
        LSTM,
        "bptt",
        {200: ("lstm_bptt_200",), 500: ("lstm_bptt_500",), 1000: ("lstm_bptt_1000",)},
    ),
    Row(claims.RNN_FPTT, RNN, "fptt", {500: ("rnn_500_fptt",), 1000: ("rnn_1000_fptt",)}),
    Row(claims.RNN_BPTT, RNN, "bptt", {500: ("rnn_500_bptt",), 1000: ("rnn_1000_bptt",)}),
)


def learning(scheme: str, lr: float, chunks: int, behaviour: str = RELEASED) -> tuple[str, Options]:
    """The training scheme and its options."""
    options: Options = {
        "loss": {"name": "last_mse"},
        "decision": {"name": "last_value"},
        "optimizer": {"name": "adam", "lr": lr},
        "clip": 1.0,
    }
    if scheme == "bptt":
        return "bptt", {**options, "schedule": {"name": "constant"}}
    if scheme == "fptt":
        options["regulariser"] = {"alpha": 0.5, "beta": 0.5}
    return "fptt", {**options, **ADDING[behaviour], "chunks": chunks}


def experiment(row: Row, T: int, scale: str) -> Experiment:
    """The training with seed 0."""
    width, batch, chunks = (32, 32, QUICK_LENGTHS[T]) if scale == "quick" else (128, 128, CHUNKS)
    scheme, options = learning(row.scheme, RATES.get(T, 3e-3), chunks, row.behaviour)
    return Experiment(
        task="adding",
        task_options={"T": T, "train": UPDATES * batch, "test": UPDATES * batch},
        model=row.network.model,
        model_options={"T": T, "hidden": width},
        neuron=row.network.neuron,
        neuron_options=dict(row.network.options or {}),
        scheme=scheme,
        scheme_options=options,
        epochs=EPOCHS[scale],
        batch_size=batch,
        scale=scale,
        seed=0,
        measures=("mse", "firing_rates"),
    )


def cells(scale: str) -> list[Cell]:
    """Where each network ends, and the best it came to; at short scale the first updates of the authors' runs."""
    found = []
    quick = f"{EPOCHS['quick'] * UPDATES} updates of 32 neurons: so short a task does not show what is hard at T = 1000"
    for row in ROWS:
        for T in QUICK_LENGTHS if scale == "quick" else LENGTHS:
            made = experiment(row, T, scale)
            logs = () if scale == "quick" else row.logs.get(T, ())
            for protocol in (LAST_100, BEST_100):
                sources = tuple(
                    Source("curve", log, until=made.epochs, repeat=repeat > 0)
                    if scale == "short"
                    else Source("adding_summary", log, protocol.name, repeat=repeat > 0)
                    for repeat, log in enumerate(logs)
                )
                why = quick if scale == "quick" else UNKNOWN
                log = logs[0] if logs else ""
                found.append(Cell(row.name, f"T={T}", MSE, made, sources, protocol, why, log))
    return found


FPTT_ADDING = Table(
    "fptt_adding",
    "fptt",
    "The adding problem: mean squared error by network, scheme and length",
    cells,
    (claims.C1, claims.C1_CHANCE, claims.C2, claims.C3, claims.C4),
    (
        "Who always says 1 has an error of 0.1667. A task is solved when the mean over 100 updates is below 0.01.",
        "The authors' stored runs carry no settings, seeds or code version; scheme and length are those that their "
        "file names tell. One to four runs a cell, of 10,000 updates, or that became NaN before.",
        "At quick scale T is 20 and 50. There backpropagation through time learns faster than FPTT, and nothing "
        "follows from it for T = 1000.",
        "FPTT makes 9 updates of each batch, backpropagation one; an update is counted here as a batch, as the authors "
        "count.",
    ),
    (
        departures.EVALUATED, departures.AVERAGED, departures.SETTINGS, departures.ALIF_OF_CURVES,
        departures.OWN_ROWS,
    ),
    like=("LTC, FPTT",),
)  # fmt: skip


def memory(row: Row, T: int, chunks: int | None) -> Experiment:
    """What one batch of 32 keeps for the backward pass; `chunks` None for backpropagation through time."""
    made = experiment(replace(row, scheme="bptt" if chunks is None else "fptt"), T, "paper")
    scheme, options = learning("bptt" if chunks is None else "fptt", 3e-3, chunks or 1)
    return replace(
        made,
        kind="memory",
        task_options={"T": T, "train": 32, "test": 32},
        neuron_options={**made.neuron_options, "backend": "torch"},
        scheme=scheme,
        scheme_options=options,
        epochs=1,
        batch_size=32,
        measures=(),
    )
