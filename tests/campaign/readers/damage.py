"""What may be wrong with a file: bits, lengths, numbers, words, whole parts."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

from results.run import content_key

NUMBERS = [
    value.to_bytes(4, order)
    for value in (0, 1, 0x7F, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
    for order in ("little", "big")
]
WORDS = [
    "0", "-1", "1e999", "nan", "-inf", "9" * 400, "2147483648", "1e18", "null", "true", "[]", "{}", '""', "a", "é",
    "\0", "\ud7ff", "[" * 3000, "&a", "*a", "<<", "!!python/object:os.system", "&lol;", "../../x", "/etc/passwd", " ",
    "\n", "%s",
]  # fmt: skip
TOKEN = re.compile(r"[-+.\w]+")
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([2**31, -(2**63), 2**63, 2**64, 10**400]), st.floats(),
    st.text(max_size=8), st.sampled_from(["\ud800", "\0", "a" * 5000, "2026-01-02T03:04:05Z", "unknown", ""]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def damaged(draw: Any, content: bytes) -> bytes:
    """The content with one to four things wrong."""
    for _ in range(draw(st.integers(1, 4))):
        content = draw(st.sampled_from(WAYS))(draw, content)
    return content


def _place(draw: Any, content: bytes) -> int:
    near = st.integers(0, min(len(content), 64))  # headers come first
    return draw(near | st.integers(0, len(content)))


def _flipped(draw: Any, content: bytes) -> bytes:
    at = _place(draw, content)
    return content[:at] + draw(st.binary(min_size=1, max_size=1)) + content[at + 1 :]


def _number(draw: Any, content: bytes) -> bytes:
    at = _place(draw, content)
    return content[:at] + draw(st.sampled_from(NUMBERS)) + content[at + 4 :]


def _cut(draw: Any, content: bytes) -> bytes:
    return content[: _place(draw, content)]


def _without(draw: Any, content: bytes) -> bytes:
    at = _place(draw, content)
    return content[:at] + content[at + draw(st.integers(1, 32)) :]


def _more(draw: Any, content: bytes) -> bytes:
    at = _place(draw, content)
    return content[:at] + draw(st.binary(max_size=16)) * draw(st.sampled_from([1, 2, 1000])) + content[at:]


def _twice(draw: Any, content: bytes) -> bytes:
    at = _place(draw, content)
    return content + content[at:]


def _word(draw: Any, content: bytes) -> bytes:
    """Another word in the place of one, in what is text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return _flipped(draw, content)
    words = [*TOKEN.finditer(text)]
    if not words:
        return _more(draw, content)
    word = draw(st.sampled_from(words))
    return (text[: word.start()] + draw(st.sampled_from(WORDS)) + text[word.end() :]).encode()


WAYS = (_flipped, _number, _cut, _without, _more, _twice, _word, _word)


@st.composite
def other_values(draw: Any, content: bytes) -> bytes:
    """Lines of JSON, in one of which a value is another one; keys that are made of the content are made anew."""
    lines = content.decode().splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    record = json.loads(lines[at])
    before = json.loads(lines[at])
    for _ in range(draw(st.integers(1, 2))):
        record = _changed(draw, record)
    text = json.dumps(record)
    if isinstance(record, dict) and draw(st.booleans()):
        for name in ("id", "key"):
            if "document" in record and record.get(name) == before.get(name) and isinstance(before.get(name), str):
                try:
                    text = json.dumps(record | {name: content_key(record["document"])})
                except Exception:  # what has no key keeps the one it had
                    continue
                lines = [line.replace(before[name], content_key(record["document"])) for line in lines]
    lines[at] = text
    return "\n".join(lines).encode(errors="surrogatepass")


def _changed(draw: Any, value: Any) -> Any:
    """The value with something in it another one, or gone."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 9)) == 0:
            return {key: item for key, item in value.items() if key != name}
        return value | {name: _changed(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _changed(draw, value[at]), *value[at + 1 :]]
    return draw(VALUES)
