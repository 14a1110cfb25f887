"""python -m bench.convert SET: raw event data into the HDF5 files of the first-spike work."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

from pathlib import Path
from typing import Annotated

import typer

from core.command import App
from core.errors import OK
from core.options import FOLDER, PLACE, VERSION
from core.shell import exit_status

app = App()


@app.command(
    epilog="""\b
    Examples:
    python -m bench.convert dvsplane --data ~/data
    python -m bench.convert ntidigits --data ~/data --out ~/data/NTIDIGITS

    Exit status: 0 converted, 1 it could not be done, 2 wrong usage, 130 interrupted."""
)
@exit_status
def main(
    name: Annotated[str, typer.Argument(metavar="SET", help="ntidigits, dvsplane or dvsgesture10.")],
    data: Annotated[
        Path | None, typer.Option(**PLACE, metavar="FOLDER", help="Folder of the data sets; default: SPIKEBENCH_DATA.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(**FOLDER, help="Folder for the files; default: that of the set, where it is read.")
    ] = None,
    version: Annotated[bool, typer.Option("--version", **VERSION)] = False,
) -> int:
    """Convert raw event data to HDF5.

    The files are those that the first-spike work makes, and the task of the same name reads them. Interrupted, the same
    command goes on from there.
    """
    from rich.progress import Progress

    from core.console import Console
    from tasks.conversion import convert

    console = Console(highlight=False, markup=False)
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(name, total=None)
        made = convert(name, data, out, lambda done, of: bars.update(bar, completed=done, total=of))
    for path in made:
        console.print(f"Made {path}", soft_wrap=True)
    return OK


if __name__ == "__main__":
    app()
