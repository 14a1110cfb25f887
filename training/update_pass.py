"""What follows the gradient of an update, in two passes over the weights, on a CPU.

PyTorch passes some 25 times over them (`weight_update.plain`), which in a network of few steps costs as much as its
products. It is for Adam and Adamax in float32, and comes to the same bits, for results rest on them: before it is used,
a vector of that length has to learn by it as it does by PyTorch's operations, on the same number of threads, since how
these round is a matter of the build, the processor and where the share of a thread ends. The sums of R and of the norm
are PyTorch's own. `find` answers None for everything else.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Adamax, Optimizer
from torch.optim import optimizer as optimizers

from neurons.backends.fused import compiler, pool

from . import update_pass_cpp, weight_update
from .optimizers import adam, adamax
from .regulariser import DynamicRegulariser

Update = Callable[[Tensor, Optimizer, DynamicRegulariser | None, float | None, int], dict[str, Tensor]]
KINDS: dict[type[Optimizer], str] = {Adam: "adam", Adamax: "adamax"}
SIZES = {"adam": "exp_avg_sq", "adamax": "exp_inf"}  # how the state calls what the step is divided by
MAKERS: dict[str, Callable[..., Optimizer]] = {"adam": adam, "adamax": adamax}
OTHER = ("weight_decay", "amsgrad", "maximize", "differentiable", "capturable", "foreach")  # options that are not known
SMALLEST = 32768  # numbers of a thread, below which PyTorch takes no further one either

# What a proof goes through: options of a regulariser, or none, and a bound of the norm, or none.
_CASES: tuple[tuple[dict[str, Any] | None, float | None], ...] = (
    ({"alpha": 0.1, "beta": 0.5}, 1.0),
    ({"alpha": 0.5, "beta": 0.3, "rho": 0.25, "trace_alpha": 0.2}, None),
    ({"alpha": 0.1, "debias": True}, 1e9),
    (None, None),
)
_UPDATES = 4  # of a proof; PyTorch makes the first, and with it the state of the optimiser


def find(optimizer: Optimizer, regulariser: DynamicRegulariser | None) -> Update | None:
    """What does as `weight_update.plain` does for the weights of `optimizer`; None: nothing here does."""
    if not _fits(optimizer, regulariser):
        return None
    numbers = optimizer.param_groups[0]["params"][0].numel()
    return update if _sound(KINDS[type(optimizer)], numbers, torch.get_num_threads()) else None


def _fits(optimizer: Optimizer, regulariser: DynamicRegulariser | None) -> bool:
    if type(optimizer) not in KINDS or len(optimizer.param_groups) != 1:
        return False
    group = optimizer.param_groups[0]
    weights = group["params"][0]
    plain = (
        len(group["params"]) == 1
        and not any(group.get(option) for option in OTHER)
        and group.get("fused", True)
        and not isinstance(group["lr"], Tensor)
        and not any(
            (
                optimizer._optimizer_step_pre_hooks,
                optimizer._optimizer_step_post_hooks,
                optimizers._global_optimizer_pre_hooks,
                optimizers._global_optimizer_post_hooks,
            )
        )
    )
    return (
        plain
        and bool(optimizer.state.get(weights))  # PyTorch makes it at the first step
        and weights.device.type == "cpu"
        and weights.dtype is torch.float32
        and weights.ndim == 1
        and weights.is_contiguous()
        and weights.numel() % update_pass_cpp.LANES == 0
        and (regulariser is None or type(regulariser) is DynamicRegulariser)
        and not torch.compiler.is_compiling()
    )


def update(
    gradient: Tensor, optimizer: Optimizer, regulariser: DynamicRegulariser | None, clip: float | None, epoch: int
) -> dict[str, Tensor]:
    """`weight_update.plain`, but `gradient` stays as it was before the clip."""
    name = KINDS[type(optimizer)]
    group = optimizer.param_groups[0]
    weights = group["params"][0]
    state = optimizer.state[weights]
    scalars: dict[str, Tensor] = {}
    if regulariser is not None:
        scalars["regulariser"] = _regularise(gradient, regulariser)
    norm = None
    if clip is not None:
        norm = scalars["gradient_norm"] = gradient.norm()
    step = state["step"]
    step += 1
    traces = _traces(regulariser, epoch)
    mode = sum(trace is not None for trace in traces[0])
    numbers = (1.0 if clip is None else clip, *_of_step(name, group, step.item()), *traces[1])
    _call(
        f"{name}_{mode}",
        [norm, gradient, weights, state["exp_avg"], state[SIZES[name]], *traces[0]],
        numbers,
        len(weights),
    )
    return scalars


def _regularise(gradient: Tensor, regulariser: DynamicRegulariser) -> Tensor:
    """`DynamicRegulariser.apply`."""
    if regulariser.debias:
        return regulariser.apply(gradient)
    weights, average, dual = regulariser.weights, regulariser.average, regulariser.dual
    alpha, of_dual = regulariser.alpha, regulariser.rho - 1
    distance = pool.empty((len(weights),), (1,), torch.float32)
    _call("regularise", [weights, average, dual, gradient, distance], (alpha, of_dual), len(weights))
    return of_dual * weights.dot(dual) + alpha / 2 * distance.dot(distance)


def _of_step(name: str, group: dict[str, Any], count: float) -> tuple[float, ...]:
    """Of update_pass_cpp.SCALARS what the optimiser decides, in its step number `count`."""
    beta, beta_2 = group["betas"]
    rate = -(group["lr"] / (1 - beta**count))
    root = math.sqrt(1 - beta_2**count) if name == "adam" else 1.0
    return rate, 1 - beta, beta_2, 1 - beta_2, root, group["eps"]


def _traces(
    regulariser: DynamicRegulariser | None, epoch: int
) -> tuple[tuple[Tensor | None, Tensor | None], tuple[float, float, float]]:
    """The traces that move, and of update_pass_cpp.SCALARS what decides how."""
    if regulariser is None:
        return (None, None), (0.0, 0.0, 0.0)
    if regulariser.debias:
        return (regulariser.average, None), (1 / (1 + epoch), 0.0, 0.0)
    beta, alpha = regulariser.beta, regulariser.trace_alpha
    return (regulariser.average, regulariser.dual), (beta, -alpha, -beta / alpha)


def _call(name: str, arrays: Sequence[Tensor | None], numbers: Sequence[float], count: int) -> None:
    threads = min(torch.get_num_threads(), -(-count // SMALLEST))
    lanes = update_pass_cpp.LANES
    sizes = (1, count, -(-count // (lanes * threads)) * lanes, threads, 0)
    pointers = (ctypes.c_void_p * len(arrays))(*(None if a is None else a.data_ptr() for a in arrays))
    getattr(_library().functions, name)(
        pointers, (ctypes.c_double * len(numbers))(*numbers), (ctypes.c_long * len(sizes))(*sizes)
    )


@cache
def _library() -> compiler.Library:
    """Raises CompilationError."""
    return compiler.library(update_pass_cpp.source())


@cache
def _sound(name: str, numbers: int, threads: int) -> bool:
    """Whether the passes can be compiled here and leave PyTorch's bits; if so, this is noted beside the library."""
    try:
        library = _library()
    except compiler.CompilationError:
        return False
    build = f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()})"
    key = f"{name} of {numbers} numbers on {threads} threads agrees with {build}"
    if library.note.get(key) is True:
        return True
    if not all(_agrees(name, numbers, options, clip) for options, clip in _CASES):
        return False
    library.write_note(**{key: True})
    return True


