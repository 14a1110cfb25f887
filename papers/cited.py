"""How the works are cited: BibTeX, in the folder of each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FILE = "cited.bib"


def bibtex(works: Iterable[str]) -> tuple[str, list[str]]:
    """The entries of `works`, each once, sorted by work; and the works of which none is known, as of plug-ins."""
    entries, unknown = [], []
    for work in sorted(set(works)):
        path = Path(__file__).parent / work / FILE
        if work.isidentifier() and path.is_file():  # the name comes from a table, which may be a plug-in's
            entries.append(path.read_text(encoding="utf-8").strip())
        else:
            unknown.append(work)
    return "\n\n".join(entries), unknown
