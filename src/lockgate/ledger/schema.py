"""The ledger's tables. What can't be is refused by the tables themselves, whoever writes to them.

- Nothing is ever changed or deleted in `records` and `moves`: triggers refuse it.
- A move follows the one before it: its foreign key and its check leave neither gaps nor forks.
- A lease has an owner and an end, or neither. Its token never falls and its row is never deleted: triggers again.

Times are whole microseconds since 1970, UTC, in every database: they compare and come back exactly.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from lockgate.kernel.canonical import utc

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = ["HEAD", "REVISIONS", "Moment", "leases", "metadata", "moves", "records"]

REVISIONS = ("0001",)
"""Every schema that a release ever had, oldest first; `migrations/versions` holds the way from each to the next."""

HEAD = REVISIONS[-1]
"""The schema that this release reads and writes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A time, kept as whole microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: "Dialect") -> int | None:
        """Turn a time into a number."""
        del dialect  # the same number in every database
        return None if value is None else (utc(value) - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: "Dialect") -> datetime | None:
        """Turn a number into a time."""
        del dialect
        return None if value is None else _EPOCH + value * _MICROSECOND


metadata = MetaData()

records = Table(
    "records",
    metadata,
    # Its place, given by the database; ascends. SQLite counts by itself only in a column of type INTEGER.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), autoincrement=True),
    # What it is: `snapshot`, `release`.
    Column("kind", Text, nullable=False),
    # Unique within its kind.
    Column("id", Text, nullable=False),
    # What it belongs to.
    Column("subject", Text, nullable=False),
    # Canonical JSON.
    Column("body", LargeBinary, nullable=False),
    # Who caused it.
    Column("caused_by", Text, nullable=False),
    # When.
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("sequence", name="records_have_a_place"),
    UniqueConstraint("kind", "id", name="records_are_appended_once"),
    CheckConstraint("kind <> '' AND id <> '' AND subject <> '' AND caused_by <> ''", name="records_are_named"),
    # Lists are read by kind, or by kind and subject, in order.
    Index("records_by_kind", "kind", "sequence"),
    Index("records_by_subject", "kind", "subject", "sequence"),
    # A place is never given twice.
    sqlite_autoincrement=True,
)

moves = Table(
    "moves",
    metadata,
    # The pointer's name.
    Column("name", Text, nullable=False),
    # Counts its moves from 1; the highest is where it stands.
    Column("version", BigInteger, nullable=False),
    # The version it was moved from; null for the first move only.
    Column("follows", BigInteger),
    # What it points to.
    Column("value", Text, nullable=False),
    # Why.
    Column("reason", Text, nullable=False),
    # Who moved it.
    Column("caused_by", Text, nullable=False),
    # When.
    Column("at", Moment, nullable=False),
    PrimaryKeyConstraint("name", "version", name="moves_are_made_once"),
    ForeignKeyConstraint(["name", "follows"], ["moves.name", "moves.version"], name="moves_follow_one_that_stands"),
    CheckConstraint("version >= 1 AND coalesce(follows, 0) = version - 1", name="moves_leave_no_gap"),
    CheckConstraint("name <> '' AND value <> '' AND reason <> '' AND caused_by <> ''", name="moves_are_named"),
)

leases = Table(
    "leases",
    metadata,
    # What it is on.
    Column("name", Text, nullable=False),
    # The fencing token of its newest holder.
    Column("token", BigInteger, nullable=False),
    # Who holds it; null once it was given up.
    Column("owner", Text),
    # Until when; null once it was given up.
    Column("expires_at", Moment),
    PrimaryKeyConstraint("name", name="leases_have_a_name"),
    CheckConstraint("token >= 1", name="leases_count_from_one"),
    CheckConstraint("(owner IS NULL) = (expires_at IS NULL)", name="leases_are_held_or_free"),
    CheckConstraint("name <> '' AND coalesce(owner, '-') <> ''", name="leases_are_named"),
)
