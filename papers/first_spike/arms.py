"""The trainings of the first-spike work: network, coding and gradients by row, data by column (spec 3, 4 and 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ..experiment import Experiment
from ..measures import TIMING
from .behaviour import CORRECTED, GRADIENTS, RELEASED

Options = dict[str, Any]

ADLIF, CULIF = "AdLIF", "CuLIF"
CULIF_FORWARD, LIF, PLIF = "CuLIF feed-forward", "LIF", "PLIF"  # in the network of AdLIF: rows of our own
FS, FR = "FS", "FR"
SHORT_EPOCHS, QUICK_EPOCHS = 4, 12
STAND_IN = "single-spike manifolds"
MEASURES = tuple(measure.name for measure in TIMING)


@dataclass(frozen=True)
class Arm:
    """A row: the neuron, what it is trained for, and whether gradients add up; `output`, of its neurons, and `empty`
    steps where they are not those of the data."""

    network: str
    coding: str
    behaviour: str = RELEASED
    changed: str = ""
    output: Options = field(default_factory=dict)
    empty: int | None = None

    @property
    def row(self) -> str:
        """Its name: "AdLIF, FS corrected"."""
        corrected = f" {CORRECTED}" if self.behaviour == CORRECTED else ""
        return f"{self.network}, {self.coding}{corrected}{f', {self.changed}' if self.changed else ''}"


@dataclass(frozen=True)
class Network:
    """A network of the release: its model, and tau_m, tau_s and threshold of hidden and output neurons."""

    model: str
    hidden: tuple[float, float, float]
    output: tuple[float, float, float]
    options: Options = field(default_factory=dict)
    empty: int = 0


@dataclass(frozen=True)
class Data:
    """A column: the task, its networks by neuron, and how they are trained; `fs` are alpha, D and A, `fr` alpha."""

    name: str
    task: str
    T: int
    task_options: Options
    networks: dict[str, Network]
    batch_size: int
    lr: float
    epochs: int
    fs: tuple[float, int, float]
    fr: float


SHD = Data(
    "SHD",
    "shd",
    100,
    {"T": 100, "dt": 10},
    {
        ADLIF: Network(
            "fs_feed_forward",
            (5.0, 5.0, 0.5),
            (60.0, 60.0, 10.0),
            {"inputs": 700, "classes": 20, "hidden": [256, 256], "dropout": 0.25},
        ),
        CULIF: Network(
            "fs_recurrent",
            (5.0, 5.0, 5.0),
            (60.0, 60.0, 10.0),
            {"inputs": 700, "classes": 20, "hidden": [256]},
            empty=20,
        ),
    },
    128,
    1e-3,
    80,
    (0.2, 16, 200.0),
    20.0,
)
NTIDIGITS = Data(
    "N-TIDIGITS",
    "ntidigits",
    250,
    {"T": 250, "dt": 5},
    {
        ADLIF: Network(
            "fs_feed_forward",
            (5.0, 5.0, 0.5),
            (40.0, 40.0, 10.0),
            {"inputs": 64, "classes": 11, "hidden": [256, 256], "dropout": 0.25},
        ),
        CULIF: Network(
            "fs_recurrent", (5.0, 5.0, 1.0), (40.0, 40.0, 2.0), {"inputs": 64, "classes": 11, "hidden": [256, 256]}
        ),
    },
    128,
    1e-3,
    200,
    (0.1, 16, 500.0),
    20.0,
)
PLANES = Data(
    "DVS Planes",
    "dvsplane",
    135,
    {"T": 135, "dt": 2},
    {CULIF: Network("fs_plane", (5.0, 5.0, 0.5), (40.0, 40.0, 2.0), {"pool": "average"})},
    16,
    3e-4,
    50,
    (0.1, 8, 500.0),
    15.0,
)
GESTURE = Data(
    "DVS Gesture",
    "dvsgesture10",
    120,
    {"T": 120, "dt": 10},
    {CULIF: Network("fs_gesture", (5.0, 5.0, 0.5), (60.0, 60.0, 1.0), {"pool": "average"}, empty=40)},
    16,
    1e-4,
    70,
    (0.1, 4, 300.0),
    10.0,
)
SPOKEN_NETWORK = Network(
    "fs_feed_forward",
    (5.0, 5.0, 0.5),
    (60.0, 60.0, 10.0),
    {"inputs": 32, "classes": 10, "hidden": [256, 256], "dropout": 0.25},
)
SPOKEN = Data(  # trained as SHD is in the network of AdLIF
    "Free Spoken Digits",
    "fsdd",
    100,
    {"T": 100, "dt": 10},
    dict.fromkeys((ADLIF, CULIF_FORWARD, LIF), SPOKEN_NETWORK),
    SHD.batch_size,
    SHD.lr,
    SHD.epochs,
    SHD.fs,
    SHD.fr,
)
MANIFOLDS_NETWORK = Network(
    "fs_feed_forward",
    (5.0, 5.0, 0.5),
    (20.0, 20.0, 1.0),
    {"inputs": 24, "classes": 4, "hidden": [48], "dropout": 0.25},
)
MANIFOLDS = Data(
    "SHD",
    "randman",
    40,
    {"T": 40},
    {
        ADLIF: MANIFOLDS_NETWORK,
        PLIF: MANIFOLDS_NETWORK,
        CULIF: Network(
            "fs_recurrent", (5.0, 5.0, 0.3), (20.0, 20.0, 1.0), {"inputs": 24, "classes": 4, "hidden": [48]}
        ),
    },
    50,
    3e-3,
    QUICK_EPOCHS,
    (0.2, 16, 200.0),
    20.0,
)

ARMS = tuple(
    Arm(network, coding, behaviour)
    for network in (ADLIF, CULIF)
    for coding in (FS, FR)
    for behaviour in (RELEASED, CORRECTED)
)
OTHERS = tuple(
    Arm(network, coding, CORRECTED)
    for network, codings in ((CULIF_FORWARD, (FS, FR)), (LIF, (FS, FR)), (PLIF, (FS,)))
    for coding in codings
)


def columns(scale: str) -> tuple[Data, ...]:
    """The data of a scale."""
    return (MANIFOLDS,) if scale == "quick" else (SHD, NTIDIGITS, GESTURE, PLANES, SPOKEN)


def neuron(network: str, data: Data) -> tuple[str, Options]:
    """Name and options of the hidden neurons."""
    made = data.networks[network]
    tau_m, tau_s, threshold = made.hidden
    common: Options = {"v_threshold": threshold}
    if network in (LIF, PLIF):  # 1 - 1 / tau = exp(-1 / tau_m): the same decay
        tau = 1 / (1 - math.exp(-1 / tau_m))
        common |= {"detach_reset": True, "surrogate": {"name": "fast_sigmoid"}}
        return ("lif", {"tau": tau, **common}) if network == LIF else ("plif", {"init_tau": tau, **common})
    if network == ADLIF:
        return "adlif", {"shape": "channels", "tau_m": tau_m, **common}
    common |= {"tau_m": tau_m, "tau_s": tau_s}
    if network == CULIF_FORWARD:
        return "culif", common
    common["variant"] = "superspike"
    return (
        ("culif", common) if made.model in ("fs_gesture", "fs_plane") else ("pculif", {"shape": "channels", **common})
    )


def experiment(arm: Arm, data: Data, scale: str) -> Experiment:
    """The training with seed 0."""
    made = data.networks[arm.network]
    name, own = neuron(arm.network, data)
    output: Options = {"name": "culif", **dict(zip(("tau_m", "tau_s", "v_threshold"), made.output, strict=True))}
    if arm.network == CULIF:
        output["variant"] = "superspike"
    empty = made.empty if arm.empty is None else arm.empty
    alpha, D, A = data.fs
    loss: Options = {"name": "first_spike", "alpha": alpha, "D": D, "A": A, "treg_lambda": 0.01, "treg_beta": 0.02}
    options: Options = {
        "loss": loss if arm.coding == FS else {"name": "firing_rate", "alpha": data.fr},
        "decision": {"name": "first_spike" if arm.coding == FS else "firing_rate"},
        "optimizer": {"name": "adam", "lr": data.lr, "weight_decay": 1e-4, "amsgrad": True},
        "schedule": {"name": "constant"},
        "clip": 10.0,
        **GRADIENTS[arm.behaviour],
    }
    if name == "pculif":
        options["constraint"] = {"name": "decays"}
    return Experiment(
        task=data.task,
        task_options=data.task_options,
        model=made.model,
        model_options={
            **made.options,
            "T": data.T,
            "empty": empty,
            "output": {**output, **arm.output},
            "potentials": True,
        },
        neuron=name,
        neuron_options=own,
        scheme="bptt",
        scheme_options=options,
        epochs=SHORT_EPOCHS if scale == "short" else data.epochs,
        batch_size=data.batch_size,
        scale=scale,
        seed=0,
        measures=MEASURES,
        batching={"drop_last": False},
    )
