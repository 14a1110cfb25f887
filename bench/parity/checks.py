"""Runs the checks of one neuron and judges them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import neurons

from .. import peers
from . import ways
from .cases import CASES, DTYPES, QUICK_DTYPES, SEED, Case, applies, detach_modes, grid, laid_out, layer, sequence
from .rule import Reference, Side, Verdict, judge
from .runs import Outcome, Upstream, reference, run

if TYPE_CHECKING:
    from neurons.base import Neuron

PEERS = tuple(name for name in peers.names() if name not in neurons.backends.MODULES)
STEP_MODES = ("m", "s")
STEP = "the eager step"
EXACT = {"fused": (torch.float32, torch.float64)}  # where a backend owes the plain step's results bit for bit
FUNCTIONS = ("exp", "expm1", "exp2", "log", "log1p", "sigmoid", "tanh", "softplus", "sin", "cos", "erf", "pow", "sqrt")


@dataclass(frozen=True)
class Check:
    """One comparison of `backend` (or a peer library) with the oracle; `kernel` says what really ran."""

    neuron: str
    backend: str
    step_mode: str
    dtype: str
    detach_reset: bool
    case: str
    kernel: str
    verdict: Verdict


@dataclass(frozen=True)
class Refusal:
    """A combination that was not checked, with the reason: nothing computes it, or a peer computes another thing.

    `dtype` is of what a backend refused in the middle of its grid, empty where it takes no part at all.
    """

    neuron: str
    backend: str
    reason: str
    dtype: str = ""


def check(name: str, backends: list[str], device: str, quick: bool) -> Iterator[Check | Refusal]:
    """All checks of the neuron `name` on these backends and peers, each refusal once."""
    available = neurons.backends.available(name, device)
    wanted = [backend for backend in backends if backend not in PEERS]
    yield from (Refusal(name, b, available.refused[b]) for b in wanted if b in available.refused)
    said: set[Refusal] = set()
    found = [
        _backends(name, [b for b in wanted if b in available], device, quick),
        *(_peer(name, peer, device, quick) for peer in backends if peer in PEERS),
    ]
    for source in found:
        for item in source:
            if isinstance(item, Refusal):
                if item in said:
                    continue
                said.add(item)
            yield item


def _backends(name: str, backends: list[str], device: str, quick: bool) -> Iterator[Check | Refusal]:
    dtypes = QUICK_DTYPES if quick else tuple(DTYPES)
    for case in _cases(name, quick):
        for detach in detach_modes(name):
            try:
                layer(name, case, detach, torch.float32, "cpu")
            except ValueError as error:  # a neuron of another width, or with weights beyond measure
                yield Refusal(name, "all", f"{error} (case {case.name!r})")
                continue
            reference_of = _references(name, case, detach, device)
            for dtype in [dtype for dtype in dtypes if dtype in case.dtypes] if backends else ():
                expected = reference_of(dtype)
                if not expected.finite():
                    yield Refusal(name, "all", f"{dtype}: the plain step leaves the number format in {case.name!r}")
                    continue
                if expected.kept.any() and not expected.slopes():
                    yield Refusal(name, "all", f"{dtype}: the oracle's gradient is zero everywhere in {case.name!r}")
                    continue
                single = case.single and neurons.registry.get(name).has_step()
                for backend in backends:
                    for mode in STEP_MODES if single else STEP_MODES[:1]:
                        made = layer(name, case, detach, DTYPES[dtype], device)
                        made.backend = backend
                        try:
                            neurons.backends.chosen(made, device, expected.plain.x)
                        except RuntimeError as error:
                            yield Refusal(name, backend, str(error), dtype)
                            continue
                        with _threads(case.threads):
                            kernel, verdict = _judged(made, case, expected, mode)
                        yield Check(name, backend, mode, dtype, detach, case.name, kernel, verdict)


def _peer(name: str, peer: str, device: str, quick: bool) -> Iterator[Check | Refusal]:
    """The checks of a peer library, in float32: with the options that it shares with the suite's neuron."""
    make = functools.partial(peers.twin, peer)
    for case in _cases(name, quick):
        if case.cut is not None or case.layout != "contiguous" or case.inputs == "dyadic":
            continue  # a peer is called from rest; ties and layouts are a matter of the suite's own kernels
        for detach in detach_modes(name):
            try:
                made = layer(name, case, detach, torch.float32, device, make)
                built = peers.build(peer, made, unbind=True)
            except (peers.NoPeer, ValueError) as error:
                yield Refusal(name, peer, str(error))
                continue
            if built.semantics != peers.EQUAL:
                yield Refusal(name, peer, built.semantics)
                continue
            expected = _references(name, case, detach, device, make, states=False)("float32")
            x = expected.plain.x.detach().clone().requires_grad_()
            try:
                side = Side(made, x, Outcome(built(x), {}, torch.empty(0), {}), expected.plain.upstream)
                verdict = judge(side, expected, exact=False)
            except Exception as error:  # a peer's failure is a finding, not the end of the run
                verdict = _raised(error)
            yield Check(name, peer, "m", "float32", detach, case.name, built.call, verdict)


