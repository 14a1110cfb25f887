"""The rule of parity: deliberately wrong kernels turn red, right ones stay green."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from pathlib import Path

import pytest
import torch

import neurons
from bench.parity import checks
from bench.parity.cases import CASES, DTYPES, Case, applies, laid_out, layer, sequence
from bench.parity.checks import Check, Refusal, check
from bench.parity.edges import edges, jumps
from bench.parity.rule import Reference, Side, judge
from bench.parity.runs import Outcome, Upstream, reference, run
from neurons import choice, surrogate

KERNEL = """
import torch
from neurons.computation import Computation, Refusal

def refuses(neuron, device):
    return None

def find(neuron, x=None):
    return Refusal({refusal!r}) if {refusal!r} else Computation({backend!r}, "a loop", sequence)

def sequence(neuron, x):
    {change}
    states = neuron.load_states(x[0])
    spikes = []
    for x_t in x.unbind(0):
        before = states
        s, *states = neuron.step(x_t, *states)
        {after_step}
        spikes.append(s)
    neuron.store_states(states)
    spikes = torch.stack(spikes)
    {at_end}
    return spikes
"""

Kernel = Callable[..., Iterator[Check | Refusal]]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kernel]:
    """Checks `lif`, or another neuron, on a backend whose loop over time is changed by the given lines."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(neurons.backends.MODULES, "changed", "changed_kernel")

    def checked(
        name: str = "lif",
        refusal: str = "",
        backend: str = "changed",
        change: str = "pass",
        after_step: str = "pass",
        at_end: str = "pass",
        quick: bool = True,
    ) -> Iterator[Check | Refusal]:
        text = KERNEL.format(refusal=refusal, backend=backend, change=change, after_step=after_step, at_end=at_end)
        (tmp_path / "changed_kernel.py").write_text(text)
        sys.modules.pop("changed_kernel", None)
        choice.module.cache_clear()
        return check(name, ["changed"], "cpu", quick=quick)

    yield checked
    sys.modules.pop("changed_kernel", None)
    choice.module.cache_clear()


def red(found: Iterable[Check | Refusal]) -> Iterator[Check]:
    return (made for made in found if isinstance(made, Check) and not made.verdict.green)


@pytest.mark.parametrize("name", ["lif", "alif"])  # without parameters, and with some and several states
def test_a_right_kernel_is_green_everywhere(name: str, kernel: Kernel) -> None:
    found = list(kernel(name))
    assert len(found) == 2 * 2 * (5 + 3)  # dtypes x detach modes x (quick cases + those in step mode "s")
    assert not list(red(found))
    assert {made.kernel for made in found if made.step_mode == "m"} == {"a loop"}
    assert {made.kernel for made in found if made.step_mode == "s"} == {"the eager step"}


