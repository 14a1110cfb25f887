"""From contenders to figures: interleaved timing of both directions, medians, ratios, shares of a copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core import memory
from papers.measurement import HOST

from . import estimate, stopwatch
from .job import Job, Measured
from .priority import Undisturbed
from .rounds import Trial, interleave

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter

COPY = "copy"
WARM_UP = 2  # untimed rounds: compilers see first how they are called, then compile for it

Times = dict[str, dict[str, list[float]]]  # seconds by contender and direction


def synchronizer(device: str) -> Callable[[], None]:
    """Waits until `device` has done all its work."""
    if device == "cpu":
        return lambda: None
    import torch

    return torch.cuda.synchronize


def trials(
    call: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor, parameters: Sequence[Tensor] = ()
) -> dict[str, Trial]:
    """Both directions of `call` on `x`; `x` must require a gradient, as do `parameters`."""
    import torch

    def forward() -> Tensor:
        with torch.no_grad():
            return call(x)

    def training() -> Tensor:
        outputs = call(x)
        outputs.backward(grad)
        return outputs

    def clear() -> None:
        x.grad = None
        for parameter in parameters:
            parameter.grad = None

    return {"forward": Trial(forward, clear), "training": Trial(training, clear)}


def copies(bytes_moved: Mapping[str, float], device: str) -> dict[str, Trial]:
    """Copies that move as many bytes (read plus written) as each direction must."""
    import torch

    def copy(size: float) -> Trial:
        source = torch.ones(max(1, int(size / 2 / 4)), device=device)
        target = torch.ones_like(source)
        return Trial(lambda: target.copy_(source))

    return {direction: copy(size) for direction, size in bytes_moved.items()}


def race(
    entries: Mapping[str, Mapping[str, Trial]], job: Job, emitter: Emitter, label: str, base: str
) -> tuple[Times, dict[str, Any]]:
    """Seconds of every entry and direction, and the surroundings in which they were taken.

    On a GPU each direction has a second one, with HOST behind its name, of the same calls.
    """
    window = Undisturbed()
    for trial in [trial for ways in entries.values() for trial in ways.values()] * WARM_UP:
        trial.prepare()
        trial.call()
    flat = {f"{name}\0{way}": trial for name, ways in entries.items() for way, trial in ways.items()}
    host: dict[str, stopwatch.Noted] = {}
    if job.device != "cpu":
        host = {key: stopwatch.Noted(trial.call) for key, trial in flat.items() if key.partition("\0")[0] != COPY}
        flat |= {key: replace(flat[key], call=noted) for key, noted in host.items()}
    before = os.getloadavg()[0]
    found = interleave(
        flat,
        repeats=job.repeats,
        budget=job.budget,
        window=window,
        watch=stopwatch.of(job.device),
        always=frozenset(key for key in flat if key.partition("\0")[0] in (base, COPY)),
        on_round=lambda done: emitter.note(f"{label} · round {done} of {job.repeats}"),
    )
    times: Times = {}
    for key, values in {**found, **{key + HOST: noted.seconds for key, noted in host.items()}}.items():
        name, _, way = key.partition("\0")
        times.setdefault(name, {})[way] = values
    surroundings = {
        "scheduling": window.kind,
        "load_before": round(before, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }
    return times, surroundings


def figures(result: Measured, times: Times, base: str) -> None:
    """Adds to `result` what its contender's times say: medians, ratios to `base`, times of a copy; raw readings."""
    for way, values in times[result.contender].items():
        add(result, f"{way}_seconds", estimate.median(values), "s")
        if base in times and way in times[base]:
            add(result, f"{way}_ratio", estimate.ratio(values, times[base][way]), "1")
        if COPY in times and way in times[COPY]:
            add(result, f"{way}_copies", estimate.ratio(values, times[COPY][way]), "1")
        result.samples.append((way, "s", values))


def add(result: Measured, name: str, value: estimate.Estimate, unit: str) -> None:
    """A median and the ends of its interval as three metrics."""
    for suffix, number in (("", value.median), ("_low", value.low), ("_high", value.high)):
        result.metrics.append((name + suffix, number, unit))


def admitted(result: Measured, wrong: str | None) -> bool:
    """Whether a contender may be timed: it is right, or known to differ. The metric `equal` says which (1 or 0)."""
    if wrong and not result.differs:
        result.outcome, result.reason = "parity_failed", f"Not timed: {wrong}."
        return False
    result.metrics.append(("equal", float(not wrong), "1"))
    return True


def attempt(result: Measured, action: Callable[[], Any]) -> Any:
    """`action()`, or None with its failure as the outcome of `result`."""
    from .contenders import Unfit

    try:
        return action()
    except Unfit as error:
        result.outcome, result.reason = error.outcome, str(error)
    except Exception as error:  # a library's failure must not end the measurement of the others
        result.outcome = "oom" if memory.ran_out(error) else "crashed"
        text = " ".join(str(error).split()) or type(error).__name__
        result.reason = f"{type(error).__name__}: {text}"[:500]
    return None
