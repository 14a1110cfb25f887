"""The claims of the PSN work on made-up evidence: each can hold, fail and stay undecided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from papers.claims import RESULTS, SCALE
from papers.evidence import Evidence
from papers.psn import claims
from papers.table import Claim

CIFAR = "CIFAR100"
NEURONS = ("PSN", "sliding PSN", "masked PSN", "GLIF", "PLIF", "KLIF", "LIF", "LIF without reset")
LADDER = dict(zip(NEURONS, (0.90, 0.88, 0.86, 0.83, 0.83, 0.83, 0.80, 0.78), strict=True))


def evidence(
    accuracies: Mapping[str, Sequence[float] | float],
    column: str = CIFAR,
    scale: str = "paper",
    finals: Mapping[tuple[str, str, int, str], float] | None = None,
    rates: Mapping[str, Sequence[float]] | None = None,
) -> Evidence:
    """One column; `accuracies` gives a flat test curve per seed (three if one number). Rows "k=..." stand at k."""
    curves: dict[tuple[str, str, int, str], dict[int, float]] = {}
    values = {row: [v + d for d in (0, 0.001, -0.001)] if isinstance(v, float) else v for row, v in accuracies.items()}
    seeds = range(max((len(v) for v in values.values()), default=0))
    for row, by_seed in values.items():
        for seed, value in enumerate(by_seed):
            curves[row, column, seed, "test_accuracy"] = dict.fromkeys(range(3), value)
            for layer, rate in enumerate((rates or {}).get(row, ())):
                curves[row, column, seed, f"rate_{layer}"] = {0: 0.5, 1: rate + 0.001 * seed}
    at = {row: float(row.removeprefix("k=")) for row in values if row.startswith("k=")}
    cells = {(row, column): row for row in values}
    return Evidence(
        scale, (column, "unmeasured"), tuple(seeds), curves, finals or {}, {column: 1000}, at=at, experiments=cells
    )


def status(claim: Claim, found: Evidence) -> str:
    finding = claim.decide(found)
    if finding.status != "undecided":
        assert finding.text
        assert finding.test
    return finding.status


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "holds"),
        ({"LIF without reset": 0.84}, "fails"),
        ({"sliding PSN": [0.88, 0.85, 0.89]}, "undecided"),
        ({"PSN": [0.95]}, "undecided"),
    ],
)
def test_the_ordering_needs_every_adjacent_pair(changes: Mapping[str, float], expected: str) -> None:
    found = evidence({**LADDER, **changes})
    assert status(claims.C5, found) == expected
    parts = claims.C5.decide(found).parts
    assert len(parts) == 2 + 3 + 3 + 1  # family, family to vanilla, vanilla to LIF, LIF to LIF without reset
    assert all(" > " in part.name for part in parts)


def test_the_family_against_every_other_neuron() -> None:
    assert status(claims.C6, evidence(LADDER)) == "holds"
    found = evidence({**LADDER, "GLIF": 0.87})
    assert status(claims.C6, found) == "fails"
    assert "holds in 14 of 15 comparisons, fails in 1; fails: masked PSN > GLIF" in claims.C6.decide(found).text
    assert status(claims.C6, evidence({**LADDER, "GLIF": [0.5]})) == "undecided"


@pytest.mark.parametrize(("lif", "expected"), [(0.80, "holds"), (0.70, "fails"), ([0.8], "undecided")])
def test_no_reset_costs_accuracy(lif: float, expected: str) -> None:
    assert status(claims.C7, evidence({"LIF": lif, "LIF without reset": 0.75})) == expected


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ({"k=1": 0.5, "k=4": 0.6, "k=8": 0.605}, "holds"),
        ({"k=1": 0.6, "k=4": 0.5, "k=8": 0.505}, "fails"),  # no rise
        ({"k=1": 0.5, "k=4": 0.6, "k=8": 0.7}, "fails"),  # no saturation
        ({"k=1": [0.5], "k=4": [0.6], "k=8": [0.6]}, "undecided"),
    ],
)
def test_accuracy_rises_with_the_order_and_saturates(accuracies: Mapping[str, float], expected: str) -> None:
    assert status(claims.C8, evidence(accuracies, "masked")) == expected


def test_open_masks_do_not_count() -> None:
    """The best epoch of a masked PSN is that with lambda = 1: 0.4 here, not 0.9."""
    found = evidence({"k=1": [0.3] * 3, "k=4": [0.6] * 3}, "masked", "paper")
    curves = dict(found.curves)
    for seed in range(3):
        curves["k=1", "masked", seed, "test_accuracy"] = {0: 0.9, 1: 0.4, 2: 0.3}
        curves["k=1", "masked", seed, "lambda_0"] = {0: 0.5, 1: 1.0, 2: 1.0}
    found = replace(found, curves=curves)
    assert "k=4 above k=1 (masked): holds, +20.00 " in claims.C8.decide(found).text


def test_the_largest_order_is_by_its_number() -> None:
    """k = 16 comes after k = 4 and 8, whatever the alphabet says."""
    found = evidence({"k=1": 0.5, "k=4": 0.6, "k=8": 0.7, "k=16": 0.605}, "masked")
    parts = claims.C8.decide(found).parts
    assert [part.name for part in parts] == ["k=4 above k=1 (masked)", "k=16 near k=4 (masked)"]


@pytest.mark.parametrize(
    ("sliding", "expected", "count"),
    [
        ({"k=1": 0.6, "k=2": 0.5}, "holds", "holds in 2 of 2 orders"),  # as accurate is enough
        ({"k=1": 0.6, "k=2": 0.4}, "fails", "holds in 1 of 2 orders, fails in 1"),
        ({"k=1": 0.6, "k=2": [0.6, 0.4, 0.5]}, "undecided", "holds in 1 of 2 orders, undecided in 1"),
        ({"k=1": 0.6, "k=2": [0.6]}, "undecided", "holds in 1 of 2 orders, undecided in 1"),
        ({"k=1": 0.6}, "holds", ""),  # k = 2 has no sliding run
    ],
)
def test_sliding_against_masked_order_by_order(sliding: Mapping[str, float], expected: str, count: str) -> None:
    masked, other = (evidence(a, c) for a, c in (({"k=1": 0.5, "k=2": 0.5}, "masked"), (sliding, "sliding")))
    both = {"curves": {**masked.curves, **other.curves}, "at": {**masked.at, **other.at}}
    found = Evidence("paper", ("masked", "sliding"), (0, 1, 2), **both)
    assert status(claims.C9, found) == expected
    assert claims.C9.decide(found).evidence.startswith(count)


@pytest.mark.parametrize(("sliding", "expected"), [(0.895, "holds"), (0.80, "fails"), ([0.9, 0.8, 0.95], "undecided")])
def test_sliding_nearly_equals_psn(sliding: float, expected: str) -> None:
    assert status(claims.C10, evidence({"PSN": 0.9, "sliding PSN": sliding})) == expected


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ([0.953, 0.954, 0.952], "holds"),
        ([0.963, 0.964, 0.962], "holds"),
        ([0.930, 0.931, 0.929], "fails"),
        ([0.943, 0.945, 0.941], "undecided"),
        ([0.50, 0.99, 0.97], "undecided"),  # what varies so much reaches nothing
        ([0.953, 0.954], "undecided"),
    ],
)
def test_published_accuracies(accuracies: Sequence[float], expected: str) -> None:
    found = evidence({"PSN, T=4": accuracies}, "CIFAR10", "paper")
    found = replace(found, published={("PSN, T=4", "CIFAR10"): [95.32]})
    assert status(claims.C11, found) == expected


def test_reaching_a_published_run_by_hand() -> None:
    # mean 95.30, s = 0.10: 0.02 missing, half width 4.3027 * 0.1 * sqrt(4 / 3) = 0.497
    found = evidence({"PSN, T=4": [0.953, 0.954, 0.952]}, "CIFAR10", "paper")
    found = replace(found, published={("PSN, T=4", "CIFAR10"): [95.32]})
    assert "+0.02 [-0.48, +0.52] points are missing" in claims.C11.decide(found).text


def test_more_frames() -> None:
    rows = {"sliding PSN, T=4": 0.82, "sliding PSN, T=8": 0.85, "sliding PSN, T=10": 0.86}
    assert status(claims.C12, evidence(rows, "CIFAR10-DVS", "paper")) == "holds"
    quick = claims.C12.decide(evidence(rows, "CIFAR10-DVS", "quick"))
    assert quick.status == "undecided"
    assert "small stand-ins do not decide it" in quick.evidence
    assert quick.lacks == SCALE
    assert "+3.0" in quick.text  # T = 8 against 4: shown all the same


@pytest.mark.parametrize(
    ("claim", "what"),
    [
        (claims.C1, "masked_steps"),
        (claims.C2_STEPS, "sliding_steps"),
        (claims.C2_FORMS, "sliding_forms"),
        (claims.C4, "fixed_matrix"),
    ],
)
@pytest.mark.parametrize(("difference", "ties", "expected"), [(0, 0, "holds"), (2, 2, "holds"), (2, 1, "fails")])
def test_exact_claims(claim: Claim, what: str, difference: float, ties: float, expected: str) -> None:
    finals = {
        ("row", CIFAR, seed, f"{what}_{name}"): value
        for seed in (0, 1)
        for name, value in (("difference", difference * seed), ("ties", ties * seed))
    }
    finding = claim.decide(evidence({"row": [0.5, 0.5]}, finals=finals))
    assert finding.status == expected
    assert f"sum of absolute differences {difference}" in finding.text
    assert ("within rounding" in finding.text) == (ties > 0)


def test_masked_weight_and_overhead() -> None:
    def found(weight: float, count: float) -> Evidence:
        finals = {"weight_difference": weight, "neuron_parameters": count, "neuron_parameters_expected": 216.0}
        return evidence({"PSN": [0.5]}, finals={("PSN", CIFAR, 0, name): v for name, v in finals.items()})

    assert [status(claim, found(0.0, 216.0)) for claim in (claims.C3, claims.C14)] == ["holds", "holds"]
    assert [status(claim, found(0.1, 217.0)) for claim in (claims.C3, claims.C14)] == ["fails", "fails"]
    assert claims.C14.decide(found(0.0, 216.0)).text == "PSN CIFAR100: holds, 216 of 216"


@pytest.mark.parametrize(("rate", "expected"), [([0.3, 0.2], "holds"), ([0.1, 0.1], "fails")])
def test_firing_rates(rate: Sequence[float], expected: str) -> None:
    # means over the layers: 0.25 or 0.1 without reset against 0.15 with it
    found = evidence({"LIF": 0.5, "LIF without reset": 0.5}, rates={"LIF": [0.1, 0.2], "LIF without reset": rate})
    assert status(claims.C15, found) == expected


@pytest.mark.parametrize(
    ("claim", "rows"),
    [
        (claims.C5, LADDER),
        (claims.C6, LADDER),
        (claims.C7, LADDER),
        (claims.C8, {"k=1": 0.5, "k=4": 0.6, "k=8": 0.605}),
        (claims.C10, {"PSN": 0.9, "sliding PSN": 0.895}),
    ],
)
def test_a_few_epochs_decide_no_claim_about_accuracy(claim: Claim, rows: Mapping[str, float]) -> None:
    """At short scale masks are still open, too."""
    column = "masked" if claim is claims.C8 else CIFAR
    assert status(claim, evidence(rows, column)) == "holds"
    assert status(claim, evidence(rows, column, "quick")) == "shown"
    short = claim.decide(evidence(rows, column, "short"))
    assert short.status == "undecided"
    assert "whole trainings" in short.evidence


@pytest.mark.parametrize(
    ("claim", "elsewhere"),
    [
        (claims.C5, {"LIF": 0.95}),
        (claims.C6, {"LIF": 0.95}),
        (claims.C7, {"LIF": 0.5}),
        (claims.C10, {"sliding PSN": 0.5}),
        (claims.C15, {}),
    ],
)
def test_another_task_may_speak_against_a_claim(claim: Claim, elsewhere: Mapping[str, float]) -> None:
    """At quick scale no task is the work's: what one shows and another contradicts is mixed."""
    rows = {**LADDER, "sliding PSN": 0.889} if claim is claims.C10 else LADDER
    raised, lowered = {"LIF": [0.1], "LIF without reset": [0.3]}, {"LIF": [0.3], "LIF without reset": [0.1]}
    own = evidence(rows, scale="quick", rates=raised)
    other = evidence({**rows, **elsewhere}, "pixel digits", "quick", rates=lowered)
    columns = (*own.columns, *other.columns)
    curves = {**own.curves, **other.curves}
    both = Evidence("quick", columns, own.seeds, curves, test_samples={CIFAR: 1000, "pixel digits": 1000})
    assert status(claim, own) == "shown"
    assert status(claim, other) == "not shown"
    assert status(claim, both) == "mixed"


def test_what_is_exact_holds_or_fails_at_every_scale() -> None:
    finals = {("row", CIFAR, 0, "sliding_forms_difference"): 0.0}
    found = claims.C2_FORMS.decide(evidence({"row": [0.5]}, scale="quick", finals=finals))
    assert (found.status, found.stand_in) == ("holds", False)


def test_nothing_measured_is_undecided() -> None:
    nothing = Evidence("paper", (CIFAR,))
    every = [value for value in vars(claims).values() if isinstance(value, Claim)]
    assert {claim.id.split()[0] for claim in every} == {f"C{n}" for n in range(1, 16)} - {"C13"}
    for claim in every:
        assert claim.decide(nothing).status == "undecided"
        assert claim.decide(nothing).lacks == RESULTS
