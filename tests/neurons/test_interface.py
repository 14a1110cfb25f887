"""What every neuron and backend promises: names, modes, states, errors."""

from __future__ import annotations

import pytest
import torch

import neurons
from core.registry import UnknownName
from neurons.surrogate import ATan


def test_names_and_backends() -> None:
    assert {"if", "lif", "plif"} <= set(neurons.names())
    for name in neurons.names():
        assert neurons.backends(name, "cpu")[0] == "torch"


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU says")
def test_a_backend_that_does_not_run_says_why() -> None:
    found = neurons.backends("plif", "cuda")
    assert found == []
    assert "no CUDA device" in found.refused["torch"]


def test_a_layer_that_a_backend_cannot_compute_says_why() -> None:
    neuron = neurons.create("lif", backend="spikingjelly", surrogate=ATan(learnable=True))
    with pytest.raises(RuntimeError, match=r"spikingjelly.*LIF.*alpha"):
        neuron(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("plfi", {}, "Unknown neuron 'plfi'. Did you mean 'plif'"),
        ("lif", {"backend": "troch"}, "Unknown backend 'troch'. Did you mean 'torch'"),
        ("lif", {"step_mode": "x"}, "Unknown step mode 'x'"),
    ],
)
def test_unknown_names_are_answered(name: str, params: dict[str, str], message: str) -> None:
    with pytest.raises((UnknownName, ValueError)) as error:
        neurons.create(name, **params)
    assert message in str(error.value)


def test_parameters_that_a_neuron_does_not_have_are_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^Unknown lif option 'init_tau'.*Known: tau, decay_input, v_threshold, .*surr"
    ):
        neurons.create("lif", init_tau=2.0)
    with pytest.raises(TypeError, match=r"'decay_inputs'. Did you mean 'decay_input'.*init_tau.*step_mode, backend"):
        neurons.create("plif", decay_inputs=True)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'T'"):
        neurons.create("psn")


def test_a_state_of_another_shape_is_refused_with_advice() -> None:
    neuron = neurons.create("lif")
    neuron(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"'v' has shape \[3\].*\[4\].*reset"):
        neuron(torch.zeros(2, 4))


def test_another_backend_can_be_asked_for_later_and_a_wrong_one_is_answered() -> None:
    neuron = neurons.create("lif")
    neuron.backend = "troch"
    with pytest.raises(UnknownName, match=r"Unknown backend 'troch'\. Did you mean 'torch'"):
        neuron(torch.zeros(2, 3))


def test_a_wrong_step_mode_set_later_is_answered() -> None:
    neuron = neurons.create("lif")
    neuron.step_mode = "single"
    with pytest.raises(ValueError, match=r"Unknown step mode 'single'.*'s' .*'m'"):
        neuron(torch.zeros(2, 3))


def test_devices_are_known_by_kind() -> None:
    assert neurons.backends("lif", "cpu:0") == neurons.backends("lif", "cpu")
    assert neurons.backends("lif", torch.device("cuda", 1)) == neurons.backends("lif", "cuda")
    with pytest.raises(UnknownName, match=r"Unknown device 'gpu'.*cpu, cuda"):
        neurons.backends("lif", "gpu")


@pytest.mark.parametrize("surrogate", [ATan, 3, torch.sigmoid])
def test_what_is_no_surrogate_is_refused(surrogate: object) -> None:
    with pytest.raises(TypeError, match=r"a name \(atan, sigmoid, .*got "):
        neurons.create("lif", surrogate=surrogate)


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="T of at least 1"):
        neurons.create("lif")(torch.zeros(0, 4))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_states_take_the_type_of_the_input(dtype: torch.dtype) -> None:
    neuron = neurons.create("lif", backend="torch")
    assert neuron(torch.ones(3, 4, dtype=dtype)).dtype == neuron.v.dtype == dtype


def test_states_follow_a_layer_to_another_device() -> None:
    neuron = neurons.create("plif", backend="torch")
    neuron(torch.ones(3, 4))
    assert neuron.to("meta")(torch.ones(3, 4, device="meta")).device.type == neuron.v.device.type == "meta"


def test_strided_inputs_need_no_copy_by_the_caller() -> None:
    x = torch.randn(6, 3, 5, 4) * 2
    strided = x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert not strided.is_contiguous()
    assert torch.equal(neurons.create("plif")(strided), neurons.create("plif")(x))


def test_a_layer_tells_which_backend_ran() -> None:
    layer = neurons.create("glif", T=3, shape=(4, 1))
    assert layer.ran == ""
    layer(torch.randn(3, 2, 4, 5))
    expected = "fused" if "fused" in neurons.backends("glif", "cpu") else "torch"
    assert layer.ran == expected
    layer.reset()
    layer.backend = "torch"
    layer(torch.randn(3, 2, 4, 5))
    assert layer.ran == "torch"


@pytest.mark.parametrize("step_mode", ["s", "m"])
@pytest.mark.parametrize("name", neurons.names())
def test_autocast_changes_nothing_inside_a_neuron(name: str, step_mode: str) -> None:
    if step_mode == "s" and not neurons.registry.get(name).has_step():
        return
    neuron = neurons.create(name, backend="torch", step_mode=step_mode, **neurons.registry.get(name).example(4))
    x = torch.randn(4, 30) * 2
    with torch.autocast("cpu", torch.bfloat16):
        spikes = neuron(x)
    neuron.reset()
    assert spikes.dtype == x.dtype
    assert torch.equal(spikes, neuron(x))
