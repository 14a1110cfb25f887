"""python -m bench.parity: proves every neuron on every backend against its own step in float64."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ..command import App
from ..errors import FAILED, OK, PARITY_RED, UsageError, exit_status
from ..options import STORE
from ..registry import unknown

app = App()


@app.command(
    epilog="Examples: 'python -m bench.parity'; 'python -m bench.parity lif plif --backend fused --quick'; "
    "'python -m bench.parity --device cuda'. Exit status: 0 all green, 1 failed or nothing to check, "
    "2 wrong usage, 3 red."
)
@exit_status
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="NEURON...", help="Neurons; all without any.")] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="A backend or peer library; may be repeated; default: all but inductor."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two dtypes and the most telling cases.")] = False,
) -> int:
    """Compare kernels with the neuron's own step: spikes, states, gradients; say what really ran."""
    import neurons

    from .. import peers

    names = list(dict.fromkeys(names or neurons.names()))
    known = [*neurons.backends.MODULES, *(peer for peer in peers.names() if peer not in neurons.backends.MODULES)]
    left_out = {} if backend else neurons.backends.BY_NAME
    backends = list(dict.fromkeys(backend or (name for name in known if name not in left_out)))
    for value in backends:
        if value not in known:
            raise unknown("backend", value, known)
    for name in names:
        neurons.registry.module(name)  # raises for an unknown one before PyTorch is loaded

    from results import Store, default_url
    from results.console import Console

    from .checks import Refusal
    from .report import carry_out, show

    with Store(store or default_url()) as opened:
        checks, refusals, failures = carry_out(Console(stderr=True), opened, names, backends, _device(device), quick)
    refusals += [Refusal(name, other, reason) for other, reason in left_out.items() for name in names]
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 130  # a file takes whole lines
    show(console, checks, refusals, failures)
    if any(not check.verdict.green for check in checks):
        return PARITY_RED
    if not checks and not failures:
        print("Nothing that was asked for could be checked; the reasons stand above.", file=sys.stderr)
        return FAILED
    return FAILED if failures else OK


def _device(asked: str) -> str:
    if asked not in ("auto", "cpu", "cuda"):
        raise unknown("device", asked, ("auto", "cpu", "cuda"))
    if asked == "cpu":
        return asked
    import torch

    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise UsageError("Device 'cuda' was asked for, but no CUDA device was found. Use --device cpu or auto.")
    return "cuda" if found else "cpu"


if __name__ == "__main__":
    app()
