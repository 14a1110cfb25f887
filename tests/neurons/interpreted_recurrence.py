"""Recurrent layers for CUDA devices with Triton's interpreter; run by test_fused_triton in a process of its own."""

from __future__ import annotations

import copy
import itertools
import math
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar
from unittest import mock

import device_kernels
import pytest
import torch
from torch import Tensor, nn

import neurons
from core.compare import relative, tolerance
from models.fptt.neurons import NEURONS
from models.fptt.sequential import StepByStep
from models.recurrent import Recurrent
from neurons.backends import liquid_step, liquid_step_cuda, recurrence, recurrence_cuda
from neurons.backends.fused import cuda_kernel, plan
from neurons.surrogate import ATan, MultiGaussian, Sigmoid

device_kernels.mend_interpreter()
WIDTH = 20
PLANS = type(plan._plans)()  # of all tests: each kernel is proven once


class Interpreted(recurrence_cuda.Kernel):
    """Run by Triton's interpreter, with tiles that no size here is a multiple of."""

    tile: ClassVar = {"ROWS": 8, "COLS": 32, "DEPTH": 32, "STAGES": 1}

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        for name, function in device_kernels._FUNCTIONS.items():
            self.functions[f"f_{name}"] = device_kernels._interpreted(function)

    def launch(self, way: str, arrays: Any, numbers: Any, shape: Any, switches: Any) -> None:
        absent = torch.full((1,), math.nan)
        pointers = [absent if t is None else t for t in arrays]
        programs = -(-shape[1] // self.tile["ROWS"])
        self.functions[way][(programs,)](*pointers, *numbers, *shape, *switches, *self.tile.values())


@pytest.fixture(autouse=True)
def _interpreted() -> Iterator[None]:
    with (
        device_kernels.kernels(device_kernels.Interpreted),
        mock.patch.object(plan, "_plans", PLANS),
        mock.patch.object(recurrence_cuda, "Kernel", Interpreted),
        mock.patch.multiple(recurrence_cuda, _STEPS=2, _SAMPLES=9),
        mock.patch.object(cuda_kernel, "missing", return_value=None),
        mock.patch.object(recurrence, "find", recurrence_cuda.find),
        mock.patch.object(liquid_step, "find", liquid_step_cuda.find),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        yield


def layer(name: str, kind: type[Recurrent] = Recurrent, **options: Any) -> Recurrent:
    return kind(neurons.create(name, **{**options, "shape": (WIDTH,)}), nn.Linear(WIDTH, WIDTH))


def course(made: Recurrent, x: Tensor, cuts: tuple[int, ...] = (), potentials: bool = False) -> list[Tensor]:
    """Outputs, last states and gradients over the pieces of `x` between `cuts`, which end no gradient."""
    made.potentials = potentials
    x = x.clone().requires_grad_()
    bounds = [0, *cuts, len(x)]
    outputs = torch.cat([made(x[a:b]) for a, b in itertools.pairwise(bounds)])
    states = [value for state in made.neuron.states if isinstance(value := getattr(made.neuron, state), Tensor)]
    weight = torch.linspace(-1, 1, outputs.numel(), dtype=x.dtype).reshape(outputs.shape)
    ends = [] if potentials else [state.square().sum() for state in states if state.requires_grad]
    torch.autograd.backward([(outputs * weight).sum(), *ends])
    assert x.grad is not None
    gradients = [p.grad for p in made.parameters() if p.grad is not None]
    return [outputs.detach(), *(state.detach() for state in states), x.grad, *gradients]


def agree(ours: list[Tensor], theirs: list[Tensor]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert relative(one, other) <= tolerance("use", torch.float32)


DENSE: dict[str, Any] = {"gates": "dense", "v_threshold": 0.5}
SLOPED: dict[str, Any] = {"gates": {"name": "dense", "slope": True}}
VARIANTS = [
    ("ltc", {**DENSE, **SLOPED, "accumulate": True, "beta": 0.7}),
    ("ltc", {**DENSE, "refractory": True, "retains": True, "r_m": 3.0}),
    ("ltc", {**DENSE, "v_reset": None, "detach_reset": True, "surrogate": ATan()}),
    ("ltc", {**DENSE, "v_reset": None, "late_reset": True, "surrogate": Sigmoid(learnable=True)}),
    ("ltc", {**DENSE, "without_reset": True, "v_reset": -0.2}),
    ("ltc", {"gates": "diagonal", "v_reset": -0.5}),
    ("alif", {"start": "uniform", "accumulate": True}),
    ("alif", {"adaptive": False, "surrogate": MultiGaussian(strict=True, learnable=True)}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_variant_passes_the_proof(name: str, options: dict[str, Any]) -> None:
    """Which compares outputs, states and all gradients with those of the plain steps."""
    made = layer(name, **options)
    found = recurrence_cuda.sequence(made.neuron, made.feedback, torch.zeros(2, 3, WIDTH))
    assert callable(found), found.reason


@pytest.mark.parametrize(
    ("network", "T", "N", "cuts", "potentials"),
    [
        ("adding", 3, 9, (2,), True),
        ("adding", 1, 1, (), False),
        ("sequential", 3, 9, (1,), False),
        ("sequential", 1, 8, (), True),
        ("adding_asrnn", 3, 9, (), False),
        ("adding_asrnn", 2, 3, (1,), True),
    ],
)
def test_a_layer_is_its_steps(network: str, T: int, N: int, cuts: tuple[int, ...], potentials: bool) -> None:
    name, options = NEURONS[network]
    fast = layer(name, **{**options, "v_start": 0.0})
    plain, x = copy.deepcopy(fast), 2 * torch.randn(T, N, WIDTH)
    plain.neuron.backend = "torch"
    with mock.patch.dict(Interpreted.tile, COLS=16, DEPTH=16):  # two tiles each way
        ours = course(fast, x, cuts, potentials)
    theirs = course(plain, x, cuts, potentials)
    assert (fast.neuron.ran, fast.neuron.kernel) == ("fused", "dense recurrence")
    assert plain.neuron.ran != "fused"
    agree(ours, theirs)


def test_it_is_near_the_steps_in_double_precision() -> None:
    fast = layer("ltc", **VARIANTS[0][1])
    exact, x = copy.deepcopy(fast).double(), torch.randn(3, 6, WIDTH)
    agree(course(fast, x), course(exact, x.double()))
    assert exact.neuron.ran != "fused"


def test_without_gradients_it_gives_the_same() -> None:
    made, x = layer("alif", start="uniform", accumulate=True), torch.randn(3, 4, WIDTH)
    with torch.no_grad():
        silent = made(x)
    made.reset()
    assert torch.equal(silent, made(x))
    assert made.neuron.ran == "fused"


def test_a_wrong_kernel_is_not_used() -> None:
    made = layer("ltc", **{**DENSE, "beta": 0.9})
    module, zero = recurrence_cuda.recurrence_triton, "tl.zeros([ROWS, COLS], tl.float32)"
    wrong = "kernel of a recurrent layer of 'ltc' .* is wrong: .* gradient of x"
    with mock.patch.object(module, "_or_zero", return_value=zero), pytest.warns(RuntimeWarning, match=wrong):
        made(torch.randn(2, 3, WIDTH))
    assert made.neuron.ran != "fused"


def test_a_second_derivative_is_refused() -> None:
    made, x = layer("alif", start="uniform", accumulate=True), torch.randn(2, 3, WIDTH, requires_grad=True)
    (gradient,) = torch.autograd.grad(made(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        gradient.sum().backward()


@pytest.mark.parametrize("options", [{}, {"refractory": True}, {"adaptive": False, **SLOPED}])
def test_a_single_step_between_its_products(options: dict[str, Any]) -> None:
    name, usual = NEURONS["sequential"]
    fast = layer(name, StepByStep, **{**usual, "v_start": 0.0, **options})
    assert isinstance(fast, StepByStep)
    plain, x = copy.deepcopy(fast), torch.randn(2, 5, WIDTH)
    plain.neuron.backend = "torch"
    with mock.patch.object(recurrence, "find", return_value=None):  # as behind batch norm
        ours, theirs = course(fast, x), course(plain, x)
    assert (fast.neuron.ran, fast.neuron.kernel) == ("fused", "dense step")
    agree(ours, theirs)
