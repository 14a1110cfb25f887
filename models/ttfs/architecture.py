"""Networks as the work writes them: "64C3 - P2 - 100F" (T2FSNN, spec section 6)."""

from __future__ import annotations

import re
from typing import NamedTuple

NAMED = {
    "vgg7": "64C3 - 128C3 - P2 - 256C3 - 256C3 - P2 - 512C3 - 512C3 - P2",
    "vgg11": "128C3 - 128C3 - 128C3 - P2 - 256C3 - 256C3 - 256C3 - P2 - 512C3 - 512C3 - 512C3 - 512C3 - P2",
}


class Conv(NamedTuple):
    """`<n>C<k>`: n channels, a kernel of k x k, stride 1 and padding k // 2: an even k adds a row and a column."""

    channels: int
    kernel: int


class Pool(NamedTuple):
    """`P<k>`: the earliest spike of each field of k x k, side by side."""

    kernel: int


class Dense(NamedTuple):
    """`<n>F`: n neurons, fully connected."""

    neurons: int


Token = Conv | Pool | Dense
_FORMS: tuple[tuple[re.Pattern[str], type[Conv] | type[Pool] | type[Dense]], ...] = (
    (re.compile(r"([1-9]\d*)C([1-9]\d*)"), Conv),
    (re.compile(r"P([1-9]\d*)"), Pool),
    (re.compile(r"([1-9]\d*)F"), Dense),
)


def parse(architecture: str) -> list[Token]:
    """The layers of a name in NAMED or of tokens joined by " - ", the last layer, of the classes, aside.

    ValueError for anything that is neither; the released code drops such tokens.
    """
    return [_token(text.strip(), architecture) for text in NAMED.get(architecture, architecture).split("-")]


def _token(text: str, architecture: str) -> Token:
    for form, kind in _FORMS:
        if found := form.fullmatch(text):
            return kind(*map(int, found.groups()))
    raise ValueError(
        f"{text!r} in the architecture {architecture!r} is no layer. Known: <n>C<k> (convolution), P<k> (pooling), "
        f"<n>F (fully connected), joined by ' - ', and the names {', '.join(NAMED)}."
    )


def sizes(tokens: list[Token], shape: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """The shape after each layer, from `shape` (channels, height, width): of maps of that form, (n,) after <n>F.

    ValueError where pooling leaves nothing, and for maps after a fully connected layer.
    """
    found: list[tuple[int, ...]] = []
    now: tuple[int, ...] = shape
    for token in tokens:
        if isinstance(token, Dense):
            now = (token.neurons,)
        elif len(now) == 1:
            raise ValueError(f"{token} cannot follow a fully connected layer, which has no maps.")
        elif isinstance(token, Conv):
            now = (token.channels, *(n + 2 * (token.kernel // 2) - token.kernel + 1 for n in now[1:]))
        else:
            now = (now[0], *(n // token.kernel for n in now[1:]))
            if 0 in now:
                raise ValueError(f"Pooling of {token.kernel} x {token.kernel} leaves nothing of the maps before it.")
        found.append(now)
    return found
