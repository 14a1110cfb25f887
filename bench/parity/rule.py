"""The rule by which a check is green or red."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.compare import SLACK, first_step, largest, tolerance, worse

from . import whole
from .edges import edges, gaps
from .runs import Outcome, Upstream, gradients

if TYPE_CHECKING:
    from neurons.base import Neuron

DRAWS = 4  # sign patterns from which the size of a parameter's gradient is estimated
LEAST = 8  # elements from which on a kernel that leaves most of the plain step's out has proven too little


@dataclass(frozen=True)
class Verdict:
    """The measures of one check (None: could not be compared); `reason` is empty when it is green.

    `note` says what was left out of the comparison, empty if nothing was.
    """

    flips: int | None = None
    first_step: int | None = None
    threshold_distance: float | None = None
    state_error: float | None = None
    grad_error: float | None = None
    reason: str = ""
    used: float = 0.0  # largest share of what the rule allows: how near the check came to being red
    note: str = ""

    @property
    def green(self) -> bool:
        return not self.reason


class Side:
    """One side of a comparison: a layer, its input `x` [T, N, ...] (a leaf) and what came of it."""

    def __init__(self, layer: Neuron, x: Tensor, outcome: Outcome, upstream: Upstream) -> None:
        self.x, self.outcome, self.upstream, self.recurrent = x, outcome, upstream, layer.recurrent
        self.samples = None if layer.pointwise else x.shape[1] if x.ndim > 2 else 1
        self._layer = layer
        self.parameters = {name: p for name, p in layer.named_parameters() if p.requires_grad}
        self._gradients: dict[bytes, dict[str, Tensor | None]] = {}
        self._drawn: dict[bytes, list[dict[str, Tensor | None]]] = {}

    def together(self, where: Tensor) -> Tensor:
        """`where` [..., E], true in all elements of a sample as soon as in one, if its neurons act on each other."""
        if self.samples is None:
            return where
        of_samples = where.unflatten(-1, (self.samples, -1))
        return of_samples.any(-1, keepdim=True).expand_as(of_samples).flatten(-2)

    @cached_property
    def spikes(self) -> Tensor:
        """[T, E], detached."""
        return self.outcome.spikes.detach().flatten(1)

    @cached_property
    def edges(self) -> tuple[float, ...]:
        """Distances to the threshold at which the surrogate's derivative jumps."""
        return edges(self._layer)

    def gradients(self, kept: Tensor) -> dict[str, Tensor | None]:
        """Gradients of the elements `kept` [E] alone; remembered, because every kernel is compared with them."""
        key = kept.cpu().numpy().tobytes()
        if key not in self._gradients:
            self._gradients[key] = gradients(self.outcome, self.x, self.parameters, self.upstream, kept)
        return self._gradients[key]

    def drawn(self, kept: Tensor) -> list[dict[str, Tensor | None]]:
        """The gradients for DRAWS other patterns of signs of the upstream ones, the same on every side."""
        key = kept.cpu().numpy().tobytes()
        if key not in self._drawn:
            generator = torch.Generator().manual_seed(0)
            self._drawn[key] = [
                gradients(self.outcome, self.x, self.parameters, self.upstream.signed(generator), kept)
                for _ in range(DRAWS)
            ]
        return self._drawn[key]


