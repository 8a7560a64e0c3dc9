"""Resolves what a request needs beside itself: rows of tables, look-ups and windows, as known when it was asked.

- All questions of a batch are answered from one reading of the store, so they see one moment of it.
- What is not known is null. What can't be said any more is an error, never null: a release whose series are not there,
  a question asked before the endpoint's horizon, a row that may have been left out.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lockgate.features.online import TableRows
from lockgate.features.packing import Block, pack, unpack
from lockgate.features.series import Series, Use, entity_key, horizon_key, unpack_horizon
from lockgate.features.store import Readable
from lockgate.features.windows import WindowReader
from lockgate.kernel.errors import Fault, Invalid, Unavailable
from lockgate.records.features import FeatureSet, FieldKind, Lookup, RequestSpec, Window
from lockgate.records.prediction import Known

__all__ = ["Resolver"]

Blocks = Sequence[Mapping[Any, Block]]
"""For each series that is read, the rows of each entity that has any."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000


class Resolver:
    """Gives what was known of a request's look-ups and windows.

    Args:
        request: the request.
        features: the feature set.
        tables: the rows of each table, as in the snapshot.
        series: what the feature set reads, as `series_of` gives it.
        store: where they are; None where there is nothing to read.
        ready: the key that is there when they are whole.
    """

    def __init__(
        self,
        request: RequestSpec,
        features: FeatureSet,
        tables: Mapping[str, TableRows],
        series: Sequence[Series] = (),
        store: Readable | None = None,
        ready: bytes = b"",
    ) -> None:
        """Plan once what is asked for every request."""
        self._store, self._endpoint = store, series[0].endpoint if series else ""
        self._marks = [ready, horizon_key(self._endpoint)] if series else []
        last_known = {one.source: one for one in series if one.use is Use.LOOKUP}
        windowed = {(one.source, one.by): one for one in series if one.use is Use.WINDOW}
        names = [field.name for field in request.fields]
        self._plan: list[_Table | _LastKnown | _Windowed] = []
        self._reads: list[tuple[bytes, int]] = []
        for lookup in features.lookups:
            place = names.index(lookup.by)
            if lookup.clocked:
                self._plan.append(_LastKnown(lookup, place, self._reading(last_known[lookup.source], place)))
            else:
                self._plan.append(_Table(lookup, place, tables.get(lookup.source, {})))
        for window in features.windows:
            place, one = names.index(window.by), windowed[window.source, window.by]
            self._plan.append(_Windowed(window, place, self._reading(one, place), identified=one.id is not None))

    def _reading(self, series: Series, place: int) -> int:
        """Give the number of a series among those that are read, each once."""
        read = (series.prefix, place)
        if read not in self._reads:
            self._reads.append(read)
        return self._reads.index(read)

    def resolve(self, rows: Sequence[Sequence[Any]], asked_at: Sequence[int]) -> list[tuple[Known, ...]]:
        """Give what was known of each request's look-ups, then windows, at the moment it was asked.

        Args:
            rows: the fields of each request in contract order.
            asked_at: when each was asked, in microseconds.

        Raises:
            Unavailable: the store can't be read, or does not hold what this release needs.
            Invalid: one was asked before the time from which on the store can say what was known.
        """
        blocks = self._read(rows, asked_at) if self._marks else ()
        return [
            tuple([part.known(row, blocks, asked) for part in self._plan])
            for row, asked in zip(rows, asked_at, strict=True)
        ]

    def _read(self, rows: Sequence[Sequence[Any]], asked_at: Sequence[int]) -> Blocks:
        if self._store is None:
            raise Unavailable("There is no online store to look things up in", expected="a store", found="none")
        entities = [
            (number, entity)
            for number, (_, place) in enumerate(self._reads)
            for entity in dict.fromkeys([row[place] for row in rows])
            if entity is not None
        ]
        keys = [entity_key(self._reads[number][0], entity) for number, entity in entities]
        ready, horizon, *found = self._store.get([*self._marks, *keys])
        if ready is None:
            raise Unavailable(
                "The online store does not hold what this release looks up",
                expected="all that was told so far, marked as whole",
                found="no such mark",
                way_out="Ingest prepares it by itself; lockgate status says whether it runs.",
            )
        for data in (ready, horizon):
            _check_asked(asked_at, unpack_horizon(data))
        blocks: list[dict[Any, Block]] = [{} for _ in self._reads]
        for (number, entity), data in zip(entities, found, strict=True):
            if data is not None:
                blocks[number][entity] = unpack(data)
        return blocks


