"""The project's packages have common names; what lies in the current folder must not take their place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])


@contextmanager
def own_first() -> Iterator[None]:
    """Within, this process and the Python processes it starts find the project before anything else of its names.

    `python -m` and the fork server of multiprocessing look into the current folder first, and beside a project that is
    installed for editing even a `results/` that holds nothing but a store is taken for the package.
    """
    paths = [ROOT, os.environ.get("PYTHONPATH", "")]
    variables = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.pop(name, None) for name in variables}
    os.environ.update(variables)
    sys.path.insert(0, ROOT)
    try:
        yield
    finally:
        sys.path.remove(ROOT)
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
