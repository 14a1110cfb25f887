"""The spike function: an exact Heaviside forward, a smooth derivative backward.

Further derivatives are those of the smooth one, in every way that PyTorch takes them (create_graph, torch.func).

| option      | effect                                                                                       |
|-------------|----------------------------------------------------------------------------------------------|
| `alpha`     | slope of the shape                                                                           |
| `width`     | instead of `alpha`: the slope that makes the full width at half maximum `width`, so that     |
|             | shapes can be compared at equal width                                                        |
| `learnable` | the slope is one trainable scalar                                                            |
| `strict`    | Theta(0) = 0 instead of 1                                                                    |

`python -m neurons.surrogate` prints formula, peak, width and mass of every shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from core.registry import unknown

Derivative = Callable[[Tensor, float | Tensor], Tensor]


class _Heaviside(torch.autograd.Function):
    """Theta(u); `derivative(u, alpha)` stands in for its derivative, and is itself differentiable."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, alpha: float | Tensor, derivative: Derivative, strict: bool) -> Tensor:
        _remember(ctx, u, alpha, derivative)
        return _theta(u, strict)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        u, *learned = ctx.saved_tensors
        alpha = learned[0] if learned else ctx.alpha
        grad_u = grad * ctx.derivative(u, alpha)
        # A shape that learns its slope is the derivative of some F(alpha * u), so dF/dalpha = dF/du * u / alpha.
        grad_alpha = (grad_u * u).sum() / alpha if ctx.needs_input_grad[1] else None
        return grad_u, grad_alpha, None, None


class _Transformed(_Heaviside):
    """The same as forward mode and the transforms of torch.func want it, but torch.compile does not; a plain call of
    it takes twice as long.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(u: Tensor, alpha: float | Tensor, derivative: Derivative, strict: bool) -> Tensor:  # type: ignore[override]
        return _theta(u, strict)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _remember(ctx, *inputs[:3])
        ctx.save_for_forward(*ctx.to_save)

    @staticmethod
    def jvp(ctx: Any, of_u: Tensor | None, of_alpha: Tensor | None, *_: None) -> Tensor:
        u, *learned = ctx.saved_tensors
        alpha = learned[0] if learned else ctx.alpha
        slope = ctx.derivative(u, alpha)
        by_u = torch.zeros_like(u) if of_u is None else of_u * slope
        return by_u if of_alpha is None else by_u + of_alpha * slope * u / alpha


def _theta(u: Tensor, strict: bool) -> Tensor:
    return (u > 0 if strict else u >= 0).to(u.dtype)


def _remember(ctx: Any, u: Tensor, alpha: float | Tensor, derivative: Derivative) -> None:
    ctx.derivative = derivative
    ctx.alpha = None if isinstance(alpha, Tensor) else alpha
    ctx.save_for_backward(*((u, alpha) if isinstance(alpha, Tensor) else (u,)))


def _refuse_twice_forward() -> None:
    """RuntimeError inside forward mode of forward mode, which PyTorch takes for zero in a function of one's own."""
    levels = torch._C._functorch.get_interpreter_stack() or []
    if sum(level.key() == torch._C._functorch.TransformType.Jvp for level in levels) > 1:
        raise RuntimeError(
            "PyTorch has no forward mode of forward mode for a surrogate gradient (jacfwd of jacfwd, jvp of jvp); take "
            "one of the two derivatives in reverse mode, with torch.func.jacrev or grad."
        )


