"""The first schema; what each column means is told in results/schema.py."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

OUTCOMES = (
    "'ok', 'skipped', 'unsupported', 'unavailable', 'oom', 'timeout', 'crashed', 'diverged', 'parity_failed', "
    "'interrupted'"
)


def upgrade() -> None:
    op.create_table("unit", sa.Column("name", sa.Text, primary_key=True))
    for name in ("machine", "environment"):
        op.create_table(
            name,
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("document", sa.Text, nullable=False),
        )
    op.create_table(
        "experiment",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.CheckConstraint("length(key) > 0", name="key_filled"),
    )
    op.create_table(
        "dataset",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("experiment_key", sa.Text, sa.ForeignKey("experiment.key"), nullable=False),
        sa.Column("implementation", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("peak_memory", sa.BigInteger),
        sa.Column("machine_id", sa.Text, sa.ForeignKey("machine.id"), nullable=False),
        sa.Column("environment_id", sa.Text, sa.ForeignKey("environment.id"), nullable=False),
        sa.CheckConstraint(f"outcome IN ({OUTCOMES})", name="outcome_known"),
        sa.CheckConstraint("outcome = 'ok' OR length(reason) > 0", name="reason_given"),
        sa.CheckConstraint("seconds >= 0", name="seconds_positive"),
        sa.CheckConstraint("peak_memory >= 0", name="peak_memory_positive"),
    )
    op.create_index("ix_run_experiment_key", "run", ["experiment_key"])
    op.create_table(
        "run_dataset",
        sa.Column("run_id", sa.Text, sa.ForeignKey("run.id"), primary_key=True),
        sa.Column("dataset_id", sa.Text, sa.ForeignKey("dataset.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metric",
        sa.Column("run_id", sa.Text, sa.ForeignKey("run.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double),
        sa.Column("unit", sa.Text, sa.ForeignKey("unit.name"), nullable=False),
        sa.CheckConstraint("step >= -1", name="step_valid"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sample",
        sa.Column("run_id", sa.Text, sa.ForeignKey("run.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double),
        sa.Column("unit", sa.Text, sa.ForeignKey("unit.name"), nullable=False),
        sa.CheckConstraint('"index" >= 0', name="index_valid"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parity",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("neuron", sa.Text, nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("step_mode", sa.Text, nullable=False),
        sa.Column("dtype", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("detach_reset", sa.Boolean, nullable=False),
        sa.Column("case", sa.Text, nullable=False),
        sa.Column("flips", sa.BigInteger),
        sa.Column("first_step", sa.Integer),
        sa.Column("threshold_distance", sa.Double),
        sa.Column("state_error", sa.Double),
        sa.Column("grad_error", sa.Double),
        sa.Column("kernel", sa.Text, nullable=False),
        sa.Column("green", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("implementation", sa.Text, nullable=False),
        sa.Column("machine_id", sa.Text, sa.ForeignKey("machine.id"), nullable=False),
        sa.Column("environment_id", sa.Text, sa.ForeignKey("environment.id"), nullable=False),
        sa.CheckConstraint("green OR length(reason) > 0", name="reason_given"),
        sa.CheckConstraint("flips >= 0", name="flips_positive"),
    )
    op.create_table(
        "published_table",
        sa.Column("paper", sa.Text, primary_key=True),
        sa.Column("table", sa.Text, primary_key=True),
        sa.Column("caption", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("provenance", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.CheckConstraint("provenance IN ('reported', 'derived', 'from_memory', 'pilot')", name="provenance_known"),
        sa.CheckConstraint("length(source) > 0", name="source_given"),
    )
    op.create_table(
        "published",
        sa.Column("paper", sa.Text, primary_key=True),
        sa.Column("table", sa.Text, primary_key=True),
        sa.Column("row", sa.Text, primary_key=True),
        sa.Column("column", sa.Text, primary_key=True),
        sa.Column("protocol", sa.Text, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("unit", sa.Text, sa.ForeignKey("unit.name"), nullable=False),
        sa.ForeignKeyConstraint(["paper", "table"], ["published_table.paper", "published_table.table"]),
        sa.CheckConstraint("step >= -1", name="step_valid"),
        sqlite_with_rowid=False,
    )
