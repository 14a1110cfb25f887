"""Which kernels computed a run, which are current; how many seeds were planned before anything was measured."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    for table in ("run", "standing"):
        op.add_column(table, sa.Column("kernels", sa.Text, nullable=False, server_default="{}"))
    op.create_table(
        "planned",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("experiment_key", sa.Text, nullable=False),
        sa.Column("implementation", sa.Text, nullable=False),
        sa.Column("seeds", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
    )
