"""The claims of the PLIF work on made-up evidence: each can hold, fail and stay undecided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from papers.claims import RESULTS, SCALE
from papers.evidence import Evidence
from papers.plif import claims
from papers.table import Claim

ROWS = ("PLIF 2 max", "PLIF 16 max", "LIF 2 max", "LIF 16 max", "PLIF 2 avg")


def evidence(
    accuracies: Mapping[str, Sequence[float]], taus: Mapping[str, Sequence[float]] | None = None, scale: str = "quick"
) -> Evidence:
    """One column "digits"; `accuracies` gives a flat test curve per seed for each row, `taus` the final taus."""
    curves: dict[tuple[str, str, int, str], dict[int, float]] = {}
    seeds = range(max(len(values) for values in accuracies.values()))
    for row, values in accuracies.items():
        for seed, value in enumerate(values):
            curves[row, "digits", seed, "test_accuracy"] = dict.fromkeys(range(20), value)
            for layer, tau in enumerate((taus or {}).get(row, ())):
                curves[row, "digits", seed, f"tau_{layer}"] = {0: tau}
    return Evidence(scale, ("digits", "unmeasured"), tuple(seeds), curves, test_samples={"digits": 397})


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
def test_differences_are_paired_by_seed(claim: Claim, plif: list[float], lif: list[float], expected: str) -> None:
    assert status(claim, evidence({"PLIF 16 max": plif, "LIF 16 max": lif})) == expected


def test_paired_numbers_by_hand() -> None:
    # differences 10, 12, 14 points: mean 12, s = 2, half = 4.3027 * 2 / sqrt(3) = 4.97
    found = evidence({"PLIF 2 max": [0.5, 0.62, 0.74], "LIF 2 max": [0.4, 0.5, 0.6]})
    assert claims.C1_TAU2.decide(found).text == "digits: holds, +12.0 [+7.0, +17.0] points (3 seeds)"


@pytest.mark.parametrize(
    ("lif16", "plif16", "lif2", "expected"),
    [(0.36, 0.84, 0.93, "holds"), (0.90, 0.84, 0.93, "undecided"), (0.95, 0.50, 0.93, "fails")],
)
def test_collapse(lif16: float, plif16: float, lif2: float, expected: str) -> None:
    found = evidence({"LIF 16 max": [lif16], "PLIF 16 max": [plif16], "LIF 2 max": [lif2]})
    assert status(claims.C2, found) == expected


@pytest.mark.parametrize(
    ("from_2", "from_16", "expected"),
    [([1.5, 1.5], [3.0, 3.0], "holds"), ([1.5, 1.5], [8.0, 8.0], "undecided"), ([1.5, 1.5], [20.0, 20.0], "fails")],
)
def test_gathering(from_2: list[float], from_16: list[float], expected: str) -> None:
    found = evidence({"PLIF 2 max": [0.9], "PLIF 16 max": [0.9]}, {"PLIF 2 max": from_2, "PLIF 16 max": from_16})
    assert status(claims.C3, found) == expected


def test_gathering_by_hand() -> None:
    # |ln(1.5 / 3)| = 0.693 in each layer, against ln 8 = 2.079
    found = evidence({"PLIF 2 max": [0.9], "PLIF 16 max": [0.9]}, {"PLIF 2 max": [1.5, 1.5], "PLIF 16 max": [3.0, 3.0]})
    assert "2.08 at the start, 0.69 at the end" in claims.C3.decide(found).text


@pytest.mark.parametrize(
    ("taus", "scale", "expected"),
    [
        ([1.5, 1.3, 5.0, 2.0], "quick", "holds"),
        ([1.5, 6.0, 5.0, 2.0], "quick", "undecided"),  # takes dozens of epochs in the authors' logs
        ([1.5, 6.0, 5.0, 2.0], "paper", "fails"),
    ],
)
def test_the_largest_tau(taus: list[float], scale: str, expected: str) -> None:
    assert status(claims.C4, evidence({"PLIF 2 max": [0.9]}, {"PLIF 2 max": taus}, scale)) == expected


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
        (0.95, 0.93, 3, "holds"),
        (0.93, 0.93, 3, "undecided"),
        (0.9, 0.95, 3, "fails"),
        (0.95, 0.93, 2, "undecided"),  # few seeds decide nothing
        (0.9, 0.95, 1, "undecided"),
    ],
)
def test_overestimation(a: float, b: float, seeds: int, expected: str) -> None:
    # At paper scale A and B are different runs: each row has its own, B with a validation set that chooses epoch 1.
    curves = {("accuracy-A", "digits", seed, "test_accuracy"): {0: 0.1, 1: a, 2: a - 0.05} for seed in range(seeds)}
    for name, values in (("test_accuracy", (0.99, b, 0.99)), ("validation_accuracy", (0.7, 0.9, 0.8))):
        curves |= {("accuracy-B", "digits", seed, name): dict(enumerate(values)) for seed in range(seeds)}
    found = Evidence("paper", ("digits",), tuple(range(seeds)), curves, test_samples={"digits": 397})
    assert status(claims.C9, found) == expected


@pytest.mark.parametrize("claim", [claims.C1_TAU2, claims.C1_TAU16, claims.C2, claims.C6], ids=lambda claim: claim.id)
def test_a_few_epochs_do_not_decide_where_a_training_ends(claim: Claim) -> None:
    rows = dict(zip(ROWS, ([0.9, 0.91, 0.92], [0.8, 0.81, 0.82], [0.5] * 3, [0.3] * 3, [0.9, 0.91, 0.92]), strict=True))
    assert status(claim, evidence(rows)) == "holds"
    short = claim.decide(evidence(rows, scale="short"))
    assert short.status == "undecided"
    assert short.lacks == SCALE
    assert "whole trainings" in short.evidence
    assert claim.decide(evidence(rows)).text in short.text  # the numbers are shown all the same


def test_nothing_measured_is_undecided() -> None:
    nothing = Evidence("quick", ("digits",))
    every = [value for value in vars(claims).values() if isinstance(value, Claim)]
    assert len(every) == 9
    for claim in every:
        assert claim.decide(nothing).status == "undecided"
        assert claim.decide(nothing).lacks == RESULTS
