"""Pages of kernels and parity, from a store of invented measurements."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_site import Page

from core import parity_rule
from core.parity_rule import WHOLE
from reports import parity as parity_page
from reports import site
from results import Metric, Parity, Run, Sample, Store

PLACE = {"cpu": "a <fast> one", "cores": 2}


def number(text: int) -> str:
    return f"00000000-0000-4000-8000-{text:012d}"


def kernel(count: int, contender: str, steps: int, seconds: float, ratio: float, **changes: Any) -> Run:
    experiment = {
        "kind": "kernel",
        "what": "speed",
        "neuron": "lif",
        "options": {"detach_reset": True},
        "contender": contender,
        "differs": "fires <above> the threshold" if contender == "norse" else "",
        "base": "fused",
        "size": {"T": steps, "N": 1000},
        "dtype": "float32",
        "threads": 2,
        "allocator": "pooled",
    }
    metrics = [
        Metric(f"training_{name}", value, unit)
        for name, value, unit in (
            ("seconds", seconds, "s"),
            ("ratio", ratio, "1"),
            ("ratio_low", 0.9 * ratio, "1"),
            ("ratio_high", 1.1 * ratio, "1"),
            ("copies", 2 * ratio, "1"),
        )
    ]
    settings: dict[str, Any] = {
        "id": number(count),
        "experiment": experiment,
        "experiment_key": f"{contender}{steps}",
        "implementation": "code",
        "outcome": "ok",
        "reason": "",
        "started": f"2026-01-01T00:00:{count:02d}Z",
        "seconds": 1.0,
        "seed": 0,
        "device": "cpu",
        "backend": contender,
        "command": "python -m bench.kernels lif",
        "peak_memory": None,
        "machine": PLACE,
        "environment": {"scheduling": "real-time"},
        "metrics": tuple(metrics),
        "samples": (Sample("training", 0, seconds, "s"),),
    }
    return Run(**(settings | changes))


RUNS = [
    kernel(1, "fused", 4, 0.001, 1.0),
    kernel(2, "fused", 100, 0.02, 1.0),
    kernel(3, "norse", 4, 0.0087, 8.7654),
    kernel(4, "norse", 100, 0.6, 30.0),
    kernel(5, "torch", 4, 0.0043, 4.321, outcome="parity_failed", reason="Not timed: <b>wrong</b>.", metrics=()),
]


def check(count: int, **changes: Any) -> Parity:
    settings: dict[str, Any] = {
        "id": number(count),
        "started": f"2026-01-01T00:00:{count:02d}Z",
        "neuron": "lif",
        "backend": "fused",
        "step_mode": "m",
        "dtype": "float32",
        "device": "cpu",
        "detach_reset": True,
        "case": "random",
        "flips": 0,
        "first_step": None,
        "threshold_distance": None,
        "state_error": 1e-7,
        "grad_error": 3e-7,
        "kernel": "fused",
        "green": True,
        "reason": "",
        "implementation": "code",
        "machine": PLACE,
    }
    return Parity(**(settings | changes))


def closing(count: int, checks: int = 1, **changes: Any) -> Parity:
    """The record that `checks` checks are the whole grid."""
    errors = {"flips": None, "state_error": None, "grad_error": None}
    return check(count, case=WHOLE, kernel="", reason=parity_rule.closing(checks), **errors, **changes)


def built(folder: Path, parities: list[Parity], runs: list[Run] = RUNS) -> Path:
    with Store(folder / "store.db") as store:
        store.record_all(runs, parities)
        return site.build(store, folder / "out", table_names=["plif_table"]).parent


def row(page: str, contender: str) -> str:
    """The first row of a contender."""
    found = re.search(rf"<tr><th scope=\"row\"><a [^>]*>{contender}</a>.*?</tr>", page, re.DOTALL)
    assert found, contender
    return found[0]


def test_verified_figures_are_compared_and_plotted(tmp_path: Path) -> None:
    page = (built(tmp_path, [check(1), closing(2)]) / "kernels-lif.html").read_text()
    assert "8.77" in row(page, "norse")
    assert "[7.89, 9.64]" in row(page, "norse")
    assert "unverified" not in row(page, "fused")
    assert "1.00 ms" in row(page, "fused")
    assert page.count('<svg class="plot"') == 2  # training over T and its roofline; one N alone, no forward times
    assert "1e+03" not in page
    assert "parity_failed" in row(page, "torch")


@pytest.mark.parametrize(
    "parities",
    [
        [],
        [check(1)],
        [check(1), closing(2, checks=2)],
        [check(1, implementation="older"), closing(2, implementation="older")],
        [check(1), check(2, case="silent", green=False, reason="off"), closing(3, checks=2)],
    ],
)
def test_without_green_parity_nothing_is_compared_with_the_backend(tmp_path: Path, parities: list[Parity]) -> None:
    page = (built(tmp_path, parities) / "kernels-lif.html").read_text()
    assert "unverified" in row(page, "fused")
    assert "8.77" not in page
    assert ">fused</li>" not in page.replace(" ", "").replace("\n", "")  # not in the legend of the plots
    assert "17.5" in row(page, "norse")  # the share of a copy does not rest on the fused backend


def test_everything_is_escaped_linked_and_the_same_twice(tmp_path: Path) -> None:
    folder = built(tmp_path, [check(1), check(2, case="<i>", green=False, reason="spikes <u>differ</u>", first_step=3)])
    pages = {path.name: path.read_text() for path in folder.glob("*.html")}
    assert {"kernels.html", "kernels-lif.html", "parity.html"} <= set(pages)
    for name, text in pages.items():
        for raw in ("<fast>", "<above>", "<b>wrong", "<u>", "<i>"):
            assert raw not in text, name
    for name in ("kernels.html", "kernels-lif.html", "parity.html"):
        parsed = Page(folder / name)
        for href in parsed.hrefs:
            target, _, anchor = href.partition("#")
            assert not target or (folder / target).is_file(), href
            assert not anchor or anchor in Page(folder / (target or name)).ids, href
    assert "lif · T=4 N=1000" in pages["runs.html"]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with Store(tmp_path / "store.db") as store:
        site.build(store, tmp_path / "again", table_names=["plif_table"])
    assert before == {
        folder / p.relative_to(tmp_path / "again" / "report"): p.read_bytes()
        for p in (tmp_path / "again" / "report").rglob("*")
        if p.is_file()
    }


def test_a_newer_measurement_replaces_an_older_one_of_the_same_machine(tmp_path: Path) -> None:
    again = kernel(9, "norse", 4, 0.0055, 5.5)
    elsewhere = kernel(10, "norse", 4, 0.0022, 2.2, machine={"cpu": "another", "cores": 64})
    page = (built(tmp_path, [check(1)], [*RUNS, again, elsewhere]) / "kernels-lif.html").read_text()
    assert "8.70 ms" not in page
    assert "5.50 ms" in page
    assert "2.20 ms" in page
    assert "another, 64 cores" in page


def test_every_table_has_its_contenders_in_the_same_order(tmp_path: Path) -> None:
    again = kernel(9, "fused", 4, 0.0011, 1.0)
    folder = built(tmp_path, [check(1)], [*RUNS, again])
    page = (folder / "kernels-lif.html").read_text()
    orders = [re.findall(r"<tr><th scope=\"row\"><a [^>]*>(\w+)</a>", part) for part in page.split("<tbody>")[1:]]
    assert orders == [["fused", "norse", "torch"], ["fused", "norse"]]


def test_only_what_was_measured_alike_shares_a_table(tmp_path: Path) -> None:
    def changed(count: int, **document: Any) -> Run:
        usual = kernel(count, "norse", 4, 0.0087, 5.4321)
        return kernel(
            count, "norse", 4, 0.0087, 5.4321, experiment=usual.experiment | document, experiment_key=str(count)
        )

    others = [
        changed(11, base="torch", size={"T": 4, "N": 1000}),
        changed(12, options={"detach_reset": False}),
        changed(13, what="frontier", limit=64 * 2**20),
        changed(14, what="frontier", limit=2**30),
    ]
    page = (built(tmp_path, [check(1)], [*RUNS, *others]) / "kernels-lif.html").read_text()
    assert len(re.findall(r">T=4 N=1000 · float32 · 2 threads · pooled <span", page)) == 2
    assert '<th scope="col">× fused</th>' in page
    assert '<th scope="col">× torch</th>' in page
    assert ">reset not detached · T=4 N=1000 · float32 · 2 threads · pooled <span" in page
    assert "pooled · in 64.0 MiB <span" in page
    assert "pooled · in 1,024.0 MiB <span" in page


def test_a_hostile_name_stays_inside_the_folder(tmp_path: Path) -> None:
    usual = kernel(1, "fused", 4, 0.001, 1.0)
    name = "/../../../<b>evil"
    hostile = kernel(2, "fused", 4, 0.001, 1.0, experiment=usual.experiment | {"neuron": name}, experiment_key="h")
    folder = built(tmp_path, [], [usual, hostile])
    assert [path.parent for path in tmp_path.rglob("*evil*.html")] == [folder]
    for href in Page(folder / "kernels.html").hrefs:
        assert (folder / href.partition("#")[0]).is_file(), href


def test_measurements_of_another_version_are_listed_and_left_alone(tmp_path: Path) -> None:
    other = kernel(9, "fused", 4, 1.0, 1.0, experiment={"kind": "kernel", "neuron": "lif"}, experiment_key="other")
    folder = built(tmp_path, [], [other])
    assert "experiment other" in (folder / "runs.html").read_text()
    assert not (folder / "kernels.html").exists()


def test_parity_summary_counts_the_newest_checks_of_the_newest_code() -> None:
    checks = [
        check(1, green=False, reason="wrong", implementation="older"),
        check(2, green=False, reason="wrong"),
        check(3, flips=2, grad_error=None),
        check(4, case="silent", flips=1, state_error=5e-7),
        check(5, dtype="float16", green=False, reason="wrong"),
        closing(6, checks=2),
        closing(7, checks=2, dtype="bfloat16"),
    ]
    half, single = parity_page.summaries(checks)
    assert (half.dtype, len(half.red), half.word) == ("float16", 1, "red")
    assert single.word == "green"
    assert parity_page.summaries(checks[:4])[0].word == "unchecked"
    assert (single.dtype, len(single.checks), single.red, single.flips) == ("float32", 2, [], 3)
    assert (single.steps, single.share) == (None, "")  # as of a store from before
    (told,) = parity_page.summaries([check(1, flips=3), replace(closing(2), reason=parity_rule.closing(1, 2000))])
    assert (told.word, told.steps, told.share) == ("green", 2000, "0.150 %")
    assert single.largest("state_error") == 5e-7
    assert single.largest("grad_error") == 3e-7


def test_parity_page_states_the_rule_and_what_a_green_check_left_out(tmp_path: Path) -> None:
    note = "gradients of 3 of 120 elements left out, within rounding of a jump of the surrogate's derivative"
    folder = built(tmp_path, [check(1), check(2, case="ties", reason=note)], [])
    words = " ".join(Page(folder / "parity.html").text.split())
    assert "1 with elements left out" in words
    assert f"on fused, float32, step mode m, ties, reset detached: {note}." in words
    assert "3. Each gradient (input, every parameter) differs, relative to its size" in words
    assert "Red checks" not in words
    assert "2 0 0 1.0e-07 3.0e-07 unchecked" in words
    assert "lif float32 unchecked" in words  # in the matrix
    folder = built(tmp_path, [closing(3, checks=2)], [])  # the same store
    assert "2 0 0 1.0e-07 3.0e-07 green" in " ".join(Page(folder / "parity.html").text.split())


def test_the_overview_has_the_largest_size_and_what_may_be_compared(tmp_path: Path) -> None:
    jelly = kernel(6, "spikingjelly", 100, 0.04, 2.0)
    words = " ".join(Page(built(tmp_path, [check(1), closing(2)], [*RUNS, jelly]) / "kernels.html").text.split())
    assert "lif T=100 N=1000 – 20.0 ms – 2.00 [1.80, 2.20] – green" in words
    unchecked = " ".join(Page(built(tmp_path / "u", [], [*RUNS, jelly]) / "kernels.html").text.split())
    assert "lif T=100 N=1000 – 20.0 ms – – – unchecked" in unchecked


def test_times_over_steps_and_neurons_are_a_map(tmp_path: Path) -> None:
    usual = kernel(1, "fused", 4, 0.001, 1.0)
    runs = []
    for count, (contender, neurons, ratio) in enumerate(
        [("fused", 10, 1.0), ("torch", 10, 8.0), ("fused", 20, 1.0), ("torch", 20, 1.05)], start=1
    ):
        changed = {"what": "first-spike", "contender": contender, "size": {"T": 4, "N": neurons}}
        key = f"{contender}{neurons}"
        runs.append(
            kernel(count, contender, 4, 0.001, ratio, experiment=usual.experiment | changed, experiment_key=key)
        )
    page = (built(tmp_path, [check(1), closing(2)], runs) / "kernels-lif.html").read_text()
    heat = page.split('<table class="heat">')[-1].partition("</table>")[0]
    assert re.findall(r'<td class="(\w+)" style="--share: (\d+)%">([\d.]+)<', heat) == [
        ("slower", "60", "8.00"),
        ("even", "9", "1.05"),
    ]


def test_a_store_without_kernels_has_no_such_pages(tmp_path: Path) -> None:
    folder = built(tmp_path, [], [])
    assert not (folder / "kernels.html").exists()
    assert not (folder / "parity.html").exists()
    assert "kernels.html" not in (folder / "index.html").read_text()
