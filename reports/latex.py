"""Any text as ASCII that LaTeX prints as it is, with pdflatex and no package for other letters."""

from __future__ import annotations

import re
import unicodedata

from core.plain import plain

_SIGNS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "‐": "-",
    "‑": "-",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "•": r"\textbullet{}",
    "§": r"\S{}",
    "©": r"\copyright{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
_MATHS = {
    "−": "-",
    "±": r"\pm",
    "×": r"\times",
    "÷": r"\div",
    "·": r"\cdot",
    "⋅": r"\cdot",
    "°": r"^{\circ}",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "≈": r"\approx",
    "≡": r"\equiv",
    "∝": r"\propto",
    "∞": r"\infty",
    "∑": r"\sum",
    "∏": r"\prod",
    "√": r"\surd",
    "∂": r"\partial",
    "∇": r"\nabla",
    "∈": r"\in",
    "→": r"\rightarrow",
    "←": r"\leftarrow",
    "↔": r"\leftrightarrow",
    "⇒": r"\Rightarrow",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    "µ": r"\mu",
    "ς": r"\varsigma",
    "ϵ": r"\epsilon",
}
_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
_ACCENTS = {
    "\u0300": r"\`",
    "\u0301": r"\'",
    "\u0302": r"\^",
    "\u0303": r"\~",
    "\u0304": r"\=",
    "\u0306": r"\u",
    "\u0307": r"\.",
    "\u0308": r"\"",
    "\u030a": r"\r",
    "\u030b": r"\H",
    "\u030c": r"\v",
    "\u0323": r"\d",
    "\u0327": r"\c",
    "\u0331": r"\b",
}
_RAISED = {"<super>": "textsuperscript", "<sub>": "textsubscript"}


def escape(text: str) -> str:
    """`text` for LaTeX, on one line; a character that it cannot print by itself becomes its number, as U+4E2D."""
    return "".join(map(_escaped, unicodedata.normalize("NFC", plain(text))))


def comment(text: str) -> str:
    """`text` for a comment: ASCII on one line."""
    return plain(text).encode("ascii", "backslashreplace").decode()


def _escaped(character: str) -> str:
    if character in _SIGNS:
        return _SIGNS[character]
    if character.isascii():
        return character
    if maths := _MATHS.get(character) or _greek(character):
        return f"${maths}$"
    kind, *parts = unicodedata.decomposition(character).split() or [""]
    if kind in _RAISED:
        return f"\\{_RAISED[kind]}{{{''.join(_escaped(chr(int(part, 16))) for part in parts)}}}"
    if kind and not kind.startswith("<"):
        base, *marks = (chr(int(part, 16)) for part in (kind, *parts))
        if len(marks) == 1 and marks[0] in _ACCENTS:
            return f"{_ACCENTS[marks[0]]}{{{_escaped(base)}}}"
    return rf"\texttt{{U+{ord(character):04X}}}"


def _greek(character: str) -> str:
    """The command of a Greek letter that has one: \\sigma, \\Sigma."""
    words = unicodedata.name(character, "").split()
    if words[:1] != ["GREEK"] or words[2:3] != ["LETTER"] or len(words) != 4:
        return ""
    name = words[3].lower().replace("lamda", "lambda")
    name = name.capitalize() if words[1] == "CAPITAL" else name
    return f"\\{name}" if _GREEK.fullmatch(name) else ""
