"""Bytes that must move between memory and processor, per element (one neuron at one step)."""

from __future__ import annotations


def must_move(word: float, saved: float | None = None) -> dict[str, float]:
    """Bytes per element by direction for values of `word` bytes when `saved` bytes are kept for the backward pass.

    Without gradients x is read and s written. Training reads x, writes s, then reads the gradient of s and writes that
    of x; what is saved is written once and read once. The default is one value, which is what a neuron with one state
    needs: for float32 8 and 24 bytes.
    """
    return {"forward": 2 * word, "training": 4 * word + 2 * (word if saved is None else saved)}
