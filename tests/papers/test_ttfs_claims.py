"""Claims of the T2FSNN work: each holds, fails and stays undecided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from papers.claims import RESULTS
from papers.evidence import Evidence
from papers.ttfs import claims
from papers.ttfs.claims import CONSTANT, CORRECTED, RAW, RELEASED

SOUND = {
    "late_inputs": 0.0, "passes": 4.0, "gradient_difference": 1e-8, "gradients": 18.0, "clipped_cosine": 0.98,
    "most_spikes": 1.0, **{f"wrong_{K}": 0.0 for K in (8, 32, 128)}, **{f"late_{K}": 0.99 for K in (8, 32, 128)},
    **{f"passes_{K}": 2 * (2 * K + 3.0) for K in (8, 32, 128)},
}  # fmt: skip


def runs(**changed: float) -> Evidence:
    """Two runs, of which the second has these numbers."""
    finals = {
        (RELEASED, RAW, seed, name): value
        for seed, numbers in enumerate((SOUND, {**SOUND, **changed}))
        for name, value in numbers.items()
    }
    return Evidence(
        scale="quick", columns=(RAW,), seeds=(0, 1), finals=finals, headings={RAW: "MNIST, 8x8 digits standing in"}
    )


@pytest.mark.parametrize(
    ("claim", "changed", "words"),
    [
        (claims.C1, {"wrong_32": 3.0}, "3 wrong, 0.990 steps late at most with 32"),
        (claims.C2, {"passes": 99.0}, "99 passes a sample in closed form, 38 to 518 with 8 to 128 steps"),
        (
            claims.C4,
            {"gradient_difference": 0.01},
            "0.01 at most in 18 weights; cosine to the gradient clipped at 1: 0.98",
        ),
        (claims.C5, {"most_spikes": 2.0}, "2 spikes of a neuron at most"),
    ],
    ids=lambda value: getattr(value, "id", ""),
)
def test_exact_statements(claim: claims.Claim, changed: dict[str, float], words: str) -> None:
    assert claim.decide(runs()).status == "holds"
    finding = claim.decide(runs(**changed))
    assert finding.status == "fails"
    assert words in finding.text
    assert claim.decide(Evidence(scale="quick", columns=(RAW,))).lacks == RESULTS


def test_networks_with_late_inputs_say_nothing_of_the_limit() -> None:
    assert "seed 1" not in claims.C1.decide(runs(late_inputs=0.6, wrong_8=900.0)).text
    assert claims.C1.decide(runs(late_inputs=0.6, wrong_8=900.0)).status == "holds"


def curves(values: Mapping[str, Mapping[str, Sequence[float]]], scale: str = "quick") -> Evidence:
    """Metric, row, and a value for each seed."""
    found = {
        (row, RAW, seed, metric): dict.fromkeys(range(5), value)
        for metric, rows in values.items()
        for row, several in rows.items()
        for seed, value in enumerate(several)
    }
    places = {(row, RAW) for row, *_ in found}
    planned = dict.fromkeys(places, (0, 1, 2))
    return Evidence(scale=scale, columns=(RAW,), seeds=(0, 1, 2), curves=found, planned=planned)


HIGH, LOW, WIDE = (0.95, 0.951, 0.949), (0.90, 0.901, 0.899), (0.7, 0.95, 0.99)


@pytest.mark.parametrize(
    ("claim", "metric", "more", "less"),
    [(claims.C6, "test_accuracy", CORRECTED, CONSTANT), (claims.C8, "silent", CONSTANT, CORRECTED)],
    ids=["C6", "C8"],
)
def test_thresholds_are_compared_over_seeds(claim: claims.Claim, metric: str, more: str, less: str) -> None:
    assert claim.decide(curves({metric: {more: HIGH, less: LOW}})).status == "shown"
    assert claim.decide(curves({metric: {more: LOW, less: HIGH}})).status == "not shown"
    assert claim.decide(curves({metric: {more: WIDE, less: LOW}})).status == "undecided"
    assert claim.decide(curves({metric: {more: HIGH[:2], less: LOW[:2]}})).status == "undecided"
    assert claim.decide(curves({metric: {more: HIGH}})).lacks == RESULTS


def test_sparsity_is_shown_and_decides_nothing() -> None:
    evidence = curves(
        {
            "additions": {RELEASED: (2000.0,) * 3},
            "multiply_adds": {RELEASED: (4000.0,) * 3},
            "silent": {RELEASED: (0.75,) * 3},
        }
    )
    finding = claims.C7.decide(evidence)
    assert (finding.status, finding.lacks) == ("undecided", "scale")
    # 2,000 additions of 0.9 pJ against 4,000 multiply-adds of 4.6 pJ
    assert (
        "0.250 spikes per neuron, 2,000 additions for 4,000 multiply-adds without spikes, 10 % of their" in finding.text
    )
    assert "0.9 pJ an addition" in finding.test
    assert claims.C7.decide(Evidence(scale="quick")).lacks == RESULTS


def test_the_time_of_a_training_is_shown() -> None:
    def text(**of: float) -> str:
        finals = {(row, RAW, 0, "train_throughput"): value for row, value in of.items()}
        finding = claims.C9.decide(Evidence(scale="quick", columns=(RAW,), seeds=(0,), finals=finals))
        assert finding.status == "undecided"
        return finding.text

    end = "images a second in training of networks of spikes, on the machines of the runs"
    assert text(**{RELEASED: 3000.0}) == f"3,000 {end}"
    without_spikes = {claims.RELU: 9000.0, f"VGG7 / 8, {claims.RELU}": 9000.0}
    assert text(**{RELEASED: 3000.0, claims.CORRECTED: 40.0, **without_spikes}) == f"40 to 3,000 {end}"
    assert claims.C9.decide(Evidence()).lacks == RESULTS
