"""Pictures of a test set with the boxes that a run found in them."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"


def upgrade() -> None:
    op.create_table(
        "picture",
        sa.Column("run_id", sa.Text, sa.ForeignKey("run.id"), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.CheckConstraint('"index" >= 0', name="index_valid"),
        sqlite_with_rowid=False,
    )
