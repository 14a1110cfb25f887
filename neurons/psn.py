"""Parallel spiking neurons: PSN, masked PSN and sliding PSN (Fang et al., NeurIPS 2023).

Without a reset the potential is linear in the inputs, so all steps are one matrix product. Notation of the work: input
X, hidden state H, spikes S, T steps; the learned threshold B is stored as `bias` = -B, which is added. Spec: PSN 1.1 to
1.4; parameter names and shapes as in SpikingJelly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Neuron, in_the_type_of
from .surrogate import ATan

FORMS = ("gemm", "conv")
TYPICAL_ORDER = 8  # from order 4 to 8 on the accuracy of the work no longer rises (spec, C8)


class ParallelNeuron(Neuron):
    """H = W X + b over all steps of a sequence, S = Theta(H), Theta(0) = 1.

    A subclass states `bias` and the `matrix` W. A call in step mode "m" is a whole sequence and neither reads nor
    changes the state; step mode "s", where there is one, keeps the last inputs in the states "x1" (one step ago), "x2"
    and so on.
    """

    recurrent = False
    states: tuple[str, ...] = ()
    bias: nn.Parameter

    def __init__(self, *, surrogate: nn.Module | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.surrogate = ATan() if surrogate is None else surrogate

    def matrix(self, T: int) -> Tensor:
        """W [T, T] for sequences of `T` steps; row: step of the output, column: step of the input."""
        raise NotImplementedError

    def reach(self, T: int) -> tuple[int, int]:
        """How many steps W looks back and ahead: W[i][j] is 0 unless i - back <= j <= i + ahead."""
        return T - 1, T - 1

    def diagonals(self) -> Tensor | None:
        """Where W holds one number per diagonal and looks back alone: these numbers, the newest input's last."""
        return None

    def charge(self, x: Tensor) -> Tensor:
        """H [T, N, ...] of the inputs `x` [T, N, ...], the threshold taken off."""
        weight, bias = self.matrix(len(x)).to(x.dtype), self.bias.to(x.dtype)
        rows = x.flatten(1) if x.ndim > 1 else x.unsqueeze(1)
        return torch.addmm(bias, weight, rows).view(x.shape)

    def fire(self, h: Tensor) -> Tensor:
        """S = Theta(H)."""
        return self.surrogate(h)

    def sequence(self, x: Tensor) -> Tensor:
        with in_the_type_of(x):
            return self.fire(self.charge(x))

    def respond(self, x: Tensor, queue: Sequence[Tensor], weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        """One step: spikes and queue after it. The last of `weight` is that of `x`, those before of the newest inputs
        in `queue` (oldest first).
        """
        h = bias
        inputs = (*queue, x)
        for x_i, w_i in zip(inputs[len(inputs) - len(weight) :], weight, strict=True):
            h = h + w_i * x_i
        return self.fire(h), *inputs[1:]


class PSN(ParallelNeuron):
    """Parallel spiking neuron: H = W X, S = Theta(H - B), W [T, T] learned and shared by all neurons of the layer.

    A spike depends on the inputs of all `T` steps, later ones too, so that sequences have exactly T steps (ValueError)
    and there is no step mode "s". `weight` [T, T] starts uniform within 1 / sqrt(T), `bias` [T, 1] at -1.
    Spec: PSN 1.2.
    """

    name = "psn"

    def __init__(self, T: int, **common: Any) -> None:
        super().__init__(**common)
        if T < 1:
            raise ValueError(f"T of {type(self).__name__} must be at least 1, got {T}.")
        self.T = T
        self.weight = nn.Parameter(_uniform(T, T))
        self.bias = nn.Parameter(torch.full((T, 1), -1.0))

    @classmethod
    def example(cls, T: int, shape: Sequence[int] = (1,)) -> dict[str, Any]:
        return {"T": T}

    def matrix(self, T: int) -> Tensor:
        return self.weight

    def advance(self, x: Tensor) -> Tensor:
        if self.step_mode == "m" and x.ndim and x.shape[0] != self.T:
            raise ValueError(
                f"This {type(self).__name__} layer has weights for sequences of T={self.T} steps, got {x.shape[0]}. "
                f"Create it with T={x.shape[0]}, or use sliding_psn, which takes any length."
            )
        return super().advance(x)


class MaskedPSN(PSN):
    """Masked PSN of order k: H = (W o M_k(lambda)) X with M_k(lambda) = lambda M_k + (1 - lambda) J, J all ones.

    M_k[i][j] = 1 for j <= i < j + k: at lambda = 1 a spike depends on the last `k` (1 to T) inputs alone and step mode
    "s" exists, at most T steps until `reset` (OverflowError); with a smaller lambda it raises ValueError. `lambda_` is
    an attribute and part of the state dict, under SpikingJelly's name "_lambda_" (a state dict without it leaves it as
    it is); the masks in one of SpikingJelly's are held against `k`. With `scheduled` lambda follows the work's course
    of a training (progressive masking): lambda = min(8 epoch / (epochs - 1), 1), where a number for `scheduled` is that
    of the epochs planned, for a training that stops before. Parameters as in PSN. Spec: PSN 1.3.
    """

    name = "masked_psn"
    counters = ("t",)
    t: int

    def __init__(self, k: int, T: int, lambda_: float = 0.0, *, scheduled: bool | int = False, **common: Any) -> None:
        super().__init__(T, **common)
        if not 1 <= k <= T:
            raise ValueError(f"Order k of a MaskedPSN with T={T} must be 1 to {T}, got {k}.")
        if not 0 <= lambda_ <= 1:
            raise ValueError(f"lambda_ of a MaskedPSN must be 0 to 1, got {lambda_}.")
        self.k = k
        self.lambda_ = float(lambda_)
        self.scheduled = scheduled
        self.states = _past(k)
        self.reset()

    @classmethod
    def example(cls, T: int, shape: Sequence[int] = (1,)) -> dict[str, Any]:
        return {"T": T, "k": min(T, TYPICAL_ORDER), "lambda_": 1.0}

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "_lambda_"] = torch.tensor(self.lambda_, dtype=torch.float64, device="cpu")

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        own = {
            k: v for k, v in state_dict.items() if k not in {prefix + name for name in ("_lambda_", "mask0", "mask1")}
        }
        super()._load_from_state_dict(own, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        mask = state_dict.get(prefix + "mask0")
        if (
            mask is not None
            and mask.shape == self.weight.shape
            and not torch.equal(mask, _band(torch.ones_like(mask), self.k))
        ):
            error_msgs.append(f"{prefix}mask0 is not that of a MaskedPSN of order k={self.k}, as this layer is.")
        found = torch.as_tensor(state_dict.get(prefix + "_lambda_", self.lambda_))  # parameters alone leave it as it is
        if found.numel() != 1:
            error_msgs.append(
                f"size mismatch for {prefix}_lambda_: copying a param with shape {found.shape} from checkpoint, the "
                "shape in current model is torch.Size([])."
            )
        elif 0 <= float(found) <= 1:
            self.lambda_ = float(found)
        else:
            error_msgs.append(f"{prefix}_lambda_ must be 0 to 1, got {float(found)}.")

    def start_epoch(self, epoch: int, epochs: int) -> None:
        if self.scheduled:
            epochs = epochs if self.scheduled is True else self.scheduled
            self.lambda_ = min(8 * epoch / (epochs - 1), 1.0) if epochs > 1 else 1.0

    def constants(self) -> dict[str, float]:
        return {"lambda": self.lambda_}

    def masked_weight(self) -> Tensor:
        """W o M_k(lambda), [T, T]."""
        band = _band(self.weight, self.k)
        return band if self.lambda_ >= 1 else band + (1 - self.lambda_) * (self.weight - band)

    def matrix(self, T: int) -> Tensor:
        return self.masked_weight()

    def reach(self, T: int) -> tuple[int, int]:
        return (self.k - 1, 0) if self.lambda_ >= 1 else super().reach(T)

    def advance(self, x: Tensor) -> Tensor:
        if self.step_mode == "m":
            return super().advance(x)
        if self.lambda_ < 1:
            raise ValueError(
                f"A MaskedPSN with lambda_={self.lambda_:g} uses later inputs, too, and has no single step. "
                "Set lambda_ to 1 or step_mode to 'm'."
            )
        if self.t >= self.T:
            raise OverflowError(
                f"This MaskedPSN layer has weights for T={self.T} steps, step {self.t + 1} was asked for. "
                "Call reset() between sequences or create it with a larger T."
            )
        spikes = super().advance(x)
        self.t += 1
        return spikes

    def step(self, x: Tensor, *queue: Tensor) -> tuple[Tensor, ...]:
        t = self.t
        return self.respond(x, queue, self.weight[t, max(t + 1 - self.k, 0) : t + 1], self.bias[t, 0])


class SlidingPSN(ParallelNeuron):
    """Sliding PSN of order k: H[t] = sum over i < k of W_i X[t - k + 1 + i], X = 0 before the start; S = Theta(H - B).

    W [k] and B are shared over time: any sequence length, and step mode "s" without an end. `weight` starts as
    (..., 1/4, 1/2, 1), newest input last, or without `exp_init` uniform within 1 / sqrt(k); `bias` is a scalar, -1 at
    first. `form` says how a sequence is computed: "gemm" as one product with the band matrix [T, T], "conv" as the sum
    of k shifted inputs. Spec: PSN 1.4.
    """

    name = "sliding_psn"

    def __init__(self, k: int, exp_init: bool = True, *, form: str = "gemm", **common: Any) -> None:
        super().__init__(**common)
        if k < 1:
            raise ValueError(f"Order k of a SlidingPSN must be at least 1, got {k}.")
        if form not in FORMS:
            raise ValueError(f"Unknown form {form!r} of a SlidingPSN. Known: 'gemm' (product) and 'conv' (shifts).")
        self.k = k
        self.form = form
        self.weight = nn.Parameter(0.5 ** torch.arange(k - 1.0, -1, -1) if exp_init else _uniform(1, k)[0])
        self.bias = nn.Parameter(torch.tensor(-1.0))
        self.states = _past(k)
        self.reset()

    @classmethod
    def example(cls, T: int, shape: Sequence[int] = (1,)) -> dict[str, Any]:
        return {"k": min(T, TYPICAL_ORDER)}

    def matrix(self, T: int) -> Tensor:
        # Row t is W shifted by t: a window of W between zeros that moves left from row to row.
        return functional.pad(self.weight, (T - self.k, T - 1)).unfold(0, T, 1).flip(0)

    def reach(self, T: int) -> tuple[int, int]:
        return self.k - 1, 0

    def diagonals(self) -> Tensor:
        return self.weight

    def charge(self, x: Tensor) -> Tensor:
        if self.form == "gemm":
            return super().charge(x)
        T, used = len(x), min(self.k, len(x))
        padded = functional.pad(x, (0, 0) * (x.ndim - 1) + (used - 1, 0))
        h = self.bias
        for i, w_i in enumerate(self.weight[self.k - used :]):
            h = h + w_i * padded[i : i + T]
        return h

    def step(self, x: Tensor, *queue: Tensor) -> tuple[Tensor, ...]:
        return self.respond(x, queue, self.weight, self.bias)


def _band(matrix: Tensor, k: int) -> Tensor:
    """`matrix` with zeros where M_k has them."""
    return matrix.tril().triu(1 - k)


def _past(k: int) -> tuple[str, ...]:
    """Names of the states of a neuron that sees `k` inputs, oldest first."""
    return tuple(f"x{ago}" for ago in range(k - 1, 0, -1))


def _uniform(rows: int, columns: int) -> Tensor:
    """Weights [rows, columns] of a linear layer at its start: uniform within 1 / sqrt(columns)."""
    return nn.init.kaiming_uniform_(torch.empty(rows, columns), a=math.sqrt(5))