def _cases(name: str, quick: bool) -> list[Case]:
    return [case for case in CASES if applies(name, case) and (case.quick or not quick)]


def _references(
    name: str,
    case: Case,
    detach: bool,
    device: str,
    make: Callable[..., Neuron] | None = None,
    states: bool = True,
) -> Callable[[str], Reference]:
    """The reference of a case by dtype; formats with the same digits share their oracle."""

    @functools.cache
    def oracle(digits: torch.dtype) -> Side:
        x = sequence(case, layer(name, case, detach, digits, "cpu", make).double(), digits)
        made = layer(name, case, detach, digits, device, make).double()
        return side(made, x.to(device), torch.float64)

    def side(made: Neuron, x: Tensor, dtype: torch.dtype) -> Side:
        leaf = laid_out(x.to(dtype), case.layout).requires_grad_()
        outcome = reference(made, leaf)
        return Side(made, leaf, outcome, upstream(outcome, case, states and made.recurrent))

    def of(dtype: str) -> Reference:
        exact = oracle(grid(DTYPES[dtype]))
        if dtype == "float64":
            return Reference(exact, exact)
        plain = layer(name, case, detach, DTYPES[dtype], device, make)
        return Reference(exact, side(plain, exact.x.detach(), DTYPES[dtype]))

    return of


def upstream(outcome: Outcome, case: Case, states: bool = True) -> Upstream:
    """The gradients given to the outputs: noise with few digits; one expanded number in the strided case."""
    generator = torch.Generator().manual_seed(SEED + 1)

    def noise(like: Tensor) -> Tensor:
        made = torch.randn(like.shape, generator=generator, dtype=torch.float64).to(torch.bfloat16)
        return made.to(like.device, torch.float64)

    of_spikes = noise(outcome.spikes)
    if case.layout == "strided":
        of_spikes = of_spikes.new_ones(()).expand(outcome.spikes.shape)
    return Upstream(of_spikes, {name: noise(value) for name, value in outcome.states.items()} if states else {})


def _judged(made: Neuron, case: Case, expected: Reference, mode: str) -> tuple[str, Verdict]:
    """What really ran, and the verdict on it."""
    plain = expected.plain
    x = laid_out(plain.x.detach().contiguous(), case.layout).requires_grad_()
    try:
        exact = mode == "s" or _exact(made, x)
        side = Side(made, x, run(made, x, mode, case.cut), plain.upstream)
        verdict = judge(side, expected, exact)
        if mode == "m" and case.ways and verdict.green:
            verdict = replace(verdict, reason="; ".join(ways.faults(made, side, expected, case.cut)))
    except Exception as error:  # whatever a kernel raises is a finding, not the end of the run
        verdict = _raised(error)
    if mode == "s":
        return STEP, verdict
    if verdict.green and made.ran != made.backend:
        verdict = replace(verdict, reason=f"{made.ran} ran instead of {made.backend}")
    return made.kernel or "nothing", verdict


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Inside, PyTorch and the kernels use `number` threads, None for as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _raised(error: Exception) -> Verdict:
    return Verdict(reason=f"raised {type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}")


def _exact(made: Neuron, x: Tensor) -> bool:
    """Whether the plain step's spikes and states are owed bit for bit.

    A product over all steps may be added up in any order. On a GPU PyTorch itself multiplies by the reciprocal of a
    divisor, so that nobody can owe them there. A function like exp of every element is excepted: PyTorch's own differs
    by an ulp between vector and scalar code.
    """
    if not made.recurrent:
        return False
    if made.backend == "torch":
        return True
    return x.device.type == "cpu" and x.dtype in EXACT.get(made.backend, ()) and not _functions(made, x[0])


def _functions(made: Neuron, x: Tensor) -> bool:
    """Whether a step applies a transcendental function to values of the input's shape, not to parameters alone."""

    class Watch(TorchDispatchMode):
        found = False

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if func.overloadpacket.__name__ in FUNCTIONS:
                self.found |= result.shape == x.shape
            return result

    made.reset()
    made.step_mode = "s"
    with torch.no_grad(), Watch() as watch:
        made(x)
    return watch.found
