"""The proof that a block with a product over time owes: what batch norm, product, threshold and pooling give one by one
in float64."""

from __future__ import annotations

from functools import partial

import torch

from ....base import Neuron
from ..product_kernel import Band
from .kernel import Norm, Pool
from .product import Product
from .proof import NORMS, POOLS, SAMPLES, apart, draws, normalised, pooled, settled, source_of

CHANNELS = 2
_STEPS = ((3, Band(2, 2)), (9, Band(8, 8)), (9, Band(2, 0)))
_NAMES = ("pooled spikes", "gradient of x", "gradient of the matrix", "gradient of the bias")
_OF_NORM = ("gradient of the scale", "gradient of the shift", "running mean", "running variance")


def verdict(kernel: Product, firing: Neuron) -> str | None:
    """None for a kernel that agrees with the layers one by one, else what differs; `firing` is the threshold alone.
    Agreement is remembered beside the library."""
    key = f"agrees with torch {torch.__version__}"
    if kernel.library.note.get(key) is True:
        return None
    for pooling, plane in POOLS:
        for trained, together in NORMS if kernel.normalised else NORMS[:1]:
            for T, band in _STEPS:
                case = T, band, pooling, plane, trained, together
                found = settled(partial(_difference, kernel, firing, *case))
                if found:
                    return f"the block of a product over time is wrong: {found}, {case} (source: {source_of(kernel)})"
    kernel.library.write_note(**{key: True})
    return None


def _difference(
    kernel: Product,
    firing: Neuron,
    T: int,
    band: Band,
    pooling: Pool,
    plane: tuple[int, int],
    trained: bool,
    together: bool,
    seed: int,
) -> str | None:
    draw = draws(seed, kernel.dtype)
    x, gy = 2 * draw(T, SAMPLES, CHANNELS, *plane), draw(T, SAMPLES, CHANNELS, *pooling.of(*plane))
    matrix, bias = draw(T, T).tril(band.after).triu(-band.before), 0.3 * draw(T, 1)
    affine = [1 + 0.3 * draw(CHANNELS), 0.3 * draw(CHANNELS)]
    mine = [0.1 * draw(CHANNELS), 1 + 0.1 * draw(CHANNELS).abs()]
    theirs = [t.double() for t in mine]
    norm = Norm(mine[0], mine[1], 1e-5, 0.1, trained, together) if kernel.normalised else None
    y, of_step = kernel.forward(x, norm, affine if norm else [None, None], pooling, matrix, bias, band)
    weight = affine[0] if norm else None
    gx, of_affine, gm, gb = kernel.backward(
        x, gy, norm, weight, of_step, pooling, matrix, bias, band, True, True, False
    )
    with torch.enable_grad():
        leaves = [t.double().requires_grad_() for t in (x, matrix, bias, *affine)]
        sequence = leaves[0]
        if norm:
            sequence = normalised(sequence, norm, leaves[3:], theirs)
        (spikes,) = firing.step((leaves[1] @ sequence.flatten(1) + leaves[2]).view(x.shape))
        expected = pooled(spikes, pooling)
        right = list(torch.autograd.grad(expected, leaves if norm else leaves[:3], gy.double()))
    right[1] = right[1].tril(band.after).triu(-band.before)
    assert gm is not None
    gm = gm.tril(band.after).triu(-band.before)  # what lies beside the band is nobody's
    return apart(
        (*_NAMES, *(_OF_NORM if norm else ())),
        [y, gx, gm, gb, *((*of_affine, *mine) if norm else ())],
        [expected.detach(), *right, *(theirs if norm else ())],
    )
