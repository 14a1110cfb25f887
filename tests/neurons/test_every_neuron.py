"""What holds for every neuron by name: modes and cuts agree, reset, silence, traceable pointwise steps, parameters."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.fx.experimental.proxy_tensor import make_fx

import neurons
from neurons.base import Neuron
from neurons.surrogate import SHAPES, Rectangle

NAMES = neurons.names()
RECURRENT = [name for name in NAMES if neurons.registry.get(name).recurrent]
SHAPED = ("glif", "ltc", "alif", "pculif", "adlif", "cuadlif")
SPONTANEOUS = {"eif"}  # its default parameters have no resting potential


def create(name: str, T: int = 8, **params: Any) -> Neuron:
    """On the plain backend, which is the definition: the others are held against it elsewhere."""
    return neurons.create(name, backend="torch", **{**neurons.registry.get(name).example(T), **params})


def states(neuron: Neuron) -> list[torch.Tensor]:
    return [getattr(neuron, state) for state in neuron.states]


def close(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_names_of_the_suite_are_there() -> None:
    known = (
        "if lif plif klif glif psn masked_psn sliding_psn ltc alif culif pculif adlif cuadlif relpsp eif qif izhikevich"
    )
    assert set(known.split()) <= set(NAMES)
    assert all(neurons.registry.get(name).name == name for name in NAMES)


@pytest.mark.parametrize("name", RECURRENT)
@settings(deadline=None, max_examples=10)
@given(steps=st.integers(1, 9), cut=st.integers(0, 9), shape=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_steps_sequences_and_cut_sequences_agree(name: str, steps: int, cut: int, shape: list[int]) -> None:
    x = torch.randn(steps, *shape) * 2
    whole = create(name)
    single, in_two = copy.deepcopy(whole), copy.deepcopy(whole)
    single.step_mode = "s"
    expected = whole(x)
    assert set(expected.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(torch.stack([single(x_t) for x_t in x]), expected)
    parts = [part for part in (x[: cut % steps], x[cut % steps :]) if len(part)]
    assert torch.equal(torch.cat([in_two(part) for part in parts]), expected)
    assert close(states(whole), states(single))
    assert close(states(whole), states(in_two))
    whole.reset()
    assert states(whole) == list(whole.rest().values())
    assert torch.equal(whole(x), expected)


@pytest.mark.parametrize("name", RECURRENT)
def test_gradients_pass_a_cut(name: str) -> None:
    """The state that is carried over carries its gradient, in every mode."""
    whole = create(name).double()
    in_two, single = copy.deepcopy(whole), copy.deepcopy(whole)
    single.step_mode = "s"
    x, g = torch.randn(2, 11, 3, 4, dtype=torch.float64)
    results = []
    for neuron, run in (
        (whole, lambda leaf: whole(leaf)),
        (in_two, lambda leaf: torch.cat([in_two(leaf[:4]), in_two(leaf[4:])])),
        (single, lambda leaf: torch.stack([single(leaf_t) for leaf_t in leaf])),
    ):
        leaf = (x * 2).requires_grad_()
        run(leaf).backward(g)
        results.append([leaf.grad, *(p.grad for p in neuron.parameters())])
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(results[2], results[0])
    assert all(grad.isfinite().all() for grad in results[0])
    assert results[0][0].count_nonzero() > 0


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SPONTANEOUS])
def test_silence_stays_silent(name: str) -> None:
    neuron = create(name, 63)
    assert neuron(torch.zeros(63, 1, 60)).sum() == 0
    if neuron.recurrent:
        assert all(state.isfinite().all() for state in states(neuron))


@pytest.mark.parametrize("name", NAMES)
def test_strong_input_fires(name: str) -> None:
    spikes = create(name, 20)(torch.full((20, 2, 3), 40.0))
    assert spikes.mean() > 0.04
    assert (spikes == spikes[:, :1, :1]).all(), "equal neurons with equal inputs"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("surrogate", SHAPES)
def test_every_surrogate_fits_every_neuron(name: str, detach: bool, surrogate: str) -> None:
    x = (torch.randn(10, 4, 5) * 2).requires_grad_()
    options = {"detach_reset": detach} if name in RECURRENT else {}
    neuron = create(name, 10, surrogate={"name": surrogate, "width": 2.0}, **options)
    neuron(x).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.count_nonzero() > 0


@pytest.mark.parametrize("name", RECURRENT)
def test_detaching_the_reset_changes_gradients_only(name: str) -> None:
    x = (torch.randn(12, 10, 4) * 2).requires_grad_()
    neuron = create(name, detach_reset=True)
    results = []
    for detach in (True, False):
        neuron.detach_reset = detach
        neuron.reset()
        spikes = neuron(x)
        results.append((spikes.detach(), torch.autograd.grad(spikes.sum(), x)[0]))
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.allclose(results[0][1], results[1][1])


@pytest.mark.parametrize("name", RECURRENT)
def test_away_from_the_threshold_gradients_are_those_of_finite_differences(name: str) -> None:
    """With a needle as surrogate spikes are constants, and the states are differentiable functions of the input."""
    neuron = create(name, surrogate=Rectangle(width=1e-9, strict=name == "glif")).double()
    x = (torch.randn(8, 6, dtype=torch.float64) * 2).requires_grad_()
    spiking = neuron(x)
    assert 0 < spiking.sum() < spiking.numel()
    inputs = [
        x,
        *(p for key, p in neuron.named_parameters() if name != "glif" or key not in ("p_alpha", "p_beta", "p_gamma")),
    ]

    def last_states(*_: torch.Tensor) -> tuple[torch.Tensor, ...]:
        neuron.reset()
        neuron(x)
        return tuple(getattr(neuron, state) for state in neuron.states if state != "s")

    torch.autograd.gradcheck(last_states, inputs, eps=1e-7, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("detach", [True, False])
def test_a_step_and_its_gradient_can_be_traced(name: str, detach: bool) -> None:
    """From one example to inputs of another value: no branch, loop or constant of the trace depends on data."""
    neuron = create(name, detach_reset=detach)
    parameters = list(neuron.parameters())

    def step_and_gradient(*tensors: torch.Tensor) -> list[torch.Tensor]:
        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        outputs = neuron.step(*leaves)
        wanted = [*leaves, *parameters]
        gradients = torch.autograd.grad(outputs, wanted, [torch.ones_like(o) for o in outputs], allow_unused=True)
        return [*outputs, *(gradient for gradient in gradients if gradient is not None)]

    examples = [torch.randn(1 + len(neuron.states), 40).unbind(0) for _ in range(2)]
    before = [tensor.clone() for tensor in examples[1]]
    traced = make_fx(step_and_gradient)(*examples[0])(*examples[1])
    torch.testing.assert_close(traced, step_and_gradient(*examples[1]), rtol=0, atol=0)
    assert close(list(examples[1]), before), "a step changes nothing in place"


@pytest.mark.parametrize("name", SHAPED)
def test_parameters_by_layer_channel_and_neuron(name: str) -> None:
    """The layer's one value, written out by channel or by neuron, changes no spike; gradients sum to its own."""
    one = create(name).double()
    x, g = torch.randn(2, 9, 4, 3, 2, 2, dtype=torch.float64)
    one(x).backward(g)
    for shape in ((3, 1, 1), (3, 2, 2)):
        many = create(name, shape=shape).double()
        for key, parameter in many.named_parameters():
            assert tuple(parameter.shape) == shape
            parameter.data.fill_(one.get_parameter(key).item())
        spikes = many(x)
        one.reset()
        assert torch.equal(spikes, one(x))
        spikes.backward(g)
        for key, parameter in many.named_parameters():
            torch.testing.assert_close(parameter.grad.sum(), one.get_parameter(key).grad)


