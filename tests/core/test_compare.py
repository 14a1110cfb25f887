"""Comparison of results: errors with NaN and infinity, and what the tolerances allow."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from core.compare import TOLERANCES, first_step, largest, relative, scale, tolerance, worse
from core.parity_rule import RULE


def of(*values: float) -> Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize(
    ("found", "expected", "at_least", "error"),
    [
        (of(1.0, -4.0), of(1.0, -4.0), 0.0, 0.0),
        (of(1.5, -4.0), of(1.0, -4.0), 0.0, 0.125),
        (of(0.5), of(0.0), 0.0, 0.5),
        (of(0.5), of(0.0), 0.25, 2.0),
        (of(0.5), of(0.25), 1.0, 0.25),
        (of(math.inf), of(1.0), 0.0, math.inf),
    ],
)
def test_errors_are_relative_to_the_largest_value(
    found: Tensor, expected: Tensor, at_least: float, error: float
) -> None:
    assert relative(found, expected, at_least) == error


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at_least", [0.0, 1.0])
def test_no_tolerance_allows_what_is_not_finite(broken: float, at_least: float) -> None:
    for found, expected in ((of(broken, 1), of(1, 1)), (of(1, 1), of(broken, 1)), (of(1, broken), of(1, broken))):
        assert not relative(found, expected, at_least) <= 1e30


def test_nan_is_the_worst_error_wherever_it_stands() -> None:
    assert worse(1.0, 2.0) == worse(2.0, 1.0) == 2.0
    assert math.isnan(worse(math.nan, 1.0))
    assert math.isnan(worse(1.0, math.nan))
    assert math.isnan(largest(of(1, math.nan, 3)))
    assert math.isnan(scale(of(1, math.nan)))


def test_rounding_in_sixteen_bits_is_seen_in_float64() -> None:
    exact = torch.tensor([1.0009765625], dtype=torch.float64)
    assert 0 < relative(exact.bfloat16(), exact) < 2e-3


def test_the_first_step_is_of_any_neuron() -> None:
    differs = torch.zeros(4, 2, 3, dtype=torch.bool)
    differs[3, 0, 0] = differs[2, 1, 2] = True
    assert first_step(differs) == 2


def test_every_type_that_is_compared_has_its_tolerance() -> None:
    for purpose in ("use", "parity", "timing"):
        allowed = [tolerance(purpose, dtype) for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)]
        assert allowed == sorted(allowed)
        for dtype in (torch.float32, torch.float16, torch.bfloat16):  # at least the last bit
            assert tolerance(purpose, dtype) >= torch.finfo(dtype).eps
    with pytest.raises(KeyError):
        tolerance("parity", torch.int32)


def test_the_rule_in_words_states_the_tolerances_of_parity() -> None:
    values, vectors = RULE.split("\n4. ")
    for text, purpose in ((values, "parity"), (vectors, "whole")):
        stated = re.findall(r"(\d+e-\d+|2\^-\d+)\s+in\s+(\w+)", text)
        assert {dtype: float(number) if "e" in number else 2.0 ** int(number[2:]) for number, dtype in stated} == (
            TOLERANCES[purpose]
        )


def test_comparison_and_children_load_no_pytorch() -> None:
    code = "import sys, core.compare, core.children, core.sources, core.parity_rule; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr
