"""No figure for a wrong kernel: sabotaged contenders are refused, red or missing parity hides ratios."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

import neurons
from bench.speed import contenders, gate, layer
from bench.speed.child import Emitter
from bench.speed.inputs import currents
from bench.speed.job import Job, Measured
from core import parity_rule
from core.parity_rule import WHOLE
from papers import trust
from results import Parity, Run


def observed(call: Any, x: torch.Tensor, grad: torch.Tensor) -> gate.Observed:
    return gate.observe(call, x, grad)


LAYER = neurons.create("lif", backend="torch", detach_reset=True)


@pytest.fixture
def lif() -> Any:
    return called(LAYER)


def called(neuron: Any) -> Any:
    """The neuron's sequence from rest."""

    def call(x: torch.Tensor) -> torch.Tensor:
        neuron.reset()
        return neuron(x)

    return call


def difference(found: gate.Observed, reference: gate.Observed, **options: Any) -> str | None:
    return gate.difference(found, reference, LAYER, X, **options)


X, GRAD = currents((6, 50), "float32", "cpu")


def test_equal_results_pass(lif: Any) -> None:
    assert difference(observed(lif, X, GRAD), observed(lif, X, GRAD)) is None


def test_shifted_spikes_are_found_with_their_step(lif: Any) -> None:
    late = observed(lambda x: torch.cat([x[:1] * 0, lif(x)[:-1]]), X, GRAD)
    wrong = difference(late, observed(lif, X, GRAD))
    assert wrong is not None
    assert "first at step 0" in wrong


def test_a_wrong_gradient_is_found_unless_gradients_are_not_meant_to_be_equal(lif: Any) -> None:
    def scaled(x: torch.Tensor) -> torch.Tensor:
        spikes = lif(x)
        return spikes.detach() + 1.001 * (spikes - spikes.detach())

    found, reference = observed(scaled, X, GRAD), observed(lif, X, GRAD)
    wrong = difference(found, reference)
    assert wrong is not None
    assert "gradient" in wrong
    assert difference(found, reference, gradients=False) is None


def test_nan_is_no_agreement(lif: Any) -> None:
    found = dataclasses.replace(observed(lif, X, GRAD), gradient=torch.full_like(X, torch.nan))
    assert difference(found, observed(lif, X, GRAD)) is not None


PLIF = neurons.create("plif", backend="torch")
WIDE, WIDE_GRAD = currents((16, 30000), "float32", "cpu")


def changed(
    neuron: Any, x: torch.Tensor, grad: torch.Tensor, change: Any = None, parameter: float = 1.0
) -> gate.Observed:
    """`neuron` observed, its spikes given to `change`, the gradients of its parameters times `parameter`."""

    def call(x: torch.Tensor) -> torch.Tensor:
        spikes = called(neuron)(x)
        return change(spikes) if change else spikes

    def again(grad: torch.Tensor) -> gate.Observed:
        found = gate.observe(call, x, grad, dict(neuron.named_parameters()))
        scaled = {name: parameter * value for name, value in found.parameters.items()}
        return dataclasses.replace(found, parameters=scaled, again=again)

    return again(grad)


@pytest.mark.parametrize("factor", [1.0009, 3.0, 0.0, -1.0])
def test_parameters_count(factor: float) -> None:
    reference = changed(PLIF, X, GRAD)
    assert gate.difference(changed(PLIF, X, GRAD), reference, PLIF, X) is None
    wrong = gate.difference(changed(PLIF, X, GRAD, parameter=factor), reference, PLIF, X)
    assert "the gradient of 'w' is off by" in str(wrong)
    missing = dataclasses.replace(reference, parameters={})
    assert "no gradient for the parameter 'w'" in str(gate.difference(missing, reference, PLIF, X))


@pytest.mark.parametrize("count", [1, 3, 26, 30000])
def test_inverted_neurons_are_not_forgiven(count: int) -> None:
    """Up to three may differ, and those within rounding of the threshold alone."""

    def inverted(spikes: torch.Tensor) -> torch.Tensor:
        wrong = torch.arange(spikes.shape[1]) < count
        return torch.where(wrong, 1 - spikes.detach() + 1e6 * (spikes - spikes.detach()), spikes)

    wrong = gate.difference(changed(PLIF, WIDE, WIDE_GRAD, inverted), changed(PLIF, WIDE, WIDE_GRAD), PLIF, WIDE)
    assert str(wrong).startswith(f"the spikes of {count} of 30000 neurons differ")


def tied() -> tuple[torch.Tensor, Any]:
    """Inputs whose first neuron comes within rounding of the threshold at step 3, and the spikes with a flip there."""
    x = WIDE[:, :5000].clone()
    x[:, 0], x[3, 0] = 0.0, 2.0 * (1 + 2.0**-23)  # half of it, 1 and half an ulp, rounds up or down

    def flip(spikes: torch.Tensor) -> torch.Tensor:
        other = torch.zeros_like(spikes)
        other[3, 0] = 1 - 2 * spikes[3, 0].detach()
        return spikes + other

    return x, flip


def test_a_flip_within_rounding_is_forgiven_and_hides_no_parameter() -> None:
    x, flip = tied()
    grad = WIDE_GRAD[:, :5000].contiguous()
    plif = neurons.create("plif", backend="torch", init_tau=2.0)
    reference = changed(plif, x, grad)
    assert gate.difference(changed(plif, x, grad, flip), reference, plif, x) is None
    for factor in (1.0009, 3.0):
        wrong = gate.difference(changed(plif, x, grad, flip, parameter=factor), reference, plif, x)
        assert "the gradient of 'w' is off by" in str(wrong)


@pytest.mark.parametrize(
    ("dtype", "factor"), [("float32", 1.0009), ("float32", 1.00001), ("bfloat16", 1.005), ("float16", 1.005)]
)
def test_a_factor_common_to_all_gradients_is_found(dtype: str, factor: float) -> None:
    x, grad = currents((6, 3000), dtype, "cpu")

    def scaled(x: torch.Tensor) -> torch.Tensor:
        inside = x.view_as(x)
        inside.register_hook(lambda g: factor * g)
        return called(LAYER)(inside)

    wrong = gate.difference(observed(scaled, x, grad), observed(called(LAYER), x, grad), LAYER, x)
    assert "the input's gradient" in str(wrong)


class Collector(Emitter):
    def __init__(self) -> None:
        self.results: list[Measured] = []

    def note(self, text: str) -> None:
        pass

    def measured(self, result: Measured) -> None:
        self.results.append(result)


def job(**changes: Any) -> Job:
    settings: dict[str, Any] = {
        "what": "speed",
        "neuron": "lif",
        "contenders": ("torch", "fused"),
        "shapes": ((3, 40),),
        "base": "torch",
        "options": {"detach_reset": True},
        "repeats": 2,
    }
    return Job(**(settings | changes))


