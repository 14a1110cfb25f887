"""Strikes one fault after the other until the time is up, and counts what was lost."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.errors import FAILED, OK

from .ground import Ground, Missing
from .judge import Lost

Fault = Callable[[Ground], object]


@dataclass
class Tally:
    """Of one fault: how often it was tried, what was lost, why it could not be tried."""

    tried: int = 0
    lost: list[str] = field(default_factory=list)
    missing: str = ""

    def row(self, name: str) -> str:
        survived = self.tried - len(self.lost)
        return f"{name:12} {self.tried:6} {survived:9} {len(self.lost):5}  {self.missing}".rstrip()


def run(faults: Mapping[str, Fault], ground: Ground, seconds: float, say: Callable[[str], object] = print) -> int:
    """Tries all in turn, in a random order, until `seconds` are over; the exit status, 1 where anything was lost."""
    tallies = {name: Tally() for name in faults}
    end = time.monotonic() + seconds
    waiting = ground.random.sample(list(faults), len(faults))
    while waiting and time.monotonic() < end:
        name = waiting.pop(0)
        tally = tallies[name]
        try:
            faults[name](ground)
        except Missing as why:
            tally.missing = str(why)
            continue
        except Lost as what:
            tally.lost.append(str(what))
            say(f"{name}: LOST: {what}")
        except Exception:  # what nobody thought of is no success
            tally.lost.append("")
            say(f"{name}: LOST: {traceback.format_exc()}")
        tally.tried += 1
        waiting.append(name)
    say(f"{'fault':12} {'tried':>6} {'survived':>9} {'lost':>5}")
    for name, tally in tallies.items():
        say(tally.row(name))
    return FAILED if any(tally.lost for tally in tallies.values()) else OK
