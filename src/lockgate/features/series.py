"""Series: the rows of one source that may still count for one entity, and how they change when a row is told.

- A look-up reads the rows of the source's key, a window those that share its column `by`. Each is a series of its own:
  they keep different rows for different times.
- A row is identified by the column that the source names for that (`event_id`), else by key and event time. A row told
  again with the same available time takes the place of the first; told the same, it changes nothing. With another
  available time it is another version, and both are kept: which counts depends on when is asked.
- Told in whatever order, the same rows give the same series, but for two that have identity and available time in
  common: then the one told last counts. What is prepared from history is told *before* what is there already.
- Rows that can count for no question that may still be asked are left out. Such questions are asked at the endpoint's
  horizon or later: its latest event, less the allowed lateness.

Two versions of an endpoint share a series where their source says the same of its clocks and identity; it then has the
columns that either wants and reaches back as far as either needs.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from lockgate.features.packing import Block, Row, pack, unpack
from lockgate.features.store import OnlineStore
from lockgate.kernel.canonical import digest_of
from lockgate.records.features import FeatureSet
from lockgate.records.source import SourceSpec

__all__ = [
    "MOST_LOOKUP_ROWS",
    "Series",
    "Told",
    "Use",
    "entity_key",
    "horizon_key",
    "merged",
    "narrowed",
    "pack_horizon",
    "position_key",
    "ready_key",
    "series_of",
    "series_prefix",
    "tell",
    "told_into",
    "unite",
    "unpack_horizon",
]

MOST_LOOKUP_ROWS = 1_024
"""Rows of an entity that are kept for look-ups: more could not be written often. A question that one left out might
answer is refused."""

_SECOND = 1_000_000
_encode = msgspec.msgpack.Encoder().encode
_HORIZON = msgspec.msgpack.Decoder(int | None)


class Use(enum.Enum):
    """What a series is read for."""

    LOOKUP = "lookup"  # the newest row known when asked
    WINDOW = "window"  # all rows of a span


class Told(msgspec.Struct, frozen=True):
    """A row of a source as it was told; times in microseconds."""

    source: str
    key: str | int
    event_time: int
    available_time: int
    values: Mapping[str, Any]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a source, for one way of reading it."""

    # Whose series it is.
    endpoint: str
    # Whose rows.
    source: str
    # The column whose value is the entity.
    by: str
    # What it is read for.
    use: Use
    # The source's key.
    key: str
    # The column that identifies a row; None for key and event time.
    id: str | None
    # A digest of what the source says of its clocks and identity: rows of two meanings never meet.
    meaning: str
    # The columns that are kept, in order.
    columns: tuple[str, ...]
    # How far back from a question an event may lie and still count, in microseconds; None for any distance.
    span: int | None

    @property
    def prefix(self) -> bytes:
        """What the keys of its entities begin with."""
        return series_prefix(self.endpoint) + f"{self.source}\0{self.by}\0{self.use.value}-{self.meaning}\0".encode()

    def entity_of(self, told: Told) -> str | int | None:
        """Give the entity that a row belongs to; None for none."""
        return told.key if self.by == self.key else told.values.get(self.by)

    def row_of(self, told: Told) -> Row:
        """Give a row as it is kept."""
        id_ = None if self.by == self.key else told.key
        if self.id is not None:
            # A row without the id that its source names is one of its own.
            named = told.values.get(self.id)
            id_ = f"{told.key}@{told.event_time}" if named is None else named
        values = tuple([told.values.get(name) for name in self.columns])
        return Row(told.event_time, told.available_time, id_, values)

    def identity_of(self, row: Row) -> tuple[Any, ...]:
        """Give what versions of one row have in common."""
        return (row.id,) if self.id is not None else (row.id, row.event_time)


def series_prefix(endpoint: str) -> bytes:
    """Give what the keys of all series of an endpoint begin with."""
    return f"series\0{endpoint}\0".encode()


def horizon_key(endpoint: str) -> bytes:
    """Give the key under which it is kept from when on questions can be answered."""
    return f"horizon\0{endpoint}".encode()


def ready_key(machine: str, endpoint: str, release: str) -> bytes:
    """Give the key that is there when a machine has prepared all series of a release.

    Under it is the horizon that the release began with: its package carries rows for later questions only.
    """
    return f"ready\0{machine}\0{endpoint}\0{release}".encode()