WRONG = {
    "no reset": {"after_step": "states = [before[0] + (x_t - before[0]) / neuron.tau]"},
    "soft for hard reset": {"change": "neuron.v_reset = None if neuron.v_reset == 0.0 else 0.0"},
    "reset to another value": {"after_step": "states = [torch.where(s > 0, 0.01, states[0])]"},
    "another surrogate": {"change": "from neurons.surrogate import Sigmoid; neuron.surrogate = Sigmoid()"},
    "slope a hundredth off": {"change": "from neurons.surrogate import ATan; neuron.surrogate = ATan(2.02)"},
    "detach swapped": {"change": "neuron.detach_reset = not neuron.detach_reset"},
    "one step late": {"at_end": "spikes = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]])"},
    "last step dropped": {"at_end": "spikes = torch.cat([spikes[:-1], torch.zeros_like(spikes[:1])])"},
    "tau a thousandth off": {"change": "neuron.tau *= 1.001"},
    "strict threshold": {"change": "neuron.surrogate.strict = True"},
    "state not carried": {"change": "neuron.reset()"},
    "gradient lost at a cut": {
        "change": "neuron.v = neuron.v.detach() if isinstance(neuron.v, torch.Tensor) else neuron.v"
    },
    "state not left": {"at_end": "neuron.store_states([torch.zeros_like(states[0])])"},
    "no gradient": {"at_end": "spikes = spikes.detach()"},
    "memory order for shape": {"change": "x = torch.as_strided(x, x.shape, torch.empty(x.shape).stride())"},
    "not a number": {"at_end": "spikes = spikes / (spikes - spikes)"},
    "double for single": {"at_end": "spikes = spikes.double()"},
    "another shape": {"at_end": "spikes = spikes[1:]"},
    "an error": {"at_end": "raise FloatingPointError('broken at step 3')"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_kernel_is_red(wrong: str, kernel: Kernel) -> None:
    found = next(made for made in red(kernel("lif", **WRONG[wrong])) if made.dtype == "float32")
    assert found.verdict.reason


def test_reasons_say_what_is_wrong(kernel: Kernel) -> None:
    def first(**wrong: str) -> str:
        return next(red(kernel("lif", **wrong))).verdict.reason

    assert "distance to the threshold at a flip" in first(**WRONG["one step late"])
    assert "gradient of input" in first(**WRONG["detach swapped"])
    assert "gradient of input" in first(**WRONG["no gradient"])  # that of the last states is left
    assert first(**WRONG["an error"]) == "raised FloatingPointError: broken at step 3"
    assert "returned shape [62, 2, 60] for [63, 2, 60]" in first(**WRONG["another shape"])


def test_a_wrong_parameter_gradient_is_red(kernel: Kernel) -> None:
    wrong = "neuron._parameters['w'] = torch.nn.Parameter(neuron.w.detach())"
    reasons = [made.verdict.reason for made in red(kernel("plif", change=wrong))]
    assert reasons
    assert all("gradient of w" in reason for reason in reasons)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Leaves the smaller cases that are checked in all types, in float32; those that apply to glif."""
    found = tuple(case for case in CASES if len(case.dtypes) == 4 and case.shape[0] <= 21 and prod(case.shape) <= 3000)
    monkeypatch.setattr(checks, "CASES", found)
    monkeypatch.setattr(checks, "DTYPES", {"float32": DTYPES["float32"]})
    return {case.name for case in found if applies("glif", case)}


def test_a_wrong_gradient_of_a_rectangle_is_red_in_every_case(kernel: Kernel, small: set[str]) -> None:
    """Its edges must not give the plain step an error that then excuses a kernel's."""
    tenth_more = "spikes = spikes.detach() + 1.1 * (spikes - spikes.detach())"
    found = kernel("glif", at_end=tenth_more, quick=False)
    sequences = [made for made in found if isinstance(made, Check) and made.step_mode == "m"]
    assert {made.case for made in sequences} == small
    assert not [made.case for made in sequences if made.verdict.green]


def test_a_right_rectangle_errs_by_rounding_alone(kernel: Kernel, small: set[str]) -> None:
    found = [made for made in kernel("glif", quick=False) if isinstance(made, Check)]
    assert not list(red(found))
    single = [made.verdict.grad_error or 0.0 for made in found if made.dtype == "float32"]
    assert len(single) > 20
    assert max(single) < 1e-6


def one_step(distances: list[float], slopes: list[float]) -> Side:
    """One step of IF with a rectangle, no spikes, elements of these distances and gradients."""
    x = torch.zeros(1, len(slopes)).requires_grad_()
    spikes = (torch.tensor([slopes]) * (x - x.detach())) + 0.0
    outcome = Outcome(spikes, {}, torch.tensor([distances], dtype=torch.float64), {})
    return Side(neurons.create("if", surrogate="rectangle"), x, outcome, Upstream(torch.ones_like(x), {}))


def test_elements_at_an_edge_of_the_surrogate_are_left_out_and_counted() -> None:
    oracle = one_step([-0.5, -0.7, -0.1], [1.0, 0.0, 1.0])
    kernel = one_step([-0.5, -0.7, -0.1], [0.0, 0.0, 1.0])  # rounded to the other side of -1/2
    verdict = judge(kernel, Reference(oracle, oracle), exact=False)
    assert verdict.green
    assert verdict.grad_error == 0.0
    assert verdict.note.startswith("gradients of 1 of 3 elements left out")
    away = one_step([-0.45, -0.7, -0.1], [1.0, 0.0, 1.0])
    verdict = judge(kernel, Reference(away, away), exact=False)
    assert "gradient of input is 1.0e+00" in verdict.reason
    assert verdict.note == ""


def test_a_check_that_leaves_out_more_than_half_is_red() -> None:
    oracle = one_step([-0.5, 0.5, -0.1], [1.0, 0.0, 1.0])
    verdict = judge(oracle, Reference(oracle, oracle), exact=False)
    assert verdict.reason.startswith("gradients of 2 of 3 elements left out")


def test_jumps_are_found_in_the_derivative_itself() -> None:
    for name, shape in surrogate.SHAPES.items():
        found = [edge for slope in (0.3, 1.0, 25.0) for edge in jumps(shape(slope))]
        half_widths = [half for slope in (0.3, 1.0, 25.0) for half in (-0.5 / slope, 0.5 / slope)]
        assert found == pytest.approx(half_widths if name == "rectangle" else []), name
    assert edges(neurons.create("glif")) == pytest.approx((-0.5, 0.5))
    assert edges(neurons.create("lif")) == ()


PSN_KERNEL = """
from neurons.computation import Computation
from neurons.psn import ParallelNeuron

def refuses(neuron, device):
    return None

def find(neuron, x=None):
    return Computation("product", "a product", sequence)

def sequence(neuron, x):
    {change}
"""
WRONG_PSN = {
    "transposed": "return neuron.fire(neuron.bias + neuron.matrix(len(x)).T.matmul(x.flatten(1)).view(x.shape))",
    "no bias": "return neuron.fire(neuron.charge(x) - neuron.bias)",
    "subtracted bias": "return neuron.fire(neuron.charge(x) - 2 * neuron.bias)",
    "one step late": "return neuron.fire(neuron.charge(x.roll(1, 0)))",
    "no gradient to the weight": "neuron.weight.requires_grad_(False); return neuron.fire(neuron.charge(x))",
    "a bias a thousandth off": "return neuron.fire(neuron.charge(x) + 1e-3)",
}


@pytest.mark.parametrize("name", ["psn", "masked_psn", "sliding_psn"])
@pytest.mark.parametrize("wrong", [None, *WRONG_PSN])
def test_kernels_of_a_product_over_time(
    name: str, wrong: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Held against the step, or the plain sequence of a neuron that has none; the last states are nobody's matter."""
    change = WRONG_PSN[wrong] if wrong else "return neuron.fire(neuron.charge(x))"
    (tmp_path / "product_kernel.py").write_text(PSN_KERNEL.format(change=change))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(neurons.backends.MODULES, "product", "product_kernel")
    sys.modules.pop("product_kernel", None)
    choice.module.cache_clear()
    checked = (made for made in check(name, ["product"], "cpu", quick=True) if isinstance(made, Check))
    if wrong:
        assert next(red(checked)).step_mode == "m"
        choice.module.cache_clear()
        return
    found = list(checked)
    choice.module.cache_clear()
    by_mode = {mode: {made.verdict.green for made in found if made.step_mode == mode} for mode in ("m", "s")}
    assert by_mode == {"m": {True}, "s": set() if name == "psn" else {True}}
    assert "cut" not in {made.case for made in found}
    assert ("sum of shifts" in {made.case for made in found}) is (name == "sliding_psn")


def test_another_backend_that_ran_instead_is_red(kernel: Kernel) -> None:
    found = list(kernel("lif", backend="torch"))
    reasons = {made.verdict.reason for made in red(found)}
    assert reasons == {"torch ran instead of changed"}
    assert all(made.verdict.green for made in found if made.step_mode == "s")


def test_a_refusal_is_said_once_a_type_and_is_not_green(kernel: Kernel) -> None:
    found = list(kernel("lif", refusal="its moon is full"))
    assert [isinstance(item, Refusal) and item.dtype for item in found] == ["float32", "bfloat16"]
    assert all(item.reason.endswith("its moon is full") for item in found if isinstance(item, Refusal))


def one_spike(distances: list[float], spikes: list[int], potentials: Sequence[float] = ()) -> Side:
    """One element over time, in float32, with these distances to the threshold, spikes and potentials after a step."""
    x = torch.ones(len(spikes), 1, dtype=torch.float32).requires_grad_()
    made = torch.tensor(spikes, dtype=torch.float32).unsqueeze(1) + 0 * x
    u = torch.tensor(distances, dtype=torch.float64).unsqueeze(1)
    v = torch.tensor(potentials, dtype=torch.float64).unsqueeze(1)
    outcome = Outcome(made, {}, u, {"v": v} if potentials else {})
    return Side(neurons.create("if"), x, outcome, Upstream(torch.ones(len(spikes), 1), {}))


def test_a_flip_is_forgiven_within_rounding_and_no_farther() -> None:
    half_ulp = 2.0**-24  # of float32, times the largest number involved: the input 1
    for distance, forgiven in ((3.9 * half_ulp, True), (4.1 * half_ulp, False)):
        oracle = one_spike([-0.5, distance, -0.5], [0, 1, 0])
        plain = one_spike([-0.5, distance, -0.5], [0, 1, 0])
        kernel = one_spike([-0.5, distance, -0.5], [0, 0, 1])
        verdict = judge(kernel, Reference(oracle, plain), exact=False)
        assert (verdict.flips, verdict.first_step, verdict.threshold_distance) == (2, 1, distance)
        assert verdict.green is forgiven, verdict
        assert verdict.grad_error is None  # the only element left the oracle's course


def test_what_follows_a_forgiven_flip_is_not_held_against_the_kernel() -> None:
    oracle = one_spike([0.5, 1e-9, 0.9], [1, 1, 1])
    kernel = one_spike([0.5, 1e-9, 0.9], [1, 0, 0])
    assert judge(kernel, Reference(oracle, oracle), exact=False).green
    late = one_spike([0.5, 1e-9, 0.9], [0, 1, 1])  # here the first flip is the far one
    assert not judge(late, Reference(oracle, oracle), exact=False).green


def test_an_exact_tie_is_no_rounding() -> None:
    oracle = one_spike([0.0, -1.0], [1, 0])
    verdict = judge(one_spike([0.0, -1.0], [0, 0]), Reference(oracle, oracle), exact=False)
    assert verdict.reason == "1 elements flip on an exact tie, the first at step 0"


def test_where_a_state_was_rounded_the_threshold_is_met_by_luck() -> None:
    oracle = one_spike([-0.5, 0.0], [0, 1], [0.5, 1.0])
    kernel = one_spike([-0.5, 0.0], [0, 0])
    for before, tied in ((0.5, True), (0.5 + 2.0**-26, False)):
        plain = one_spike([-0.5, 0.0], [0, 1], [before, 1.0])
        assert ("exact tie" in judge(kernel, Reference(oracle, plain), exact=False).reason) is tied


def test_an_exact_backend_owes_every_bit() -> None:
    oracle = one_spike([0.5, 1e-9], [1, 1])
    verdict = judge(one_spike([0.5, 1e-9], [1, 0]), Reference(oracle, oracle), exact=True)
    assert verdict.reason == "claims to be exact, but 1 spikes differ from the plain step"


def test_exactness_is_owed_unless_a_function_is_computed_for_every_element() -> None:
    x = torch.zeros(2, 5)
    for name, owed in (("lif", True), ("plif", True), ("adlif", True), ("eif", False), ("ltc", False)):
        assert checks._exact(neurons.create(name, backend="fused"), x) is owed, name
        assert checks._exact(neurons.create(name, backend="torch"), x), name
        assert not checks._exact(neurons.create(name, backend="spikingjelly"), x), name
    assert not checks._exact(neurons.create("lif", backend="fused"), x.bfloat16())


@pytest.mark.parametrize("name", neurons.names())
def test_inputs_are_what_their_names_say(name: str) -> None:
    def made(inputs: str) -> tuple[Outcome, torch.Tensor]:
        case = next(case for case in CASES if case.inputs == inputs)
        oracle = layer(name, case, False, torch.float32, "cpu").double()
        x = sequence(case, oracle, torch.float32)
        assert torch.equal(x, x.float().double())
        return reference(oracle, x), x

    assert made("silent")[0].spikes.sum() == 0
    near = made("near")[0]
    close = near.distances.abs() < 0.1
    assert close.double().mean() > 0.5
    if name == "relpsp":  # fires once at most
        assert all(
            (made(inputs)[0].spikes.sum(0) == 1).double().mean() > 0.5 for inputs in ("firing", "random", "near")
        )
        return
    assert made("firing")[0].spikes.mean() > (0.4 if "psn" in name else 0.85)  # free weights are of both signs
    assert 0.02 < made("random")[0].spikes.mean() < 0.9
    assert 0.1 < near.spikes.mean() < 0.9


def test_ties_are_exact_in_every_format() -> None:
    case = next(case for case in CASES if case.inputs == "dyadic")
    x = sequence(case, layer("if", case, False, torch.bfloat16, "cpu").double(), torch.bfloat16)
    outcome = run(neurons.create("if").bfloat16(), x.bfloat16(), "s")
    assert (outcome.distances == 0).sum() > 50
    assert torch.equal(x, x.to(torch.float16).double())


def test_layouts_keep_values_and_change_strides() -> None:
    x = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    strided = laid_out(x, "strided")
    assert torch.equal(strided, x)
    assert strided.stride()[-1] == 2  # gaps between neighbours, which hold NaN
    last = laid_out(x, "channels last")
    assert torch.equal(last, x)
    assert last.stride()[2] == 1
    assert not last.is_contiguous()


def test_cases_cover_the_awkward_sizes() -> None:
    shapes = {case.name: case.shape for case in CASES}
    assert shapes["random"] == (63, 2, 60)
    assert shapes["one step"][0] == 1
    assert shapes["one neuron"][1:] == (1,)
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(isinstance(case, Case) for case in CASES)
