"""The simulation over its steps, drawn from stored values, and answers that are read before the end."""

from __future__ import annotations

from math import inf

import pytest
import torch

import models
import tasks
from papers.evidence import Evidence
from papers.ttfs import answers, claims, convergence
from papers.ttfs.claims import NORMALISED, RAW, RELEASED
from papers.ttfs.protocols import STEPS


def evidence(column: str, late: float, **finals: float) -> Evidence:
    return Evidence(
        scale="quick",
        columns=(column,),
        seeds=(0, 1),
        finals={
            (RELEASED, column, seed, name): value
            for seed in (0, 1)
            for name, value in {"late_inputs": late, "neurons": 200.0, **finals}.items()
        },
        curves={(RELEASED, column, 0, "end_layers.0"): {0: 0.4, 1: 0.13}},
    )


def test_the_order_is_fitted_to_the_largest_difference_in_windows() -> None:
    (drawn,) = convergence.drawings(evidence(RAW, 0.0, **{f"late_{steps}": 0.5 for steps in STEPS}))
    assert drawn.lines == ((f"{RELEASED}, {RAW}", tuple((float(steps), 0.5 / steps) for steps in STEPS)),)
    assert f"{RELEASED}, {RAW} 1.00." in drawn.caption
    assert "(13 % of the first layer fire there)" in drawn.caption
    slower = {f"late_{steps}": 0.5 * steps**0.5 for steps in STEPS}
    (drawn,) = convergence.drawings(evidence(RAW, 0.0, **slower))
    assert f"{RELEASED}, {RAW} 0.50." in drawn.caption


def test_late_inputs_are_drawn_as_the_exception() -> None:
    (drawn,) = convergence.drawings(evidence(NORMALISED, 0.6, **{f"wrong_{steps}": 50.0 for steps in STEPS}))
    assert drawn.title == "Late inputs"
    assert drawn.lines == ((f"{RELEASED}, {NORMALISED}", tuple((float(steps), 0.25) for steps in STEPS)),)
    assert "60 % of the pixels are late" in drawn.caption


def test_nothing_is_drawn_of_nothing() -> None:
    assert convergence.drawings(Evidence(scale="quick", columns=(RAW,))) == ()
    assert convergence.drawings(evidence(RAW, 0.0, late_8=0.5)) == ()


def test_potentials_are_read_as_they_rise() -> None:
    """Two inputs at 0.5 and never; weights 2 and -1: V rises by 2 a window from half a window on."""
    made = models.create("ttfs", architecture="1F", side=1, classes=2)
    made.layers[1].weight.data.fill_(0.0)
    made.layers[2].weight.data.copy_(torch.tensor([[2.0], [-1.0]]))
    found = answers._read(
        made, torch.tensor([[[[0.5]]]])
    )  # nothing reaches the neuron above its weight of 0: it fires at 1
    assert {before: potentials.tolist() for before, potentials in found.items()} == {
        before: [[pytest.approx(2 * max(0.0, 1 - before)), pytest.approx(-max(0.0, 1 - before))]]
        for before in answers.BEFORE
    }
    made.layers[1].weight.data.fill_(-3.0)  # 1 + S < 0: silent
    assert not any(potentials.any() for potentials in answers._read(made, torch.tensor([[[[0.5]]]])).values())


def test_the_answer_at_the_end_is_that_of_the_network() -> None:
    torch.manual_seed(0)
    made = models.create("ttfs", architecture="4C3 - P2", side=8)
    split = tasks.load("shuffled_digits", normalised=False).test
    found = {metric.name: metric.value for metric in answers.measure(made, split, "cpu")}
    x, labels = split.batch(torch.arange(len(split)))
    with torch.no_grad():
        assert found["right_0"] == float((made.run(x)[-1].argmax(1) == labels).double().mean())
    assert found["windows"] == 3
    assert set(found) == {"windows", *(f"right_{before:g}" for before in answers.BEFORE)}
    assert answers.measure(models.create("ttfs_relu", architecture="4C3", side=8), split, "cpu") == ()
    assert answers.measure(models.create("ttfs", architecture="4C3", side=8, output="time"), split, "cpu") == ()
    assert inf not in found.values()


def test_they_are_told_with_the_spikes() -> None:
    numbers = {"windows": 4.0, **{f"right_{before:g}": 0.9 - before / 10 for before in answers.BEFORE}}
    finals = {(RELEASED, RAW, 0, name): value for name, value in numbers.items()}
    curves = {(RELEASED, RAW, 0, n): {0: v} for n, v in (("additions", 2.0), ("multiply_adds", 4.0), ("silent", 0.5))}
    told = claims.C7.decide(Evidence(scale="quick", columns=(RAW,), seeds=(0,), finals=finals, curves=curves))
    assert "90.0 % right after 4 windows, 85.0 % 0.5 earlier, 80.0 % 1 earlier, 75.0 % 1.5 earlier" in told.text