@pytest.mark.parametrize("sabotage", ["reset", "gradient", "time", "crash"])
def test_a_sabotaged_contender_is_not_timed(sabotage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = contenders.build

    def build(name: str, *args: Any) -> contenders.Contender:
        made = real("torch", *args)
        if name == "torch":
            return made
        wrong = {
            "reset": lambda x: (x > 1).to(x) + 0 * x,  # no memory at all
            "gradient": lambda x: made.call(2 * x - x.detach()),
            "time": lambda x: made.call(x.flip(0)).flip(0),
            "crash": lambda x: 1 / 0,
        }[sabotage]
        return dataclasses.replace(made, name=name, backend=name, call=wrong)

    monkeypatch.setattr(contenders, "build", build)
    found = Collector()
    layer.measure(job(), found)
    by_name = {result.contender: result for result in found.results}
    fused = by_name["fused"]
    assert fused.outcome == ("crashed" if sabotage == "crash" else "parity_failed")
    assert fused.reason
    assert fused.samples == []
    assert fused.value("training_seconds") is None
    assert by_name["torch"].value("training_seconds") is not None
    assert by_name["torch"].value("equal") == 1


@pytest.mark.parametrize("neuron", ["lif", "glif", "masked_psn", "ltc", "pculif", "adlif", "izhikevich"])
def test_neurons_of_every_kind_pass_the_gate_with_each_backend_that_runs(neuron: str) -> None:
    own = contenders.suite(neuron, "cpu")[0]
    assert own[0] == contenders.REFERENCE
    found = Collector()
    options = contenders.known_options(neuron, job().options)
    layer.measure(job(neuron=neuron, contenders=own, shapes=((7, 40),), repeats=1, options=options), found)
    assert {result.contender: (result.outcome, result.reason) for result in found.results} == dict.fromkeys(
        ("copy", *own), ("ok", "")
    )


def test_contenders_that_do_not_run_say_so() -> None:
    found = Collector()
    layer.measure(job(neuron="klif", contenders=("torch", "snntorch"), shapes=((20, 4),)), found)
    by_name = {result.contender: result for result in found.results}
    assert by_name["snntorch"].outcome in ("unsupported", "unavailable")
    assert by_name["torch"].outcome == "ok"
    layer.measure(job(contenders=("spikingjelly-compiled",), shapes=((20, 4),)), found)
    assert found.results[-1].outcome == "unsupported"
    assert "20 steps" in found.results[-1].reason


def kernel_run(**changes: Any) -> Run:
    settings: dict[str, Any] = {
        "id": "00000000-0000-4000-8000-000000000001",
        "experiment": {"kind": "kernel", "neuron": "lif", "dtype": "float32"},
        "experiment_key": "k",
        "implementation": "abc",
        "outcome": "ok",
        "reason": "",
        "started": "2026-01-01T00:00:00Z",
        "seconds": 1.0,
        "seed": 0,
        "device": "cpu",
        "backend": "fused",
        "command": "",
        "peak_memory": None,
        "machine": {},
        "environment": {},
    }
    return Run(**(settings | changes))


def check(green: bool, number: int = 1, **changes: Any) -> Parity:
    settings: dict[str, Any] = {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "started": f"2026-01-01T00:00:{number:02d}Z",
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
        "state_error": 0.0,
        "grad_error": 0.0,
        "kernel": "fused",
        "green": green,
        "reason": "" if green else "wrong",
        "implementation": "abc",
    }
    return Parity(**(settings | changes))


def closing(checks: int, number: int = 9, **changes: Any) -> Parity:
    """The record that `checks` checks are the whole grid."""
    return dataclasses.replace(check(True, number, case=WHOLE, **changes), reason=parity_rule.closing(checks))


def test_the_whole_grid_of_the_same_code_decides_what_may_be_called_fast() -> None:
    run = kernel_run()

    def found(*parities: Parity) -> str:
        return trust.state(run, parities)

    one, other = check(True), check(True, 2, case="silent")
    assert found() == "unchecked"
    assert found(one, other) == "unchecked"  # interrupted, or --quick
    assert found(one, other, closing(2)) == "green"
    assert found(one, other, closing(3)) == "unchecked"  # a part of a store
    assert found(one, check(False, 2, case="silent"), closing(2)) == "red"
    assert found(one, check(False, 2, case="silent")) == "red"
    assert found(check(False), other, closing(2, 3), check(True, 4)) == "green"  # repeated: the newest counts
    assert found(one, other, closing(2, 3), check(False, 4)) == "red"
    for changes in (
        {"implementation": "old"},
        {"dtype": "float16"},
        {"neuron": "if"},
        {"device": "cuda"},
        {"machine": {"cpu": "another", "gpus": []}},  # compiled for another processor
    ):
        assert found(check(True, **changes), closing(1, **changes)) == "unchecked"
        assert found(one, other, closing(2, **changes)) == "unchecked"
    elsewhere = {"machine": {"cpu": "another", "gpus": []}}
    assert found(check(False), check(True, 2, **elsewhere)) == "red"  # no remedy for this one
    assert trust.state(kernel_run(backend="torch"), []) == "reference"
    assert trust.state(kernel_run(backend="snntorch"), []) == "checked"
    assert [trust.counts(state) for state in ("green", "red", "unchecked", "reference")] == [
        True,
        False,
        False,
        True,
    ]


def test_a_network_is_backed_by_the_checks_of_its_kernel() -> None:
    kernels = {"fused": {"code": "k", "rule": "r", "proof": "abc"}}
    network = kernel_run(implementation="network", kernels=kernels)
    assert trust.checked(network) == "abc"
    assert trust.state(network, [check(True), closing(1)]) == "green"
    assert trust.state(network, [check(True, implementation="network")]) == "unchecked"


def test_the_reason_says_what_is_missing() -> None:
    def reason(*parities: Parity) -> str:
        return trust.proof(parities, "lif", "fused", "float32", "cpu", "abc", {}).reason

    assert reason() == "no checks of this code on this processor"
    assert reason(check(True)) == "1 checks, which are not the whole grid of this code on this processor"
    assert reason(check(True), closing(144)) == "1 of 144 checks of the grid"
    assert reason(check(True), check(False, 2, case="silent"), closing(2)) == "1 of 2 checks are red"
    assert reason(check(True), closing(1)) == ""
