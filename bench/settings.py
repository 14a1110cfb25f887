"""What a run is asked for, made and checked once from the command line."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import device, options
from core.errors import UsageError
from core.registry import PluginError, PluginWarning, Registry, unknown
from papers import ORIGINALS, overrides, registry
from papers.choice import choose
from papers.experiment import SCALES, Experiment
from papers.loaded import load
from papers.measured import TABLES
from papers.operations import KIND, counted
from papers.overrides import overridden
from papers.own_rows import Own, parsed, with_rows
from papers.usual import precision_of

if TYPE_CHECKING:
    from papers.table import Cell, Table

ALL = "all"  # in place of the names of tables
FIRST_SEED = 2020  # the seed of every published PLIF run; further seeds count up from it
TIMEOUTS = {"quick": 1800.0, "short": 86400.0, "paper": None}  # seconds an experiment
EXECUTORS = Registry(
    "executor",
    {"local": "bench.local:Local", "ray": "bench.on_ray:OnRay", "slurm": "bench.on_slurm:OnSlurm"},
)


def names() -> list[str]:
    """All tables: those that trainings fill, then those with a command of their own."""
    return [*registry.names(), *TABLES]


def _usable(name: str) -> bool:
    """Whether a table can be loaded; a plug-in's that cannot is warned of."""
    try:
        load(name)
    except PluginError as error:
        warnings.warn(str(error), PluginWarning, stacklevel=2)
        return False
    return True


