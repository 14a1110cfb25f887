"""The tables of a store, as a new one gets them; migrations/ brings older ones there, and a test keeps both equal.

Documents (machine, environment, experiment, counts) are canonical JSON in text columns, so that a store of any
database gives the same bytes back.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from results.outcomes import OK, OUTCOMES
from results.run import PROVENANCES

REVISION = "r0005"  # the migration that leads to this schema
WHOLE_RUN = -1  # step of a value that belongs to no epoch: a primary key cannot hold NULL

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def one_of(column: str, names: object) -> str:
    """The SQL condition that a column holds one of these names."""
    return f"{column} IN ({', '.join(repr(name) for name in names)})"  # type: ignore[attr-defined]


unit = Table(
    "unit",
    METADATA,
    Column("name", Text, primary_key=True),  # a table and no CHECK, so that units.py can grow without a migration
)

machine = Table(
    "machine",
    METADATA,
    Column("id", Text, primary_key=True),  # content key of the document
    Column("document", Text, nullable=False),
)

environment = Table(
    "environment",
    METADATA,
    Column("id", Text, primary_key=True),  # content key of the document
    Column("document", Text, nullable=False),
)

experiment = Table(
    "experiment",
    METADATA,
    Column("key", Text, primary_key=True),  # one key has one document, for ever
    Column("document", Text, nullable=False),
    CheckConstraint("length(key) > 0", name="key_filled"),
)

dataset = Table(
    "dataset",
    METADATA,
    Column("id", Text, primary_key=True),  # content key of the whole row
    Column("digest", Text, nullable=False),  # of the source files
    Column("name", Text, nullable=False),
    Column("complete", Boolean, nullable=False),  # false: a subset, never compared as if complete
    Column("counts", Text, nullable=False),  # samples per split
    Column("note", Text, nullable=False),
)

run = Table(
    "run",
    METADATA,
    Column("id", Text, primary_key=True),  # UUID; a run is written once and never changed
    Column("experiment_key", Text, ForeignKey("experiment.key"), nullable=False),
    Column("implementation", Text, nullable=False),  # fingerprint of the code; another one makes the run stale
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),  # a sentence; empty only for ok
    Column("started", Text, nullable=False),  # ISO-8601, UTC, microseconds, Z: sorts as time does
    Column("seconds", Double),  # null: never started; of this run alone, not of those it went on from
    Column("seed", BigInteger, nullable=False),
    Column("device", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("command", Text, nullable=False),  # repeats the run
    Column("peak_memory", BigInteger),  # bytes; null: not measured
    Column("machine_id", Text, ForeignKey("machine.id"), nullable=False),
    Column("environment_id", Text, ForeignKey("environment.id"), nullable=False),
    Column("kernels", Text, nullable=False, server_default="{}"),  # Kernel by backend; empty: not known
    CheckConstraint(one_of("outcome", OUTCOMES), name="outcome_known"),
    CheckConstraint(f"outcome = '{OK}' OR length(reason) > 0", name="reason_given"),
    CheckConstraint("seconds >= 0", name="seconds_positive"),
    CheckConstraint("peak_memory >= 0", name="peak_memory_positive"),
    Index(None, "experiment_key"),
)

standing = Table(  # what a command found that knows the sources: results that rest on anything else are stale
    "standing",
    METADATA,
    Column("experiment_key", Text, primary_key=True),  # of the experiment with seed 0: one for all its seeds
    Column("implementation", Text, nullable=False),
    Column("data", Text, nullable=False),  # digest of the data set at hand; empty: not known here
    Column("kernels", Text, nullable=False, server_default="{}"),  # Kernel by backend
)

planned = Table(  # written before the first training, so that nobody adds seeds until a test says what was hoped for
    "planned",
    METADATA,
    Column("id", Text, primary_key=True),  # content key of the whole row
    Column("experiment_key", Text, nullable=False),  # of the experiment with seed 0
    Column("implementation", Text, nullable=False),
    Column("seeds", Text, nullable=False),
    Column("created", Text, nullable=False),
)

lease = Table(  # who is at work at what now: a row lasts as long as its holder
    "lease",
    METADATA,
    Column("name", Text, primary_key=True),  # of the work: an experiment with the code behind it
    Column("holder", Text, nullable=False),  # UUID of a command
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process", Text, nullable=False),  # the same for the same process alone, as results/leases.py says
    Column("begun", Text, nullable=False),  # as run.started
    Column("renewed", Double, nullable=False),  # seconds since 1970 by the clock of the database
)

run_dataset = Table(
    "run_dataset",
    METADATA,
    Column("run_id", Text, ForeignKey("run.id"), primary_key=True),
    Column("dataset_id", Text, ForeignKey("dataset.id"), primary_key=True),
    sqlite_with_rowid=False,
)

metric = Table(
    "metric",
    METADATA,
    Column("run_id", Text, ForeignKey("run.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),  # epoch from 0, or WHOLE_RUN
    Column("value", Double),  # null: could not be computed
    Column("unit", Text, ForeignKey("unit.name"), nullable=False),
    CheckConstraint(f"step >= {WHOLE_RUN}", name="step_valid"),
    sqlite_with_rowid=False,
)

sample = Table(
    "sample",
    METADATA,
    Column("run_id", Text, ForeignKey("run.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),  # repetition, from 0, in the order of measuring
    Column("value", Double),  # null: this repetition failed
    Column("unit", Text, ForeignKey("unit.name"), nullable=False),
    CheckConstraint('"index" >= 0', name="index_valid"),
    sqlite_with_rowid=False,
)

parity = Table(
    "parity",
    METADATA,
    Column("id", Text, primary_key=True),  # UUID; written once
    Column("started", Text, nullable=False),
    Column("neuron", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("step_mode", Text, nullable=False),
    Column("dtype", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("detach_reset", Boolean, nullable=False),
    Column("case", Text, nullable=False),
    Column("flips", BigInteger),  # null: could not be compared
    Column("first_step", Integer),  # null: no spike differs
    Column("threshold_distance", Double),
    Column("state_error", Double),
    Column("grad_error", Double),
    Column("kernel", Text, nullable=False),  # what really ran
    Column("green", Boolean, nullable=False),
    Column("reason", Text, nullable=False),  # a sentence; empty only when green
    Column("implementation", Text, nullable=False),
    Column("machine_id", Text, ForeignKey("machine.id"), nullable=False),
    Column("environment_id", Text, ForeignKey("environment.id"), nullable=False),
    CheckConstraint("green OR length(reason) > 0", name="reason_given"),
    CheckConstraint("flips >= 0", name="flips_positive"),
)

picture = Table(  # a few of a test set, with what a detector found in them or which neurons fired
    "picture",
    METADATA,
    Column("run_id", Text, ForeignKey("run.id"), primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),  # in the test set, from 0
    Column("document", Text, nullable=False),  # the picture and its boxes, or the spikes
    CheckConstraint('"index" >= 0', name="index_valid"),
    sqlite_with_rowid=False,
)

published_table = Table(
    "published_table",
    METADATA,
    Column("paper", Text, primary_key=True),
    Column("table", Text, primary_key=True),
    Column("caption", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("digest", Text, nullable=False),  # of the paper's data files; another one means: load them again
    CheckConstraint(one_of("provenance", PROVENANCES), name="provenance_known"),
    CheckConstraint("length(source) > 0", name="source_given"),
)

published = Table(
    "published",
    METADATA,
    Column("paper", Text, primary_key=True),
    Column("table", Text, primary_key=True),
    Column("row", Text, primary_key=True),
    Column("column", Text, primary_key=True),
    Column("protocol", Text, primary_key=True),  # empty where none applies
    Column("step", Integer, primary_key=True, autoincrement=False),  # epoch from 0, or WHOLE_RUN
    Column("position", Integer, nullable=False),  # reading order within the table
    Column("value", Double, nullable=False),  # a cell without a number has no row
    Column("unit", Text, ForeignKey("unit.name"), nullable=False),
    Column("decimals", Integer),  # digits printed behind the point; null: computed, not printed
    ForeignKeyConstraint(["paper", "table"], ["published_table.paper", "published_table.table"]),
    CheckConstraint(f"step >= {WHOLE_RUN}", name="step_valid"),
    CheckConstraint("decimals >= 0", name="decimals_positive"),
    sqlite_with_rowid=False,
)