def _check_asked(asked_at: Sequence[int], horizon: int | None) -> None:
    """Refuse questions that were asked before what is kept."""
    if horizon is None or min(asked_at) >= horizon:
        return
    early = [(place, asked) for place, asked in enumerate(asked_at) if asked < horizon]
    expected = f"a question asked at {_moment(horizon).isoformat()} or later"
    raise Invalid(
        "What was known then is not kept any more",
        expected=expected,
        found=f"{len(early)} asked before",
        way_out="What counted for them is in the log of events; a larger lateness= keeps it longer.",
        faults=tuple(
            Fault(at=f"rows[{place}]", expected=expected, found=_moment(at).isoformat()) for place, at in early
        ),
    )


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


class _Table:
    """A look-up in a table."""

    def __init__(self, lookup: Lookup, place: int, rows: TableRows) -> None:
        self._source, self._place, self._rows = lookup.source, place, rows
        self._nothing = (None,) * len(lookup.columns)

    def known(self, row: Sequence[Any], blocks: Blocks, asked_at: int) -> Known:
        """Give the row of the request's key."""
        del blocks, asked_at
        return Known(self._source, self._rows.get(row[self._place], self._nothing), None, None)


class _LastKnown:
    """A look-up in a clocked source."""

    def __init__(self, lookup: Lookup, place: int, series: int) -> None:
        self._source, self._place, self._series = lookup.source, place, series
        self._names = tuple(column.name for column in lookup.columns)
        self._moments = [at for at, column in enumerate(lookup.columns) if column.type is FieldKind.TIME]
        self._stale = None if lookup.stale_after is None else lookup.stale_after.total_seconds() * _SECOND
        self._nothing = Known(lookup.source, (None,) * len(lookup.columns), None, None)

    def known(self, row: Sequence[Any], blocks: Blocks, asked_at: int) -> Known:
        """Give the newest row that was available."""
        block = blocks[self._series].get(row[self._place])
        if block is None:
            return self._nothing
        place = _newest(block.available, asked_at)
        if place is None and not block.shortened:
            return self._nothing
        if place is None:
            raise Invalid(
                f"What was known then of {self._source} is not kept any more",
                expected=f"a question asked at {_moment(min(block.available)).isoformat()} or later",
                found=_moment(asked_at).isoformat(),
            )
        event_time = block.events[place]
        if self._stale is not None and asked_at - event_time > self._stale:
            return self._nothing
        values = block.values(place, self._names)
        if self._moments:
            values = _with_moments(values, self._moments)
        return Known(self._source, values, event_time, block.available[place])


class _Windowed:
    """A window."""

    def __init__(self, window: Window, place: int, series: int, *, identified: bool) -> None:
        self._place, self._series = place, series
        self._reader = WindowReader(window, identified=identified)

    def known(self, row: Sequence[Any], blocks: Blocks, asked_at: int) -> Known:
        """Give what the window held."""
        return self._reader.read(blocks[self._series].get(row[self._place], _NO_ROWS), asked_at)


_NO_ROWS = unpack(pack([], ()))


def _newest(available: Sequence[int], asked_at: int) -> int | None:
    """Give the place of the last row that was available: nearly always the last."""
    if available and available[-1] <= asked_at:
        return len(available) - 1
    for place in range(len(available) - 2, -1, -1):
        if available[place] <= asked_at:
            return place
    return None


def _with_moments(values: tuple[Any, ...], places: Sequence[int]) -> tuple[Any, ...]:
    """Give times as moments; they are kept in microseconds."""
    return tuple([_moment(one) if at in places and isinstance(one, int) else one for at, one in enumerate(values)])
