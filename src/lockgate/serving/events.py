"""Takes rows of sources: what features look up.

- A row has the columns that a model looks up, and those that say whose it is and when it happened and was known.
- A row that could not be known yet is refused, unless the endpoint replays. One that is old is taken: it never hides a
  newer one.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from lockgate.kernel.errors import NotFound
from lockgate.kernel.names import nearest
from lockgate.records.features import Field, FieldKind, Lookup
from lockgate.records.outcome import Event
from lockgate.records.package import Contract
from lockgate.records.source import SourceSpec
from lockgate.serving.decode import BodyReader
from lockgate.serving.eventclock import EventClock
from lockgate.serving.moments import micros
from lockgate.serving.shape import Shape, slot_of

__all__ = ["EventReader", "event_readers"]


class EventReader:
    """Reads rows of one source.

    Args:
        endpoint: whose store they are for.
        source: the source.
        contract: of the version that is live.
    """

    def __init__(self, endpoint: str, source: SourceSpec, contract: Contract) -> None:
        self._source = source
        lookups = [lookup for lookup in contract.features.lookups if lookup.source == source.name]
        fields = _fields(source, lookups, contract)
        self._columns = [column.name for lookup in lookups for column in lookup.columns]
        slots = [slot_of(field, key=field.name == source.key) for field in fields.values()]
        shape = Shape(f"source {source.name} as {endpoint} looks it up", slots)
        self._positions = shape.positions
        self._reader = BodyReader("rows", shape, endpoint=True)

    def read(self, body: bytes, *, clock: EventClock, now: datetime, by: str) -> list[Event]:
        """Read the rows of a request.

        Raises:
            Malformed, TooLarge, Invalid: as `BodyReader`.
        """
        # What was stamped when it became known can't come from the future; with a stated delay, what happened can't.
        stamped = self._source.available_time or self._source.event_time or ""
        checks = clock.bounds(stamped, now, None)
        received = micros(now)
        return [self._event(row, received, by) for row in self._reader.read(body, checks)]

    def _event(self, row: tuple[Any, ...], received: int, by: str) -> Event:
        source, at = self._source, self._positions
        happened: datetime = row[at[source.event_time or ""]]
        known: datetime = (
            happened + (source.available_delay or timedelta(0))
            if source.available_time is None
            else row[at[source.available_time]]
        )
        values = {name: _plain(row[at[name]]) for name in self._columns}
        return Event(source.name, row[at[source.key]], micros(happened), micros(known), values, received, by)


class _Readers(msgspec.Struct, frozen=True):
    endpoint: str
    readers: Mapping[str, EventReader]

    def find(self, source: str) -> EventReader:
        """Give the reader of a source.

        Raises:
            NotFound: the endpoint looks nothing up in a source of that name.
        """
        found = self.readers.get(source)
        if found is None:
            raise NotFound(
                f"{self.endpoint} looks nothing up in a source {source!r}",
                expected=", ".join(self.readers) or "no source: it looks nothing up",
                found=source,
                way_out=nearest(source, self.readers),
            )
        return found


def event_readers(endpoint: str, contract: Contract) -> _Readers:
    """Give the readers of all sources that a contract looks things up in."""
    return _Readers(endpoint, {one.name: EventReader(endpoint, one, contract) for one in contract.sources})


def _fields(source: SourceSpec, lookups: list[Lookup], contract: Contract) -> dict[str, Field]:
    """Give a row's fields by name; a column may be looked up and be the key or a time as well."""
    looked_up = {
        column.name: Field(name=column.name, kind=column.type or FieldKind.FLOAT, nullable=True)
        for lookup in lookups
        for column in lookup.columns
    }
    # The source does not say what its key is; the request's field that it is matched with does.
    kind = contract.request.field(lookups[0].by).kind if lookups else FieldKind.TEXT
    times = [name for name in (source.event_time, source.available_time) if name is not None]
    own = {source.key: Field(name=source.key, kind=kind)}
    return {**looked_up, **own, **{name: Field(name=name, kind=FieldKind.TIME) for name in times}}


def _plain(value: Any) -> str | int | float | bool | None:  # noqa: ANN401 - a value of any column
    return micros(value) if isinstance(value, datetime) else value
