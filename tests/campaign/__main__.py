"""python -m tests.campaign: does anything get lost when things go wrong?

Kills, full disks, wrong clocks and cut connections are struck at random moments of a command; after each the store has
to be whole, nothing that was finished may be missing, and the same command has to come to the same bits. What reads
files is given damaged ones. Exit status: 0 nothing was lost, 1 something was, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from . import campaign
from .faults import clock, command, connection, disk, job, node, readers, server, training
from .ground import Ground

FAULTS: dict[str, campaign.Fault] = {
    "command": command.strike,
    "training": training.strike,
    "server": server.strike,
    "disk": disk.strike,
    "clock": clock.strike,
    "connection": connection.strike,
    "node": node.strike,
    "job": job.strike,
    "readers": readers.strike,
}

INPUTS = 10_000  # of readers, each time that it is their turn, some ten times in an hour


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--minutes", type=float, default=60.0, help="how long; what was begun is brought to its end")
    parser.add_argument("--seed", type=int, help="of order, moments and damage; default: another one each time")
    parser.add_argument("--only", action="append", choices=FAULTS, help="this fault alone; may be repeated")
    asked = parser.parse_args()
    chosen = {name: FAULTS[name] for name in FAULTS if asked.only is None or name in asked.only}
    seed = int(time.time()) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    inputs = max(300, round(INPUTS * asked.minutes / 60))
    with tempfile.TemporaryDirectory(prefix="spikebench-campaign-") as folder:
        return campaign.run(chosen, Ground(Path(folder), Random(seed), inputs), asked.minutes * 60)


if __name__ == "__main__":
    sys.exit(main())
