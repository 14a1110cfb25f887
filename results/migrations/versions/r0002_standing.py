"""What of an experiment is current; printed digits and further provenances of published values."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

PROVENANCES = "'reported', 'derived', 'log', 'repo', 'code', 'abstract', 'quoted', 'measured', 'from_memory', 'pilot'"


def upgrade() -> None:
    op.create_table(
        "standing",
        sa.Column("experiment_key", sa.Text, primary_key=True),
        sa.Column("implementation", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    connection = op.get_bind()
    # Made anew, since SQLite cannot change a CHECK; without its digest a paper is loaded again at the next chance.
    tables, values = (
        [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM {name}")).mappings()]
        for name in ("published_table", "published")
    )
    op.drop_table("published")
    op.drop_table("published_table")
    table = op.create_table(
        "published_table",
        sa.Column("paper", sa.Text, primary_key=True),
        sa.Column("table", sa.Text, primary_key=True),
        sa.Column("caption", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("provenance", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.CheckConstraint(f"provenance IN ({PROVENANCES})", name="provenance_known"),
        sa.CheckConstraint("length(source) > 0", name="source_given"),
    )
    value = op.create_table(
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
        sa.Column("decimals", sa.Integer),
        sa.ForeignKeyConstraint(["paper", "table"], ["published_table.paper", "published_table.table"]),
        sa.CheckConstraint("step >= -1", name="step_valid"),
        sa.CheckConstraint("decimals >= 0", name="decimals_positive"),
        sqlite_with_rowid=False,
    )
    if tables:
        op.bulk_insert(table, [row | {"digest": ""} for row in tables])
    if values:
        op.bulk_insert(value, values)
