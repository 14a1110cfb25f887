"""Whether a stored result was measured on the data that are at hand now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tasks

from .experiment import Experiment

if TYPE_CHECKING:
    from results import Dataset


class Present:
    """The data sets below `root` (None: SPIKEBENCH_DATA), each looked at once; `cache` keeps the hashes of files."""

    def __init__(self, root: str | None, cache: Path | None = None) -> None:
        self.root, self.cache = root, cache
        self._digests: dict[tuple[str, str], str] = {}

    def digest(self, experiment: Experiment) -> str:
        """Digest of the data `experiment` would be trained on here; "" where that cannot be known, as without data."""
        key = _key(experiment)
        if key not in self._digests:
            found = tasks.digest(experiment.task, self.root, self.cache, **experiment.task_options)
            self._digests[key] = found or ""
        return self._digests[key]

    def known(self, experiment: Experiment) -> str:
        """The same as far as it was asked for before: a report reads no data set for tables that nobody asked for."""
        return self._digests.get(_key(experiment), "")


def _key(experiment: Experiment) -> tuple[str, str]:
    return experiment.task, repr(sorted(experiment.task_options.items()))


def other_data(datasets: Sequence[Dataset], digest: str) -> str:
    """Why a result measured on `datasets` is stale where `digest` is at hand; "" where it is not, or nothing tells.

    Digests of another length were made by another rule and tell nothing.
    """
    comparable = [dataset for dataset in datasets if len(dataset.digest) == len(digest)]
    if not comparable or any(dataset.digest == digest for dataset in comparable):
        return ""
    measured = comparable[0]
    subset = f" ({measured.note})" if measured.note else ""
    return f"other data: measured on {measured.digest[:12]}{subset}, here is {digest[:12]}"