def _check_positive(what: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{what} must be positive and finite, got {value}.")


class Surrogate(nn.Module):
    """A spike function whose derivative has the shape `derivative`; a subclass states the shape and its measures.

    `alpha` (> 0; default: the shape's own) or `width` sets the slope. ValueError for both at once, for values that
    are not positive, and for `learnable` where the shape is no F(alpha u).
    """

    formula: ClassVar[str]
    default_alpha: ClassVar[float]
    scales: ClassVar[bool] = True  # the derivative is that of some F(alpha u)

    def __init__(
        self,
        alpha: float | None = None,
        learnable: bool = False,
        *,
        width: float | None = None,
        strict: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if alpha is not None and width is not None:
            raise ValueError(f"{name} takes alpha or width, not both: width={width} sets the slope already.")
        option, given = ("alpha", alpha) if width is None else ("width", width)
        if given is not None:
            _check_positive(f"{option} of {name}", given)
        slope = self.unit_width / width if width is not None else self.default_alpha if alpha is None else alpha
        if learnable and not self.scales:
            raise ValueError(f"{name} cannot learn its slope: its height does not follow it. Use a fixed alpha.")
        self.alpha: float | nn.Parameter = nn.Parameter(torch.tensor(float(slope))) if learnable else float(slope)
        self.strict = strict

    @property
    def slope(self) -> float:
        """The present alpha as a number."""
        return float(self.alpha.detach()) if isinstance(self.alpha, Tensor) else self.alpha

    def derivative(self, u: Tensor, alpha: float | Tensor) -> Tensor:
        """dTheta/du at the distance to threshold `u`, any shape."""
        raise NotImplementedError

    @property
    def unit_width(self) -> float:
        """Full width at half maximum for alpha = 1."""
        raise NotImplementedError

    @property
    def width(self) -> float:
        """Full width at half maximum, in units of the potential."""
        return self.unit_width / self.slope

    @property
    def peak(self) -> float:
        """The derivative at the threshold."""
        raise NotImplementedError

    @property
    def mass(self) -> float:
        """Integral of the derivative over all u."""
        return 1.0

    def forward(self, u: Tensor) -> Tensor:
        """Spikes (0 or 1) of the distance to threshold `u`, any shape."""
        function = _Heaviside
        if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
            _refuse_twice_forward()
            function = _Transformed
        return function.apply(u, self.alpha, self.derivative, self.strict)

    def extra_repr(self) -> str:
        learnable = ", learnable" if isinstance(self.alpha, nn.Parameter) else ""
        return f"alpha={self.slope:g}" + learnable + (", strict" if self.strict else "")


class ATan(Surrogate):
    """Arctangent (Fang et al. 2021, Sec. 3.6): primitive arctan(pi/2 alpha u) / pi + 1/2.

    Peak alpha / 2, width 4 / (pi alpha), mass 1.
    """

    formula = "(α/2) / (1 + (π/2 α u)²)"
    default_alpha = 2.0
    unit_width = 4 / math.pi

    @property
    def peak(self) -> float:
        return self.slope / 2

    def derivative(self, u: Tensor, alpha: float | Tensor) -> Tensor:
        return (alpha / 2) / (1 + (math.pi / 2 * alpha * u).square())


class Sigmoid(Surrogate):
    """Logistic function: primitive sigma(alpha u).

    Peak alpha / 4, width 2 ln(3 + 2 sqrt 2) / alpha, mass 1.
    """

    formula = "α σ(α u) (1 − σ(α u))"
    default_alpha = 4.0
    unit_width = 2 * math.log(3 + 2 * math.sqrt(2))

    @property
    def peak(self) -> float:
        return self.slope / 4

    def derivative(self, u: Tensor, alpha: float | Tensor) -> Tensor:
        s = (alpha * u).sigmoid()
        return alpha * s * (1 - s)


class FastSigmoid(Surrogate):
    """SuperSpike (Zenke and Ganguli 2018): primitive u / (1 + alpha |u|), of height 1 whatever its slope.

    Peak 1, width 2 (sqrt 2 - 1) / alpha, mass 2 / alpha. The default slope is that of first-spike coding (Liu et al.
    2023).
    """

    formula = "1 / (α abs(u) + 1)²"
    default_alpha = 5.0
    scales = False
    unit_width = 2 * (math.sqrt(2) - 1)

    @property
    def peak(self) -> float:
        return 1.0

    @property
    def mass(self) -> float:
        return 2 / self.slope

    def derivative(self, u: Tensor, alpha: float | Tensor) -> Tensor:
        return 1 / (alpha * u.abs() + 1).square()


class Triangle(Surrogate):
    """Triangle; with alpha = 1 the one of the CIFAR10-DVS networks of Fang et al. 2023.

    Peak alpha, width 1 / alpha, mass 1.
    """

    formula = "α max(0, 1 − abs(α u))"
    default_alpha = 1.0
    unit_width = 1.0

    @property
    def peak(self) -> float:
        return self.slope

    def derivative(self, u: Tensor, alpha: float | Tensor) -> Tensor:
        return alpha * (1 - (alpha * u).abs()).relu()


class Rectangle(Surrogate):
    """Rectangle; with alpha = 1 the one of GLIF (Yao et al. 2022).

    Peak alpha, width 1 / alpha, mass 1.
    """

    formula = "α if abs(α u) < 1/2 else 0"
    default_alpha = 1.0
    unit_width = 1.0

    @property
    def peak(self) -> float:
        return self.slope

    def derivative(self, u: Tensor, alpha: float | Tensor) -> Tensor:
        return alpha * ((alpha * u).abs() < 0.5).to(u.dtype)


class MultiGaussian(Surrogate):
    """Gaussian of deviation 1 / alpha less two wide ones at +-1 / alpha (Yin et al. 2023): its tails are negative.

    With N(z; m, s) the normal density, z = alpha u, `height` h and `scale` S:
    gamma alpha [(1 + h) N(z; 0, 1) - h N(z; 1, S) - h N(z; -1, S)]. Peak gamma alpha / sqrt(2 pi)
    [1 + h - (2 h / S) exp(-1 / (2 S^2))], mass gamma (1 - h); the width has no closed form and is found by bisection.
    """

    gamma: float
    height: float
    scale: float
    formula = "γ α [(1 + h) N(α u; 0, 1) − h N(α u; 1, S) − h N(α u; −1, S)], γ 0.5, h 0.15, S 6"
    default_alpha = 1 / 0.3

    def __init__(
        self,
        alpha: float | None = None,
        learnable: bool = False,
        *,
        gamma: float = 0.5,
        height: float = 0.15,
        scale: float = 6.0,
        **common: Any,
    ) -> None:
        for option, given in (("gamma", gamma), ("scale", scale)):
            _check_positive(f"{option} of {type(self).__name__}", given)
        self.gamma, self.height, self.scale = gamma, height, scale  # first: the width follows from them
        super().__init__(alpha, learnable, **common)

    @property
    def unit_width(self) -> float:
        def excess(z: float) -> float:
            at = torch.tensor([z, 0.0], dtype=torch.float64)
            value, peak = self.derivative(at, 1.0).tolist()
            return value - peak / 2

        low, high = 0.0, 3.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) > 0 else (low, middle)
        return 2 * low

    @property
    def peak(self) -> float:
        lobes = 2 * self.height / self.scale * math.exp(-1 / (2 * self.scale**2))
        return self.gamma * self.slope / math.sqrt(2 * math.pi) * (1 + self.height - lobes)

    @property
    def mass(self) -> float:
        return self.gamma * (1 - self.height)

    def derivative(self, u: Tensor, alpha: float | Tensor) -> Tensor:
        z = alpha * u
        centre = (z.square() / -2).exp()
        lobes = ((z - 1).square() / (-2 * self.scale**2)).exp() + ((z + 1).square() / (-2 * self.scale**2)).exp()
        shape = (1 + self.height) * centre - self.height / self.scale * lobes
        return self.gamma / math.sqrt(2 * math.pi) * alpha * shape


SHAPES: dict[str, type[Surrogate]] = {
    "atan": ATan,
    "sigmoid": Sigmoid,
    "fast_sigmoid": FastSigmoid,
    "multi_gaussian": MultiGaussian,
    "triangle": Triangle,
    "rectangle": Rectangle,
}


def create(shape: str | Mapping[str, Any]) -> Surrogate:
    """A surrogate by name ("atan") or by name and options ({"name": "atan", "width": 1.0}); raises UnknownName."""
    options = {"name": shape} if isinstance(shape, str) else dict(shape)
    name = options.pop("name", None)
    if name not in SHAPES:
        raise unknown("surrogate", str(name), SHAPES)
    return SHAPES[name](**options)


def table() -> str:
    """Every shape with its formula and measures as a Markdown table."""
    lines = [
        "| name | derivative | default α | peak | width | mass | peak at width 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, shape in SHAPES.items():
        default, unit = shape(), shape(width=1.0)
        numbers = (default.default_alpha, default.peak, default.width, default.mass, unit.peak)
        lines.append(f"| `{name}` | {shape.formula} | " + " | ".join(f"{number:.4g}" for number in numbers) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
