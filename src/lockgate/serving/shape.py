"""What a row on the wire must look like: typed slots, said once for the fast decoder and for people.

Both paths of reading a body (`decode`, `faults`) judge a value by the same type here, so that they can't disagree.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from lockgate.kernel.canonical import Instant
from lockgate.kernel.errors import Invalid
from lockgate.records.features import Field, FieldKind
from lockgate.serving.moments import YEARS

__all__ = ["LONGEST_KEY", "LONGEST_TEXT", "Across", "Check", "Shape", "Slot", "Trouble", "slot_of", "slot_type"]

LONGEST_KEY = 256
"""Characters of a key."""

LONGEST_TEXT = 1_024
"""Characters of any other text; a record of them still fits a frame of the log."""

_INT64 = (-(1 << 63), (1 << 63) - 1)


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong with a value; where, is added by who found it."""

    expected: str
    found: str
    hint: str = ""


Check = Callable[[Any], Trouble | None]
"""Judges a value that has the right type and is not null."""

Across = Callable[[Callable[[str], Any]], Trouble | None]
"""Judges a row as a whole, given a way to get its values by name; None for those that are missing."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One named value of a row."""

    # Its name on the wire.
    name: str
    # Its type with its limits, for msgspec.
    type: Any
    # The same for people.
    expected: str
    # Whether it must be there and not be null.
    required: bool = True
    # Whether it is a moment.
    time: bool = False


class Shape:
    """The slots of a row.

    Args:
        whole: what they are part of, for people: `the contract of flight-delay`.
        slots: in order; rows are given in this order.

    Raises:
        Invalid: a name can't be read on the fast path.
    """

    def __init__(self, whole: str, slots: Sequence[Slot]) -> None:
        self.whole = whole
        self.slots = {slot.name: slot for slot in slots}
        self.positions = {slot.name: position for position, slot in enumerate(slots)}
        self.struct: Any = _struct(whole, slots)

    def with_times(self, checks: Mapping[str, Check]) -> list[tuple[str, Check]]:
        """Give the checks of a request, after one of every time that it is of this age."""
        times: list[tuple[str, Check]] = [(slot.name, _of_this_age) for slot in self.slots.values() if slot.time]
        return [*times, *checks.items()]


def slot_of(field: Field, *, key: bool = False) -> Slot:
    """Give the slot of a contract's field."""
    kind, expected = slot_type(field, LONGEST_KEY if key else LONGEST_TEXT)
    return Slot(
        name=field.name,
        type=kind,
        expected=f"{expected} or null" if field.nullable else expected,
        required=not field.nullable,
        time=field.kind is FieldKind.TIME,
    )


def _struct(whole: str, slots: Sequence[Slot]) -> Any:  # noqa: ANN401 - a type that is made here
    # Names on the wire need not be Python names.
    attributes = [_attribute(position, slot) for position, slot in enumerate(slots)]
    try:
        return msgspec.defstruct("Row", attributes, kw_only=True, forbid_unknown_fields=True, gc=False)
    except ValueError as error:
        raise Invalid(
            f"A name in {whole} can't be served",
            expected="names without quotes, backslashes and control characters",
            found=str(error),
        ) from error


def _attribute(position: int, slot: Slot) -> tuple[str, Any, Any]:
    if slot.required:
        return f"at{position}", slot.type, msgspec.field(name=slot.name)
    return f"at{position}", slot.type | None, msgspec.field(name=slot.name, default=None)


def slot_type(field: Field, longest: int) -> tuple[Any, str]:
    """Give the type of a contract's field, for msgspec and for people; texts have at most `longest` characters."""
    match field.kind:
        case FieldKind.BOOL:
            return bool, "true or false"
        case FieldKind.INT:
            return _whole_number(field)
        case FieldKind.FLOAT:
            return Annotated[float, msgspec.Meta(ge=field.low, le=field.high)], f"a number{_range(field)}"
        case FieldKind.TIME:
            return Instant, "a time with an offset, such as 2013-03-01T08:15:00-05:00"
        case FieldKind.TEXT | FieldKind.CATEGORY:
            return Annotated[str, msgspec.Meta(max_length=longest)], f"text of at most {longest:,} characters"


def _whole_number(field: Field) -> tuple[Any, str]:
    # The log keeps 64 bits.
    low = _INT64[0] if field.low is None else max(_INT64[0], math.ceil(field.low))
    high = _INT64[1] if field.high is None else min(_INT64[1], math.floor(field.high))
    return Annotated[int, msgspec.Meta(ge=low, le=high)], f"a whole number{_range(field)}"


def _range(field: Field) -> str:
    if field.low is not None and field.high is not None:
        return f" from {field.low:,g} to {field.high:,g}"
    if field.low is not None:
        return f" of at least {field.low:,g}"
    return f" of at most {field.high:,g}" if field.high is not None else ""


def _of_this_age(moment: datetime) -> Trouble | None:
    first, last = YEARS
    if first <= moment.year < last:
        return None
    return Trouble(f"a time between the years {first} and {last}", moment.isoformat())
