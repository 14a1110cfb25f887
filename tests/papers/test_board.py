"""Standings of made-up runs whose order is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from board_runs import COLUMNS, SMALL, filled, run

from papers.board import League, board, letter
from papers.evaluate import evaluate
from papers.measures import ENERGY, INFERENCE, LATENCY, PEAK_MEMORY, TRAIN_SECONDS
from results import Store


def leagues(path: Path) -> tuple[League, ...]:
    with Store(path) as store:
        result = evaluate(store, SMALL, "quick")
        return board(result, store.metrics([run.id for cell in result.cells for run in cell.runs]))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[League, ...]:
    return leagues(filled(tmp_path_factory.mktemp("board") / "store.db"))


def test_leagues_are_of_neurons_and_of_schemes(found: tuple[League, ...]) -> None:
    assert [(league.title, [s.row for s in league.standings]) for league in found] == [
        ("Neurons", ["psn", "lif", "if"]),
        ("Schemes that train lif", ["lif, fptt", "lif"]),
    ]
    assert found[0].columns == COLUMNS


def test_ranks_and_scores(found: tuple[League, ...]) -> None:
    standings = {standing.row: standing for standing in found[0].standings}
    assert [standings[row].rank.value for row in ("psn", "lif", "if")] == [1, 2, 3]
    place = standings["psn"].places["adding"]
    assert place.shares == pytest.approx((0.9, 0.901, 0.902, 0.903))
    assert place.result.measured == pytest.approx((1 - 0.9015) / 6, rel=1e-3)  # an error, of which less is better
    assert standings["psn"].score.value == pytest.approx(0.9015)


def test_at_equal_seconds_the_slow_one_has_done_less(found: tuple[League, ...]) -> None:
    """Three epochs take the fastest 3 seconds, in which psn finishes one of its three."""
    standings = {standing.row: standing for standing in found[0].standings}
    assert standings["psn"].places["adding"].early == pytest.approx((0.1, 0.101, 0.102, 0.103))
    assert [standings[row].at_seconds.value for row in ("lif", "if", "psn")] == [1, 2, 3]


def test_costs_and_fronts(found: tuple[League, ...]) -> None:
    neurons = found[0]
    costs = neurons.standings[0].places["adding"].costs
    assert costs[TRAIN_SECONDS.name][0] == pytest.approx(6)
    assert costs[LATENCY.name] == (pytest.approx(4), (pytest.approx(4), pytest.approx(4)))
    assert costs[PEAK_MEMORY.name][0] == 2**20
    assert [cost.name for cost in neurons.costs] == [
        "train_seconds", "inference_throughput", "latency", "peak_memory", "accumulates", "multiply_accumulates",
        "energy",
    ]  # fmt: skip
    assert costs[ENERGY.name][0] == pytest.approx((1000 * 0.9 + 2000 * 4.6) * 1e-12)  # Horowitz's, in joules
    assert neurons.front(LATENCY, "adding") == ["lif", "psn"]
    assert neurons.front(INFERENCE, "adding") == ["lif", "psn"]  # of which more is better
    assert neurons.front(PEAK_MEMORY, "adding") == ["psn"]


def test_groups_and_pairs(found: tuple[League, ...]) -> None:
    neurons = found[0]
    assert neurons.groups == (("psn",), ("lif",), ("if",))
    assert [standing.letters for standing in neurons.standings] == ["a", "b", "c"]
    assert neurons.better["psn", "if"].value == 1
    assert neurons.apart("psn", "if")
    assert not neurons.apart("psn", "psn")
    assert neurons.profiles()["if"][6].value == pytest.approx(0.75)  # above 0.3: three runs of four


PLACE = ("psn", "adding")


@pytest.mark.parametrize(
    ("outcome", "without", "says"),
    [("diverged", ("", ""), "1 of its runs diverged"), ("crashed", PLACE, "crashed: because")],
)
def test_who_misses_a_task_is_incomplete(tmp_path: Path, outcome: str, without: tuple[str, str], says: str) -> None:
    path = filled(tmp_path / "store.db", without)
    cell = next(cell for cell in SMALL.cells("quick") if (cell.row, cell.column) == PLACE)
    with Store(path) as store:
        store.record(run(cell, 2030, (), 1.0, outcome=outcome, reason="because", metrics=()))
    neurons = leagues(path)[0]
    assert [(s.row, s.rank and s.rank.value) for s in neurons.standings] == [("lif", 1), ("if", 2), ("psn", None)]
    assert neurons.standings[-1].missing == {"adding": says}
    assert "psn" not in {row for pair in neurons.better for row in pair}


def test_few_seeds_tell_nothing_apart(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.record_all(run(cell, 2020, (0.5,), 1.0) for cell in SMALL.cells("quick"))
    neurons = leagues(path)[0]
    assert (neurons.tested, neurons.groups) == (False, ())
    assert {standing.rank.value for standing in neurons.standings} == {2.0}


def test_without_runs_there_is_no_board(tmp_path: Path) -> None:
    assert leagues(tmp_path / "store.db") == ()


def test_letters() -> None:
    assert [letter(number) for number in (0, 25, 26, 27, 52)] == ["a", "z", "aa", "ab", "ba"]


def test_the_opposite_is_as_likely_as_the_rest(found: tuple[League, ...]) -> None:
    for (one, other), ahead in found[0].better.items():
        opposite = found[0].better[other, one]
        assert ahead.value + opposite.value == pytest.approx(1)
        assert ahead.low + opposite.high == pytest.approx(1)
