"""The table in the terminal, narrow, wide and piped."""

from __future__ import annotations

import io
import re

import pytest
import synthetic_runs as invented
from rich.console import Console
from synthetic_runs import cell

from papers.evaluate import TableResult, evaluate
from papers.plif.tables import PLIF_ABLATION, PLIF_TABLE
from papers.verdict import RULE
from reports import show, wording
from results import Store


def printed(result: TableResult, width: int, colours: bool = False) -> str:
    stream = io.StringIO()
    show(
        result, Console(file=stream, width=width, force_terminal=colours, color_system="truecolor" if colours else None)
    )
    return stream.getvalue()


@pytest.fixture
def ablation(store: Store) -> TableResult:
    return evaluate(store, PLIF_ABLATION, "quick")


def test_narrow_gives_a_line_per_cell(store: Store) -> None:
    text = printed(evaluate(store, PLIF_TABLE, "quick", seeds=[0]), 80)
    # One seed, 95 % of 360: Wilson [92.2, 96.8], worked out in test_site.py.
    assert re.search(
        r"^   MNIST, +97\.72 / 99\.72 +95\.0 \[92\.2, 96\.8\] +not comparable¹ *\n   8x8 digits standing in *$",
        text,
        re.MULTILINE,
    )
    assert re.search(r"^   CIFAR10-DVS, +74\.8 +95\.0 \[92\.2, 96\.8\] +not comparable", text, re.MULTILINE)
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("→"))


def test_wide_gives_a_grid(ablation: TableResult) -> None:
    text = printed(ablation, 140)
    header = next(line for line in text.splitlines() if "PLIF 2 max" in line)
    assert header.split("  ")[0].strip() == "verdict"
    assert all(row in header for row in ("PLIF 2 max", "PLIF 16 max", "LIF 2 max", "LIF 16 max", "PLIF 2 avg"))
    assert all(len(line) <= 140 for line in text.splitlines())
    one = printed(ablation, 120)  # too narrow for the grid, and wide enough for headings on one line
    assert re.search(r"^   Fashion-MNIST, 8x8 digits standing in  ", one, re.MULTILINE)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_piped_output_is_plain_and_complete(ablation: TableResult, width: int) -> None:
    text = printed(ablation, width)
    words = " ".join(text.split())
    assert "\x1b" not in text
    assert words.count(" ".join(RULE.split())) == 1
    assert len(re.findall(r"^(?:shown|not shown|mixed|undecided) +C\d", text, re.MULTILINE)) == 8


def test_each_reason_stands_once_and_hostile_ones_do_no_harm(ablation: TableResult) -> None:
    text = printed(ablation, 120, colours=True)
    reasons = {result.reason for result in ablation.cells if "stand in for MNIST" in result.reason}
    assert len(reasons) == 1
    assert " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split()).count(reasons.pop()) == 1
    assert "<script>alert('x')</script>" in text
    assert "\ufffd[31m" in text  # its escape character cannot steer the terminal


def test_hints_say_what_to_do(store: Store) -> None:
    words = " ".join(printed(evaluate(store, PLIF_ABLATION, "quick", seeds=[0]), 120).split())
    assert "15 of 30 cells have not been run: python -m bench.reproduce plif_ablation --scale quick" in words
    assert (
        "rest on 1 seed; more may decide them: python -m bench.reproduce plif_ablation --scale quick --seeds 3" in words
    )


def test_the_command_of_a_hint_stays_on_one_line(store: Store) -> None:
    hints = [
        line
        for line in printed(evaluate(store, PLIF_ABLATION, "quick", seeds=[0]), 60).splitlines()
        if line.startswith("→")
    ]
    assert [hint.partition(": ")[2] for hint in hints] == [
        "python -m bench.reproduce plif_ablation --scale quick",
        "python -m bench.reproduce plif_ablation --scale quick --seeds 3",
    ]


def test_a_failed_seed_is_named_beside_the_value_of_the_others(empty_store: Store) -> None:
    experiment = cell("PLIF 2 max", "MNIST").experiment
    empty_store.record_all(
        [invented.run(experiment), invented.failed(experiment, "timeout", "took over 600 s", seed=1)]
    )
    words = " ".join(printed(evaluate(empty_store, PLIF_ABLATION, "quick"), 120).split())
    assert "! timeout, seed 1, PLIF 2 max, MNIST, 8x8 digits standing in: took over 600 s" in words


def test_a_stale_value_is_marked(empty_store: Store) -> None:
    empty_store.record(invented.run(cell("PLIF 2 max", "MNIST").experiment))
    assert "95.0*" not in printed(evaluate(empty_store, PLIF_ABLATION, "quick"), 120)
    invented.outdate(empty_store, cell("PLIF 2 max", "MNIST").experiment)
    words = " ".join(printed(evaluate(empty_store, PLIF_ABLATION, "quick"), 120).split())
    assert "95.0* [92.2, 96.8]" in words
    assert "values marked * are not current, the code behind it has changed since it was measured: python -m" in words


def test_runs_with_different_numbers_of_threads_are_told(empty_store: Store) -> None:
    experiment = cell("PLIF 2 max", "MNIST").experiment
    for seed, threads in ((0, 1), (1, 1), (2, None), (3, 2)):
        known = {"torch_threads": threads}
        empty_store.record(invented.run(experiment, seed, environment=known))
    again = "python -m bench.reproduce plif_ablation --scale quick --force"
    told = f"runs used 1 or 2 threads, which round differently; to compare like with like: {again}"
    assert told in wording.hints(evaluate(empty_store, PLIF_ABLATION, "quick"))
    equal = wording.hints(evaluate(empty_store, PLIF_ABLATION, "quick", seeds=[0, 1, 2]))
    assert not any("threads" in hint for hint in equal)


def test_nothing_run_yet_reads_sensibly(empty_store: Store) -> None:
    words = " ".join(printed(evaluate(empty_store, PLIF_TABLE, "paper"), 80).split())
    assert "plif_table · paper · no runs · %" in words
    assert "12 of 12 cells have not been run" in words
    assert "rest on" not in words