def pack_horizon(horizon: int | None) -> bytes:
    """Pack from when on questions can be answered, in microseconds; None for any time."""
    return _encode(horizon)


def unpack_horizon(data: bytes | None) -> int | None:
    """Read from when on questions can be answered; None for any time."""
    return None if data is None else _HORIZON.decode(data)


def position_key(machine: str, endpoint: str) -> bytes:
    """Give the key under which it is kept how far a machine's log of events is in the store."""
    return f"position\0{machine}\0{endpoint}".encode()


def entity_key(prefix: bytes, entity: str | float) -> bytes:
    """Give the key of an entity; the number 1 and the text "1" are two."""
    return prefix + _encode(entity)


def series_of(endpoint: str, features: FeatureSet, sources: Iterable[SourceSpec]) -> tuple[Series, ...]:
    """Give the series that a feature set reads, each look-up's first.

    Args:
        endpoint: whose.
        features: the feature set.
        sources: its clocked sources.
    """
    specs = {spec.name: spec for spec in sources}
    found = []
    for lookup in features.lookups:
        if lookup.clocked:
            names = tuple(column.name for column in lookup.columns)
            spec = specs[lookup.source]
            found.append(_series(endpoint, spec, spec.key, Use.LOOKUP, names, lookup.stale_after))
    for window in features.windows:
        names = () if window.value is None else (window.value,)
        longest = max(column.span for column in window.columns)
        found.append(_series(endpoint, specs[window.source], window.by, Use.WINDOW, names, longest))
    return tuple(unite(found).values())


def _series(
    endpoint: str, spec: SourceSpec, by: str, use: Use, columns: tuple[str, ...], span: timedelta | None
) -> Series:
    # A look-up sees the newest row, whatever identifies it; offline says the same.
    id_ = spec.event_id if use is Use.WINDOW else None
    clocks = (spec.key, spec.event_time, spec.available_time, spec.available_delay, id_)
    return Series(
        endpoint=endpoint,
        source=spec.name,
        by=by,
        use=use,
        key=spec.key,
        id=id_,
        meaning=digest_of([str(one) for one in clocks]).removeprefix("sha256:")[:12],
        columns=columns,
        span=None if span is None else round(span.total_seconds() * _SECOND),
    )


def unite(wanted: Iterable[Series]) -> dict[bytes, Series]:
    """Give one series for each prefix, with all columns and the longest span that anybody wants."""
    united: dict[bytes, Series] = {}
    for one in wanted:
        known = united.get(one.prefix)
        if known is not None:
            columns = (*known.columns, *(name for name in one.columns if name not in known.columns))
            span = _longest(known.span, one.span)
            one = msgspec.structs.replace(known, columns=columns, span=span)  # noqa: PLW2901 - the united one
        united[one.prefix] = one
    return united


def told_into(wanted: Iterable[Series], told: Iterable[Told]) -> dict[bytes, tuple[Series, list[Row]]]:
    """Sort told rows to the entities of the series that they belong to, in the order in which they were told."""
    by_source: dict[str, list[Series]] = {}
    for one in wanted:
        by_source.setdefault(one.source, []).append(one)
    found: dict[bytes, tuple[Series, list[Row]]] = {}
    for row in told:
        for series in by_source.get(row.source, ()):
            entity = series.entity_of(row)
            if entity is not None:
                key = entity_key(series.prefix, entity)
                found.setdefault(key, (series, []))[1].append(series.row_of(row))
    return found


def tell(store: OnlineStore, wanted: Iterable[Series], told: Iterable[Told], horizon: int | None = None) -> None:
    """Put told rows into a store, in one transaction.

    Args:
        store: the store.
        wanted: the series that they may belong to.
        told: the rows, in the order told.
        horizon: when the earliest question may be asked that is still to be answered; None for any time.
    """
    sorted_ = told_into(wanted, told)

    def change(there: list[bytes | None]) -> list[bytes | None]:
        return [
            merged(series, None if data is None else unpack(data), rows, horizon)
            for (series, rows), data in zip(sorted_.values(), there, strict=True)
        ]

    store.change([*sorted_], change)


