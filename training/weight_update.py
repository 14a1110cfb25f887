"""What an update does once the gradient of a flat vector of weights is there: R, clip, optimiser, traces."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer

from .regulariser import DynamicRegulariser


def plain(
    gradient: Tensor, optimizer: Optimizer, regulariser: DynamicRegulariser | None, clip: float | None, epoch: int
) -> dict[str, Tensor]:
    """Updates the weights that `gradient` [P] belongs to, the state of `optimizer` and the traces of `regulariser`.

    `clip` bounds the norm of `gradient`, that of R included; what is left in it is no one's. Returns "regulariser", R,
    and "gradient_norm", before the clip, where there are such.
    """
    scalars: dict[str, Tensor] = {}
    if regulariser is not None:
        scalars["regulariser"] = regulariser.apply(gradient)
    if clip is not None:
        norm = scalars["gradient_norm"] = gradient.norm()
        gradient.mul_((clip / (norm + 1e-6)).clamp_(max=1.0))
    optimizer.step()
    if regulariser is not None:
        regulariser.follow(epoch)
    return scalars
