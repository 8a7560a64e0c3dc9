"""The first schema: records, moves of pointers, leases. What is on record there stays: triggers refuse the rest."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None

# A trigger's name: what it strikes at, on condition of what, and what it says.
_TRIGGERS = {
    "records_stay": ("UPDATE ON records", "", "records are appended, never changed"),
    "records_are_kept": ("DELETE ON records", "", "records are appended, never deleted"),
    "moves_stay": ("UPDATE ON moves", "", "moves are appended, never changed"),
    "moves_are_kept": ("DELETE ON moves", "", "moves are appended, never deleted"),
    "tokens_never_fall": ("UPDATE OF token ON leases", "WHEN (NEW.token < OLD.token)", "a fencing token never falls"),
    "tokens_are_kept": ("DELETE ON leases", "", "a fencing token is never forgotten"),
}


def upgrade() -> None:
    """Make the tables, and what guards them."""
    _make_records()
    _make_moves()
    _make_leases()
    _make_triggers()


def _make_records() -> None:
    op.create_table(
        "records",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("caused_by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="records_have_a_place"),
        sa.UniqueConstraint("kind", "id", name="records_are_appended_once"),
        sa.CheckConstraint("kind <> '' AND id <> '' AND subject <> '' AND caused_by <> ''", name="records_are_named"),
        sqlite_autoincrement=True,
    )
    op.create_index("records_by_kind", "records", ["kind", "sequence"])
    op.create_index("records_by_subject", "records", ["kind", "subject", "sequence"])


def _make_moves() -> None:
    op.create_table(
        "moves",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("follows", sa.BigInteger),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("caused_by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="moves_are_made_once"),
        sa.ForeignKeyConstraint(
            ["name", "follows"], ["moves.name", "moves.version"], name="moves_follow_one_that_stands"
        ),
        sa.CheckConstraint("version >= 1 AND coalesce(follows, 0) = version - 1", name="moves_leave_no_gap"),
        sa.CheckConstraint("name <> '' AND value <> '' AND reason <> '' AND caused_by <> ''", name="moves_are_named"),
    )


def _make_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("expires_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("name", name="leases_have_a_name"),
        sa.CheckConstraint("token >= 1", name="leases_count_from_one"),
        sa.CheckConstraint("(owner IS NULL) = (expires_at IS NULL)", name="leases_are_held_or_free"),
        sa.CheckConstraint("name <> '' AND coalesce(owner, '-') <> ''", name="leases_are_named"),
    )


def _make_triggers() -> None:
    # Triggers are each database's own; one that has none here is refused, not left open.
    dialect = op.get_context().dialect.name
    if dialect == "sqlite":
        _make_sqlite_triggers()
    elif dialect == "postgresql":
        _make_postgresql_triggers()
    else:
        message = f"schema {revision} has no triggers for {dialect}"
        raise NotImplementedError(message)


def _make_sqlite_triggers() -> None:
    for name, (strikes, condition, says) in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} BEFORE {strikes} {condition} BEGIN SELECT RAISE(ABORT, '{says}'); END")


def _make_postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION lockgate_refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for name, (strikes, condition, says) in _TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {strikes} FOR EACH ROW {condition}"
            f" EXECUTE FUNCTION lockgate_refuse('{says}')"
        )
    # It can also forget a whole table at once, past the triggers of its rows.
    for table in ("records", "moves", "leases"):
        op.execute(
            f"CREATE TRIGGER {table}_are_not_emptied BEFORE TRUNCATE ON {table}"
            f" EXECUTE FUNCTION lockgate_refuse('{table} are never emptied')"
        )