def merged(
    series: Series, block: Block | None, told: Sequence[Row], horizon: int | None, *, before: bool = False
) -> bytes | None:
    """Give an entity's rows after some were told; None where none is left that may count.

    What was there is never narrowed: another machine may want columns, or a span, that this one does not.

    Args:
        series: what is kept.
        block: what was there; None for nothing.
        told: the rows, in the order told.
        horizon: when the earliest question may be asked that is still to be answered; None for any time.
        before: whether they count as told before what was there.
    """
    if block is None:
        return _packed(series, _merge(series, [], told, before=before), horizon, shortened=False)
    wide = _widened(series, block)
    more = (None,) * (len(wide.columns) - len(series.columns))
    rows = [Row(row.event_time, row.available_time, row.id, row.values + more) for row in told] if more else told
    all_rows = _merge(wide, block.rows(wide.columns), rows, before=before)
    return _packed(wide, all_rows, horizon, shortened=block.shortened)


def narrowed(series: Series, block: Block, horizon: int | None) -> bytes | None:
    """Give an entity's rows with the columns and the span of its series only; None where none is left."""
    return _packed(series, block.rows(series.columns), horizon, shortened=block.shortened)


def _packed(series: Series, rows: list[Row], horizon: int | None, *, shortened: bool) -> bytes | None:
    rows.sort(key=_order)
    if horizon is not None:
        rows = _latest(series, rows, horizon) if series.use is Use.LOOKUP else _within(series, rows, horizon)
    if series.use is Use.LOOKUP and len(rows) > MOST_LOOKUP_ROWS:
        rows, shortened = rows[-MOST_LOOKUP_ROWS:], True
    return pack(rows, series.columns, span=series.span, shortened=shortened) if rows else None


def _widened(series: Series, block: Block) -> Series:
    """Give a series with what was kept beside, and as far back."""
    others = tuple(name for name in block.columns if name not in series.columns)
    span = _longest(series.span, block.span)
    if not others and span == series.span:
        return series
    return msgspec.structs.replace(series, columns=series.columns + others, span=span)


def _longest(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _order(row: Row) -> tuple[int, int]:
    return row.event_time, row.available_time


def _merge(series: Series, there: Sequence[Row], told: Sequence[Row], *, before: bool) -> list[Row]:
    """Put rows together; among those of one time the one told last comes last."""
    if before:
        earlier = {_name(series, row): row for row in _merge(series, [], told, before=False)}
        there = [_filled(row, earlier.get(_name(series, row), row)) for row in there]
        return _merge(series, list(earlier.values()), there, before=False)
    found: dict[tuple[Any, ...], Row] = {}
    for row in (*there, *told):
        name = _name(series, row)
        if found.get(name) != row:
            found.pop(name, None)
            found[name] = row
    return list(found.values())


def _name(series: Series, row: Row) -> tuple[Any, ...]:
    return series.identity_of(row), row.available_time


def _filled(row: Row, first: Row) -> Row:
    """Give a row with what only an earlier telling of it has: columns that were not kept when it was told last.

    A null is taken for such a column. So one that is told in place of a value, with the same available time and just
    while a release is prepared, may be lost.
    """
    values = zip(row.values, first.values, strict=True)
    return Row(row.event_time, row.available_time, row.id, tuple([old if one is None else one for one, old in values]))


def _latest(series: Series, rows: list[Row], horizon: int) -> list[Row]:
    """Leave out what loses against a row that every later question knows, and what is stale for all of them."""
    known = [place for place, row in enumerate(rows) if row.available_time <= horizon]
    kept = rows[known[-1] :] if known else rows
    if series.span is None:
        return kept
    oldest = horizon - series.span
    return [row for row in kept if row.event_time >= oldest]


def _within(series: Series, rows: list[Row], horizon: int) -> list[Row]:
    """Leave out versions that a later one has replaced for every later question, and rows that no span reaches."""
    replaced: dict[tuple[Any, ...], int] = {}
    for row in rows:
        if max(row.event_time, row.available_time) <= horizon:
            name = series.identity_of(row)
            replaced[name] = max(replaced.get(name, row.available_time), row.available_time)
    oldest = None if series.span is None else horizon - series.span
    return [row for row in rows if _may_count(row, horizon, oldest, replaced.get(series.identity_of(row)))]


def _may_count(row: Row, horizon: int, oldest: int | None, last_known: int | None) -> bool:
    if last_known is not None and row.available_time < last_known:
        return False
    return max(row.event_time, row.available_time) > horizon or oldest is None or row.event_time > oldest
