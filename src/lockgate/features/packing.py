"""How the rows of one entity are packed into bytes: by column, in event order (docs/spec/online-store.md).

A reader takes apart only what it needs: times first, then the values it asks for.
"""

import functools
import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lockgate.kernel.errors import Corrupt

__all__ = ["Block", "Row", "pack", "unpack"]

_FORM = 1
_INT64 = (-(1 << 63), (1 << 63) - 1)
_Reads = Callable[[bytes], tuple[Any, ...]]
_FLOATS, _INTS, _ANY = "d", "q", "*"


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A row of an entity as it is kept; times in microseconds."""

    event_time: int
    available_time: int
    # What identifies it beside the entity and, where the source names no column for that, its event time.
    id: str | int | None
    # The values, in the order of the columns that are kept.
    values: tuple[Any, ...]


class _Packed(msgspec.Struct, array_like=True):
    """What stands in the bytes."""

    form: int
    # The names of the columns and how each is packed: the same bytes for most entities, so they are read once.
    layout: bytes
    # Event times and available times, 8 bytes each, little-endian.
    events: bytes
    available: bytes
    # The ids, or None where no row has one.
    ids: bytes | None
    # How far back from a question an event may lie and still be wanted, in microseconds; None for any distance.
    span: int | None
    # Whether older rows were left out because there were too many.
    shortened: bool
    # Each column's values: 8 bytes each, or MessagePack.
    columns: tuple[bytes, ...]


_PACKED = msgspec.msgpack.Decoder(_Packed)
_LISTS = msgspec.msgpack.Decoder(list[Any])
_encode = msgspec.msgpack.Encoder().encode


class Block:
    """The rows of one entity, in event order; of one event time those known later come later."""

    __slots__ = ("_ids", "_names", "_packed", "available", "count", "events")

    def __init__(self, packed: _Packed) -> None:
        """Take the times apart."""
        self.count = len(packed.events) // 8
        read = _times(self.count)
        self.events: tuple[int, ...] = read(packed.events)
        self.available: tuple[int, ...] = read(packed.available)
        self._names = _layout(packed.layout)
        self._packed = packed
        self._ids: list[Any] | None = None

    @property
    def span(self) -> int | None:
        """How far back from a question an event may lie and still be wanted, in microseconds; None for any distance."""
        return self._packed.span

    @property
    def shortened(self) -> bool:
        """Whether older rows were left out because there were too many."""
        return self._packed.shortened

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are kept."""
        return tuple(self._names)

    @property
    def ids(self) -> Sequence[str | int | None]:
        """The id of each row."""
        if self._ids is None:
            ids = self._packed.ids
            self._ids = [None] * self.count if ids is None else _LISTS.decode(ids)
        return self._ids

    def column(self, name: str, start: int = 0, end: int | None = None) -> Sequence[Any]:
        """Give the values of a column from one row to before another; None for each where it is not kept."""
        end = self.count if end is None else end
        place = self._names.get(name)
        if place is None:
            return (None,) * (end - start)
        at, kind = place
        data = self._packed.columns[at]
        if kind == _ANY:
            return _LISTS.decode(data)[start:end]
        return struct.unpack_from(f"<{end - start}{kind}", data, 8 * start)

    def values(self, row: int, names: tuple[str, ...]) -> tuple[Any, ...]:
        """Give the values of one row."""
        together = _together(self._packed.layout, names)
        if together is None:
            return tuple([self.column(name, row, row + 1)[0] for name in names])
        places, read = together
        columns: Sequence[bytes] = self._packed.columns[places]
        if self.count > 1:
            columns = [column[8 * row : 8 * row + 8] for column in columns]
        return read(b"".join(columns))

    def rows(self, names: Sequence[str]) -> list[Row]:
        """Give all rows, with the values of some columns."""
        columns = [self.column(name) for name in names]
        values = zip(*columns, strict=True) if columns else [()] * self.count
        return [Row(*one) for one in zip(self.events, self.available, self.ids, values, strict=True)]


def pack(
    rows: Sequence[Row],
    names: Sequence[str],
    *,
    span: int | None = None,
    shortened: bool = False,
) -> bytes:
    """Pack rows that are in order.

    Args:
        rows: the rows.
        names: of their values.
        span: how far back from a question an event may lie and still be wanted; None for any distance.
        shortened: whether older rows were left out.
    """
    columns = [_column([row.values[at] for row in rows]) for at in range(len(names))]
    layout = _encode([(name, kind) for name, (kind, _) in zip(names, columns, strict=True)])
    ids = [row.id for row in rows]
    return _encode(
        _Packed(
            _FORM,
            layout,
            _int64([row.event_time for row in rows]),
            _int64([row.available_time for row in rows]),
            None if all(one is None for one in ids) else _encode(ids),
            span,
            shortened,
            tuple(data for _, data in columns),
        )
    )


def unpack(data: bytes) -> Block:
    """Take packed rows apart.

    Raises:
        Corrupt: it is not what `pack` gives.
    """
    try:
        packed = _PACKED.decode(data)
        if packed.form == _FORM:
            return Block(packed)
        found = f"form {packed.form}"
    except (msgspec.DecodeError, struct.error) as error:
        found = str(error)
    raise Corrupt(
        "The online store holds what this release can't read",
        expected=f"rows in form {_FORM}",
        found=found,
        way_out="Stop everything and empty the store: ingest fills it again from the log.",
    )


def _column(values: list[Any]) -> tuple[str, bytes]:
    """Choose how a column is packed."""
    kinds = {type(value) for value in values}
    if kinds == {float}:
        return _FLOATS, struct.pack(f"<{len(values)}d", *values)
    if kinds == {int} and _INT64[0] <= min(values) and max(values) <= _INT64[1]:
        return _INTS, _int64(values)
    return _ANY, _encode(values)


def _int64(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


@functools.lru_cache(maxsize=1024)
def _layout(layout: bytes) -> dict[str, tuple[int, str]]:
    names: list[tuple[str, str]] = msgspec.msgpack.decode(layout, type=list[tuple[str, str]])
    return {name: (at, kind) for at, (name, kind) in enumerate(names)}


@functools.lru_cache(maxsize=1024)
def _together(layout: bytes, names: tuple[str, ...]) -> tuple[slice, _Reads] | None:
    """Give where the values of one row stand, and what reads them at once; None where they can't be read so.

    They can where they stand one after the other, as a series keeps them, and each takes 8 bytes.
    """
    kept = _layout(layout)
    places = [kept.get(name, (-1, _ANY)) for name in names]
    first = places[0][0] if places else 0
    if [at for at, _ in places] != [*range(first, first + len(places))] or any(kind == _ANY for _, kind in places):
        return None
    return slice(first, first + len(places)), struct.Struct("<" + "".join(kind for _, kind in places)).unpack


@functools.lru_cache(maxsize=1024)
def _times(count: int) -> _Reads:
    return struct.Struct(f"<{count}q").unpack
