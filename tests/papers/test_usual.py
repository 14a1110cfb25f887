"""Cells whose precision alone was changed: judged as the table's own once no difference is found, and then marked."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_runs import measured

from papers.evaluate import CellResult, evaluate
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.overrides import overridden
from papers.plif.tables import PLIF_ABLATION
from papers.protocols import LAST
from papers.table import Cell, Source, Table
from papers.usual import precision_alone, precision_of
from results import Dataset, Metric, Published, Store

BF16 = {"scheme.precision": "bf16"}
CELL = Cell(
    "one",
    "images",
    ACCURACY,
    Experiment("digits", "plif_mnist", "lif", "bptt", 1, 16, "paper", 0),
    (Source("table1", "one", "images"),),
    LAST,
)
TABLE = Table("made", "work", "Made up", lambda scale: [CELL])
N = 10_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a published value of 93.4 %, and three runs in float32."""
    opened = Store(tmp_path / "store.db")
    caption = {"table": "table1", "caption": "", "source": "table 1", "provenance": "reported", "note": ""}
    printed = Published("work", "table1", "one", "images", "A", None, 93.4, "%", "table 1", "reported", 1)
    opened.replace_published("work", "digest", [caption], [printed])
    record(opened, CELL.experiment, 93.5, 93.6, 93.7)
    return opened


def record(store: Store, experiment: Experiment, *shares: float) -> None:
    data = (Dataset("d", "digits", True, {"train": 1400, "test": N}),)
    for seed, share in enumerate(shares):
        metrics = (Metric("test_accuracy", share / 100, "fraction", 0),)
        store.record(measured(experiment.with_seed(seed), 0.0, metrics=metrics, datasets=data))


def changed() -> Cell:
    (cell,) = overridden(TABLE, BF16).cells("paper")
    return cell


def judged(store: Store) -> CellResult:
    (result,) = evaluate(store, overridden(TABLE, BF16), "paper").cells
    return result


def test_without_a_difference_it_is_judged_and_marked(store: Store) -> None:
    """Differences -0.05, 0 and 0.05: the half width is 4.3027 * 0.05 / sqrt 3 = 0.12."""
    record(store, changed().experiment, 93.45, 93.6, 93.75)
    found = judged(store)
    mark = "bf16; no difference from float32 found over 3 seeds (+0.00 [-0.12, +0.12] points)"
    assert (found.verdict, found.reason) == ("reproduced", mark)
    assert len(found.runs) == 3


def test_with_a_difference_it_is_not(store: Store) -> None:
    record(store, changed().experiment, 92.5, 92.6, 92.7)
    found = judged(store)
    assert found.verdict == "not comparable"
    said = "set: scheme.precision=bf16; it differs from float32 by -1.00 [-1.01, -0.99] points over 3 seeds, p = "
    assert found.reason.startswith(said)


@pytest.mark.parametrize(
    ("shares", "why"), [((93.5, 93.6), "2 seeds, a test needs 3"), ((93.5,), "1 seed, a test needs 3")]
)
def test_few_seeds_judge_nothing(store: Store, shares: tuple[float, ...], why: str) -> None:
    record(store, changed().experiment, *shares)
    found = judged(store)
    assert found.verdict == "not comparable"
    assert found.reason == f"set: scheme.precision=bf16; not known to be like float32: {why}"


def test_the_precision_alone() -> None:
    first, second = CELL.experiment, changed().experiment
    assert (precision_of(first), precision_of(second)) == ("float32", "bf16")
    assert precision_alone(first, second.with_seed(4))
    assert not precision_alone(first, first.with_seed(4))
    (both,) = overridden(TABLE, {**BF16, "epochs": 3}).cells("paper")
    assert not precision_alone(first, both.experiment)
    assert both.usual is None
    assert all(cell.usual is None for cell in overridden(PLIF_ABLATION, BF16).cells("quick"))  # stand-ins
