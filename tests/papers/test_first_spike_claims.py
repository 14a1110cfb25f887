"""Claims of the first-spike work: where they hold, fail and stay open; and which number of a training is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from scipy.stats import spearmanr

from papers import measures
from papers.evidence import Evidence
from papers.first_spike import claims
from papers.first_spike.arms import ADLIF, ARMS, CULIF, FR, FS, Arm
from papers.first_spike.behaviour import CORRECTED, RELEASED
from papers.first_spike.protocols import READINGS, protocol

Values = Mapping[str, Mapping[str, Sequence[float]]]  # by row and measure, one a seed
SPREAD = (-0.004, 0.0, 0.004)


def trained(values: Values, scale: str = "paper", column: str = "SHD") -> Evidence:
    """Trainings that stay at these values for five epochs."""
    curves = {
        (row, column, seed, f"test_{measure}"): dict.fromkeys(range(5), value)
        for row, of in values.items()
        for measure, found in of.items()
        for seed, value in enumerate(found)
    }
    return Evidence(
        scale=scale,
        columns=(column,),
        seeds=(0, 1, 2),
        curves=curves,
        planned={(row, column): (0, 1, 2) for row in values},
    )


def around(value: float) -> list[float]:
    return [value + spread for spread in SPREAD]


def arms(by_fs: float, by_fr: float, network: str = ADLIF) -> Values:
    """Accuracy of both codings, read in their own way, the other reading being 0.1."""
    return {
        arm.row: {"accuracy_fs": around(by_fs if arm.coding == FS else 0.1)}
        | {"accuracy_fr": around(by_fr if arm.coding == FR else 0.1)}
        for arm in ARMS
        if arm.network == network
    }


def test_each_coding_is_read_in_its_own_way() -> None:
    assert claims.F5.decide(trained(arms(0.9, 0.901))).status == "holds"
    assert claims.F5.decide(trained(arms(0.8, 0.9))).status == "fails"
    assert claims.F5.decide(trained(arms(0.9, 0.901), "quick")).status == "shown"
    wide = {row: {name: [0.7, 0.9, 0.8] for name in of} for row, of in arms(0.9, 0.9).items()}
    assert claims.F5.decide(trained(wide)).status == "undecided"
    assert claims.F5.decide(trained({})).lacks == "results"


def test_fewer_spikes() -> None:
    def spikes(fs: float, fr: float) -> Evidence:
        return trained({a.row: {"spikes_per_neuron": around(fs if a.coding == FS else fr)} for a in ARMS})

    assert claims.F6.decide(spikes(1.5, 2.0)).status == "holds"
    assert claims.F6.decide(spikes(2.0, 1.5)).status == "fails"
    assert "AdLIF released" in claims.F6.decide(spikes(1.5, 2.0)).text


def test_adlif_against_culif() -> None:
    assert claims.F8.decide(trained({**arms(0.9, 0.9), **arms(0.8, 0.8, CULIF)})).status == "holds"
    assert claims.F8.decide(trained({**arms(0.8, 0.8), **arms(0.9, 0.9, CULIF)})).status == "fails"


def swept(delays: Sequence[float], accuracies: Sequence[float]) -> Evidence:
    return trained(
        {
            arm.row: {"td50_fs": [late] * 3, "accuracy_fs": around(right)}
            for arm, late, right in zip(claims.SETTINGS, delays, accuracies, strict=True)
        },
        "quick",
    )


def test_later_is_better() -> None:
    assert claims.F7.decide(swept([10, 12, 14, 16, 18, 20], [0.7, 0.75, 0.8, 0.85, 0.9, 0.95])).status == "shown"
    assert claims.F7.decide(swept([20, 18, 16, 14, 12, 10], [0.7, 0.75, 0.8, 0.85, 0.9, 0.95])).status == "not shown"
    assert claims.F7.decide(swept([10, 20, 14, 12, 18, 16], [0.7, 0.75, 0.8, 0.85, 0.9, 0.95])).status == "undecided"
    assert claims.F7.decide(swept([10] * 6, [0.7] * 6)).status == "undecided"
    assert claims.F7.decide(trained(arms(0.9, 0.9))).lacks == "results"


@pytest.mark.parametrize(("x", "y"), [([1, 2, 3, 4], [1, 2, 4, 3]), ([1, 1, 3, 4, 2], [5, 1, 2, 2, 2])])
def test_rank_correlations_are_those_of_scipy(x: list[float], y: list[float]) -> None:
    assert claims.spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_chance_counts_orders() -> None:
    assert claims.by_chance([1, 2, 3], [1, 2, 3]) == (1 / 6, 1)
    assert claims.by_chance([1, 2, 3], [3, 2, 1]) == (1, 1 / 6)


def test_constants_and_empty_steps() -> None:
    def settings(base: float, equal: float, late: float, emptied: float) -> Evidence:
        places = [(claims.BASE, base), (claims.EQUAL, equal), (claims.LATE, late)]
        places += [(arm, emptied) for arm in claims.EMPTIED]
        return trained({arm.row: {"accuracy_fs": around(value)} for arm, value in places}, "quick")

    better, worse = settings(0.9, 0.8, 0.7, 0.8), settings(0.8, 0.9, 0.8, 0.7)
    for claim in (claims.F9, claims.F10):
        assert (claim.decide(better).status, claim.decide(worse).status) == ("shown", "not shown")


def test_rows_say_what_they_are() -> None:
    rows = [arm.row for arm in (*ARMS, *claims.SWEPT)]
    assert len(rows) == len(set(rows)) == 16
    assert Arm(CULIF, FR, CORRECTED).row == "CuLIF, FR corrected"
    assert {arm.behaviour for arm in ARMS} == {RELEASED, CORRECTED}
    for arm in (*ARMS, *claims.SWEPT):
        assert claims.coding_of(arm.row) == arm.coding


def test_the_number_of_the_best_epoch_is_that_of_the_coding_of_the_row() -> None:
    curves = {
        "test_accuracy_fs": {0: 0.5, 1: 0.9, 2: 0.8},
        "test_accuracy_fr": {0: 0.6, 1: 0.2, 2: 0.7},
        "test_td50_fs": {0: 3.0, 1: 4.0, 2: 5.0},
    }
    found = {
        (coding, scale): protocol("td50", coding, scale).select(curves, measures.TD50_FS)
        for coding in (FS, FR)
        for scale in ("paper", "quick")
    }
    assert {place: value.value for place, value in found.items()} == {
        (FS, "paper"): 4,
        (FR, "paper"): 5,
        (FS, "quick"): 5,
        (FR, "quick"): 5,
    }
    del curves["test_td50_fs"][1]  # no sample was told
    assert protocol("td50", FS, "paper").select(curves, measures.TD50_FS) is None
    del curves["test_td50_fs"][2]
    assert protocol("td50", FS, "quick").select(curves, measures.TD50_FS) is None, "no earlier epoch stands in"
    assert {len(of) for of in READINGS.values()} == {2}
