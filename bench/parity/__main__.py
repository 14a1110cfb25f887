"""python -m bench.parity: proves every neuron on every backend against its own step in float64."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import device as devices
from core import machine_readable
from core.command import App
from core.errors import FAILED, OK, PARITY_RED, UsageError
from core.options import DEVICE, PLUGIN, STORE, VERSION
from core.parity_rule import RULE
from core.registry import unknown
from core.shell import exit_status

if TYPE_CHECKING:
    from .record import Found

app = App()


@app.command(
    epilog="""\b
    Examples:
    python -m bench.parity
    python -m bench.parity lif plif --backend fused --quick
    python -m bench.parity --device cuda

    Exit status: 0 all green, 1 failed or nothing to check, 2 wrong usage, 3 red, 130 interrupted."""
)
@exit_status
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="NEURON", help="Neurons; all without any.")] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A backend or peer library; may be repeated; default: all but inductor."),
    ] = None,
    device: Annotated[str, typer.Option(**DEVICE)] = "auto",
    plugin: Annotated[list[Path] | None, typer.Option(**PLUGIN)] = None,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two dtypes and few cases: a first look, no proof.")] = False,
    rule: Annotated[bool, typer.Option("--rule", help="Print the rule of the checks and end.")] = False,
    json: Annotated[bool, typer.Option("--json", **machine_readable.JSON)] = False,
    version: Annotated[bool, typer.Option("--version", **VERSION)] = False,
) -> int:
    """Prove that kernels compute what the neuron's step computes.

    Spikes, states and gradients are compared with the step in float64; what really ran is said. A check is green where
    rounding explains every difference, which the step in the kernel's own dtype shows, and red elsewhere.
    """
    import neurons

    if rule:
        if json:
            raise UsageError("--rule and --json were given; the rule is text. Give one of the two.")
        print(RULE)
        return OK
    names = list(dict.fromkeys(names or neurons.names()))
    for name in names:
        neurons.registry.module(name)  # raises for an unknown one before PyTorch is loaded
    backends, left_out = _backends(backend)
    devices.known(device)

    from core.console import Console
    from reports import parity_terminal
    from results import Store, default_url

    from .record import carry_out

    device = devices.find(device)
    with (
        Store(store or default_url()) as opened,
        parity_terminal.progress(Console(stderr=True), len(names)) as tell,
    ):
        found = carry_out(opened, names, backends, device, quick, tell)
    refusals = [(refusal.neuron, refusal.backend, refusal.reason) for refusal in found.refusals]
    refusals += [(name, other, reason) for other, reason in left_out.items() for name in names]
    if json:
        summary = parity_terminal.summary(found.checks, refusals, found.failures, whole=not quick)
        machine_readable.write("parity", parity_terminal.records(found.checks, found.used), **summary)
        return _status(found)
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 130  # a file takes whole lines
    parity_terminal.show(console, found.checks, found.used, refusals, found.failures, whole=not quick)
    return _status(found)


def _status(found: Found) -> int:
    if any(not check.green for check in found.checks):
        return PARITY_RED
    if not found.checks and not found.failures:
        print("Nothing that was asked for could be checked; the reasons stand above.", file=sys.stderr)
        return FAILED
    return FAILED if found.failures else OK


def _backends(asked: list[str] | None) -> tuple[list[str], dict[str, str]]:
    """The backends and peers to check, and those that are left out unless they are named, with the reason."""
    import neurons

    from .. import peers

    known = [*neurons.backends.MODULES, *(peer for peer in peers.names() if peer not in neurons.backends.MODULES)]
    left_out = {} if asked else neurons.backends.BY_NAME
    chosen = list(dict.fromkeys(asked or (name for name in known if name not in left_out)))
    for name in chosen:
        if name not in known:
            raise unknown("backend", name, known)
    return chosen, left_out


if __name__ == "__main__":
    app()