@dataclass(frozen=True)
class Settings:
    """The wishes of the command line; fields that it has options for are named like them.

    Making one raises UsageError, or UnknownName, for what cannot be, and PluginError for a table that cannot be loaded.
    """

    asked: tuple[str, ...]  # names of tables
    scale: str = "quick"
    device: str = "auto"
    seeds: int = 1
    jobs: int | None = None  # None: as many as the machine has room for
    processes: int = 1
    executor: str = "local"
    store: str | None = None
    data: Path | None = None
    out: Path = Path("out")
    force: bool = False
    only: tuple[str, ...] = ()
    timeout: float | None = None  # seconds; None: that of the scale
    memory: float | None = None  # GiB; None: what the machine has, shared out
    threads: int | None = None  # of the CPU, for each process; None: one, for a GPU the cores, shared out
    report: bool = True  # whether its pages are written
    config: Path | None = None  # a configuration file of the tables' work
    altered: tuple[str, ...] = ()  # settings in place of the tables', as papers.overrides reads them
    precision: str | None = None  # of the trainings (training.descent.PRECISIONS); None: the tables'
    own: tuple[str, ...] = ()  # neurons that get a row, as papers.own_rows reads them
    original: tuple[str, ...] = ()  # arguments of the released code of a work
    tensorboard: Path | None = None  # a folder for what trainings tell while they run
    mlflow: str | None = None  # a tracking server or database for the same
    ray: str | None = None  # address of a cluster; None: one of this machine's own
    slurm: tuple[str, ...] = ()  # options of sbatch, key=value
    operations: bool = False  # whether the networks of the cells are counted, too (papers.operations)
    rasters: bool = False  # whether the spikes of a sample of each class are kept of what is trained

    def __post_init__(self) -> None:
        if not self.asked:
            raise UsageError(f"Name a table to reproduce. Known: {', '.join(names())}.")
        if self.scale not in SCALES:
            raise unknown("scale", self.scale, SCALES)
        device.known(self.device)
        EXECUTORS.module(self.executor)  # raises for an unknown one
        for option in ("ray", "slurm"):
            if getattr(self, option) and self.executor != option:
                raise UsageError(
                    f"--{option} was given, but experiments run by --executor {self.executor}. "
                    f"Add --executor {option}, or leave the option out."
                )
        _ = self.sbatch  # raises for what is no option of sbatch
        for option in ("seeds", "jobs", "processes", "threads"):
            options.at_least_one(f"--{option}", getattr(self, option))
        for option in ("timeout", "memory"):
            options.positive(f"--{option}", getattr(self, option))
        if self.scale == "quick" and self.threads not in (None, 1):
            raise UsageError(
                f"--threads was given {self.threads}; at scale quick every training computes with one thread, so that "
                "its numbers do not depend on the machine's cores. Leave the option out."
            )
        if self.data is not None and not self.data.is_dir():
            raise UsageError(
                f"The data root {self.data} is not a folder. Give the folder that holds the data sets with --data."
            )
        for name in self.asked:
            if name not in (*names(), ALL):
                raise unknown("table", name, (*names(), ALL))
        if self.config is not None and self.measured:
            raise UsageError(
                f"--config was given, but {self.measured[0]} is measured and has no training. Leave it out."
            )
        if self.config is not None and self.original:
            raise UsageError("--config and arguments of released code were given; give one of the two.")
        if self.original and not set(self.asked).issubset(ORIGINALS.names()):
            raise UsageError(f"Arguments of released code go with one table of it: {', '.join(ORIGINALS.names())}.")
        for option, given in (("--with", self.own), ("--set", self.altered), ("--precision", self.precision)):
            if given and self.original:
                raise UsageError(f"{option} and arguments of released code were given; give one of the two.")
        if self.changes and self.measured:
            raise UsageError(
                f"Settings were given, but {self.measured[0]} is measured and has no training. "
                "Name tables of trainings, or leave the settings out."
            )
        _ = self.wanted  # raises for a row or column that no table has
        _ = self.unreached  # raises where --precision reaches nothing
        for option, purpose in (("operations", "counted"), ("rasters", "watched")):
            if getattr(self, option) and not any(experiment.kind == KIND for experiment in self.experiments()):
                raise UsageError(
                    f"--{option} was given, but nothing of {', '.join(self.names)} is a training whose network could "
                    f"be {purpose}. Leave it out."
                )
        for table in () if ALL in self.asked else self.tables:
            if not table.cells(self.scale):
                scales = " or ".join(scale for scale in SCALES if table.cells(scale))
                raise UsageError(f"{table.name} has nothing at scale {self.scale}. Take --scale {scales}.")

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables that trainings fill."""
        if self.original:
            return tuple(table for table, _ in self._as_original)
        found = (load(name) for name in self.names if name not in TABLES)
        if self.config is not None and not self._own_config:
            found = (_configured(table, self.config) for table in found)
        return tuple(overridden(with_rows(table, self.added), self.changes) for table in found)

    @cached_property
    def names(self) -> list[str]:
        """The tables that are asked for, each once; with `all`, every one that can be used, with `only` of those that
        have rows and columns."""
        every = [*filter(_usable, registry.names()), *(() if self.only else TABLES)] if ALL in self.asked else []
        return list(dict.fromkeys(name for asked in self.asked for name in (every if asked == ALL else [asked])))

    @property
    def _own_config(self) -> bool:
        """Whether the file of settings is one of ours."""
        return self.config is not None and self.config.suffix.casefold() == ".toml"

    @cached_property
    def changes(self) -> dict[str, Any]:
        """The settings that are not the tables', by name; those of the command line come before those of the file."""
        of_file = overrides.read(self.config) if self.config is not None and self._own_config else {}
        found = {**of_file, **overrides.parsed(self.altered)}
        if self.precision is not None:
            if overrides.PRECISION in found:
                raise UsageError(f"--precision and the setting {overrides.PRECISION} were given; give one of the two.")
            found[overrides.PRECISION] = self.precision
        if overrides.PRECISION in found:
            from training.descent import PRECISIONS  # which loads PyTorch

            if found[overrides.PRECISION] not in PRECISIONS:
                raise unknown("precision", str(found[overrides.PRECISION]), PRECISIONS)
        return found

    @cached_property
    def added(self) -> list[Own]:
        """The neurons that get a row. UnknownName for one that there is not."""
        import neurons

        found = [parsed(text) for text in self.own]
        for one in found:
            neurons.registry.module(one.neuron)
        return found

    @property
    def corrected(self) -> tuple[str, ...]:
        """What the arguments of released code mean otherwise here, in sentences."""
        return tuple(sentence for _, sentences in self._as_original for sentence in sentences) if self.original else ()

    @cached_property
    def unreached(self) -> tuple[str, ...]:
        """Which cells --precision does not reach, in sentences. UsageError where it reaches none that are asked for."""
        found = []
        for table in self.tables if self.precision else ():
            trained = [cell.experiment for cell in table.cells(self.scale) if self.wanted(cell)]
            others = [one for one in trained if precision_of(one) != self.precision]
            if others and len(others) == len(trained):
                raise overrides.no_precision(table.name, others)
            if others:
                schemes = " and ".join(sorted({one.scheme for one in others}))
                found.append(
                    f"--precision {self.precision} does not reach {len(others)} of {len(trained)} cells of "
                    f"{table.name}: trainings by {schemes} have no such setting and stay as they are."
                )
        return tuple(found)

    @cached_property
    def _as_original(self) -> tuple[tuple[Table, list[str]], ...]:
        return tuple(ORIGINALS.get(name)(self.original, self.scale) for name in dict.fromkeys(self.asked))

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of the tables that commands of their own fill."""
        return tuple(name for name in self.names if name in TABLES)

    @cached_property
    def wanted(self) -> Callable[[Cell], bool]:
        """Whether a cell of `tables` is asked for."""
        return choose((cell for table in self.tables for cell in table.cells(self.scale)), self.only)

    @cached_property
    def sbatch(self) -> dict[str, str]:
        """The options of sbatch. UsageError for those that are none, or not for the user to choose."""
        from .sbatch import parsed

        return parsed(self.slurm)

    @property
    def seed_range(self) -> range:
        return range(FIRST_SEED, FIRST_SEED + self.seeds)

    def experiments(self) -> list[Experiment]:
        """What fills the wanted cells and counts their networks, each experiment once."""
        found = [e for table in self.tables for e in table.experiments(self.scale, self.seed_range, self.wanted)]
        if self.operations:
            found += [counted(experiment) for experiment in found if experiment.kind == KIND]
        return list({experiment.key: experiment for experiment in found}.values())

    @property
    def root(self) -> str | None:
        """The data root, None for SPIKEBENCH_DATA."""
        return str(self.data) if self.data else None

    @property
    def cache(self) -> Path:
        return self.out / "cache"

    @property
    def url(self) -> str:
        """The store's."""
        from results import default_url

        return self.store or default_url()

    @property
    def seconds(self) -> float | None:
        """That an experiment may take; None for as long as it needs."""
        return self.timeout or TIMEOUTS[self.scale]


