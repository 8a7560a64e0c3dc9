"""The ledger in memory: the twin that tests, simulations and trials run on. It is gone when the process ends.

One lock stands where a database has its transactions: what is decided and what is kept under it are one step, for as
many threads as like. It asks the same rulings as every other ledger and sits the same exam.
"""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import msgspec

from lockgate.ledger import rulings
from lockgate.ledger.protocols import Entry, Lease, Move, Stored

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """A ledger in memory."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._leases = _MemoryLeases(lock)
        self._records = _MemoryRecords(lock, self._leases)
        self._pointers = _MemoryPointers(lock, self._leases)

    @property
    def records(self) -> "_MemoryRecords":
        """The records."""
        return self._records

    @property
    def pointers(self) -> "_MemoryPointers":
        """The pointers."""
        return self._pointers

    @property
    def leases(self) -> "_MemoryLeases":
        """The leases."""
        return self._leases

    def __enter__(self) -> Self:
        """Begin; there is nothing to open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; there is nothing to close."""


class _MemoryLeases:
    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._holdings: dict[str, rulings.Holding] = {}

    def acquire(self, name: str, *, owner: str, now: datetime, span: timedelta) -> Lease | None:
        with self._lock:
            return self._keep(rulings.taken(self._holdings.get(name), name, owner=owner, now=now, span=span))

    def renew(self, lease: Lease, *, now: datetime, span: timedelta) -> Lease:
        with self._lock:
            renewed = rulings.renewed(self._holdings.get(lease.name), lease, now=now, span=span)
            self._holdings[lease.name] = renewed
        return msgspec.structs.replace(lease, expires_at=renewed.expires_at)

    def release(self, lease: Lease) -> None:
        with self._lock:
            self._keep(rulings.given_up(self._holdings.get(lease.name), lease))

    def holder(self, name: str) -> Lease | None:
        with self._lock:
            return rulings.as_lease(self._holdings.get(name))

    def check(self, fence: Lease | None, now: datetime | None) -> None:
        """Refuse a lost fence; the caller holds the lock."""
        if fence is not None and now is not None:
            rulings.refuse_unless_held(self._holdings.get(fence.name), fence, now)

    def _keep(self, holding: rulings.Holding | None) -> Lease | None:
        if holding is not None:
            self._holdings[holding.name] = holding
        return rulings.as_lease(holding)


class _MemoryRecords:
    def __init__(self, lock: threading.Lock, leases: _MemoryLeases) -> None:
        self._lock, self._leases = lock, leases
        self._in_order: list[Stored] = []
        self._by_id: dict[tuple[str, str], Stored] = {}

    def append(self, entry: Entry, *, fence: Lease | None = None, now: datetime | None = None) -> Stored:
        entry = rulings.sound_entry(entry, fence, now)
        with self._lock:
            self._leases.check(fence, now)
            there = self._by_id.get((entry.kind, entry.id))
            if there is not None:
                rulings.refuse_other_body(entry, there)
                return there
            return self._keep(entry)

    def get(self, kind: str, record_id: str) -> Stored | None:
        with self._lock:
            return self._by_id.get((kind, record_id))

    def kinds(self) -> Sequence[str]:
        with self._lock:
            return sorted({one.kind for one in self._in_order})

    def list(self, kind: str, *, subject: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Stored]:
        with self._lock:
            # A sequence is a place counted from 1, so what lies above `after` starts at that index.
            later = self._in_order[max(after, 0) :]
        return _of(later, kind, subject)[: max(limit, 0)]

    def latest(
        self, kind: str, *, subject: str | None = None, before: int | None = None, limit: int = 1
    ) -> Sequence[Stored]:
        with self._lock:
            earlier = self._in_order if before is None else self._in_order[: max(before - 1, 0)]
            newest_first = earlier[::-1]
        return _of(newest_first, kind, subject)[: max(limit, 0)]

    def _keep(self, entry: Entry) -> Stored:
        stored = Stored(**msgspec.structs.asdict(entry), sequence=len(self._in_order) + 1)
        self._in_order.append(stored)
        self._by_id[entry.kind, entry.id] = stored
        return stored


class _MemoryPointers:
    def __init__(self, lock: threading.Lock, leases: _MemoryLeases) -> None:
        self._lock, self._leases = lock, leases
        self._moves: dict[str, list[Move]] = {}

    def read(self, name: str) -> Move | None:
        with self._lock:
            return self._moves[name][-1] if name in self._moves else None

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
        with self._lock:
            self._leases.check(fence, at)
            moves = self._moves.get(name, [])
            there = moves[-1] if moves else None
            move = rulings.next_move(there, name, expected=expected, value=value, reason=reason, by=by, at=at)
            self._moves.setdefault(name, moves).append(move)
            return move

    def history(self, name: str) -> Sequence[Move]:
        with self._lock:
            return list(self._moves.get(name, []))


def _of(records: Sequence[Stored], kind: str, subject: str | None) -> Sequence[Stored]:
    return [record for record in records if record.kind == kind and subject in {None, record.subject}]
