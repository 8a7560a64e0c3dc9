"""What a hypothesis on a difference may look at."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from lockgate.monitoring.differences import Difference, Target
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.monitoring import ParityCause
from lockgate.records.outcome import Event
from lockgate.records.source import SourceSpec

__all__ = ["Context", "Evidence", "Found", "HistoryRow", "Hypothesis"]


class Found(msgspec.Struct, frozen=True):
    """A hypothesis that fits some of the differences."""

    cause: ParityCause
    # The places of those it explains.
    explains: frozenset[int]
    # What the numbers say.
    note: str


class HistoryRow(msgspec.Struct, frozen=True):
    """A row of a source as its snapshot has it; times in microseconds, None for a table."""

    event: int | None
    available: int | None
    values: Mapping[str, Any]


class Context:
    """What is known beside the differences.

    Args:
        version: the version that served.
        package: its package.
        seeds: the rows that travelled with it: (source, key, event time).
        rows: what its sources hold, with `@event` and `@available` where they have a clock.
        rivals: the packages of all versions in the span.
        events: gives the rows that were posted; read only where look-ups differ.
    """

    def __init__(
        self,
        *,
        version: int,
        package: LoadedPackage,
        seeds: frozenset[tuple[str, Any, int]],
        rows: Mapping[str, tuple[SourceSpec, pl.DataFrame]],
        rivals: Mapping[int, LoadedPackage],
        events: Callable[[], Iterable[Event]],
    ) -> None:
        """Read nothing yet."""
        self.version, self.package, self.seeds, self.rivals = version, package, seeds, rivals
        self._rows, self._events = rows, events
        self._history: dict[tuple[str, str, tuple[int, int] | None], dict[Any, list[HistoryRow]]] = {}
        self._told: dict[str, dict[Any, list[Event]]] = {}

    def history(
        self, source: str, keys: Iterable[Any], by: str = "", within: tuple[int, int] | None = None
    ) -> Mapping[Any, Sequence[HistoryRow]]:
        """Give the rows of some keys of a source, oldest first.

        Args:
            source: its name.
            keys: whose rows.
            by: another column than its key.
            within: only rows that happened between, in microseconds; None for all.
        """
        known = self._history.setdefault((source, by, within), {})
        wanted = [key for key in {*keys} if key is not None and key not in known]
        if wanted:
            known |= {key: [] for key in wanted}
            spec, frame = self._rows[source]
            column = by or spec.key
            texts = [str(key) for key in wanted]
            order = ["@event", "@available"] if spec.clocked else []
            found = frame.filter(pl.col(column).cast(pl.String).is_in(texts))
            if within is not None:
                found = found.filter(pl.col("@event").dt.timestamp("us").is_between(*within))
            for row in (found.sort(order, maintain_order=True) if order else found).iter_rows(named=True):
                if row[column] in known:
                    known[row[column]].append(_history_row(row))
        return known

    def key_of(self, source: str) -> str:
        """Give the column that identifies an entity of a source."""
        return self._rows[source][0].key

    def told(self, source: str, keys: Iterable[Any]) -> Mapping[Any, Sequence[Event]]:
        """Give the rows of some keys that were posted."""
        known = self._told.setdefault(source, {})
        wanted = {key for key in keys if key not in known}
        if wanted:
            known |= {key: [] for key in wanted}
            for event in self._events():
                if event.source == source and event.key in wanted:
                    known[event.key].append(event)
        return known


def _history_row(row: dict[str, Any]) -> HistoryRow:
    times = (row.get("@event"), row.get("@available"))
    event, known = (None if one is None else round(one.timestamp() * 1_000_000) for one in times)
    return HistoryRow(event, known, row)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The differences of a column that are to be explained."""

    # The column.
    target: Target
    # What differs.
    different: Sequence[Difference]
    # Some of what is equal, and not null.
    equal: Sequence[Difference]
    # What else is known.
    context: Context

    def found(
        self, cause: ParityCause, fits: Callable[[Difference], bool], note: str, at_least: int = 1
    ) -> Found | None:
        """Give a hypothesis that explains what fits; None where it explains too little."""
        explains = frozenset(place for place, one in enumerate(self.different) if fits(one))
        return Found(cause, explains, note) if len(explains) >= at_least else None


Hypothesis = Callable[[Evidence], Found | None]
"""Says what it explains; None for nothing."""
