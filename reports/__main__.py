"""python -m reports: build the HTML report from the store."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.command import App
from core.errors import OK
from core.options import FOLDER, PLUGIN, STORE, VERSION
from core.shell import exit_status

app = App()


@app.command(
    epilog="""\b
    Examples:
    python -m reports
    python -m reports --store results/spikebench.db --out out
    python -m reports --scale quick
    python -m reports --scale paper --bibtex > works.bib

    Exit status: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted."""
)
@exit_status
def build(
    plugin: Annotated[list[Path] | None, typer.Option(**PLUGIN)] = None,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    out: Annotated[
        Path, typer.Option(**FOLDER, help="Folder for results; the report is OUT/report/index.html.")
    ] = Path("out"),
    scale: Annotated[
        list[str] | None,
        typer.Option(metavar="SCALE", help="quick, short or paper; may be repeated; default: all."),
    ] = None,
    bibtex: Annotated[
        bool,
        typer.Option("--bibtex", help="Print BibTeX of the works whose tables the report shows; write nothing."),
    ] = False,
    version: Annotated[bool, typer.Option("--version", **VERSION)] = False,
) -> int:
    """Build the HTML report from a store.

    It holds every table also as CSV and LaTeX.
    """
    from results import Store, default_url

    from . import site

    with Store(default_url() if store is None else store, read_only=True) as opened:
        if bibtex:
            return _cite(site.works(opened, scale or None))
        print(site.build(opened, out, scale or None))
    return OK


def _cite(works: list[str]) -> int:
    from papers.cited import bibtex

    entries, unknown = bibtex(works)
    if entries:
        print(entries)
    else:
        print("The report shows no table of a work, so there is nothing to cite.", file=sys.stderr)
    for work in unknown:
        print(f"No BibTeX is known of the work {work!r}, whose tables come from a plug-in.", file=sys.stderr)
    return OK


if __name__ == "__main__":
    app(prog_name="python -m reports")