@pytest.mark.parametrize("name", SHAPED)
def test_a_shape_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match="size"):
        create(name, shape=7)(torch.randn(3, 2, 6))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_spikes_and_states_take_the_type_of_the_layer(name: str, dtype: torch.dtype) -> None:
    neuron = create(name, 3).to(dtype)
    spikes = neuron(torch.ones(3, 4, 2, dtype=dtype))
    assert {spikes.dtype, *(state.dtype for state in states(neuron) if neuron.recurrent)} == {dtype}


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_saved_and_loaded(name: str) -> None:
    first, second = create(name), create(name)
    for parameter in first.parameters():
        parameter.data.mul_(0.9)
    second.load_state_dict(first.state_dict())
    x = torch.randn(8, 3, 5) * 2
    assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda neuron: pickle.loads(pickle.dumps(neuron))])
def test_a_copy_in_the_middle_of_a_training_goes_on_by_itself(name: str, copied: Any) -> None:
    """With the values of the states, not the graph that computed them."""
    neuron = create(name)
    x = (torch.randn(8, 3, 5) * 2).requires_grad_()
    neuron(x[:4])
    assert any(state.requires_grad for state in states(neuron))
    twin = copied(neuron)
    assert not any(state.requires_grad for state in states(twin))
    assert all(state.requires_grad for state in states(neuron) if state.grad_fn is not None)
    assert torch.equal(twin(x[4:]), neuron(x[4:]))
    twin.reset()
    assert all(isinstance(state, torch.Tensor) for state in states(neuron))


