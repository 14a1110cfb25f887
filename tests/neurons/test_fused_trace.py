"""What can be traced, what it becomes, and the sentences for what cannot."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from against_eager import assert_same, drive
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import neurons
from neurons.backends.fused import compiler
from neurons.backends.fused.graph import Graph
from neurons.backends.fused.program import program
from neurons.backends.fused.trace import Trace, trace
from neurons.base import ThresholdNeuron

needs_compiler = pytest.mark.skipif(compiler.missing() is not None, reason="needs a C++ compiler")


class Custom(ThresholdNeuron):
    """h = f(x, v) for any f."""

    name = "custom"

    def __init__(self, charge: Any, **common: Any) -> None:
        super().__init__(**common)
        self.charge = charge
        self.w = nn.Parameter(torch.tensor(0.4))

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = self.charge(x, v)
        s = self.fire(h)
        return s, self.after_spike(h, s)


CHARGES = {
    "exp": lambda x, v: v * 0.5 + torch.exp(x * 0.2) * 0.3,
    "log and sqrt": lambda x, v: v * 0.5 + torch.log(x.abs() + 1.5) * torch.sqrt(x.square() + 0.3),
    "tanh": lambda x, v: torch.tanh(v) + torch.tanh(x),
    "sin and cos": lambda x, v: v * torch.cos(x) + torch.sin(x) + 0.2,
    "sigmoid": lambda x, v: v * torch.sigmoid(x) + x * 0.7,
    "erf": lambda x, v: torch.erf(v) * 0.5 + torch.erf(x),
    "relu": lambda x, v: torch.relu(v + x - 0.1),
    "clamp": lambda x, v: (v + x).clamp(-0.5, 3.0),
    "maximum": lambda x, v: torch.maximum(v, x) + torch.minimum(v, 0.3 * x),
    "where": lambda x, v: torch.where(x > 0.5, v + x, v * 0.5),
    "powers": lambda x, v: v * 0.5 + x**2 - 0.1 * x**3 + (x.abs() + 1) ** -1 + (x.abs() + 0.1) ** 0.5,
    "a power between": lambda x, v: v * 0.5 + (x.abs() + 0.1) ** 1.7,
    "logic": lambda x, v: v + x * ((x > 0) & ~(v > 0.8)).to(x.dtype),
    "reciprocal": lambda x, v: v * 0.5 + 1 / (1 + x.square()),
    "a reflected difference": lambda x, v: 1 - v + x,
    "like": lambda x, v: v * 0.5 + x + torch.ones_like(x) * 0.1 + torch.full_like(x, 0.05),
    "sign": lambda x, v: v * 0.5 + torch.sign(x) * 0.4 + x,
    "addcdiv": lambda x, v: torch.addcdiv(v * 0.5, x, x.square() + 0.5, value=0.3),
    "exp2": lambda x, v: v * 0.5 + torch.exp2(x * 0.2),
    "alpha": lambda x, v: torch.add(x, v, alpha=0.3),
    "addcmul": lambda x, v: torch.addcmul(v * 0.5, x, x, value=0.3),
    "log1p and expm1": lambda x, v: v * 0.5 + torch.log1p(x.abs()) + torch.expm1(x * 0.1),
    "in place on its own result": lambda x, v: (v * 0.5).add_(x),
    "a number made a tensor": lambda x, v: v * torch.tensor(0.5) + x,
}


# What C++ computes by another function for each type; the text of all others is the same in both.
FUNCTIONS = (
    "exp", "log and sqrt", "tanh", "sin and cos", "sigmoid", "erf", "a power between", "exp2", "log1p and expm1",
)  # fmt: skip


@needs_compiler
@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, torch.float32) for name in CHARGES), *((name, torch.float64) for name in FUNCTIONS)],
    ids=str,
)
def test_known_operators(name: str, dtype: torch.dtype) -> None:
    assert_same(Custom(CHARGES[name], v_threshold=0.9), drive(6, 77, dtype=dtype), gradient=1e-5)


class Clamped(Custom):
    """A parameter kept in its range by the step, whose gradient PyTorch computes in place."""

    name = "clamped"

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = self.w.clamp(0, 1) * v + x * self.w.clone().clamp_(max=0.9)
        s = self.fire(h)
        return s, self.after_spike(h, s)


@needs_compiler
@pytest.mark.parametrize("w", [-0.2, 0.4, 1.3])
def test_a_parameter_may_be_clamped(w: float) -> None:
    neuron = Clamped(None)
    nn.init.constant_(neuron.w, w)
    assert_same(neuron, drive(6, 50))


class Masked(Custom):
    """A mask as condition and as number, and one parameter under two names."""

    name = "masked"

    def __init__(self, **common: Any) -> None:
        super().__init__(None, **common)
        self.register_buffer("mask", torch.tensor([True, False, True]))
        self.tied = self.w

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = torch.where(self.mask, x, 0.3 * x) + self.mask * v * self.w.sigmoid() - 0.1 * self.tied
        s = self.fire(h)
        return s, self.after_spike(h, s)


@needs_compiler
def test_masks_and_parameters_with_two_names() -> None:
    assert_same(Masked(), drive(6, 20, 3))


@needs_compiler
def test_a_complex_parameter_is_refused() -> None:
    neuron = Custom(lambda x, v: v + x, backend="fused")
    neuron.omega = nn.Parameter(torch.zeros(3, dtype=torch.complex64))
    with pytest.raises(RuntimeError, match="'omega' is complex"):
        neuron(drive(4, 3))


OUTSIDE = torch.ones(2, 2)
OUTSIDE_NUMBER = torch.ones((), requires_grad=True)


def branching(x: Tensor, v: Tensor) -> Tensor:
    return v + x if x.sum() > 0 else v


def in_place(x: Tensor, v: Tensor) -> Tensor:
    return v.mul_(0.5) + x


def in_place_on_a_view(x: Tensor, v: Tensor) -> Tensor:
    h = v + x
    h.detach().mul_(0.5)
    return h


REFUSED = {
    "cumsum": (lambda x, v: v + x.cumsum(0), "aten.cumsum.default, which the kernel generator does not know"),
    "matrix product": (lambda x, v: v + x @ x.t(), "mixes neurons"),
    "transposed": (lambda x, v: v + x.t(), "mixes neurons"),
    "dimensions in another order": (lambda x, v: v + x.permute(1, 0), "mixes neurons"),
    "branch": (branching, "decides or computes in Python"),
    "in place": (in_place, "in-place operation"),
    "in place on a view": (in_place_on_a_view, "changes a tensor in place"),
    "noise": (lambda x, v: v + torch.rand_like(x), "draws random numbers"),
    "mean": (lambda x, v: v + x - x.mean(), "aten.mean.default"),
    "sum": (lambda x, v: v + x - x.sum(), "mixes neurons"),
    "shape": (lambda x, v: v + torch.zeros(7), "creates a tensor of fixed shape"),
    "type": (lambda x, v: (v.double() + x).float(), "computes in torch.float64"),
    "outside tensor": (lambda x, v: v + x * OUTSIDE, "neither parameter, buffer nor state"),
    "outside number": (lambda x, v: v + x * OUTSIDE_NUMBER, "neither parameter, buffer nor state"),
    "number of samples": (lambda x, v: v + x / x.shape[0], "computes with the sizes of its input"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_no_kernel_can_do_is_refused_by_name(name: str) -> None:
    charge, message = REFUSED[name]
    neuron = Custom(charge, backend="fused")
    with pytest.raises(RuntimeError, match=f"(?s)'fused' cannot run Custom.*'custom'.*({message})"):
        neuron(drive(3, 5, 5))


def test_auto_says_so_when_it_falls_back() -> None:
    neuron = Custom(REFUSED["cumsum"][0])
    with pytest.warns(RuntimeWarning, match="Falling back from backend 'fused'.*aten.cumsum"):
        spikes = neuron(drive(3, 5, 5))
    assert spikes.shape == (3, 5, 5)


class Options:
    """Its identity says nothing about its values."""

    gain = 1.0


@pytest.mark.parametrize("name", ["note", "_note"])
def test_an_attribute_whose_change_would_go_unnoticed_is_refused(name: str) -> None:
    refused = {"tuple": ([1.0], Options()), "register it as a parameter or a buffer": (torch.ones(3),)}
    for message, values in refused.items():
        for value in values:
            neuron = neurons.create("lif", backend="fused")
            setattr(neuron, name, value)
            with pytest.raises(RuntimeError, match=message):
                neuron(drive(2, 3))


class Gain(ThresholdNeuron):
    """Whatever the gain depends on is part of the step."""

    name = "gain"
    _gain = 1.0

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = 0.5 * v + x * self._gain * (3.0 if self.training else 1.0)
        s = self.fire(h)
        return s, self.after_spike(h, s)


@needs_compiler
def test_private_attributes_and_the_training_mode_are_noticed() -> None:
    neuron, x = Gain(), drive(6, 50)
    for gain, training in ((1.0, True), (1.0, False), (5.0, False)):
        neuron._gain = gain
        assert_same(neuron.train(training), x)


class Counting(ThresholdNeuron):
    """A step that remembers in an attribute what a state should hold."""

    name = "counting"

    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        self.steps = 0

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        self.steps += 1
        h = v + (x if self.steps > 20 else 0.5 * x)
        s = self.fire(h)
        return s, self.after_spike(h, s)


@needs_compiler
def test_a_step_that_changes_attributes_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"'counting' changes its attribute 'steps'.*make it a state"):
        Counting(backend="fused")(drive(30, 50))


@needs_compiler
def test_hooks_inside_a_neuron_are_refused_and_around_it_called() -> None:
    neuron, called = neurons.create("lif", backend="fused"), list[str]()
    neuron.register_forward_hook(lambda *_: called.append("neuron"))
    neuron(drive(2, 3))
    assert called == ["neuron"]
    neuron.surrogate.register_forward_hook(lambda *_: called.append("surrogate"))  # type: ignore[union-attr, operator]
    with pytest.raises(RuntimeError, match="part 'surrogate' has hooks"):
        neuron(drive(2, 3))


class Squared(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return w * w + 0.1


@needs_compiler
def test_a_parametrized_neuron() -> None:
    neuron = neurons.create("plif", init_tau=3.0)
    nn.utils.parametrize.register_parametrization(neuron, "w", Squared())
    assert assert_same(neuron, drive(6, 50)).grads["parametrizations.w.original"] is not None


@needs_compiler
@pytest.mark.parametrize("which", [torch.maximum, torch.minimum])
def test_nan_passes_the_larger_and_the_smaller_of_two(which: Any) -> None:
    x, states = drive(3, 40), []
    x[1, ::3] = float("nan")
    for backend in ("fused", "torch"):
        neuron = Custom(lambda x, v: which(0.5 * v, x), backend=backend)
        neuron(x)
        states.append(neuron.v.detach())  # type: ignore[union-attr]
    torch.testing.assert_close(*states, rtol=0, atol=0, equal_nan=True)


def traced(name: str, **options: Any) -> Trace:
    return trace(neurons.create(name, **options), torch.float32, (2,))


def saved(found: Trace, storage_bytes: int = 4) -> list[str]:
    """What is kept or read for the backward pass, by operator."""
    made = program(
        found,
        grad_x=True,
        parameters=list(found.grad_parameters),
        storage_bytes=storage_bytes,
        compute_bytes=4,
    )
    nodes = [made.graph.nodes[i] for i in made.saved]
    kept = [str(node.value) if node.op == "input" else node.op for node in nodes]
    return kept + ["x"] * made.reads_x + ["spikes"] * made.reads_spikes


def test_the_saved_set_is_the_least_traffic() -> None:
    # LIF: the surrogate and the reset need h = v + (x - v) / tau alone (write + read); v and x would be one read more.
    assert saved(traced("lif")) == ["add"]
    # PLIF: dh/dk = x - v, so from v (write + read) and x (read) everything else is computed again.
    assert sorted(saved(traced("plif"))) == ["s0", "x"]
    # IF with a detached soft reset: the state's gradient passes by unchanged, the surrogate's value is all it takes.
    assert len(saved(traced("if", v_reset=None, detach_reset=True))) == 1


def test_what_depends_on_parameters_alone_is_computed_outside() -> None:
    found = traced("plif")
    assert found.raw_names() == ["w"]
    w = torch.tensor(0.3)
    assert torch.equal(found.evaluate(found.prologue, {"w": w})[0], torch.sigmoid(w))
    # 0 and 1 are written into the code; pi (of the surrogate: pi / 2 * alpha) is the only number left.
    assert found.constants == [pytest.approx(3.141592653589793)]


def test_equal_nodes_exist_once_and_nothing_exact_is_lost() -> None:
    graph = Graph()
    x, zero, one = graph.input("x"), graph.literal(0), graph.literal(1)
    assert graph.add("add", x, one) == graph.add("add", x, one)
    assert graph.add("sub", x, zero) == graph.add("mul", one, x) == graph.add("div", x, one) == x
    assert graph.add("add", x, zero) != x, "-0.0 + 0.0 is 0.0"


class Surrogate(nn.Module):
    """A user's own spike function."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, u: Tensor) -> Tensor:
            ctx.save_for_backward(u)
            return (u >= 0).to(u.dtype)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (u,) = ctx.saved_tensors
            return grad * torch.exp(-u.square()) * 0.7

    def forward(self, u: Tensor) -> Tensor:
        return Surrogate.Function.apply(u)