class Reference:
    """The oracle and the plain step in one dtype, and by how much rounding separates them."""

    def __init__(self, oracle: Side, plain: Side) -> None:
        self.oracle, self.plain = oracle, plain

    @cached_property
    def agreed(self) -> Tensor:
        """[T, E]: whether the plain step's spikes equal the oracle's at all steps before t that act on t."""
        agreed = _agreed(self.oracle, self.plain)
        return agreed if self.oracle.recurrent else torch.ones_like(agreed)

    @cached_property
    def kept(self) -> Tensor:
        """[E]: elements on whose course the plain step makes the oracle's spikes throughout."""
        return ~self.oracle.together((self.oracle.spikes != self.plain.spikes).any(0))

    @cached_property
    def nearness(self) -> Tensor | None:
        """[E]: distance to the threshold within which a flip is rounding; None where distances cannot be seen."""
        exact, plain = self.oracle.outcome.distances, self.plain.outcome.distances
        return self._allowance(exact, plain, self.agreed) if exact.numel() and plain.numel() else None

    def state_allowance(self, name: str) -> Tensor:
        """[E]: by how much a kernel's state may differ from the oracle's."""
        still = self.agreed & (self.oracle.spikes == self.plain.spikes)
        return self._allowance(self.oracle.outcome.course[name], self.plain.outcome.course[name], still)

    def _allowance(self, exact: Tensor, plain: Tensor, comparable: Tensor) -> Tensor:
        """SLACK times the plain step's error in an element (or in nine tenths of them, or half an ulp, if more).

        In float64 the plain step is the oracle and shows no error; half an ulp at every step stands for it.
        """
        errors = torch.where(comparable, (plain.double() - exact).abs(), 0).amax(0)
        rounding = self._rounding(exact).amax(0)
        return SLACK * torch.maximum(torch.maximum(errors, rounding), errors.quantile(0.9))

    def _rounding(self, exact: Tensor) -> Tensor:
        """[T, E]: half an ulp (in float64 one a step) of the largest number involved in `exact` at each step."""
        involved = (self.oracle.x.detach().flatten(1), exact, *self.oracle.outcome.course.values())
        largest = torch.stack([value.abs() for value in involved]).amax(0)
        half_ulps = len(exact) if self.plain is self.oracle else 1
        return half_ulps * torch.finfo(self.plain.x.dtype).eps / 2 * largest

    @cached_property
    def edged(self) -> Tensor:
        """[E]: elements that come within rounding of a jump of the surrogate's derivative at some step."""
        exact, plain = self.oracle.outcome.distances, self.plain.outcome.distances
        if not self.oracle.edges or not exact.numel() or not plain.numel():
            return torch.zeros_like(self.kept)
        errors = torch.where(self.agreed, (plain.double() - exact).abs(), 0)
        near = gaps(exact, self.oracle.edges) <= SLACK * torch.maximum(errors, self._rounding(exact))
        return self.oracle.together(near.any(0))

    def gradient_scale(self, name: str, kept: Tensor) -> float:
        """Size of a gradient: its largest value or, if more, its root mean square over patterns of signs.

        A parameter's gradient is a sum over steps and elements that may cancel by chance; its rounding does not. The
        mean square is the sum of the squared contributions.
        """
        wanted = self.oracle.gradients(kept)[name]
        size = 0.0 if wanted is None else largest(wanted)
        if name != "input":
            drawn = [value for found in self.oracle.drawn(kept) if (value := found[name]) is not None]
            size = max(size, largest(torch.stack(drawn).square().mean(0).sqrt()))
        return size or 1.0

    def gradient_error(self, name: str, kept: Tensor) -> float:
        """Largest error of the plain step's gradient, over the patterns of signs, too: one sum may be right by luck."""
        pairs = [(self.oracle.gradients(kept), self.plain.gradients(kept))]
        pairs += zip(self.oracle.drawn(kept), self.plain.drawn(kept), strict=True)
        found = [(exact[name], plain[name]) for exact, plain in pairs]
        return max(largest(p.double() - e) for e, p in found if e is not None and p is not None)

    def summed(self, name: str, kept: Tensor) -> tuple[float, float]:
        """2-norms of a parameter's gradient (root mean square) and of the plain step's error of it (the largest), over
        the patterns of signs."""
        pairs = zip(self.oracle.drawn(kept), self.plain.drawn(kept), strict=True)
        found = [(e, p) for exact, plain in pairs if (e := exact[name]) is not None and (p := plain[name]) is not None]
        squares = [float(e.square().sum()) for e, _ in found]
        errors = [float((p.double() - e).norm()) for e, p in found]
        return math.sqrt(sum(squares) / max(1, len(squares))), max(errors, default=0.0)

    @cached_property
    def ties(self) -> Tensor:
        """[T, E]: potentials at the threshold exactly, in elements of which no state has been rounded until then: where
        one has, two roundings may meet at the threshold by luck."""
        exact, plain = self.oracle.outcome, self.plain.outcome
        rounded = torch.zeros_like(exact.distances, dtype=torch.bool)
        for name, values in exact.course.items():
            rounded |= plain.course[name].double() != values
        return (exact.distances == 0) & (plain.distances == 0) & (rounded.cumsum(0) == 0) & self.agreed

    def finite(self) -> bool:
        """Whether the plain step stays within its number format."""
        values = [self.plain.outcome.distances, *self.plain.outcome.course.values()]
        return all(bool(value.isfinite().all()) for value in values)

    def slopes(self) -> bool:
        """Whether the oracle has a gradient at all; where it is zero everywhere, none can be proven."""
        found = self.oracle.gradients(self.kept)["input"]
        return found is not None and bool(found.any())