@pytest.mark.parametrize("name", NAMES)
def test_whole_numbers_are_refused(name: str) -> None:
    """Weights and states rounded to whole numbers would give other spikes."""
    neuron = create(name)
    for mode in ("m", "s") if neuron.has_step() else ("m",):
        neuron.step_mode = mode
        with pytest.raises(TypeError, match=r"floating-point.*torch\.uint8.*float\(\)"):
            neuron(torch.ones(8, 3, 4, dtype=torch.uint8))


@pytest.mark.parametrize("name", NAMES)
def test_constants_are_plain_numbers(name: str) -> None:
    assert all(type(value) is float for value in create(name).constants().values())


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_shows_its_options(name: str) -> None:
    neuron = create(name)
    shown = repr(neuron)
    for option in ("step_mode='m'", "backend='torch'"):
        assert option in shown
    kept = [option for option in neurons.options.names(type(neuron)) if isinstance(getattr(neuron, option, []), float)]
    assert all(f"{option}={getattr(neuron, option):g}" in shown for option in kept)
    assert all(f"{name}={value:g}" in shown.replace("lambda_", "lambda") for name, value in neuron.constants().items())


def test_what_layers_show() -> None:
    assert repr(neurons.create("lif", tau=3.0)).splitlines()[1].startswith("  tau=3, decay_input=True, v_threshold=1, ")
    assert repr(neurons.create("plif", init_tau=5.0)).splitlines()[1].startswith("  tau=5, decay_input=True, ")
    assert "k=2, form='gemm', " in repr(neurons.create("sliding_psn", k=2))
    assert "p_alpha=[3], " in repr(neurons.create("glif", shape=(3,)))


class Untold(Neuron):
    """Its gain and constants are there with the first input, and its weight waits for its shape."""

    def __init__(this, *gains: float, gain: float = 1.0, leak: float = 2.0, **common: Any) -> None:
        super().__init__(**common)
        this.leak, this.gains = leak, gains
        this.weight = torch.nn.UninitializedParameter()
        this.reset()

    @property
    def gain(self) -> float:
        raise RuntimeError("there was no input")

    def constants(self) -> dict[str, float]:
        return {"mean": self.v.mean().item()}


def test_a_layer_shows_what_it_can_tell() -> None:
    assert repr(Untold(1.0)) == "Untold(leak=2, step_mode='m', backend='auto')"
    assert neurons.options.names(Untold) == ["gain", "leak", "step_mode", "backend"]
    assert "decay_input=True" in repr(neurons.create("plif").to("meta"))


def test_a_constructor_that_tells_no_parameters_is_shown_without_them() -> None:
    class Partial(Neuron):
        __init__ = functools.partialmethod(Neuron.__init__, step_mode="m")  # type: ignore[assignment]

    assert neurons.options.names(Partial) == []
    assert repr(Partial()) == "Partial()"


@pytest.mark.parametrize("mode", ["s", "m"])
def test_spikes_have_the_type_of_the_input(mode: str) -> None:
    wide = create("glif", shape=(4,), step_mode=mode)  # parameters of each neuron in float32
    x = torch.randn(5, 3, 4, dtype=torch.bfloat16)
    assert wide(x if mode == "m" else x[0]).dtype is torch.bfloat16
