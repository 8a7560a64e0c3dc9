"""Says what is wrong with a body: the slow path, taken only when the fast one refused.

- Every fault of every row is found; 100 are listed, all are counted.
- A value is judged by the same type as on the fast path.
- What JSON can't say but senders write (NaN, Infinity) is named as what it is.
"""

import json
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NoReturn

import msgspec

from lockgate.kernel.errors import Fault, Invalid, Malformed, TooLarge
from lockgate.kernel.names import nearest
from lockgate.serving.shape import Across, Check, Shape, Slot

__all__ = ["LISTED", "READING_FAILS", "ROWS", "Wanted", "explain", "shown"]

ROWS = 10_000
"""Rows that one body may hold."""

LISTED = 100
"""Faults that are listed."""

READING_FAILS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on a body that it can't read."""

_SHOWN = 60
_DIGITS = 30


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a body has to be."""

    # What its rows are called; empty where they do not matter.
    listed: str
    # What a row must look like.
    shape: Shape
    # What stands beside the rows.
    heads: tuple[Slot, ...] = ()
    # Judges a row as a whole.
    across: Across | None = None


class _Unreadable:
    """A literal that is no JSON number; keeps what was written."""

    def __init__(self, text: str) -> None:
        self.text = text


def explain(
    body: bytes, wanted: Wanted, checks: Sequence[tuple[str, Check]], cause: BaseException | None = None
) -> NoReturn:
    """Raise what is wrong with a body.

    Raises:
        Malformed: it is not JSON; names the byte.
        TooLarge: it has too many rows.
        Invalid: everything else, with all faults.
    """
    faults = _of_body(_parse(body), wanted, checks)
    listed = list(islice(faults, LISTED))
    count = len(listed) + sum(1 for _ in faults)
    if not listed:
        listed = [Fault(at="body", expected="a body that can be read", found=str(cause))]
    raise Invalid(
        "This request does not hold to its contract, and nothing of it was taken",
        found=_counted(max(count, len(listed))),
        faults=tuple(listed),
    )


def shown(value: Any) -> str:  # noqa: ANN401 - whatever was sent
    """Show a value as it was sent, shortened."""
    if isinstance(value, _Unreadable):
        return value.text
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(value):,} characters)"


def _counted(count: int) -> str:
    if count > LISTED:
        return f"{count:,} faults, the first {LISTED} of which are listed"
    return f"{count} fault{'' if count == 1 else 's'}"


def _parse(body: bytes) -> Any:  # noqa: ANN401 - whatever was sent
    text = ""
    try:
        text = body.decode()
        return json.loads(text, parse_constant=_Unreadable, parse_float=_number, parse_int=_whole_number)
    except UnicodeDecodeError as error:
        _malformed("UTF-8", f"a byte that is not, at byte {error.start}")
    except json.JSONDecodeError as error:
        _malformed("JSON", f"{error.msg[:1].lower()}{error.msg[1:]}, at byte {len(text[: error.pos].encode())}")
    except RecursionError:
        _malformed("a flat object", "lists or objects nested hundreds deep")


def _malformed(expected: str, found: str) -> NoReturn:
    raise Malformed("This body can't be read", expected=expected, found=found)


def _number(text: str) -> float | _Unreadable:
    number = float(text)
    return number if math.isfinite(number) else _Unreadable(text[:_DIGITS])


def _whole_number(text: str) -> int | _Unreadable:
    # Python refuses to read thousands of digits, and takes long for hundreds.
    return int(text) if len(text) <= _DIGITS else _Unreadable(f"{text[:_DIGITS]}…")


def _of_body(document: Any, wanted: Wanted, checks: Sequence[tuple[str, Check]]) -> Iterator[Fault]:  # noqa: ANN401
    if not isinstance(document, dict):
        yield Fault(at="body", expected="an object", found=shown(document))
        return
    names = [*(slot.name for slot in wanted.heads), *([wanted.listed] if wanted.listed else [])]
    for name in document:
        if wanted.listed and name not in names:
            yield Fault(at=_short(name), expected=" and ".join(names), found="another field", hint=nearest(name, names))
    for slot in wanted.heads:
        yield from _of_value(slot.name, slot, document, ())
    if wanted.listed:
        yield from _of_rows(document.get(wanted.listed), wanted, checks)


def _of_rows(rows: Any, wanted: Wanted, checks: Sequence[tuple[str, Check]]) -> Iterator[Fault]:  # noqa: ANN401
    if not isinstance(rows, list) or not rows:
        found = "nothing" if rows is None else "no row" if rows == [] else shown(rows)
        yield Fault(at=wanted.listed, expected="a list of at least one row", found=found)
        return
    if len(rows) > ROWS:
        raise TooLarge(
            "This request has too many rows",
            expected=f"at most {ROWS:,}",
            found=f"{len(rows):,}",
            way_out="Send them in several requests.",
        )
    for number, row in enumerate(rows):
        yield from _of_row(f"{wanted.listed}[{number}]", row, wanted, checks)


def _of_row(at: str, row: Any, wanted: Wanted, checks: Sequence[tuple[str, Check]]) -> Iterator[Fault]:  # noqa: ANN401
    if not isinstance(row, dict):
        yield Fault(at=at, expected="an object", found=shown(row))
        return
    slots = wanted.shape.slots
    for slot in slots.values():
        own = [check for name, check in checks if name == slot.name]
        yield from _of_value(f"{at}.{slot.name}", slot, row, own)
    for name in row:
        if name not in slots:
            expected = f"a field of {wanted.shape.whole}"
            yield Fault(at=f"{at}.{_short(name)}", expected=expected, found="no such field", hint=nearest(name, slots))
    trouble = wanted.across(row.get) if wanted.across is not None else None
    if trouble is not None:
        yield Fault(at=at, expected=trouble.expected, found=trouble.found, hint=trouble.hint)


def _of_value(at: str, slot: Slot, row: dict[str, Any], checks: Sequence[Check]) -> Iterator[Fault]:
    value = row.get(slot.name)
    if value is None:
        if slot.required:
            yield Fault(at=at, expected=slot.expected, found="null" if slot.name in row else "nothing")
        return
    try:
        typed = msgspec.convert(value, slot.type)
    except msgspec.ValidationError:
        yield Fault(at=at, expected=slot.expected, found=shown(value))
        return
    if isinstance(typed, str) and not _encodable(typed):
        yield Fault(at=at, expected=slot.expected, found="half of a surrogate pair")
        return
    trouble = next((found for check in checks if (found := check(typed)) is not None), None)
    if trouble is not None:
        yield Fault(at=at, expected=trouble.expected, found=trouble.found, hint=trouble.hint)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(name: str) -> str:
    """Shorten a name that was sent; half of a surrogate pair could not be sent back."""
    text = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    return text.encode(errors="replace").decode()
