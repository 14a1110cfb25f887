"""How the closed form is computed: as in the released code, or corrected."""

from __future__ import annotations

from dataclasses import dataclass

from core.registry import unknown

RELEASED, CORRECTED = "released", "corrected"


@dataclass(frozen=True)
class Numerics:
    """`window` is the length T of the window of a layer.

    `clip` bounds the two local factors dt/dI and dt/dS of a neuron in the backward pass, None for the true gradient.
    `threshold` None is the dynamic threshold of the work, which falls from T at the start of the window to 0 at its
    end; a number is a constant threshold of so many T, which the work is compared with.
    """

    name: str
    window: float = 1.0
    clip: float | None = None
    threshold: float | None = None

    @property
    def released(self) -> bool:
        """Whether signals go where the released code sends them (models.ttfs.functions)."""
        return self.name == RELEASED

    @property
    def falling(self) -> float:
        """How fast the threshold falls: 1, or 0 where it is constant."""
        return 1.0 if self.threshold is None else 0.0

    @property
    def start(self) -> float:
        """The threshold at the start of the window, in T."""
        return 1.0 if self.threshold is None else self.threshold


def numerics(
    name: str = CORRECTED, *, window: float = 1.0, clip: float | None = None, threshold: float | None = None
) -> Numerics:
    """The numerics by name.

    "released": local factors clipped at `clip` (1 unless said), a window of 1, where alone that code is right.
    "corrected": the true gradient and any window. UnknownName for another name, ValueError for what a name has not.
    """
    if name not in (RELEASED, CORRECTED):
        raise unknown("numerics", name, (RELEASED, CORRECTED))
    if not 0 < window < float("inf"):
        raise ValueError(f"A window of length {window} was asked for; give a positive, finite one.")
    if threshold is not None and not 0 < threshold < float("inf"):
        raise ValueError(f"A constant threshold of {threshold} was asked for; give a positive, finite one, or None.")
    if name == CORRECTED:
        if clip is not None:
            raise ValueError(
                f"Corrected numerics have the true gradient, a clip of {clip} was asked for; use 'released' for it."
            )
        return Numerics(name, float(window), None, threshold)
    if window != 1:
        raise ValueError(
            f"The released code is right for a window of 1 alone, {window} was asked for; use numerics 'corrected'."
        )
    clip = 1.0 if clip is None else float(clip)
    if not clip > 0:
        raise ValueError(f"The local factors cannot be clipped at {clip}; give a positive number.")
    return Numerics(name, 1.0, clip, threshold)
