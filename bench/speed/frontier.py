"""How far one training step of Linear(width, width) + neuron can grow under a memory limit, along T, batch and width;
or one of a network (the option "network", as in bench.speed.step), along batch.

Each try is a forked process with a limit on the memory it may ask for, so that one that fails leaves nothing behind.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from core import memory

from . import contenders, race, step
from .contest import network_code
from .inputs import currents
from .job import BATCH, Job, Measured

if TYPE_CHECKING:
    from .child import Emitter

PRECISION = 0.04  # the frontier is found to this share of itself
PATIENCE = 90.0  # seconds a try may take
MOST = 2**24
SMALL = (2, 2, 8)
FITS, TOO_LARGE, CANNOT_RUN = 0, 3, 4  # exit status of a try


def measure(job: Job, emitter: Emitter) -> None:
    """Metrics `largest_T`, `largest_batch`, `largest_width`: along one axis, the others as in the job and BATCH; of a
    network the second alone."""
    (name,) = job.contenders
    network = job.options.get("network")
    result = Measured(name, contenders.FUSED if name == contenders.SAVING else name, job.size(job.shapes[0]))
    if network:
        result.backend, result.code = step.backend(name), network_code(network, job.neuron)
    steps, width = job.shapes[0]
    start = {"T": steps, "batch": BATCH, "width": width}
    slow: list[str] = []

    def search() -> None:
        if job.device != "cpu":
            raise contenders.Unfit("the frontier is searched with limits on host memory, so on the CPU")
        for axis in ("batch",) if network else start:

            def fits(value: int, axis: str = axis) -> bool:
                sizes = {**start, axis: value}
                emitter.note(f"{job.neuron} {name}: trying {axis} {value} in {job.limit / 2**20:.0f} MiB")
                status = attempt(job, name, sizes)
                if status == CANNOT_RUN:
                    raise contenders.Unfit(f"{name} does not run here, not even on a small input, or not with a limit")
                if status is None:
                    slow.append(f"{axis}={value}")
                return status == FITS

            result.metrics.append((f"largest_{axis}", float(largest(fits, start[axis])), "count"))

    race.attempt(result, search)
    if slow:
        result.surroundings["too_slow"] = f"stopped after {PATIENCE:.0f} s, counted as too large: {', '.join(slow)}"
    emitter.measured(result)


def largest(fits: Callable[[int], bool], start: int, most: int = MOST) -> int:
    """The largest value up to `most` for which `fits` holds, at most PRECISION too small; 0 if it holds for none.

    `fits` must hold below any value for which it holds.
    """
    low, high = 0, start
    while high <= most and fits(high):
        low, high = high, min(2 * high, most + 1)
    while high - low > max(1, int(PRECISION * low)):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def attempt(job: Job, name: str, sizes: dict[str, int]) -> int | None:
    """Exit status of a try at `sizes` (T, batch, width); None when it took too long."""
    child = os.fork()
    if child == 0:
        os._exit(_guarded(job, name, sizes))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _guarded(job: Job, name: str, sizes: dict[str, int]) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        once = _of_network(job, name) if "network" in job.options else _step(job, name, sizes["T"])
        once(SMALL)
        held = memory.asked_for()
        if held is None:
            return CANNOT_RUN
        memory.limit(held + job.limit)
    except BaseException:
        return CANNOT_RUN
    try:
        once((sizes["T"], sizes["batch"], sizes["width"]))
    except BaseException:
        return TOO_LARGE
    return FITS


def _step(job: Job, name: str, steps: int) -> Callable[[tuple[int, int, int]], None]:
    import torch

    contender = contenders.build(name, job.neuron, job.options, job.device, steps)

    def once(shape: tuple[int, int, int]) -> None:
        x, grad = currents(shape, job.dtype, job.device)
        linear = torch.nn.Linear(shape[-1], shape[-1]).to(x.dtype)
        contender.call(linear(x.requires_grad_(True))).backward(grad)

    return once


def _of_network(job: Job, name: str) -> Callable[[tuple[int, int, int]], None]:
    import torch

    def once(shape: tuple[int, int, int]) -> None:
        steps, batch, channels = shape
        network = step.build(name, job, (steps, channels))
        x, labels = step.samples(job, (steps, channels), batch)
        torch.nn.functional.cross_entropy(network.run(x).mean(0), labels).backward()

    return once
