"""Images that are shown at every step (spec 4.3)."""

from __future__ import annotations

from models.fptt.neurons import NEURONS

from ..table import Cell, Table
from . import claims, departures
from .classes import CONSTANT, QUICK_ADAMAX, QUICK_EPOCHS, RANDOM_START, RECALLED, ROWS, Column, cells_of


def _image(name: str, task: str) -> Column:
    return Column(
        name, task, "fptt_images", {"T": 20, "hidden": 256}, 200, 128, {"name": "adam", "lr": 5e-3},
        {"name": "periodic", "T_max": 20}, {}, uniform=20, recalled=name,
    )  # fmt: skip


IMAGES = (_image("MNIST", "plain_mnist"), _image("Fashion-MNIST", "plain_fashion_mnist"))
QUICK_IMAGES = (
    Column(
        "MNIST",
        "plain_digits",
        "fptt_images",
        {"T": 5, "side": 8, "channels": [16, "P", 32, "P"], "hidden": 32},
        QUICK_EPOCHS,
        64,
        QUICK_ADAMAX,
        CONSTANT,
        {},
        uniform=2,
        why=f"8x8 digits in a narrow network of two convolutions stand in for MNIST, 5 steps, {QUICK_EPOCHS} epochs",
        data="8x8 digits",
    ),
)


def cells(scale: str) -> list[Cell]:
    """Each image is shown at every step."""
    rows = [row for row in ROWS if row.neuron is None]
    columns = QUICK_IMAGES if scale == "quick" else IMAGES
    return [cell for row in rows for column in columns for cell in cells_of(column, row, scale, NEURONS["images"])]


FPTT_IMAGES = Table(
    "fptt_images",
    "fptt",
    "Constant images: FPTT against BPTT",
    cells,
    (claims.C9_OFFLINE, claims.C9_ONLINE),
    (RECALLED, RANDOM_START),
    (departures.SHOWN_AS_OFTEN, departures.DEFAULTS, departures.OWN_ROWS, departures.QUICK),
    like=("LTC, FPTT",),
)
