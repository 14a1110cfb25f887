"""The table of event cameras: its networks, its sources at each scale, and its claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import stores
import torch

import models
from papers import registry
from papers.evaluate import evaluate
from papers.evidence import Evidence
from papers.fptt import claims
from papers.fptt.claims import CIFAR10_DVS, CNN_BPTT, CNN_FPTT, CNN_ONLINE, GESTURE_20, GESTURE_100
from papers.table import Cell, Source
from results import Store

TABLE = registry.get("fptt_dvs")


def cells(scale: str, row: str, column: str) -> list[Cell]:
    return [cell for cell in TABLE.cells(scale) if (cell.row, cell.column) == (row, column)]


@pytest.mark.parametrize(
    ("row", "column", "parameters"),
    [
        (CNN_FPTT, GESTURE_20, 14_116_051),  # as logged
        (CNN_FPTT, GESTURE_100, 14_116_051),
        (claims.CNN_CORRECTED, GESTURE_20, 14_116_051 - 11),  # without those that are never used
        (claims.LTC_FPTT, GESTURE_20, 6_303_254),
        (claims.ALIF_FPTT, GESTURE_100, 1_845_270),
    ],
)
def test_networks_have_as_many_parameters_as_those_of_the_work(row: str, column: str, parameters: int) -> None:
    made = cells("paper", row, column)[0].experiment
    with torch.device("meta"):
        network = models.create(
            made.model, neuron=models.factory(made.neuron, **made.neuron_options), **made.model_options
        )
    assert made.task_options["T"] == network.T
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_every_column_is_measured_by_every_network_that_the_work_has_for_it() -> None:
    rows = {column: {c.row for c in TABLE.cells("paper") if c.column == column} for column in (GESTURE_20, CIFAR10_DVS)}
    assert len(rows[GESTURE_20]) == 10
    assert rows[CIFAR10_DVS] == {CNN_FPTT, claims.CNN_CORRECTED, CNN_ONLINE, CNN_BPTT}
    for cell in TABLE.cells("paper"):
        assert cell.not_comparable  # 1,116 of 1,176 samples; a network that is not recorded
        learned = cell.experiment.scheme_options.get("auxiliary", {"classes": cell.experiment.model_options["classes"]})
        assert learned["classes"] == cell.experiment.model_options["classes"]


def test_the_last_and_the_best_epoch_have_sources_of_their_own() -> None:
    best, last = cells("paper", CNN_FPTT, GESTURE_20)
    assert best.sources == (Source("gesture_logs", "T=20", "best"), Source("paper_recalled", "DVS128 Gesture", "FPTT"))
    assert last.sources == (Source("gesture_logs", "T=20", "last epoch"),)
    assert {best.log, last.log} == {"dvs_gesture_conv_T20"}
    assert [cell.sources for cell in cells("paper", CNN_FPTT, CIFAR10_DVS)] == [
        (Source("paper_recalled", "CIFAR10-DVS", "FPTT"),),
        (),
    ]
    assert not any(cell.sources for cell in TABLE.cells("paper") if cell.row != CNN_FPTT)
    assert not any(cell.sources or cell.log for cell in TABLE.cells("quick"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(stores.with_published(tmp_path_factory.mktemp("store") / "store.db"))


def test_short_trainings_stand_beside_the_same_epochs_of_the_authors(store: Store) -> None:
    """Test accuracy after the epochs 1 to 4 of the logs: 61.4583, 70.8333, 74.3056, 86.1111 with 20 frames, and
    60.0694, 82.6389, 74.3056, 89.2361 with 100."""
    result = evaluate(store, TABLE, "short")
    shown = {
        (found.cell.column, found.cell.protocol.name): [round(value.value, 4) for value in found.published]
        for found in result.cells
        if found.cell.row == CNN_FPTT
    }
    assert shown == {
        (GESTURE_20, "A"): [86.1111],
        (GESTURE_20, "last"): [86.1111],
        (GESTURE_100, "A"): [89.2361],
        (GESTURE_100, "last"): [89.2361],
        (CIFAR10_DVS, "A"): [],
        (CIFAR10_DVS, "last"): [],
    }


def test_recollections_decide_nothing(store: Store) -> None:
    result = evaluate(store, TABLE, "paper")
    recalled = [value for found in result.cells for value in found.published if not value.firm]
    assert [value.value for value in recalled] == [97.22, 73.2]


def shares(
    values: Mapping[tuple[str, str], Sequence[float]], scale: str = "paper", plan: Sequence[int] = (0, 1, 2)
) -> Evidence:
    curves = {
        (row, column, seed, "test_accuracy"): dict.fromkeys(range(12), share)
        for (row, column), found in values.items()
        for seed, share in enumerate(found)
    }
    columns = tuple(dict.fromkeys(column for _, column in values))
    return Evidence(scale, columns, (0, 1, 2), curves, planned=dict.fromkeys(values, tuple(plan)))


HIGH, LOW = (0.96, 0.965, 0.97), (0.80, 0.805, 0.81)


def test_the_cnn_tells_nine_of_ten_gestures() -> None:
    def found(first: Sequence[float], second: Sequence[float], scale: str = "paper") -> str:
        return claims.C5.decide(shares({(CNN_FPTT, GESTURE_20): first, (CNN_FPTT, GESTURE_100): second}, scale)).status

    assert found(HIGH, HIGH) == "holds"
    assert found(HIGH, LOW) == "fails"
    assert found(HIGH, (0.85, 0.93, 0.99)) == "undecided"
    assert found(HIGH, HIGH[:2]) == "undecided"
    for scale in ("short", "quick"):
        assert found(HIGH, HIGH, scale) == "undecided"
    text = claims.C5.decide(shares({(CNN_FPTT, GESTURE_20): HIGH})).text
    assert "96.5 [95.3, 97.7] % as reported (3 seeds); 96.5 [95.3, 97.7] % over the last 10 epochs (3 seeds)" in text
    assert claims.C5.decide(shares({(CNN_FPTT, CIFAR10_DVS): HIGH})).lacks == "results"


def test_both_networks_have_to_show_what_is_said_of_fptt() -> None:
    ltc = {
        (claims.LTC_FPTT, GESTURE_20): HIGH,
        (claims.LTC_BPTT, GESTURE_20): LOW,
        (claims.LTC_ONLINE, GESTURE_20): LOW,
    }
    cnn = {(CNN_FPTT, GESTURE_20): LOW, (CNN_BPTT, GESTURE_20): HIGH, (CNN_ONLINE, GESTURE_20): HIGH}
    for claim in (claims.C9_OFFLINE, claims.C9_ONLINE):
        assert claim.decide(shares(ltc)).status == "holds"
        finding = claim.decide(shares({**ltc, **cnn}))
        assert finding.status == "fails"
        assert [(part.name, part.status) for part in finding.parts] == [
            (GESTURE_20, "holds"),
            (f"CNN ({GESTURE_20})", "fails"),
        ]