def _configured(table: Table, path: Path) -> Table:
    """The table as a configuration file of its work asks for it. UsageError where the work has no such files."""
    if table.configured is None:
        otherwise = (
            " It takes the arguments of its released code as they are, a file among them."
            if table.name in ORIGINALS.names()
            else ""
        )
        raise UsageError(
            f"--config was given {path}, but {table.name} takes no such file. Leave it out; settings of your own are "
            f"TOML, in a file whose name ends in .toml.{otherwise}"
        )
    return table.configured(table, path)


@dataclass(frozen=True)
class Share:
    """How machines are shared out: `jobs` experiments at a time, None for as many as there is room for; for each
    process of one, CPU threads and bytes of host memory, None where nothing limits them here."""

    jobs: int | None
    threads: int
    memory: int | None

    @classmethod
    def on_cluster(cls, settings: Settings) -> Share:
        """For any number of experiments, each of which gets what was asked for and no more."""
        memory = int(settings.memory * 2**30 / settings.processes) if settings.memory else None
        return cls(settings.jobs, settings.threads or 1, memory)

    @classmethod
    def of(cls, settings: Settings, device: str, experiments: int) -> Share:
        """For so many `experiments` on `device`."""
        import psutil

        cores = len(os.sched_getaffinity(0))
        processes = settings.processes
        asked = settings.threads or 1
        jobs = settings.jobs or (1 if device == "cuda" else max(1, cores // (processes * asked)))
        jobs = min(jobs, max(1, experiments))
        # Sums that are divided in another way round differently: unless it is said, a number of threads that depends on
        # how many experiments are left would make runs of one setting differ by more than their seeds.
        one = settings.scale == "quick" or device == "cpu"
        threads = settings.threads or (1 if one else max(1, cores // (jobs * processes)))
        memory = settings.memory * 2**30 if settings.memory else 0.8 * psutil.virtual_memory().total / jobs
        return cls(jobs, threads, int(memory / processes))
