"""MATLAB files of version 5: what in one would end the program that reads it is told before it is read.

SciPy looks types up by their number and does not ask whether there is one, so that a damaged byte can end in a
segmentation fault. Format: MATLAB, MAT-File Format (R2023a), chapter 1.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator

HEADER = 128
MATRIX, COMPRESSED = 14, 15  # types of elements; the others hold numbers or text
NUMBERS = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13))
TEXT = frozenset((1, 2, 3, 4, 16, 17, 18))
CELL, STRUCT, CHARACTERS = 1, 2, 4  # classes of matrices; numeric ones are 6 to 15
COMPLEX = 0x800  # in the flags: a part of imaginary numbers follows
DEEPEST = 20  # matrices in matrices
LARGEST = 2**31  # bytes once they are unpacked

Element = tuple[int, bytes]  # type and content


def require_sound(content: bytes) -> None:
    """ValueError for what is no file of version 5 with matrices of numbers, texts, cells and structs, all whole."""
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or len(content) < HEADER or struct.unpack(f"{order}H", content[124:126])[0] != 0x100:
        raise ValueError("it is no MATLAB file of version 5")
    for kind, inner in _elements(content[HEADER:], order):
        if kind == COMPRESSED:
            for unpacked in _elements(_unpacked(inner), order):
                _require_matrix(unpacked, order, 0)
        else:
            _require_matrix((kind, inner), order, 0)


def _unpacked(content: bytes) -> bytes:
    made = zlib.decompressobj()
    try:
        found = made.decompress(content, LARGEST)
    except zlib.error as error:
        raise ValueError(f"a part of it cannot be unpacked ({error})") from None
    if made.unconsumed_tail or not made.eof:
        raise ValueError("a part of it is cut off, or too large when it is unpacked")
    return found


def _elements(content: bytes, order: str) -> Iterator[Element]:
    at = 0
    while at < len(content):
        if len(content) - at < 8:
            raise ValueError("it ends within an element")
        kind, size = struct.unpack_from(f"{order}II", content, at)
        start, end = at + 8, at + 8 + size
        if kind >> 16:  # type and size share four bytes, and the content fills the next four
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = at + 4, at + 4 + size
            if size > 4:
                raise ValueError(f"an element of {size} bytes is in the place of four")
        if end > len(content):
            raise ValueError(f"an element of {size} bytes goes beyond what holds it")
        yield kind, content[start:end]
        at = at + 8 if start == at + 4 else end if kind == COMPRESSED else at + 8 + -(-size // 8) * 8


def _require_matrix(element: Element, order: str, depth: int) -> None:
    kind, content = element
    if kind != MATRIX:
        raise ValueError(f"an element of the type {kind} is in the place of a matrix")
    if not content:
        return  # an empty matrix
    if depth > DEEPEST:
        raise ValueError("its matrices lie too deep in each other")
    (flags_kind, flags), (dimensions_kind, dimensions), (name_kind, _), *rest = _three_and_more(content, order)
    if (flags_kind, len(flags), dimensions_kind, name_kind) != (6, 8, 5, 1):
        raise ValueError("a matrix does not begin with flags, dimensions and a name")
    told = struct.unpack_from(f"{order}I", flags)[0]
    of_class, parts = told & 0xFF, 2 if told & COMPLEX else 1
    size = math.prod(struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions[: len(dimensions) // 4 * 4]))
    if of_class == STRUCT:
        if [inner for inner, _ in rest[:2]] != [5, 1] or len(rest[0][1]) != 4:
            raise ValueError("a struct has no names of fields")
        width = struct.unpack(f"{order}i", rest[0][1])[0]
        size *= len(rest[1][1]) // width if width > 0 else -1
        rest = rest[2:]
    if not 0 <= size <= len(content):
        raise ValueError(f"a matrix of {size} places has {len(content)} bytes")
    if of_class in (CELL, STRUCT):
        if len(rest) != size:
            raise ValueError(f"a cell or struct of {size} places has content for {len(rest)}")
        for inner in rest:
            _require_matrix(inner, order, depth + 1)
        return
    allowed = TEXT if of_class == CHARACTERS else NUMBERS if 6 <= of_class <= 15 else frozenset[int]()
    found = [inner for inner, _ in rest]
    if len(found) != parts or not allowed.issuperset(found):
        raise ValueError(f"a matrix of the class {of_class} in {parts} parts has content of the types {found}")


def _three_and_more(content: bytes, order: str) -> list[Element]:
    found = list(_elements(content, order))
    if len(found) < 3:
        raise ValueError("a matrix does not begin with flags, dimensions and a name")
    return found
