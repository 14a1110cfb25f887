"""The claims of the PLIF work on made-up evidence: each can hold, fail and stay undecided.

The column is CIFAR-10, which all of them are about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from papers.claims import RESULTS, SCALE
from papers.evidence import Evidence
from papers.plif import claims
from papers.table import Claim

COLUMN = "CIFAR-10"
ROWS = ("PLIF 2 max", "PLIF 16 max", "LIF 2 max", "LIF 16 max", "PLIF 2 avg")


def evidence(
    accuracies: Mapping[str, Sequence[float]], taus: Mapping[str, Sequence[float]] | None = None, scale: str = "paper"
) -> Evidence:
    """One column; `accuracies` gives a flat test curve per seed for each row, `taus` the final taus."""
    curves: dict[tuple[str, str, int, str], dict[int, float]] = {}
    seeds = range(max(len(values) for values in accuracies.values()))
    for row, values in accuracies.items():
        for seed, value in enumerate(values):
            curves[row, COLUMN, seed, "test_accuracy"] = dict.fromkeys(range(20), value)
            for layer, tau in enumerate((taus or {}).get(row, ())):
                curves[row, COLUMN, seed, f"tau_{layer}"] = {0: tau}
    return Evidence(scale, (COLUMN, "MNIST"), tuple(seeds), curves, test_samples={COLUMN: 397})


def status(claim: Claim, found: Evidence) -> str:
    finding = claim.decide(found)
    if finding.status != "undecided":
        assert finding.text
        assert finding.test
    return finding.status


@pytest.mark.parametrize("claim", [claims.C1_TAU16, claims.C5_TAU16], ids=lambda claim: claim.id)
@pytest.mark.parametrize(
    ("plif", "lif", "expected"),
    [
        ([0.84, 0.83, 0.85], [0.36, 0.38, 0.35], "holds"),
        ([0.36, 0.38, 0.35], [0.84, 0.83, 0.85], "fails"),
        ([0.84, 0.30, 0.85], [0.36, 0.38, 0.86], "undecided"),
        ([0.84], [0.36], "undecided"),  # one seed decides nothing
    ],
)
def test_differences_between_plif_and_lif(claim: Claim, plif: list[float], lif: list[float], expected: str) -> None:
    assert status(claim, evidence({"PLIF 16 max": plif, "LIF 16 max": lif})) == expected


def test_numbers_by_hand() -> None:
    # means 62 and 50, s = 12 and 10: error sqrt((144 + 100) / 3) = 9.02, by Satterthwaite 3.87 degrees of freedom
    found = evidence({"PLIF 16 max": [0.5, 0.62, 0.74], "LIF 16 max": [0.4, 0.5, 0.6]}, scale="quick")
    assert claims.C1_TAU16.decide(found).text == (
        "no plan recorded, all seeds found count; CIFAR-10: undecided, +12.0 [-13.4, +37.4] points (3 seeds)"
    )


def near(value: float) -> list[float]:
    """Three seeds."""
    return [value, value + 0.005, value - 0.005]


@pytest.mark.parametrize(
    ("lif16", "plif16", "lif2", "expected"),
    [
        (0.36, 0.84, 0.93, "holds"),
        (0.82, 0.84, 0.93, "fails"),  # 2 points are no ruin
        (0.90, 0.84, 0.93, "fails"),
        (0.79, 0.84, 0.93, "undecided"),
    ],
)
def test_collapse(lif16: float, plif16: float, lif2: float, expected: str) -> None:
    rows = {"LIF 16 max": near(lif16), "PLIF 16 max": near(plif16), "LIF 2 max": near(lif2)}
    assert status(claims.C2, evidence(rows)) == expected
    assert status(claims.C2, evidence({row: values[:1] for row, values in rows.items()})) == "undecided"


@pytest.mark.parametrize(
    ("from_2", "from_16", "seeds", "expected"),
    [
        ([1.5, 1.5], [3.0, 3.0], 3, "holds"),
        ([1.5, 1.5], [8.0, 8.0], 3, "undecided"),
        ([1.5, 1.5], [20.0, 20.0], 3, "fails"),
        ([1.5, 1.5], [3.0, 3.0], 2, "undecided"),  # two seeds decide nothing
    ],
)
def test_gathering(from_2: list[float], from_16: list[float], seeds: int, expected: str) -> None:
    rows = {"PLIF 2 max": [0.9] * seeds, "PLIF 16 max": [0.9] * seeds}
    assert status(claims.C3, evidence(rows, {"PLIF 2 max": from_2, "PLIF 16 max": from_16})) == expected


def test_gathering_by_hand() -> None:
    # |ln(1.5 / 3)| = 0.693 in each layer, of ln 8 = 2.079
    rows = {"PLIF 2 max": [0.9] * 3, "PLIF 16 max": [0.9] * 3}
    found = evidence(rows, {"PLIF 2 max": [1.5, 1.5], "PLIF 16 max": [3.0, 3.0]})
    assert "0.33 [0.33, 0.33] of it left (3 seeds)" in claims.C3.decide(found).text


LARGEST, OTHER = [1.5, 1.3, 5.0, 2.0], [1.5, 6.0, 5.0, 2.0]


@pytest.mark.parametrize(
    ("hits", "misses", "expected"),
    [
        (3, 0, "holds"),  # by chance 1 / 64 with four layers
        (2, 1, "undecided"),  # by chance 10 / 64
        (0, 3, "undecided"),
        (0, 6, "fails"),  # of half of all seeds 1 / 64
        (2, 0, "undecided"),
    ],
)
def test_the_largest_tau(hits: int, misses: int, expected: str) -> None:
    found = evidence({"PLIF 2 max": [0.9] * (hits + misses)})
    taus = [LARGEST] * hits + [OTHER] * misses
    layers = {
        ("PLIF 2 max", COLUMN, seed, f"tau_{layer}"): {0: tau}
        for seed, of_seed in enumerate(taus)
        for layer, tau in enumerate(of_seed)
    }
    assert status(claims.C4, replace(found, curves={**found.curves, **layers})) == expected


@pytest.mark.parametrize(
    ("maximum", "average", "expected"),
    [
        ([0.930, 0.931, 0.929], [0.925, 0.926, 0.924], "holds"),
        ([0.930, 0.931, 0.929], [0.825, 0.826, 0.824], "fails"),
        ([0.930, 0.931, 0.929], [0.95, 0.90, 0.93], "undecided"),
        ([0.93], [0.93], "undecided"),
    ],
)
def test_pooling(maximum: list[float], average: list[float], expected: str) -> None:
    assert status(claims.C6, evidence({"PLIF 2 max": maximum, "PLIF 2 avg": average})) == expected


@pytest.mark.parametrize(
    ("a", "b", "seeds", "expected"),
    [
        (0.95, 0.92, 3, "holds"),
        (0.93, 0.93, 3, "undecided"),
        (0.9, 0.95, 3, "fails"),
        (0.95, 0.93, 2, "undecided"),  # few seeds decide nothing
        (0.9, 0.95, 1, "undecided"),
    ],
)
def test_overestimation(a: float, b: float, seeds: int, expected: str) -> None:
    # At paper scale A and B are different runs: each row has its own, B with a validation set that chooses epoch 1.
    found = best_and_chosen("paper", a, b, seeds)
    assert status(claims.C9, found) == expected


def best_and_chosen(scale: str, a: float, b: float, seeds: int, **keys: str) -> Evidence:
    curves: dict[tuple[str, str, int, str], dict[int, float]] = {}
    for seed in range(seeds):
        off = 0.004 * (seed % 3 - 1)
        curves["accuracy-A", COLUMN, seed, "test_accuracy"] = {0: 0.1, 1: a + off, 2: a - 0.05}
        curves["accuracy-B", COLUMN, seed, "test_accuracy"] = {0: 0.99, 1: b + off, 2: 0.99}
        curves["accuracy-B", COLUMN, seed, "validation_accuracy"] = {0: 0.7, 1: 0.9, 2: 0.8}
    experiments = {(f"accuracy-{row}", COLUMN): key for row, key in keys.items()}
    samples = {COLUMN: 397}
    return Evidence(scale, (COLUMN,), tuple(range(seeds)), curves, test_samples=samples, experiments=experiments)


def test_of_one_run_the_best_epoch_cannot_be_the_worse() -> None:
    one = claims.C9.decide(best_and_chosen("quick", 0.95, 0.90, 5, A="x", B="x"))
    assert (one.status, one.lacks) == ("undecided", SCALE)
    assert "+5.0" in one.text
    assert "by construction" in one.text
    assert claims.C9.decide(best_and_chosen("quick", 0.95, 0.90, 5, A="x", B="y")).status == "shown"


def test_learning_speed_needs_sixteen_epochs() -> None:
    rows = {"PLIF 2 max": near(0.9), "LIF 2 max": near(0.5)}
    assert status(claims.C5_TAU2, evidence(rows)) == "holds"
    whole = evidence(rows, scale="short")
    few = replace(whole, curves={place: dict.fromkeys(range(4), 0.5) for place in whole.curves})
    finding = claims.C5_TAU2.decide(few)
    assert (finding.status, finding.lacks, finding.evidence) == ("undecided", SCALE, "no two trainings of 16 epochs")


def test_a_claim_is_about_the_data_sets_of_the_work() -> None:
    """On MNIST nothing is said of a collapse, and nothing of N-MNIST in table 4."""
    rows = {"PLIF 2 max": near(0.9), "LIF 2 max": near(0.5)}
    own = evidence(rows)
    moved = {(row, "N-MNIST", seed, name): curve for (row, _, seed, name), curve in own.curves.items()}
    elsewhere = replace(own, columns=("N-MNIST",), curves=moved)
    assert claims.C1_TAU2.decide(elsewhere).status == "undecided"
    assert "N-MNIST (further evidence): holds" in claims.C1_TAU2.decide(elsewhere).text


@pytest.mark.parametrize(
    "claim", [claims.C1_TAU2, claims.C1_TAU16, claims.C2, claims.C3, claims.C4, claims.C6], ids=lambda claim: claim.id
)
def test_a_few_epochs_do_not_decide_where_a_training_ends(claim: Claim) -> None:
    accuracies = map(near, (0.9, 0.8, 0.5, 0.3, 0.9))
    taus = {"PLIF 2 max": LARGEST, "PLIF 16 max": LARGEST}
    rows = dict(zip(ROWS, accuracies, strict=True))
    assert status(claim, evidence(rows, taus)) == "holds"
    assert status(claim, evidence(rows, taus, "quick")) == "shown"
    short = claim.decide(evidence(rows, taus, scale="short"))
    assert short.status == "undecided"
    assert short.lacks == SCALE
    assert "whole trainings" in short.evidence
    assert short.parts  # the numbers are shown all the same


def test_nothing_measured_is_undecided() -> None:
    nothing = Evidence("quick", (COLUMN,))
    every = [value for value in vars(claims).values() if isinstance(value, Claim)]
    assert len(every) == 9
    for claim in every:
        assert claim.decide(nothing).status == "undecided"
        assert claim.decide(nothing).lacks == RESULTS
