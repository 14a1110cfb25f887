"""Claims of the FPTT work: the adding problem, memory, classes; and how trainings on the adding problem are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from papers.evidence import Evidence
from papers.fptt import claims, protocols
from papers.fptt.claims import LTC_BPTT, LTC_FPTT, LTC_ONLINE
from papers.measures import ACCURACY, MSE, RATE, SAVED
from papers.protocols import BEST, LAST
from results import published

Errors = Mapping[tuple[str, str], Sequence[float | None]]  # one a seed, None where it diverged


def adding(errors: Errors, scale: str = "paper", plan: int | None = None) -> Evidence:
    """Trainings whose error falls from the chance level to a value at once, and stays there."""
    curves = {
        (row, column, seed, "test_mse"): {step: 1 / 6 if step < 4 else value for step in range(12)}
        for (row, column), values in errors.items()
        for seed, value in enumerate(values)
        if value is not None
    }
    most = max(map(len, errors.values()))
    return Evidence(
        scale=scale,
        columns=tuple(dict.fromkeys(column for _, column in errors)),
        seeds=tuple(range(most)),
        curves=curves,
        planned={place: tuple(range(plan or len(values))) for place, values in errors.items()},
        diverged=frozenset(
            (*place, seed) for place, values in errors.items() for seed, value in enumerate(values) if value is None
        ),
    )


SOLVED, NOT = (0.002, 0.0025, 0.0021), (0.15, 0.161, 0.165)


def everywhere(row: str, values: Sequence[float | None]) -> Errors:
    return {(row, f"T={T}"): values for T in (200, 500, 1000)}


def test_a_trained_detector_is_more_precise_than_an_untrained_one() -> None:
    def evidence(trained: Sequence[float], untrained: Sequence[float]) -> Evidence:
        values = {claims.DETECTOR_FPTT: trained, claims.DETECTOR_UNTRAINED: untrained}
        curves = {
            (row, "VOC 2007", seed, "test_average_precision"): {0: value}
            for row, of_row in values.items()
            for seed, value in enumerate(of_row)
        }
        return Evidence("quick", ("VOC 2007",), (0, 1, 2), curves)

    decide = claims.C7_TRAINED.decide
    assert decide(evidence((0.05, 0.06, 0.07), (0.001, 0.002, 0.0))).status == "shown"
    assert decide(evidence((0.001, 0.002, 0.0), (0.05, 0.06, 0.07))).status == "not shown"
    assert decide(evidence((0.05, 0.0, 0.02), (0.001, 0.002, 0.0))).status == "undecided"
    assert decide(evidence((0.05, 0.06), (0.001, 0.002))).status == "undecided"


def test_fptt_solves_it() -> None:
    finding = claims.C1.decide(adding(everywhere(LTC_FPTT, SOLVED)))
    assert finding.status == "holds"
    assert "3 of 3 seeds solved it after 200, 200, 200 updates, best 100 updates 0.00219 [" in finding.text
    assert claims.C1.decide(adding(everywhere(LTC_FPTT, NOT))).status == "fails"
    assert claims.C1.decide(adding(everywhere(LTC_FPTT, (0.002, 0.15, 0.004)))).status == "undecided"
    assert (
        "2 of 3 planned seeds have results" in claims.C1.decide(adding({(LTC_FPTT, "T=200"): SOLVED[:2]}, plan=3)).text
    )
    assert claims.C1.decide(adding({("another", "T=200"): SOLVED})).lacks == "results"


def test_at_quick_scale_short_sequences_decide_nothing_but_that_it_learns() -> None:
    evidence = adding({(LTC_FPTT, "T=20"): SOLVED, (LTC_BPTT, "T=20"): SOLVED}, "quick")
    for claim in (claims.C1, claims.C2):
        assert (claim.decide(evidence).status, claim.decide(evidence).lacks) == ("undecided", "scale")
    assert claims.C1_CHANCE.decide(evidence).status == "shown"
    chance = adding({(LTC_FPTT, "T=20"): (0.20, 0.205, 0.21)}, "quick")
    assert claims.C1_CHANCE.decide(chance).status == "not shown"


def test_a_training_that_diverged_did_not_solve_it() -> None:
    finding = claims.C2.decide(adding({(LTC_BPTT, "T=500"): (None, None, 0.16), (LTC_BPTT, "T=1000"): NOT}))
    assert finding.status == "holds"
    assert "0 of 3 seeds solved it, 2 diverged, best 100 updates 0.164" in finding.text
    assert claims.C2.decide(adding({(LTC_BPTT, "T=500"): SOLVED, (LTC_BPTT, "T=1000"): NOT})).status == "fails"


def test_alif_and_networks_that_do_not_spike() -> None:
    assert claims.C3.decide(adding(everywhere(claims.ALIF_FPTT, NOT))).status == "holds"
    assert claims.C3.decide(adding(everywhere(claims.ALIF_FPTT, SOLVED))).status == "fails"
    right: dict[tuple[str, str], Sequence[float]] = {(claims.LSTM_BPTT, "T=200"): SOLVED}
    for column in ("T=500", "T=1000"):
        right |= {(claims.LSTM_BPTT, column): NOT, (claims.LSTM_FPTT, column): SOLVED}
        right |= {(claims.RNN_BPTT, column): NOT, (claims.RNN_FPTT, column): NOT}
    assert claims.C4.decide(adding(right)).status == "holds"
    assert claims.C4.decide(adding({**right, (claims.LSTM_FPTT, "T=500"): NOT})).status == "fails"


def memory(step: float, chunked: float, whole: float) -> Evidence:
    slopes = {claims.ONE_STEP: step, claims.TEN_CHUNKS: chunked, claims.BPTT: whole}
    rows = {f"T={T}": float(T) for T in (50, 100, 400)}
    finals = {
        (row, column, 0, SAVED.name): 0.3 + slope * T for row, T in rows.items() for column, slope in slopes.items()
    }
    return Evidence(scale="quick", columns=tuple(slopes), seeds=(0,), finals=finals, at=rows)


def test_memory_over_the_length_of_the_sequence() -> None:
    finding = claims.C6.decide(memory(0.0, 0.0172, 0.172))
    assert (finding.status, finding.stand_in) == ("holds", False)  # nothing stands in
    assert claims.C6.decide(memory(0.001, 0.0172, 0.172)).status == "fails"
    assert claims.C6.decide(memory(0.0, 0.03, 0.172)).status == "fails"
    assert claims.C6.decide(Evidence()).lacks == "results"


def shares(values: Mapping[str, Sequence[float]]) -> Evidence:
    curves = {
        (row, "S-MNIST", seed, "test_accuracy"): dict.fromkeys(range(5), share)
        for row, found in values.items()
        for seed, share in enumerate(found)
    }
    planned = {(row, "S-MNIST"): (0, 1, 2) for row in values}
    return Evidence(scale="paper", columns=("S-MNIST",), seeds=(0, 1, 2), curves=curves, planned=planned)


@pytest.mark.parametrize(
    ("fptt", "other", "offline", "online"),
    [
        ((0.95, 0.951, 0.952), (0.955, 0.956, 0.957), "holds", "fails"),
        ((0.95, 0.951, 0.952), (0.90, 0.901, 0.902), "holds", "holds"),
        ((0.85, 0.851, 0.852), (0.90, 0.901, 0.902), "fails", "fails"),
        ((0.7, 0.8, 0.9), (0.79, 0.80, 0.81), "undecided", "undecided"),
    ],
)
def test_fptt_against_other_ways_to_learn(
    fptt: Sequence[float], other: Sequence[float], offline: str, online: str
) -> None:
    evidence = shares({LTC_FPTT: fptt, LTC_BPTT: other, LTC_ONLINE: other})
    assert claims.C9_OFFLINE.decide(evidence).status == offline
    assert claims.C9_ONLINE.decide(evidence).status == online


def test_windows_of_updates() -> None:
    curve = dict(enumerate([0.2, 0.1, 0.004, 0.004, 0.004, 0.004, 0.3, 0.3]))
    curves = {"test_mse": curve}
    assert protocols.moving_average(curve)[5] == pytest.approx(0.004)
    last, best, solved = (p.select(curves, MSE) for p in (protocols.LAST_100, protocols.BEST_100, protocols.SOLVED))
    assert (last.step, last.value) == (7, pytest.approx(0.152))
    assert (best.step, best.value) == (5, pytest.approx(0.004))
    assert (solved.step, solved.value) == (5, pytest.approx(0.004))
    assert protocols.SOLVED.select({"test_mse": dict.fromkeys(range(9), 0.2)}, MSE) is None
    assert protocols.LAST_100.select({"test_mse": {0: 0.1, 1: 0.1}}, MSE) is None  # fewer than 100 updates
    assert 3 not in protocols.moving_average({0: 0.1, 1: 0.1, 3: 0.1, 4: 0.1})  # one epoch is missing


def test_the_authors_curves_give_what_their_histories_do() -> None:
    _, values = published.load(published.FOLDER / "fptt.toml")
    curves: dict[str, dict[int, float]] = {}
    printed = {(v.row, v.column): v.value for v in values if v.table == "adding_summary"}
    for value in values:
        if value.table == published.CURVES and value.column == "test_mse":
            curves.setdefault(value.row, {})[value.step or 0] = value.value
    runs = {row for row, _ in printed}
    assert runs == set(curves)
    for run in runs:
        found = {"test_mse": curves[run]}
        best = protocols.BEST_100.select(found, MSE)
        assert best.value >= printed[run, "best 100"] - 1e-5  # theirs slides by one update, the curve by 25
        solved = protocols.SOLVED.select(found, MSE)
        assert (solved is not None) == ((run, "updates to 0.01") in printed)
        if solved is not None:
            assert 0 <= (solved.step + 1) * protocols.UPDATES - printed[run, "updates to 0.01"] < 100
        if (run, "last 100") in printed:
            assert protocols.LAST_100.select(found, MSE).value == pytest.approx(
                printed[run, "last 100"], rel=1e-3, abs=1e-5
            )


@pytest.mark.parametrize(("T", "epochs", "first_best"), [(20, 170, 70), (100, 100, 43)])
def test_the_authors_gesture_curves_give_what_their_logs_do(T: int, epochs: int, first_best: int) -> None:
    _, values = published.load(published.FOLDER / "fptt.toml")
    printed = {v.column: v.value for v in values if (v.table, v.row) == ("gesture_logs", f"T={T}")}
    curve = {
        v.step: 100 * v.value
        for v in values
        if (v.table, v.row, v.column) == (published.CURVES, f"dvs_gesture_conv_T{T}", "test_accuracy")
    }
    assert sorted(curve) == list(range(epochs))  # from 0, as our epochs: the logs count from 1
    best, last = (protocol.select({"test_accuracy": curve}, ACCURACY) for protocol in (BEST, LAST))
    ends = sum(curve[step] for step in range(epochs - 10, epochs)) / 10
    assert (best.value, last.value, ends) == pytest.approx(
        (printed["best"], printed["last epoch"], printed["last 10 epochs"]), abs=6e-4
    )
    assert min(step for step, value in curve.items() if value == best.value) == first_best - 1


def test_a_liquid_neuron_fires_less() -> None:
    def evidence(ltc: Sequence[float], lif: Sequence[float]) -> Evidence:
        rates = {claims.LTC_CELL: ltc, claims.LIF_CELL: lif}
        places = [(row, column) for row in rates for column in ("current 1", "current 1.2")]
        return Evidence(
            "quick",
            ("current 1", "current 1.2"),
            (0, 1, 2),
            finals={
                (row, column, seed, RATE.name): value for row, column in places for seed, value in enumerate(rates[row])
            },
            planned=dict.fromkeys(places, (0, 1, 2)),
        )

    decide = claims.C8.decide
    assert decide(evidence((0.03, 0.034, 0.032), (0.11, 0.12, 0.114))).status == "holds"
    assert decide(evidence((0.11, 0.12, 0.114), (0.03, 0.034, 0.032))).status == "fails"
    assert decide(evidence((0.1, 0.2, 0.3), (0.12, 0.2, 0.3))).status == "undecided"
