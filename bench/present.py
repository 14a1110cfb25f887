"""Which data are at hand now."""

from __future__ import annotations

from pathlib import Path

import tasks
from papers.experiment import Experiment


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
