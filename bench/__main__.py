"""The console script `spikebench`: the commands of the suite under one name."""

from __future__ import annotations

import importlib
import sys

from core.errors import OK
from core.registry import unknown
from core.shell import exit_status

COMMANDS = {
    "reproduce": ("bench.reproduce", "regenerate tables of papers"),
    "parity": ("bench.parity.__main__", "prove that kernels compute what the neuron's step computes"),
    "kernels": ("bench.kernels", "measure speed and memory of neurons against other libraries"),
    "results": ("results.__main__", "merge, export, import and show stored results"),
    "report": ("reports.__main__", "build the HTML site from a store"),
}


@exit_status
def main() -> int:
    """`spikebench VERB ...` does what `python -m` does with the verb's module."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("--help", "-h"):
        print("Usage: spikebench VERB [OPTIONS]\n")
        for name, (_, what) in COMMANDS.items():
            print(f"  {name:12} {what}")
        print("\nspikebench VERB --help tells more.")
        return OK
    if verb not in COMMANDS:
        raise unknown("verb", verb, COMMANDS)
    del sys.argv[1]
    importlib.import_module(COMMANDS[verb][0]).app(prog_name=f"spikebench {verb}")
    return OK


if __name__ == "__main__":
    main()
