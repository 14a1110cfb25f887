"""How often verdicts are right, by a small simulation."""

from __future__ import annotations

import pytest

from papers.calibration.rates import Rate
from papers.calibration.verdicts import RUNS, SHIFTS, simulate

pytestmark = pytest.mark.xdist_group("verdict rates")


@pytest.fixture(scope="module")
def rates() -> dict[str, Rate]:
    return {rate.setting: rate for rate in simulate(1250, seed=1)}


def near(rate: Rate) -> bool:
    return abs(rate.measured - rate.nominal) <= 0.021  # 3.4 standard deviations of a simulated share


@pytest.mark.parametrize("runs", RUNS)
def test_perfect_replications_lie_inside_in_95_of_100(rates: dict[str, Rate], runs: int) -> None:
    assert near(rates[f"perfect replication, {runs} runs: inside"])


@pytest.mark.parametrize(
    "setting",
    [
        "published mean of 3, 5 runs: inside",
        "published twice, 3 runs: inside",
        "a loss, 5 runs: inside",
        "one run, 6 other cells of two, equal spreads: inside",
    ],
)
def test_so_do_those_of_other_kinds(rates: dict[str, Rate], setting: str) -> None:
    assert near(rates[f"perfect replication, {setting}"])


@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("setting", ["perfect replication", "off by 2 sd"])
def test_the_word_reproduced_comes_as_often_as_computed(rates: dict[str, Rate], setting: str, runs: int) -> None:
    found = rates[f"{setting}, {runs} runs: called reproduced"]
    assert abs(found.measured - found.nominal) <= 0.045


def test_another_test_set_is_allowed_for_with_caution(rates: dict[str, Rate]) -> None:
    assert rates["perfect replication, other test set, 5 runs: inside"].measured >= 0.95


def test_power_grows_with_runs_and_distance(rates: dict[str, Rate]) -> None:
    power = {(runs, d): rates[f"off by {d} sd, {runs} runs: outside"] for runs in RUNS for d in SHIFTS}
    assert all(abs(rate.measured - rate.nominal) <= 0.045 for rate in power.values())
    for runs in RUNS:
        assert power[runs, 1].measured < power[runs, 2].measured < power[runs, 4].measured
    for shift in SHIFTS:
        assert power[3, shift].measured < power[5, shift].measured < power[10, shift].measured


def test_spreads_are_refused_no_oftener_than_stated(rates: dict[str, Rate]) -> None:
    for runs in (2, 3, 5):
        assert rates[f"6 cells of {runs} runs, equal spreads: allowed"].measured >= 0.935
        wild = rates[f"6 cells of {runs} runs, one 30 times as wide: refused"]
        assert wild.measured >= wild.nominal - 0.02


def test_a_pooled_spread_is_wrong_where_the_cell_is_wilder_than_the_others(rates: dict[str, Rate]) -> None:
    """What no one run can tell; the reason of such a verdict says whose spread it rests on."""
    assert rates["perfect replication, one run, 6 other cells of two, all half as wide: inside"].measured < 0.85


def test_the_interval_of_a_share_holds_the_truth(rates: dict[str, Rate]) -> None:
    found = [rate for setting, rate in rates.items() if setting.startswith("share, ")]
    assert len(found) == 2 + len(RUNS)
    assert all(0.935 <= rate.measured <= 0.995 for rate in found)


def test_the_same_seed_gives_the_same_rates() -> None:
    assert simulate(20, seed=3) == simulate(20, seed=3)