def judge(kernel: Side, reference: Reference, exact: bool) -> Verdict:
    """The verdict on a kernel by RULE; `exact` says that it claims the plain step's results bit for bit."""
    oracle, plain = reference.oracle, reference.plain
    made = kernel.outcome
    if made.spikes.shape != plain.outcome.spikes.shape:
        return Verdict(reason=f"returned shape {list(made.spikes.shape)} for {list(plain.outcome.spikes.shape)}")
    if made.spikes.dtype != plain.outcome.spikes.dtype:
        return Verdict(reason=f"returned {made.spikes.dtype} for {plain.outcome.spikes.dtype}")
    differs = kernel.spikes != oracle.spikes
    apart = int(differs.sum())
    tally = Tally()
    first, distance = flips(differs, reference, tally) if apart else (None, None)
    kept = reference.kept & ~oracle.together(differs.any(0))
    state_error = _states(kernel, reference, kept, tally)
    compared = kept & ~reference.edged
    note = _left_out(kept, compared, reference, tally)
    grad_error = _gradients(kernel, reference, compared, tally)
    if exact:
        _exactness(kernel, plain, tally)
    return Verdict(apart, first, distance, state_error, grad_error, "; ".join(tally.faults), tally.used, note)


class Tally:
    """Collects the faults of a check and the largest share of an allowance that it used."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.used = 0.0

    def fault(self, text: str) -> None:
        self.faults.append(text)
        self.used = max(self.used, 1.0)

    def measure(self, what: str, errors: Tensor, allowed: Tensor, where: str = "") -> None:
        """Takes errors, which may be NaN, each with what the rule allows it."""
        shares = torch.where(errors == 0, 0, errors / allowed).nan_to_num(nan=math.inf, posinf=math.inf)
        worst = int(shares.argmax())
        self.used = max(self.used, float(shares[worst]))
        if not bool((errors <= allowed).all()):
            self.faults.append(f"{what} is {errors[worst]:.1e}, allowed {allowed[worst]:.1e}{where}")


def _agreed(one: Side, other: Side) -> Tensor:
    """[T, E]: whether the spikes that act on an element are equal at all steps before t."""
    apart = one.together(one.spikes != other.spikes).cumsum(0)
    return torch.cat([torch.zeros_like(apart[:1]), apart[:-1]]) == 0


def flips(differs: Tensor, reference: Reference, tally: Tally) -> tuple[int, float | None]:
    """First diverging step, and the oracle's largest distance to the threshold there."""
    first = first_step(differs)
    nearness = reference.nearness
    if nearness is None:
        tally.fault(f"{int(differs.sum())} spikes differ from step {first} on, and no distance to forgive them is seen")
        return first, None
    distances = reference.oracle.outcome.distances.abs()
    # Of each element (of each sample, where its neurons act on each other) the first flip: in a recurrence later ones
    # follow from it.
    acting = reference.oracle.together(differs)
    leading = differs & (acting.cumsum(0) == 1) if reference.oracle.recurrent else differs
    tied = leading & reference.ties
    if bool(tied.any()):
        tally.fault(f"{int(tied.any(0).sum())} elements flip on an exact tie, the first at step {first_step(tied)}")
    far = leading & (distances > nearness)
    where = f"; {int(far.any(0).sum())} elements so, the first at step {first_step(far)}" if bool(far.any()) else ""
    tally.measure(
        "distance to the threshold at a flip", distances[leading], nearness.expand_as(leading)[leading], where
    )
    return first, float(distances[first][leading[first]].max())