@needs_compiler
def test_a_surrogate_of_ones_own_works() -> None:
    assert_same(neurons.create("plif", surrogate=Surrogate()), drive(8, 3, 50))


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "v", "w", 0.3, 1.7, -0.6]),
    lambda inner: st.tuples(st.sampled_from(["+", "-", "*", "/", "max", "where"]), inner, inner),
    max_leaves=6,
)


def evaluate(expression: Any, values: dict[str, Tensor]) -> Any:
    if not isinstance(expression, tuple):
        return values[expression] if isinstance(expression, str) else expression
    op, *operands = expression
    a, b = (evaluate(o, values) for o in operands)
    if op in ("max", "where"):
        a, b = values["x"] * 0 + a, values["x"] * 0 + b
        return torch.maximum(a, b) if op == "max" else torch.where(a > 0.2, a, b)
    if op == "/":
        return a / (b * b + 0.5)
    return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b}[op]()


@needs_compiler
@settings(deadline=None, max_examples=8)
@given(expression=EXPRESSIONS)
def test_any_expression(expression: Any) -> None:
    """Random arithmetic of the input, the state and a parameter: spikes bit for bit, gradients to 1e-5."""

    class Random(Custom):
        name = "random"

        def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            h = 0.5 * v + 0.3 * x + evaluate(expression, {"x": x, "v": v, "w": self.w})
            s = self.fire(h)
            return s, self.after_spike(h, s)

    assert_same(Random(None), drive(5, 40), gradient=2e-5)


def test_only_a_division_by_a_power_of_two_becomes_a_product() -> None:
    def operators(tau: float) -> list[str]:
        return [node.op for node in trace(neurons.create("lif", tau=tau), torch.float32, (2,)).graph.nodes]

    assert operators(3.0).count("div") == operators(2.0).count("div") + 2  # forward and its gradient
    assert operators(3.0).count("mul") == operators(2.0).count("mul") - 2
    traced = trace(neurons.create("lif", tau=4.0), torch.float32, (2,))
    assert 0.25 in traced.constants
    assert 4.0 not in traced.constants