def _agrees(name: str, numbers: int, options: dict[str, Any] | None, clip: float | None) -> bool:
    """Whether some updates from random gradients leave the same as PyTorch's operations do."""
    found = [_course(name, numbers, options, clip, by) for by in (weight_update.plain, update)]
    return all(
        torch.equal(plain.view(torch.int32), other.view(torch.int32))  # -0 is not 0 here
        for plain, other in zip(*found, strict=True)
    )


def _course(name: str, numbers: int, options: dict[str, Any] | None, clip: float | None, by: Update) -> list[Tensor]:
    """All that updates leave, the later ones made `by`: scalars, weights, traces and the state of the optimiser."""
    generator = torch.Generator().manual_seed(0)
    weights = nn.Parameter(torch.randn(numbers, generator=generator))
    optimizer = MAKERS[name]([weights], lr=1e-3)
    regulariser = None if options is None else DynamicRegulariser(weights, **options)
    left: list[Tensor] = []
    for epoch in range(_UPDATES):
        weights.grad = torch.randn(numbers, generator=generator)
        scalars = (by if epoch else weight_update.plain)(weights.grad, optimizer, regulariser, clip, epoch)
        left += scalars.values()
    left += [weights.detach(), *optimizer.state[weights].values()]
    return left if regulariser is None else [*left, regulariser.average, regulariser.dual]
