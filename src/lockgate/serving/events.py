"""Takes rows of sources: what features look up, and what windows aggregate.

- A row has the columns that any loaded version of the endpoint wants, and those that say whose it is, which it is, and
  when it happened and was known. So a version sees also what was posted while another one was live.
- A row that could not be known yet is refused, unless the endpoint replays. One that is old is taken: it never hides a
  newer one.
- Where versions do not say the same of a source's clocks, the live one is believed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from lockgate.kernel.errors import NotFound
from lockgate.kernel.names import nearest
from lockgate.records.features import Field, FieldKind
from lockgate.records.outcome import Event
from lockgate.records.package import Contract
from lockgate.records.source import SourceSpec
from lockgate.serving.decode import BodyReader
from lockgate.serving.eventclock import EventClock
from lockgate.serving.moments import micros
from lockgate.serving.shape import LONGEST_KEY, Shape, Slot, slot_of, slot_type

__all__ = ["EventReader", "event_readers"]


class EventReader:
    """Reads rows of one source.

    Args:
        endpoint: whose store they are for.
        source: the source, as the first of the contracts has it.
        contracts: of the versions that want its rows, the live one's first.
    """

    def __init__(self, endpoint: str, source: SourceSpec, contracts: Sequence[Contract]) -> None:
        self._source = source
        columns = _columns(source.name, contracts)
        slots = {name: slot_of(field) for name, field in columns.items()}
        for name in _identifying(source.name, contracts):
            slots[name] = _id_slot(name, required=name == source.event_id)
        self._columns = [*slots]
        slots[source.key] = _key_slot(source, contracts)
        times = [name for name in (source.event_time, source.available_time) if name is not None]
        slots |= {name: slot_of(Field(name=name, kind=FieldKind.TIME)) for name in times}
        shape = Shape(f"source {source.name} as {endpoint} takes it", [*slots.values()])
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
            NotFound: no version of the endpoint wants rows of a source of that name.
        """
        found = self.readers.get(source)
        if found is None:
            raise NotFound(
                f"{self.endpoint} takes no rows of a source {source!r}",
                expected=", ".join(self.readers) or "no source: it looks nothing up",
                found=source,
                way_out=nearest(source, self.readers),
            )
        return found


def event_readers(endpoint: str, contracts: Sequence[Contract]) -> _Readers:
    """Give the readers of all sources that some contracts want rows of, the live version's contract first."""
    wanting: dict[str, list[Contract]] = {}
    specs: dict[str, SourceSpec] = {}
    for contract in contracts:
        for source in contract.sources:
            specs.setdefault(source.name, source)
            wanting.setdefault(source.name, []).append(contract)
    return _Readers(endpoint, {name: EventReader(endpoint, spec, wanting[name]) for name, spec in specs.items()})


def _columns(source: str, contracts: Iterable[Contract]) -> dict[str, Field]:
    """Give the columns that are looked up, aggregated or grouped by; of two kinds of one column the wider."""
    found: dict[str, Field] = {}
    for contract in contracts:
        kinds = [
            (column.name, column.type or FieldKind.FLOAT)
            for lookup in contract.features.lookups
            for column in lookup.columns
            if lookup.source == source and lookup.clocked
        ]
        for window in contract.features.windows:
            if window.source == source:
                kinds.append((window.by, contract.request.field(window.by).kind))
                kinds += [] if window.value is None else [(window.value, window.value_type or FieldKind.FLOAT)]
        for name, kind in kinds:
            known = found.get(name)
            wider = known is None or (known.kind is FieldKind.INT and kind is FieldKind.FLOAT)
            if wider:
                found[name] = Field(name=name, kind=kind, nullable=True)
    return found


def _identifying(source: str, contracts: Iterable[Contract]) -> list[str]:
    """Give the columns that identify rows."""
    specs = [spec for contract in contracts for spec in contract.sources if spec.name == source]
    return list(dict.fromkeys([spec.event_id for spec in specs if spec.event_id is not None]))


def _key_slot(source: SourceSpec, contracts: Iterable[Contract]) -> Slot:
    """Give the slot of the key. The source does not say what it is; the field that it is matched with does."""
    for contract in contracts:
        fields = [lookup.by for lookup in contract.features.lookups if lookup.source == source.name]
        fields += [
            window.by
            for window in contract.features.windows
            if window.source == source.name and window.by == source.key
        ]
        if fields:
            return slot_of(Field(name=source.key, kind=contract.request.field(fields[0]).kind), key=True)
    return _id_slot(source.key, required=True)


def _id_slot(name: str, *, required: bool) -> Slot:
    """Give the slot of what only identifies: text or a whole number, as long as a key."""
    text, _ = slot_type(Field(name=name, kind=FieldKind.TEXT), LONGEST_KEY)
    number, _ = slot_type(Field(name=name, kind=FieldKind.INT), LONGEST_KEY)
    expected = f"text of at most {LONGEST_KEY:,} characters or a whole number"
    return Slot(name=name, type=text | number, expected=expected, required=required)


def _plain(value: Any) -> str | int | float | bool | None:  # noqa: ANN401 - a value of any column
    return micros(value) if isinstance(value, datetime) else value
