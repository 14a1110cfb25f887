"""What reads files is given damaged ones: it has to say so in a sentence, within memory and time."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..ground import Ground
from ..judge import Lost

LONGEST = 3600.0  # seconds of one strike, in which each input has its own limit


def strike(ground: Ground) -> None:
    folder = Path(tempfile.mkdtemp(prefix="spikebench-inputs-"))
    command = [sys.executable, "-m", "tests.campaign.readers.child", str(ground.random.randrange(2**32))]
    command += [str(ground.inputs), str(folder)]
    said_to: dict[str, Any] = {"env": ground.variables, "cwd": Path(__file__).parents[3], "timeout": LONGEST}
    done = subprocess.run(command, capture_output=True, text=True, **said_to)
    said = []
    for one in map(json.loads, done.stdout.splitlines()):
        said.append(f"{one['reader']}: {one['error']} at {one['where']}, by the files in {one['files']}")
    if done.returncode:
        said.append(
            f"it ended with status {done.returncode} at the files in {folder}/now: {done.stderr[-1500:]}\n"
            f"  again: python {shlex.join(command[1:-1])} {folder}-again"
        )
    if said:
        raise Lost("\n  ".join(said))
    if not done.stdout:
        shutil.rmtree(folder)