def _states(kernel: Side, reference: Reference, kept: Tensor, tally: Tally) -> float | None:
    """Largest error of a last state."""
    worst = None
    for name in kernel.upstream.states:
        value = kernel.outcome.states.get(name)
        exact = reference.oracle.outcome.states[name].detach()
        if value is None or value.shape != exact.shape:
            found = "missing" if value is None else f"of shape {list(value.shape)} for {list(exact.shape)}"
            tally.fault(f"state {name} is {found}")
        elif bool(kept.any()):
            errors = (value.detach().double() - exact).flatten()[kept].abs()
            tally.measure(f"error of state {name}", errors, reference.state_allowance(name)[kept])
            plain = reference.plain.outcome.states[name].detach()
            sides = whole.Sides(*(side.flatten()[kept] for side in (value.detach(), exact, plain)))
            whole.judge(f"state {name}", sides, reference.plain.x.dtype, tally)
            worst = largest(errors) if worst is None else worse(worst, largest(errors))
    return worst


def _left_out(kept: Tensor, compared: Tensor, reference: Reference, tally: Tally) -> str:
    """How many elements' gradients are left out, in words; a fault where more than half of them are."""
    followed, agreed, left = int(kept.sum()), int(reference.kept.sum()), int((kept & ~compared).sum())
    if 2 * followed < agreed and agreed >= LEAST:
        tally.fault(f"only {followed} of the {agreed} elements that the plain step keeps follow the oracle throughout")
    note = (
        f"gradients of {left} of {followed} elements left out, within rounding of a jump of the surrogate's derivative"
    )
    if 2 * left > followed:
        tally.fault(f"{note}: too many")
    return note if left else ""


def _gradients(kernel: Side, reference: Reference, kept: Tensor, tally: Tally) -> float | None:
    """Largest error of a gradient relative to its largest value."""
    if not bool(kept.any()):
        return None
    exact, found = reference.oracle.gradients(kept), kernel.gradients(kept)
    dtype = reference.plain.x.dtype
    worst = 0.0
    for name, wanted in exact.items():
        got = found[name]
        if wanted is None or (got is None and not bool(wanted.any())):
            continue
        if got is None or got.shape != wanted.shape:
            shape = "missing" if got is None else f"of shape {list(got.shape)} for {list(wanted.shape)}"
            tally.fault(f"gradient of {name} is {shape}")
            continue
        scale = reference.gradient_scale(name, kept)
        error = largest(got.double() - wanted) / scale
        allowed = tolerance("parity", dtype)
        if not error <= allowed:
            allowed = max(allowed, SLACK * reference.gradient_error(name, kept) / scale)
        tally.measure(f"error of the gradient of {name}", torch.tensor([error]), torch.tensor([allowed]))
        worst = worse(worst, error)
        sides = whole.Sides(got, wanted, reference.plain.gradients(kept)[name])
        if name == "input":
            whole.judge(f"the gradient of {name}", sides, dtype, tally)
        else:  # a sum, which may cancel: held against the size of what is summed
            size, luck = reference.summed(name, kept)
            whole.judge(f"the gradient of {name}", sides, dtype, tally, at_least=size, excused=luck)
    return worst


def _exactness(kernel: Side, plain: Side, tally: Tally) -> None:
    """Faults for what contradicts the claim to give the plain step's results bit for bit."""
    apart = int((kernel.spikes != plain.spikes).sum())
    if apart:
        tally.fault(f"claims to be exact, but {apart} spikes differ from the plain step")
    for name, value in kernel.outcome.states.items():
        own = plain.outcome.states[name]
        if value.shape == own.shape and not torch.equal(value.detach(), own.detach().to(value.dtype)):
            tally.fault(f"claims to be exact, but state {name} differs from the plain step")
