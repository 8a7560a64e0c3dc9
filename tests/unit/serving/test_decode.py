"""Reading bodies: what is taken, and that everything wrong is said."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.errors import Fault, Invalid, Malformed, TooLarge
from lockgate.records.features import Field, FieldKind
from lockgate.serving.decode import BodyReader, peek_endpoint
from lockgate.serving.shape import Check, Shape, Trouble, slot_of

FIELDS = (
    Field(name="id", kind=FieldKind.TEXT),
    Field(name="at", kind=FieldKind.TIME),
    Field(name="origin", kind=FieldKind.CATEGORY),
    Field(name="distance", kind=FieldKind.FLOAT, low=10, high=6000),
    Field(name="seats", kind=FieldKind.INT, low=1),
    Field(name="cargo", kind=FieldKind.BOOL),
    Field(name="wind speed", kind=FieldKind.FLOAT, nullable=True),
    Field(name="class", kind=FieldKind.INT, nullable=True),
)
READER = BodyReader("rows", Shape("the contract of flights", [slot_of(f, key=f.name == "id") for f in FIELDS]))
RIGHT: dict[str, Any] = {
    "id": "UA-1",
    "at": "2013-03-01T08:15:00-05:00",
    "origin": "EWR",
    "distance": 719.5,
    "seats": 150,
    "cargo": False,
}


def only_newark(value: str) -> Trouble | None:
    return None if value == "EWR" else Trouble("EWR", value)


CHECKS: dict[str, Check] = {"origin": only_newark}


def body(*rows: object) -> bytes:
    return json.dumps({"rows": list(rows)}).encode()


def faults_of(text: bytes) -> list[Fault]:
    with pytest.raises(Invalid) as refused:
        READER.read(text, CHECKS)
    return list(refused.value.faults)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in RIGHT.items() if key != name}


def test_a_right_row_comes_back_in_the_order_of_the_contract() -> None:
    (row,) = READER.read(body(RIGHT), CHECKS)
    moment = datetime(2013, 3, 1, 13, 15, tzinfo=UTC)
    assert row == ("UA-1", moment, "EWR", 719.5, 150, False, None, None)


TAKEN = {
    "a whole number is a number": ({"distance": 700}, 3, 700.0),
    "null is a value of a field that may be null": ({"class": None}, 7, None),
    "a time may be in UTC": ({"at": "2013-03-01T13:15:00Z"}, 1, datetime(2013, 3, 1, 13, 15, tzinfo=UTC)),
    "the least value is in range": ({"distance": 10}, 3, 10.0),
    "the greatest value is in range": ({"distance": 6000}, 3, 6000.0),
    "a field may be named like nothing in Python": ({"wind speed": 3.5}, 6, 3.5),
    "a key may have 256 characters": ({"id": "x" * 256}, 0, "x" * 256),
}


@pytest.mark.parametrize(("changes", "position", "value"), TAKEN.values(), ids=TAKEN)
def test_taken(changes: dict[str, Any], position: int, value: object) -> None:
    (row,) = READER.read(body(RIGHT | changes), CHECKS)
    assert row[position] == value
    assert type(row[position]) is type(value)


REFUSED = {
    "a text is no number": (RIGHT | {"distance": "700"}, "rows[0].distance", '"700"'),
    "a fraction is no whole number": (RIGHT | {"seats": 1.5}, "rows[0].seats", "1.5"),
    "a whole number is written without a fraction": (RIGHT | {"seats": 2.0}, "rows[0].seats", "2.0"),
    "true is no number": (RIGHT | {"seats": True}, "rows[0].seats", "true"),
    "one is not true": (RIGHT | {"cargo": 1}, "rows[0].cargo", "1"),
    "a number is no text": (RIGHT | {"id": 5}, "rows[0].id", "5"),
    "a time needs an offset": (RIGHT | {"at": "2013-03-01T08:15:00"}, "rows[0].at", '"2013-03-01T08:15:00"'),
    "a time is no number": (RIGHT | {"at": 1362143700}, "rows[0].at", "1362143700"),
    "a time has a day that exists": (RIGHT | {"at": "2013-02-30T08:15:00Z"}, "rows[0].at", '"2013-02-30T08:15:00Z"'),
    "a time in the year 1 is a mistake": (
        RIGHT | {"at": "0001-01-01T00:00:00+14:00"},
        "rows[0].at",
        "0001-01-01T00:00:00+14:00",
    ),
    "null is no value of a field that needs one": (RIGHT | {"distance": None}, "rows[0].distance", "null"),
    "a field that is needed is not left out": (without("distance"), "rows[0].distance", "nothing"),
    "below the range": (RIGHT | {"distance": 9.9}, "rows[0].distance", "9.9"),
    "above the range": (RIGHT | {"distance": 6001}, "rows[0].distance", "6001"),
    "below the range of whole numbers": (RIGHT | {"seats": 0}, "rows[0].seats", "0"),
    "more than 64 bits": (RIGHT | {"class": 1 << 64}, "rows[0].class", str(1 << 64)),
    "a key of 257 characters": (RIGHT | {"id": "x" * 257}, "rows[0].id", f'"{"x" * 59}… (257 characters)'),
    "half of a surrogate pair": (RIGHT | {"id": "\ud800"}, "rows[0].id", "half of a surrogate pair"),
    "what a check refuses": (RIGHT | {"origin": "JFK"}, "rows[0].origin", "JFK"),
    "an object where a value belongs": (RIGHT | {"origin": {"a": 1}}, "rows[0].origin", "an object of 1"),
    "a row that is no object": ([1, 2], "rows[0]", "a list of 2"),
}


@pytest.mark.parametrize(("row", "at", "found"), REFUSED.values(), ids=REFUSED)
def test_refused(row: object, at: str, found: str) -> None:
    (fault,) = faults_of(body(row))
    assert (fault.at, fault.found) == (at, found)


def test_a_misspelt_field_is_named_with_the_nearest_right_one() -> None:
    missing, unknown = faults_of(body(without("origin") | {"orgin": "EWR"}))
    assert missing.at == "rows[0].origin"
    assert (unknown.at, unknown.hint) == ("rows[0].orgin", "Did you mean 'origin'?")


def test_a_misspelt_list_of_rows_is_named() -> None:
    unknown, missing = faults_of(b'{"row": []}')
    assert unknown.hint == "Did you mean 'rows'?"
    assert (missing.at, missing.found) == ("rows", "nothing")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_what_is_no_json_number_is_named_as_what_it_is(literal: str) -> None:
    text = body(RIGHT).replace(b"719.5", literal.encode())
    (fault,) = faults_of(text)
    assert fault.at == "rows[0].distance"
    assert fault.found.rstrip("…") == literal[:30]


def test_all_faults_of_all_rows_are_found_at_once() -> None:
    wrong = RIGHT | {"distance": 1, "origin": "JFK", "seats": "many"}
    found = [fault.at for fault in faults_of(body(wrong, RIGHT, without("id")))]
    assert found == ["rows[0].origin", "rows[0].distance", "rows[0].seats", "rows[2].id"]


def test_a_hundred_faults_are_listed_and_all_are_counted() -> None:
    with pytest.raises(Invalid) as refused:
        READER.read(body(*[RIGHT | {"distance": 1}] * 250), {})
    assert len(refused.value.faults) == 100
    assert "250 faults" in str(refused.value)


NOT_JSON = {
    "half of a body": (body(RIGHT)[:60], "byte 60"),
    "nothing at all": (b"", "byte 0"),
    "more after the end": (body(RIGHT) + b"x", "byte 127"),
    "bytes that are no text": (b'{"rows": "\xff"}', "byte 10"),
    "nested without end": (b"[" * 100_000, "nested"),
}


@pytest.mark.parametrize(("text", "where"), NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_json_is_malformed_and_the_place_is_named(text: bytes, where: str) -> None:
    with pytest.raises(Malformed) as refused:
        READER.read(text, CHECKS)
    assert where in refused.value.found


@pytest.mark.parametrize("text", [b"[]", b"3", b'{"rows": {}}', b'{"rows": []}', b'{"rows": null}', b"{}"])
def test_a_body_without_rows_is_refused(text: bytes) -> None:
    assert len(faults_of(text)) == 1


def test_ten_thousand_rows_are_taken_and_one_more_is_not() -> None:
    assert len(READER.read(body(*[RIGHT] * 10_000), CHECKS)) == 10_000
    with pytest.raises(TooLarge):
        READER.read(body(*[RIGHT] * 10_001), CHECKS)


def test_the_endpoint_of_a_body_is_found_without_reading_the_rest() -> None:
    assert peek_endpoint(b'{"outcomes": [{"x": 1}], "endpoint": "flights"}') == "flights"
    with pytest.raises(Invalid) as refused:
        peek_endpoint(b'{"endpoint": 5}')
    assert [fault.at for fault in refused.value.faults] == ["endpoint"]


# --- for any contract and any row ------------------------------------------------------------------------------------

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
VALUES: dict[FieldKind, st.SearchStrategy[Any]] = {
    FieldKind.BOOL: st.booleans(),
    FieldKind.INT: st.integers(-(1 << 63), (1 << 63) - 1),
    FieldKind.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    FieldKind.TEXT: st.text(max_size=50),
    FieldKind.CATEGORY: st.text(max_size=50),
    FieldKind.TIME: st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30), timezones=ZONES),  # noqa: DTZ001 - bounds
}
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters='"\\'), min_size=1, max_size=12)


@st.composite
def contracts(draw: st.DrawFn) -> tuple[Field, ...]:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    kinds = st.sampled_from(FieldKind)
    return tuple(Field(name=name, kind=draw(kinds), nullable=draw(st.booleans())) for name in names)


def wire(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


@given(data=st.data())
def test_what_was_sent_is_what_is_read(data: st.DataObject) -> None:
    fields = data.draw(contracts())
    values = tuple(
        data.draw(VALUES[field.kind] | st.none() if field.nullable else VALUES[field.kind]) for field in fields
    )
    sent = {field.name: wire(value) for field, value in zip(fields, values, strict=True)}
    reader = BodyReader("rows", Shape("a contract", [slot_of(field) for field in fields]))
    assert reader.read(json.dumps({"rows": [sent]}).encode(), {}) == [values]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just("2013-03-01T08:15:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(changes=st.dictionaries(st.sampled_from([*RIGHT, "wind speed", "class", "other"]), JSON, max_size=4))
def test_the_two_paths_agree_on_every_row(changes: dict[str, Any]) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        READER.read(body(RIGHT | changes), {})
    except Invalid as refused:
        faults = refused.faults
    # The slow path found what the fast one stumbled over, and blames only what was changed.
    assert {fault.at.removeprefix("rows[0].") for fault in faults} <= set(changes)


@given(text=st.binary(max_size=60))
def test_no_bytes_get_anything_but_an_answer(text: bytes) -> None:
    with pytest.raises((Malformed, Invalid)):
        READER.read(text, {})
