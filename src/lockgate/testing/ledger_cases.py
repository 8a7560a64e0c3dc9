"""What the questions about ledgers are asked with: one record, one moment, and short ways to say them."""
# ruff: noqa: S101 - an exam asserts

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TypeVar

import msgspec

from lockgate.ledger.protocols import Entry, Lease, Ledger, Move, Stored

__all__ = ["ENTRY", "MINUTE", "NOON", "THREADS", "append", "lease_on_line", "move", "together"]

T = TypeVar("T")

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
"""The moment at which things happen, unless they say otherwise."""

MINUTE = timedelta(minutes=1)
"""How long a lease lasts."""

ENTRY = Entry(kind="snapshot", id="one", subject="flights", body=b'{"rows":1}', by="ada", at=NOON)
"""A record to append."""

THREADS = 4
"""How many act together."""


def append(ledger: Ledger, *ids: str) -> list[Stored]:
    """Append records that differ in their id."""
    return [ledger.records.append(msgspec.structs.replace(ENTRY, id=record_id)) for record_id in ids]


def move(ledger: Ledger, expected: str | None, value: str, *, at: datetime = NOON, fence: Lease | None = None) -> Move:
    """Move the pointer `live`."""
    return ledger.pointers.move("live", expected=expected, value=value, reason="because", by="ada", at=at, fence=fence)


def lease_on_line(ledger: Ledger, owner: str, now: datetime) -> Lease:
    """Take the lease on `line`, which must be free."""
    lease = ledger.leases.acquire("line", owner=owner, now=now, span=MINUTE)
    assert lease is not None, "a free lease was not given"
    return lease


def together(act: Callable[[int], T]) -> list[T]:
    """Do something in several threads that begin together; each is told its number."""
    ready = Barrier(THREADS)

    def begin(number: int) -> T:
        ready.wait()
        return act(number)

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(begin, range(THREADS)))
