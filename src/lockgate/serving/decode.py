"""Reads bodies: the fast path, for bodies without a fault. Whatever is odd goes to `faults`, which says why.

- A typed decoder made from the contract reads and checks in one pass; unknown fields, wrong types and values out of
  range are refused.
- A body holds at most 10,000 rows, and at least one.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from lockgate.serving.faults import READING_FAILS, ROWS, Wanted, explain
from lockgate.serving.shape import Across, Check, Shape, Slot

__all__ = ["BodyReader", "peek_endpoint"]

_ENDPOINT = Slot(name="endpoint", type=str, expected="the name of an endpoint")


class BodyReader:
    """Reads bodies of one kind: `{"rows": [...]}`, with `endpoint` beside where the path does not name it.

    Args:
        listed: what the rows are called: `rows`, `outcomes`.
        shape: what a row must look like.
        endpoint: whether the body names the endpoint.
        across: judges a row as a whole.
    """

    def __init__(self, listed: str, shape: Shape, *, endpoint: bool = False, across: Across | None = None) -> None:
        heads = (_ENDPOINT,) if endpoint else ()
        self._wanted = Wanted(listed=listed, shape=shape, heads=heads, across=across)
        row_type: Any = shape.struct
        named = [(slot.name, slot.type) for slot in heads]
        rows = ("rows", list[row_type], msgspec.field(name=listed))
        body: Any = msgspec.defstruct("Body", [*named, rows], forbid_unknown_fields=True)
        self._decode = msgspec.json.Decoder(body).decode

    def read(self, body: bytes, checks: Mapping[str, Check]) -> list[tuple[Any, ...]]:
        """Give the rows, values in the order of the shape; missing ones that may be are None.

        Args:
            body: as it came.
            checks: what else must hold for values of this request, by name.

        Raises:
            Malformed: it is not JSON.
            TooLarge: it has too many rows.
            Invalid: it does not hold to the shape or the checks; lists everything.
        """
        judged = self._wanted.shape.with_times(checks)
        try:
            rows = [msgspec.structs.astuple(row) for row in self._decode(body).rows]
        except READING_FAILS as error:
            explain(body, self._wanted, judged, error)
        if not 0 < len(rows) <= ROWS or not self._hold(rows, judged):
            explain(body, self._wanted, judged)
        return rows

    def _hold(self, rows: list[tuple[Any, ...]], judged: Sequence[tuple[str, Check]]) -> bool:
        """Tell whether every row passes every check."""
        positions = self._wanted.shape.positions
        placed = [(positions[name], check) for name, check in judged]
        for row in rows:
            for position, check in placed:
                value = row[position]
                if value is not None and check(value) is not None:
                    return False
        across = self._wanted.across
        return across is None or all(across(partial(_value, row, positions)) is None for row in rows)


def _value(row: tuple[Any, ...], positions: Mapping[str, int], name: str) -> Any:  # noqa: ANN401 - any value
    return row[positions[name]]


class _Named(msgspec.Struct):
    """The one thing that must be known before the rest of a body can be judged."""

    endpoint: str


_NAMED = msgspec.json.Decoder(_Named)


def peek_endpoint(body: bytes) -> str:
    """Give the endpoint that a body names, leaving the rest unread.

    Raises:
        Malformed: it is not JSON.
        Invalid: it names none.
    """
    try:
        return _NAMED.decode(body).endpoint
    except READING_FAILS as error:
        explain(body, Wanted(listed="", shape=Shape("", ()), heads=(_ENDPOINT,)), (), error)
