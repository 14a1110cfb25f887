"""Surrogate shapes against numerical integration, their primitives, the reference grid and numbers by hand."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import vectors
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize
from torch.fx.experimental.proxy_tensor import make_fx

import neurons
from core.registry import UnknownName
from neurons import surrogate
from neurons.surrogate import SHAPES, ATan, FastSigmoid, MultiGaussian, Rectangle, Sigmoid, Surrogate, Triangle

PAGE = Path(__file__).parents[2] / "docs" / "surrogates.md"
NAMES = list(SHAPES)
SCALING = [name for name in NAMES if SHAPES[name].scales]


def value(shape: Surrogate, u: float) -> float:
    return shape.derivative(torch.tensor(u, dtype=torch.float64), shape.alpha).item()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("alpha", [0.3, 1.0, 7.0])
def test_peak_width_and_mass_are_those_of_the_curve(name: str, alpha: float) -> None:
    shape = SHAPES[name](alpha)
    assert shape.peak == pytest.approx(value(shape, 0.0), rel=1e-12)
    half = optimize.bisect(lambda u: value(shape, u) - shape.peak / 2, 0, 3 / alpha, xtol=1e-12)
    assert shape.width == pytest.approx(2 * half, rel=1e-9)
    kinks = [0.5 / alpha, 1 / alpha]
    near = integrate.quad(lambda u: value(shape, u), 0, 30 / alpha, points=kinks, limit=200)[0]
    far = integrate.quad(lambda u: value(shape, u), 30 / alpha, math.inf)[0]
    assert shape.mass == pytest.approx(2 * (near + far), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@given(width=st.floats(0.01, 100))
def test_width_sets_the_slope(name: str, width: float) -> None:
    shape = SHAPES[name](width=width)
    assert shape.width == pytest.approx(width)
    assert value(shape, width / 2 * 0.999) > shape.peak * 0.499
    assert value(shape, width / 2 * 1.001) < shape.peak * 0.501


def test_defaults_differ_much_in_width_and_not_when_told() -> None:
    """Usual library defaults: arctangent of slope 2 and fast sigmoid of slope 25."""
    assert ATan().width / FastSigmoid(25.0).width == pytest.approx(19.2, abs=0.05)
    assert {round(SHAPES[name](width=0.5).width, 9) for name in NAMES} == {0.5}


def test_derivatives_by_hand() -> None:
    assert value(ATan(2.0), 1.0) == pytest.approx(1 / (1 + math.pi**2))
    assert value(Sigmoid(1.0), 0.0) == 0.25
    assert value(FastSigmoid(5.0), -0.2) == 0.25  # 1 / (5 * 0.2 + 1)^2
    assert [value(Triangle(2.0), u) for u in (0.0, 0.25, 0.5, -1.0)] == [2.0, 1.0, 0.0, 0.0]
    assert [value(Rectangle(2.0), u) for u in (0.0, 0.24, 0.25, -0.26)] == [2.0, 2.0, 0.0, 0.0]
    assert value(MultiGaussian(), 0.0) == pytest.approx(0.731853, abs=1e-6)  # spec fptt 2.3, also the minimum below
    assert min(value(MultiGaussian(), u / 1000) for u in range(2000)) == pytest.approx(-0.026442, abs=1e-6)


def test_multi_gaussian_is_the_published_one() -> None:
    case, arrays = vectors.load("fptt", "surrogate_grid")
    hyper = case["hyper"]
    shape = MultiGaussian(
        1 / hyper["sigma"], gamma=hyper["gamma"], height=hyper["height"], scale=hyper["scale"], strict=True
    )
    x = arrays["x"].requires_grad_()
    spikes = shape(x)
    spikes.backward(arrays["upstream"])
    assert torch.equal(spikes.detach(), arrays["spike"])
    np.testing.assert_allclose(x.grad, arrays["grad"], rtol=1e-5, atol=1e-7)


PRIMITIVES = {
    "atan": lambda z: torch.arctan(math.pi / 2 * z) / math.pi,
    "sigmoid": torch.sigmoid,
    "triangle": lambda z: torch.where(z.abs() < 1, z - z * z.abs() / 2, z.sign() / 2),
    "rectangle": lambda z: z.clamp(-0.5, 0.5),
    "multi_gaussian": lambda z: (
        0.5
        * (1.15 * torch.special.ndtr(z) - 0.15 * (torch.special.ndtr((z - 1) / 6) + torch.special.ndtr((z + 1) / 6)))
    ),
}


@pytest.mark.parametrize("name", SCALING)
def test_a_learned_slope_gets_the_gradient_of_the_primitive(name: str) -> None:
    u = torch.linspace(-2.03, 2.01, 41, dtype=torch.float64, requires_grad=True)
    g = torch.randn(41, dtype=torch.float64)
    alpha = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad((PRIMITIVES[name](alpha * u) * g).sum(), (u, alpha))
    shape = SHAPES[name](1.3, learnable=True).double()
    with torch.no_grad():
        shape.alpha.fill_(1.3)
    assert shape.width == pytest.approx(shape.unit_width / 1.3)
    assert repr(shape).endswith("(alpha=1.3, learnable)")
    got = torch.autograd.grad((shape(u) * g).sum(), (u, shape.alpha))
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_forward_is_a_step_whose_value_at_zero_can_be_chosen(name: str) -> None:
    u = torch.tensor([-1e-30, -0.0, 0.0, 1e-30])
    assert SHAPES[name]()(u).tolist() == [0, 1, 1, 1]
    assert SHAPES[name](strict=True)(u).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("name", "learnable"), [*((name, False) for name in NAMES), *((name, True) for name in SCALING)]
)
def test_the_gradient_can_be_traced(name: str, learnable: bool) -> None:
    shape = SHAPES[name](learnable=learnable)
    wanted = list(shape.parameters())

    def backward(u: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u = u.detach().requires_grad_()
        return torch.autograd.grad(shape(u), [u, *wanted], g)

    u, g = torch.randn(2, 50)
    traced = make_fx(backward)(torch.zeros(50), torch.zeros(50))
    torch.testing.assert_close(traced(u, g), backward(u, g), rtol=0, atol=0)


def test_a_surrogate_is_chosen_by_name_by_options_or_as_a_module() -> None:
    assert isinstance(neurons.create("lif", surrogate="triangle").surrogate, Triangle)
    by_options = neurons.create("plif", surrogate={"name": "sigmoid", "width": 2.0, "strict": True}).surrogate
    assert isinstance(by_options, Sigmoid)
    assert (by_options.width, by_options.strict) == (2.0, True)
    own = ATan(width=1.0)
    assert neurons.create("if", surrogate=own).surrogate is own
    with pytest.raises(UnknownName, match=r"Unknown surrogate 'atn'. Did you mean 'atan'"):
        neurons.create("lif", surrogate="atn")
    with pytest.raises(UnknownName, match="Unknown surrogate 'None'"):
        neurons.create("lif", surrogate={"width": 1.0})


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        (ATan, {"alpha": 2.0, "width": 1.0}, "alpha or width, not both"),
        (ATan, {"alpha": 0.0}, "alpha of ATan must be positive and finite, got 0.0"),
        (Sigmoid, {"width": -1.0}, "width of Sigmoid must be positive and finite, got -1.0"),
        (Triangle, {"width": math.nan}, "width of Triangle"),
        (MultiGaussian, {"scale": 0.0}, "scale of MultiGaussian must be positive and finite, got 0.0"),
        (MultiGaussian, {"gamma": math.nan}, "gamma of MultiGaussian"),
        (FastSigmoid, {"learnable": True}, "FastSigmoid cannot learn its slope"),
    ],
)
def test_impossible_options_are_refused(shape: type[Surrogate], options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shape(**options)


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert surrogate.table() in page, "docs/surrogates.md is old: put the output of python -m neurons.surrogate there"


def test_the_code_of_the_page_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, object] = {}
    exec(code.replace("neurons.create(", "made = neurons.create("), found)
    assert found["made"].surrogate.strict
