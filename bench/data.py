"""python -m bench.data: which data sets are here, whether they are whole, and how to come by the others."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.command import App
from core.errors import FAILED, OK, UsageError
from core.options import PLACE, VERSION
from core.places import NoHome, at_home
from core.registry import unknown
from core.shell import exit_status

if TYPE_CHECKING:
    from tasks.download import Progress

app = App(
    name="data",
    help="See which data sets are here, check and fetch them.",
    epilog="Exit status: 0 done, 1 something is missing or damaged, 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
)


@app.callback()
def verbs(version: Annotated[bool, typer.Option("--version", **VERSION)] = False) -> None:
    """See which data sets are here, check and fetch them."""


DATA = {**PLACE, "metavar": "FOLDER", "help": "Folder of the data sets; default: SPIKEBENCH_DATA."}
EMBEDDED = "needs no files"


@app.command("list")
@exit_status
def list_sets(data: Annotated[Path | None, typer.Option(**DATA)] = None) -> int:
    """Say which data sets are here.

    Of each whether it is complete or a subset, and how to come by one that is not here.
    """
    import tasks
    from core.console import Console
    from tasks import archives
    from tasks.amount import amount

    console, root = Console(highlight=False, markup=False), _read_root(data)
    for name in tasks.names():
        found = amount(name, root, {})
        missing = tasks.available(name, root)
        if missing is not None:
            said = missing + f" python -m bench.data get {name} does it, too." * (name in archives.SETS)
        elif tasks.registry.get(name).check is None:
            said = EMBEDDED
        elif found is None:
            said = "here"
        else:
            said = f"a subset: {found.subset}" if found.subset else f"complete: {found.here:,} training samples"
        console.print(f"{name:22} {said}", soft_wrap=True)
    return OK


@app.command()
@exit_status
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="SET", help="Data sets; all that are here.")] = None,
    data: Annotated[Path | None, typer.Option(**DATA)] = None,
) -> int:
    """Read data sets, and compare their files with published sums.

    They are read as a training would read them; sums are known of MNIST, Fashion-MNIST and CIFAR.
    """
    import tasks
    from core.console import Console
    from tasks.archives import damaged

    console, root = Console(highlight=False, markup=False), _read_root(data)
    for name in names or ():
        _require_known(name)
    wrong = 0
    chosen = names or _here(root)
    if not chosen:
        where = f"in {root}" if root else "here, since no data root is named; name it with --data or SPIKEBENCH_DATA"
        console.print(f"No data set is {where}.", soft_wrap=True)
        return FAILED
    for name in chosen:
        bad = damaged(name, root) if root else []
        try:
            info = tasks.load(name, root=root).dataset
        except tasks.TaskError as error:
            said, bad = str(error), [name]
        except Exception as error:  # of the library that reads a format, which says so in its own way
            said, bad = f"it cannot be read: {type(error).__name__}: {error}", [name]
        else:
            counts = ", ".join(f"{count:,} {part}" for part, count in info.counts.items())
            said = f"{info.note or 'complete.'} {counts} samples can be read."
            said += f" Not as published: {', '.join(bad)}." * bool(bad)
        wrong += bool(bad)
        console.print(f"{name:22} {said}", soft_wrap=True)
    return FAILED if wrong else OK


@app.command(
    epilog="""\b
    Example:
    python -m bench.data get mnist cifar10 --data ~/data

    Interrupted, the same command goes on from there."""
)
@exit_status
def get(
    names: Annotated[list[str], typer.Argument(metavar="SET", help="Data sets whose address is known here.")],
    data: Annotated[Path | None, typer.Option(**DATA)] = None,
) -> int:
    """Fetch data sets into the data root.

    Each file is verified by its published sum. Known are the addresses that torchvision, SpikingJelly and tonic know.
    """
    from rich import progress as bars

    from core.console import Console
    from tasks import archives

    root = _root(data)
    if root is None:
        raise UsageError("No data root is named. Name the folder for the data sets with --data or SPIKEBENCH_DATA.")
    for name in names:
        _require_known(name)
        archives.known(name)  # raises where there is no address, before anything is fetched
    console = Console(highlight=False, markup=False)
    columns = (
        bars.TextColumn("{task.description}"), bars.BarColumn(), bars.DownloadColumn(), bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )  # fmt: skip
    for name in names:
        with bars.Progress(*columns, console=Console(stderr=True), transient=True) as shown:

            def told(file: str, shown: bars.Progress = shown) -> Progress:
                bar = shown.add_task(file, total=None)
                return lambda done, of: shown.update(bar, completed=done, total=of)

            archives.get(name, root, told)
        console.print(f"{name} is in {root}", soft_wrap=True)
    return OK


def _root(data: Path | None) -> Path | None:
    """The data root that was named. UsageError for one in the home folder of nobody."""
    if data is not None:
        return data
    try:
        named = at_home(os.environ.get("SPIKEBENCH_DATA", ""))
    except NoHome as error:
        raise UsageError(f"SPIKEBENCH_DATA: {error}") from None
    return Path(named) if named else None


def _read_root(data: Path | None) -> Path | None:
    """The same, to read. UsageError where it is no folder."""
    root = _root(data)
    if root is not None and not root.is_dir():
        raise UsageError(
            f"The data root {root} is not a folder. Name that of the data sets with --data or SPIKEBENCH_DATA."
        )
    return root


def _here(root: Path | None) -> list[str]:
    """The sets that have files, and are here."""
    import tasks

    found = [name for name in tasks.names() if tasks.registry.get(name).check is not None]
    return [name for name in found if tasks.available(name, root) is None]


def _require_known(name: str) -> None:
    import tasks

    if name not in tasks.names():
        raise unknown("data set", name, tasks.names())


if __name__ == "__main__":
    app()
