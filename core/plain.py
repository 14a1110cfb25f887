"""Makes stored text safe to show: every way out of the store (terminal, pages, CSV, LaTeX) goes through here."""

import re

REPLACED = "\N{REPLACEMENT CHARACTER}"
# Drawn as nothing although they count as letters or marks: fillers, joiners and variation selectors.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def visible(text: str) -> str:
    """`text` with every character replaced that could steer a terminal or hide, or change the direction of, others.

    These are control, format (bidirectional, zero-width), private and unassigned characters and lone surrogates. Line
    feeds stay, other white space becomes a space; the length is kept.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else REPLACED for c in text)
    return _UNSEEN.sub(REPLACED, text)


def plain(text: str) -> str:
    """`text` made visible, on one line and without space at its ends."""
    return visible(re.sub(r"[^\S ]+", " ", text)).strip()
