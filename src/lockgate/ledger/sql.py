"""The ledger in an SQL database.

- What is decided is decided by `rulings`, inside the transaction that writes it, on rows read in that transaction; a
  fence too.
- A pointer is its newest move: there is no second place that could disagree.
- Everything here is portable SQL; what is particular to a database stands in its backend (`sqlite`, `postgres`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import msgspec
from sqlalchemy import Connection, RowMapping, Select, insert, select, update

from lockgate.ledger import rulings
from lockgate.ledger.database import Database
from lockgate.ledger.protocols import Entry, Lease, Move, Stored
from lockgate.ledger.schema import leases, moves, records

__all__ = ["SqlLedger"]


class SqlLedger:
    """A ledger in an SQL database, made or brought up to date when it is opened.

    It serves as many threads as like. Each process opens its own: a ledger carried over a fork refuses to work.

    Args:
        url: where, as SQLAlchemy writes it: `sqlite:///relative/path`, `sqlite:////absolute/path`,
            `postgresql://user@host/database`.
        patience: how long a write waits for other processes' writes.

    Raises:
        Invalid: no ledger can be kept there.
        Conflict: it was written by a newer release, or is no ledger.
        Unavailable, Corrupt: it can't be opened.
    """

    def __init__(self, url: str, *, patience: timedelta = timedelta(seconds=10)) -> None:
        self._database = Database(url, patience)
        self._records = _SqlRecords(self._database)
        self._pointers = _SqlPointers(self._database)
        self._leases = _SqlLeases(self._database)

    @property
    def records(self) -> "_SqlRecords":
        """The records."""
        return self._records

    @property
    def pointers(self) -> "_SqlPointers":
        """The pointers."""
        return self._pointers

    @property
    def leases(self) -> "_SqlLeases":
        """The leases."""
        return self._leases

    def __enter__(self) -> Self:
        """Begin; the database is open since the ledger was made."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database."""
        self._database.close()


class _SqlRecords:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, entry: Entry, *, fence: Lease | None = None, now: datetime | None = None) -> Stored:
        entry = rulings.sound_entry(entry, fence, now)
        with self._database.writing() as connection:
            _check(connection, fence, now)
            there = _record(connection, entry.kind, entry.id)
            if there is not None:
                rulings.refuse_other_body(entry, there)
                return there
            return _append(connection, entry)

    def get(self, kind: str, record_id: str) -> Stored | None:
        with self._database.reading() as connection:
            return _record(connection, kind, record_id)

    def list(self, kind: str, *, subject: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Stored]:
        query = _of(kind, subject).where(records.c.sequence > after).order_by(records.c.sequence)
        return self._read(query, limit)

    def latest(
        self, kind: str, *, subject: str | None = None, before: int | None = None, limit: int = 1
    ) -> Sequence[Stored]:
        query = _of(kind, subject)
        earlier = query if before is None else query.where(records.c.sequence < before)
        return self._read(earlier.order_by(records.c.sequence.desc()), limit)

    def kinds(self) -> Sequence[str]:
        with self._database.reading() as connection:
            return sorted(connection.scalars(select(records.c.kind).distinct()))

    def _read(self, query: Select[Any], limit: int) -> Sequence[Stored]:
        with self._database.reading() as connection:
            # Databases disagree on what a limit below zero means.
            return [_as_stored(row) for row in connection.execute(query.limit(max(limit, 0))).mappings()]


class _SqlPointers:
    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, name: str) -> Move | None:
        with self._database.reading() as connection:
            return _newest_move(connection, name)

    def move(
        self,
        name: str,
        *,
        expected: str | None,
        value: str,
        reason: str,
        by: str,
        at: datetime,
        fence: Lease | None = None,
    ) -> Move:
        with self._database.writing() as connection:
            _check(connection, fence, at)
            there = _newest_move(connection, name)
            move = rulings.next_move(there, name, expected=expected, value=value, reason=reason, by=by, at=at)
            row = _columns(move) | {"follows": there.version if there else None}
            connection.execute(insert(moves).values(row))
            return move

    def history(self, name: str) -> Sequence[Move]:
        query = select(moves).where(moves.c.name == name).order_by(moves.c.version)
        with self._database.reading() as connection:
            return [_as_move(row) for row in connection.execute(query).mappings()]


class _SqlLeases:
    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, *, owner: str, now: datetime, span: timedelta) -> Lease | None:
        with self._database.writing() as connection:
            there = _holding(connection, name)
            holding = rulings.taken(there, name, owner=owner, now=now, span=span)
            if holding is not None:
                _keep(connection, holding, there)
            return rulings.as_lease(holding)

    def renew(self, lease: Lease, *, now: datetime, span: timedelta) -> Lease:
        with self._database.writing() as connection:
            there = _holding(connection, lease.name)
            renewed = rulings.renewed(there, lease, now=now, span=span)
            _keep(connection, renewed, there)
        return msgspec.structs.replace(lease, expires_at=renewed.expires_at)

    def release(self, lease: Lease) -> None:
        with self._database.writing() as connection:
            there = _holding(connection, lease.name)
            freed = rulings.given_up(there, lease)
            if freed is not None:
                _keep(connection, freed, there)

    def holder(self, name: str) -> Lease | None:
        with self._database.reading() as connection:
            return rulings.as_lease(_holding(connection, name))


def _record(connection: Connection, kind: str, record_id: str) -> Stored | None:
    query = select(records).where(records.c.kind == kind, records.c.id == record_id)
    row = connection.execute(query).mappings().one_or_none()
    return _as_stored(row) if row else None


def _append(connection: Connection, entry: Entry) -> Stored:
    result = connection.execute(insert(records).values(_columns(entry)))
    assert result.inserted_primary_key is not None  # noqa: S101 - for the type checker; one row has a key
    return Stored(**msgspec.structs.asdict(entry), sequence=result.inserted_primary_key.sequence)


def _of(kind: str, subject: str | None) -> Select[Any]:
    query = select(records).where(records.c.kind == kind)
    return query if subject is None else query.where(records.c.subject == subject)


def _newest_move(connection: Connection, name: str) -> Move | None:
    query = select(moves).where(moves.c.name == name).order_by(moves.c.version.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return _as_move(row) if row else None


def _holding(connection: Connection, name: str) -> rulings.Holding | None:
    row = connection.execute(select(leases).where(leases.c.name == name)).mappings().one_or_none()
    return rulings.Holding(**dict(row)) if row else None


def _keep(connection: Connection, holding: rulings.Holding, there: rulings.Holding | None) -> None:
    # Not an upsert: each database spells that its own way, and the write lock makes it needless.
    change = insert(leases) if there is None else update(leases).where(leases.c.name == holding.name)
    connection.execute(change.values(msgspec.structs.asdict(holding)))


def _check(connection: Connection, fence: Lease | None, now: datetime | None) -> None:
    if fence is not None and now is not None:
        rulings.refuse_unless_held(_holding(connection, fence.name), fence, now)


def _columns(value: Entry | Move) -> dict[str, Any]:
    # `by` is a word of SQL's.
    row = msgspec.structs.asdict(value)
    return row | {"caused_by": row.pop("by")}


def _as_stored(row: RowMapping) -> Stored:
    fields = dict(row)
    fields["by"] = fields.pop("caused_by")
    return Stored(**fields)


def _as_move(row: RowMapping) -> Move:
    fields = dict(row)
    fields["by"] = fields.pop("caused_by")
    del fields["follows"]
    return Move(**fields)
