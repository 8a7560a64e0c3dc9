"""A ledger, copied into another database: every record with its place, every move, every lease with its token.

- The target is empty, or holds the beginning of the same ledger: what an interrupted copy left, or an earlier one. A
  target that holds anything else is refused, before anything is written.
- What is there is not written again, so a copy can be killed at any moment and taken up again.
- A token is never lowered. It may be raised, where the source went on after an earlier copy.
- Whether the copy is whole is found out by reading both: for each table the number of rows, and a digest of all of them
  that does not depend on their order, since databases sort texts differently.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Table, func, insert, select, tuple_, update

from lockgate.kernel.errors import Conflict, Corrupt
from lockgate.ledger.database import Database
from lockgate.ledger.schema import leases, moves, records

__all__ = ["Fingerprint", "copy_ledger", "count_rows", "refuse_unless_beginning", "refuse_unless_same"]

_BATCH = 500
_MODULUS = 1 << 256

# What names a row in each table. Records come first: moves and steps name them.
_KEYS: dict[str, tuple[Column[Any], ...]] = {
    "records": (records.c.sequence,),
    "moves": (moves.c.name, moves.c.version),
    "leases": (leases.c.name,),
}
_TABLES: tuple[Table, ...] = (records, moves, leases)

Row = dict[str, Any]
Told = Callable[[int], None]
"""Told how many rows more are there."""


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a table holds."""

    # How many rows.
    rows: int
    # The sum of their digests.
    digest: str


def _fingerprint(connection: Connection) -> dict[str, Fingerprint]:
    """Give what each table of a ledger holds."""
    return {table.name: _of_table(connection, table) for table in _TABLES}


def refuse_unless_beginning(source: Database, target: Database) -> None:
    """Refuse a target that holds what the source does not.

    Raises:
        Conflict: with the first row that differs.
    """
    with source.reading() as here, target.reading() as there:
        for table in _TABLES:
            for batch in _batches(there, table):
                known = _rows(here, table, batch)
                for row in batch:
                    if not _may_stand(table, row, known.get(_key(table, row))):
                        raise _other(target, table, row)


def copy_ledger(source: Connection, target: Database, told: Told = lambda _rows: None) -> None:
    """Copy what is not there yet.

    Args:
        source: a transaction on the ledger to copy.
        target: where to; `refuse_unless_beginning` was asked before.
        told: told of progress.
    """
    for table in _TABLES:
        for batch in _batches(source, table):
            with target.writing() as connection:
                _write(connection, table, batch)
                if table is records:
                    target.count_on(connection)
            told(len(batch))


def refuse_unless_same(source: Connection, target: Database) -> dict[str, Fingerprint]:
    """Compare both ledgers, row by row; give what they hold.

    Raises:
        Corrupt: the copy is not the original.
    """
    wanted = _fingerprint(source)
    with target.reading() as connection:
        found = _fingerprint(connection)
    for name, mark in wanted.items():
        if found[name] != mark:
            raise Corrupt(
                f"The copy of the ledger in {target.name} is not the original",
                expected=f"{mark.rows} {name} with digest {mark.digest[:12]}",
                found=f"{found[name].rows} with digest {found[name].digest[:12]}",
                way_out="Somebody else wrote to it, or it is damaged. Empty it, and move again.",
            )
    return wanted


def count_rows(connection: Connection) -> int:
    """Give how many rows a ledger has."""
    return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in _TABLES)


def _write(connection: Connection, table: Table, batch: Sequence[Row]) -> None:
    known = _rows(connection, table, batch)
    missing = [row for row in batch if _key(table, row) not in known]
    if missing:
        connection.execute(insert(table), missing)
    for row in batch:
        if table is leases and known.get(_key(table, row), row) != row:
            connection.execute(update(leases).where(leases.c.name == row["name"]).values(row))


def _batches(connection: Connection, table: Table) -> Iterator[list[Row]]:
    """Give all rows in the order of their keys, some at a time: a ledger may be larger than memory."""
    key = tuple_(*_KEYS[table.name])
    query = select(table).order_by(*_KEYS[table.name]).limit(_BATCH)
    page = [dict(row) for row in connection.execute(query).mappings()]
    while page:
        yield page
        after = query.where(key > tuple_(*_key(table, page[-1])))
        page = [dict(row) for row in connection.execute(after).mappings()]


def _rows(connection: Connection, table: Table, batch: Sequence[Row]) -> dict[tuple[Any, ...], Row]:
    """Give the rows that have the keys of these."""
    query = select(table).where(tuple_(*_KEYS[table.name]).in_([_key(table, row) for row in batch]))
    found = [dict(row) for row in connection.execute(query).mappings()]
    return {_key(table, row): row for row in found}


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in _KEYS[table.name])


def _may_stand(table: Table, row: Row, original: Row | None) -> bool:
    if original is None:
        return False
    # An earlier copy has leases as they were then.
    return bool(row["token"] <= original["token"]) if table is leases else row == original


def _other(target: Database, table: Table, row: Row) -> Conflict:
    named = f"{row['kind']} {row['id']}" if table is records else row["name"]
    return Conflict(
        f"Cannot copy into {target.name}: it holds something else",
        expected="an empty database, or an earlier copy of this ledger",
        found=f"{table.name.removesuffix('s')} {named}",
        way_out="Name an empty database. This one was left as it is.",
    )


def _of_table(connection: Connection, table: Table) -> Fingerprint:
    rows, total = 0, 0
    for batch in _batches(connection, table):
        for row in batch:
            total += int.from_bytes(hashlib.sha256(msgspec.msgpack.encode(list(row.values()))).digest())
        rows += len(batch)
    return Fingerprint(rows=rows, digest=f"{total % _MODULUS:064x}")
