"""Going on from a checkpoint, or starting anew where that cannot be done, and saying so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

from core import memory, randomness

from . import checkpoint, distributed
from .checkpoint import Unusable
from .clock import Clock
from .measures import Reading
from .scheme import Scheme


class History(list[dict[str, float]]):
    """The records of a training, one an epoch, and the units of what is in them, by name."""

    def __init__(self, records: list[dict[str, float]] | None = None, units: Mapping[str, str] | None = None) -> None:
        super().__init__(records or [])
        self.units = dict(units or {})

    def add(self, readings: Mapping[str, Reading]) -> None:
        """The record of another epoch."""
        self.append({name: reading.value for name, reading in readings.items()})
        self.units |= {name: reading.unit for name, reading in readings.items()}


def resume(scheme: Scheme, path: Path, data: str, clock: Clock, on_note: Callable[[str], None]) -> History:
    """The epochs found in `path`, with `scheme`, generators and clock as they were after them; none to start anew.

    `data` is the digest of the data set that is trained on. A checkpoint that cannot be used is set aside, `on_note`
    gets a sentence about it, and everything is as it was before. All processes of a group go on, or all start anew.
    """
    if not path.exists():
        return History()
    before, generators = copy.deepcopy(scheme.state_dict()), randomness.generators()
    history, seconds, problem = _restore(scheme, path, data)
    problem = next(filter(None, distributed.gather(problem)), "")
    if not problem:
        clock.before += seconds
        return history
    scheme.load_state_dict(before)  # of a checkpoint that does not fit, a part may be in place already
    randomness.set_generators(generators)
    if not distributed.rank():
        aside = checkpoint.set_aside(path)
        on_note(f"trained anew, for the checkpoint {path.name} {problem}; it is kept as {aside.name}")
    return History()


def _restore(scheme: Scheme, path: Path, data: str) -> tuple[History, float, str]:
    """Brings `scheme` and the generators to the state in `path`: its epochs and seconds, and what is wrong with it."""
    try:
        state = checkpoint.load(path)
        if state is None:
            raise Unusable("is damaged")
        if state["data"] != data:
            raise Unusable(f"is of a training on other data (digest {state['data'][:12]}, here {data[:12]})")
        scheme.load_state_dict(state["scheme"])
        return History(state["history"], state["units"]), float(state["seconds"]), ""
    except Unusable as error:
        return History(), 0.0, str(error)
    except Exception as error:
        if memory.ran_out(error):  # which says nothing about the checkpoint
            raise
        return History(), 0.0, f"does not fit ({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})"
