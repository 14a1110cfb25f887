"""python -m reports: build the HTML report from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.command import App
from bench.errors import OK, exit_status
from bench.options import FOLDER, STORE

app = App()


@app.command()
@exit_status
def build(
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    out: Annotated[
        Path, typer.Option(**FOLDER, help="Folder for results; the report is OUT/report/index.html.")
    ] = Path("out"),
    scale: Annotated[list[str] | None, typer.Option(help="quick, short or paper; may be repeated. [all]")] = None,
) -> int:
    """Build the HTML report, with CSV and LaTeX of each table, from the store.

    \b
    python -m reports
    python -m reports --store results/spikebench.db --out out
    python -m reports --scale quick
    """
    from results import Store, default_url

    from . import site

    with Store(default_url() if store is None else store, read_only=True) as opened:
        print(site.build(opened, out, scale or None))
    return OK


if __name__ == "__main__":
    app(prog_name="python -m reports")
