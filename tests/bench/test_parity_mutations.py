"""A campaign of wrong kernels: each wraps the true fused computation of a neuron and must turn the grid red.

A mutation is caught by the first red check, so each names the cases in which to look first; the others of the grid
follow if need be. Oracles are shared between mutations.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import neurons
from bench.parity import checks
from bench.parity.cases import CASES, DTYPES, Case, applies, layer
from bench.parity.rule import Reference
from neurons import choice
from neurons.computation import Computation

Sequence = Callable[[Any, Tensor], Tensor]
Mutation = Callable[[Sequence, Any, Tensor], Tensor]
BY_NAME = {case.name: case for case in CASES}
WHERE = ("float32", "bfloat16", "float16", "float64")


def elements(x: Tensor) -> int:
    return x[0].numel()


def spikes(change: Callable[[Tensor], Tensor], when: Callable[[Any, Tensor], bool] = lambda n, x: True) -> Mutation:
    """Changes the spikes, whose gradient stays attached."""
    return lambda true, n, x: change(true(n, x)) if when(n, x) else true(n, x)


def inverted(when: Callable[[Any, Tensor], bool]) -> Mutation:
    return spikes(lambda s: s + (1 - 2 * s).detach(), when)


def gradient(change: Callable[[Tensor], Tensor], when: Callable[[Any, Tensor], bool] = lambda n, x: True) -> Mutation:
    """Changes the gradient of the input."""

    def mutated(true: Sequence, n: Any, x: Tensor) -> Tensor:
        if x.requires_grad and when(n, x):
            inside = x.view_as(x)
            inside.register_hook(change)
            return true(n, inside)
        return true(n, x)

    return mutated


def parameter(name: str, change: Callable[[Tensor], Tensor], when: Callable[[Any, Tensor], bool] = lambda n, x: True):
    """Changes the gradient of one parameter."""

    def mutated(true: Sequence, n: Any, x: Tensor) -> Tensor:
        if when(n, x):
            getattr(n, name).register_hook(change)
        return true(n, x)

    return mutated


def states(
    change: Callable[[Tensor], Tensor], name: str = "v", when: Callable[[Any, Tensor], bool] = lambda n, x: True
) -> Mutation:
    """Changes a state that is left behind; the spikes of the call are right."""

    def mutated(true: Sequence, n: Any, x: Tensor) -> Tensor:
        made = true(n, x)
        if when(n, x):
            setattr(n, name, change(getattr(n, name)))
        return made

    return mutated


def with_option(name: str, change: Callable[[Any], Any]) -> Mutation:
    """Computes with another value of an option."""

    def mutated(true: Sequence, n: Any, x: Tensor) -> Tensor:
        before = getattr(n, name)
        setattr(n, name, change(before))
        try:
            return true(n, x)
        finally:
            setattr(n, name, before)

    return mutated


def forgetful(true: Sequence, n: Any, x: Tensor) -> Tensor:
    n.reset()
    return true(n, x)


def no_gradient_across(true: Sequence, n: Any, x: Tensor) -> Tensor:
    if isinstance(n.v, Tensor):
        n.v = n.v.detach()
    return true(n, x)


def small_flipped(g: Tensor) -> Tensor:
    return torch.where(g.abs() < 0.01 * g.abs().max(), -g, g)


def some(g: Tensor, factor: float, every: int) -> Tensor:
    """The gradients of one neuron in `every` (and of the first at least) scaled."""
    hit = torch.arange(elements(g)).reshape(g.shape[1:]) % every == every - 1
    return torch.where(hit, factor * g, g)


def last(g: Tensor, factor: float) -> Tensor:
    return torch.cat([g[:-1], factor * g[-1:]])


def one_neuron(s: Tensor) -> Tensor:
    hit = torch.arange(elements(s)).reshape(s.shape[1:]) % 1000 == 999
    return torch.where(hit, 1 - s.detach() + s - s.detach(), s)


def late(s: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(s[:1]), s[:-1]])


def dropped(s: Tensor) -> Tensor:
    return torch.cat([s[:-1], torch.zeros_like(s[-1:])])


half = (torch.bfloat16, torch.float16)
# Name: the neuron, the mutation, and the cases to look at first.
MUTATIONS: dict[str, tuple[str, Mutation, tuple[str, ...]]] = {
    "spikes x 1.0009": ("lif", spikes(lambda s: 1.0009 * s), ("strided",)),
    "spikes of another sign": ("lif", spikes(lambda s: -s), ("strided",)),
    "spikes inverted": ("lif", inverted(lambda n, x: True), ("strided",)),
    "spikes a step late": ("lif", spikes(late), ("strided",)),
    "last step silent": ("lif", spikes(dropped), ("strided",)),
    "one neuron in a thousand inverted": ("lif", spikes(one_neuron), ("past a checkpoint",)),
    "inverted at T = 1": ("lif", inverted(lambda n, x: len(x) == 1), ("one step",)),
    "inverted at multiples of 16 above 16": (
        "lif",
        inverted(lambda n, x: len(x) > 16 and len(x) % 16 == 0),
        ("two checkpoints",),
    ),
    "inverted at T = 17": ("lif", inverted(lambda n, x: len(x) == 17), ("past a checkpoint",)),
    "inverted from T = 64 on": ("lif", inverted(lambda n, x: len(x) >= 64), ("long",)),
    "inverted from T = 129 on": ("lif", inverted(lambda n, x: len(x) > 128), ("long",)),
    "inverted above 120 neurons": ("lif", inverted(lambda n, x: elements(x) > 120), ("a checkpoint",)),
    "inverted above 180 neurons, T > 7": (
        "lif",
        inverted(lambda n, x: elements(x) > 180 and len(x) > 7),
        ("past a checkpoint",),
    ),
    "inverted above 512 neurons, T > 60": (
        "lif",
        inverted(lambda n, x: elements(x) > 512 and len(x) > 60),
        ("long layer",),
    ),
    "inverted for one neuron": ("lif", inverted(lambda n, x: elements(x) == 1), ("one neuron",)),
    "inverted unless tau is 2": ("lif", inverted(lambda n, x: n.tau != 2), ("other options",)),
    "inverted unless the threshold is 1": ("lif", inverted(lambda n, x: n.v_threshold != 1), ("long layer",)),
    "inverted with gaps in memory": ("lif", inverted(lambda n, x: not x.is_contiguous()), ("strided",)),
    "inverted in bfloat16 alone": ("lif", inverted(lambda n, x: x.dtype == torch.bfloat16), ("strided",)),
    "inverted on two threads": ("lif", inverted(lambda n, x: torch.get_num_threads() == 2), ("layer, other options",)),
    "inverted without a graph": ("lif", inverted(lambda n, x: not torch.is_grad_enabled()), ("strided",)),
    "inverted in evaluation": ("lif", inverted(lambda n, x: not n.training), ("strided",)),
    "inverted for an input without gradient": ("lif", inverted(lambda n, x: not x.requires_grad), ("strided",)),
    "parameter gradient x 3 for an input without gradient": (
        "plif",
        parameter("w", lambda g: 3 * g, lambda n, x: not x.requires_grad),
        ("strided",),
    ),
    "no gradient": ("lif", spikes(Tensor.detach), ("strided",)),
    "gradient x 1.0009": ("lif", gradient(lambda g: 1.0009 * g), ("strided",)),
    "gradient x 1.5 at multiples of 16 above 16": (
        "lif",
        gradient(lambda g: 1.5 * g, lambda n, x: len(x) > 16 and len(x) % 16 == 0),
        ("two checkpoints",),
    ),
    "gradient x 1.5 from T = 64 on": ("lif", gradient(lambda g: 1.5 * g, lambda n, x: len(x) >= 64), ("long",)),
    "gradient x 1.005 in bfloat16": (
        "lif",
        gradient(lambda g: 1.005 * g, lambda n, x: x.dtype == torch.bfloat16),
        ("random",),
    ),
    "gradient x 1.005 in float16": (
        "lif",
        gradient(lambda g: 1.005 * g, lambda n, x: x.dtype == torch.float16),
        ("random",),
    ),
    "gradient of another sign": ("lif", gradient(lambda g: -g), ("strided",)),
    "gradient a step late": ("lif", gradient(late), ("strided",)),
    "gradient of the last step x 1.01": ("lif", gradient(lambda g: last(g, 1.01)), ("strided",)),
    "gradient of the last step zero in bfloat16": (
        "lif",
        gradient(lambda g: last(g, 0.0), lambda n, x: x.dtype == torch.bfloat16),
        ("strided",),
    ),
    "gradient of one neuron in a thousand x 1.01": (
        "lif",
        gradient(lambda g: some(g, 1.01, 1000)),
        ("past a checkpoint",),
    ),
    "gradient of the last neuron zero": ("lif", gradient(lambda g: some(g, 0.0, elements(g))), ("strided",)),
    "small gradients of another sign, bfloat16 (KLIF)": (
        "klif",
        gradient(small_flipped, lambda n, x: x.dtype == torch.bfloat16),
        ("random", "wide", "silent"),
    ),
    "small gradients of another sign, bfloat16 (GLIF)": (
        "glif",
        gradient(small_flipped, lambda n, x: x.dtype == torch.bfloat16),
        ("silent", "random", "cut"),
    ),
    "gradient zero where nothing fires, 16 bits (GLIF)": (
        "glif",
        gradient(lambda g: 0 * g, lambda n, x: x.dtype in half and bool((x.abs() < 1.5).all())),
        ("silent",),
    ),
    "state x 1.001": ("lif", states(lambda v: 1.001 * v), ("strided",)),
    "state x 1.005 in bfloat16": (
        "lif",
        states(lambda v: 1.005 * v, when=lambda n, x: x.dtype == torch.bfloat16),
        ("wide",),
    ),
    "state lost": ("lif", states(torch.zeros_like), ("strided",)),
    "state without gradient": ("lif", states(Tensor.detach), ("strided",)),
    "hidden current wrong": ("culif", states(lambda i: 1.001 * i, "i"), ("strided",)),
    "adaptation wrong": ("adlif", states(lambda w: w + 1e-3, "w"), ("strided",)),
    "state not carried between calls": ("lif", forgetful, ("cut",)),
    "gradient not carried between calls": ("lif", no_gradient_across, ("cut",)),
    "detach_reset ignored": ("lif", with_option("detach_reset", lambda d: False), ("strided",)),
    "soft reset as hard reset": (
        "lif",
        with_option("v_reset", lambda v: 0.0 if v is None else v),
        ("soft reset",),
    ),
    "reset to 0 always": ("lif", with_option("v_reset", lambda v: v and 0.0), ("other options",)),
    "decay of the input always": ("lif", with_option("decay_input", lambda d: True), ("other options",)),
    "tau a thousandth off": ("lif", with_option("tau", lambda tau: 1.001 * tau), ("strided",)),
    "threshold a ten thousandth off": ("lif", with_option("v_threshold", lambda v: 1.0001 * v), ("near threshold",)),
    "parameter gradient x 1.0009": ("plif", parameter("w", lambda g: 1.0009 * g), ("strided",)),
    "parameter gradient x 3": ("plif", parameter("w", lambda g: 3 * g), ("strided",)),
    "parameter gradient zero": ("plif", parameter("w", torch.zeros_like), ("strided",)),
    "parameter gradient x 1.005 above 8000 neurons": (
        "plif",
        parameter("w", lambda g: 1.005 * g, lambda n, x: elements(x) > 8000),
        ("wide",),
    ),
    "gradient of the weights transposed": ("psn", parameter("weight", lambda g: g.T), ("strided",)),
    "gradient of the bias x 1.001": ("psn", parameter("bias", lambda g: 1.001 * g), ("strided",)),
    "product inverted from T = 129 on": ("psn", inverted(lambda n, x: len(x) > 128), ("long",)),
    "product a step late": ("psn", spikes(late), ("strided",)),
}


@pytest.fixture
def mutated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mutation], None]]:
    """Sets what the backend "mutated" does with the true fused sequence."""
    module: Any = types.ModuleType("mutated_kernel")
    current: list[Mutation] = []

    def true(n: Any, x: Tensor) -> Tensor:
        found = choice.module("fused").find(n, x)
        assert isinstance(found, Computation), found.reason
        return found.sequence(n, x)

    module.refuses = lambda neuron, device: None
    module.find = lambda n, x=None: Computation("mutated", "a mutation", lambda n, x: current[0](true, n, x))
    monkeypatch.setitem(sys.modules, "mutated_kernel", module)
    monkeypatch.setitem(neurons.backends.MODULES, "mutated", "mutated_kernel")
    choice.module.cache_clear()
    yield lambda mutation: current.insert(0, mutation)
    choice.module.cache_clear()


@functools.cache
def expected(name: str, case: str, detach: bool, dtype: str) -> Reference:
    return references(name, case, detach)(dtype)


@functools.cache
def references(name: str, case: str, detach: bool) -> Callable[[str], Reference]:
    return checks._references(name, BY_NAME[case], detach, "cpu")


def grid(name: str, first: tuple[str, ...]) -> Iterator[tuple[Case, bool, str]]:
    """Case, detach_reset and dtype of the grid's checks of sequences, those of `first` before the others."""
    cases = [BY_NAME[case] for case in dict.fromkeys((*first, *BY_NAME))]
    for case in cases:
        for dtype in WHERE:
            for detach in (False, True) if name != "psn" else (False,):
                if applies(name, case) and dtype in case.dtypes:
                    yield case, detach, dtype


def green(name: str, case: Case, detach: bool, dtype: str) -> bool:
    made = layer(name, case, detach, DTYPES[dtype], "cpu")
    made.backend = "mutated"
    with checks._threads(case.threads):
        verdict = checks._judged(made, case, expected(name, case.name, detach, dtype), "m")[1]
    return verdict.green


@pytest.mark.parametrize("wrong", MUTATIONS)
def test_a_mutation_turns_a_check_red_that_is_green_without_it(wrong: str, mutated: Callable[[Mutation], None]) -> None:
    name, mutation, first = MUTATIONS[wrong]
    mutated(mutation)
    red = next((check for check in grid(name, first) if not green(name, *check)), None)
    assert red is not None, wrong
    mutated(lambda true, n, x: true(n, x))
    assert green(name, *red)
