"""The online store: for each source and key what is known of it, as of any recent moment.

- Newer wins by event time, ties by available time: a late, older row never hides a newer one.
- A row is not seen before its available time, also when it was told earlier.
- The same row told twice is one row.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

__all__ = ["MemoryStore", "OnlineStore", "StoredRow"]


class StoredRow(msgspec.Struct, frozen=True, order=False):
    """A row of a source as it is kept online; times in microseconds."""

    event_time: int
    available_time: int
    values: Mapping[str, Any]


class OnlineStore(Protocol):
    """What workers read and ingest writes."""

    def read(self, source: str, key: str | int, asked_at: int) -> StoredRow | None:
        """Give the newest row of a key among those available at `asked_at` (microseconds); None for none."""

    def write(self, source: str, key: str | int, row: StoredRow) -> None:
        """Tell a row."""


class MemoryStore:
    """An online store in this process; keeps the latest rows of each key.

    Args:
        keep: how many rows of a key are kept. A request asked before the oldest of them was available sees nothing.
    """

    def __init__(self, keep: int = 48) -> None:
        """Start empty."""
        self.keep = keep
        self._rows: dict[tuple[str, str | int], list[StoredRow]] = {}

    def read(self, source: str, key: str | int, asked_at: int) -> StoredRow | None:
        """Give the newest row of a key among those available at `asked_at` (microseconds); None for none."""
        for row in reversed(self._rows.get((source, key), ())):
            if row.available_time <= asked_at:
                return row
        return None

    def write(self, source: str, key: str | int, row: StoredRow) -> None:
        """Tell a row; rows are kept in the order in which they win."""
        rows = self._rows.setdefault((source, key), [])
        place = len(rows)
        while place and _wins(rows[place - 1], row):
            place -= 1
        if place and _same(rows[place - 1], row):
            rows[place - 1] = row
            return
        rows.insert(place, row)
        del rows[: -self.keep]


def _wins(one: StoredRow, other: StoredRow) -> bool:
    return (one.event_time, one.available_time) > (other.event_time, other.available_time)


def _same(one: StoredRow, other: StoredRow) -> bool:
    return (one.event_time, one.available_time) == (other.event_time, other.available_time)
