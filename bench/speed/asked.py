"""What is typed at the command of kernels, as choices; what cannot be chosen is told with what can."""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.errors import UsageError
from core.registry import unknown

from .contenders import SAVING
from .plan import BY_NAME, PEERS, installed


def chosen(kind: str, given: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Each name of a `kind` once. Raises UnknownName for one that is not `known`."""
    known, names = tuple(known), tuple(dict.fromkeys(given))
    for name in names:
        if name not in known:
            raise unknown(kind, name, known)
    return names


def peers(text: str) -> tuple[tuple[str, ...], list[str]]:
    """The peers to time, and with "all" those that are left out because they are not installed.

    Raises UsageError for one that was named and is not installed.
    """
    if text == "none":
        return (), []
    if text == "all":
        missing = [peer for peer in PEERS if not installed(peer)]
        return tuple(peer for peer in PEERS if peer not in missing), missing
    named = chosen("peer", (part.strip() for part in text.split(",")), (*PEERS, BY_NAME))
    for peer in named:
        if not installed(peer):
            raise UsageError(f"The peer {peer!r} was asked for, but is not installed. Install it: pip install {peer}.")
    return named, []


def base(name: str | None) -> str | None:
    """The contender of that name. Raises UnknownName."""
    import neurons

    if name is not None:
        chosen("contender", [name], dict.fromkeys((*neurons.backends.MODULES, SAVING, *PEERS)))
    return name


def shape(text: str) -> tuple[int, int]:
    """Steps and neurons of "TxN". Raises UsageError for another form."""
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if match is None:
        raise UsageError(f"The shape {text!r} is not of the form TxN with whole numbers from 1, such as 16x262144.")
    return int(match[1]), int(match[2])
