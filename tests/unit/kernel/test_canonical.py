"""The same value always gives the same bytes; what can't be said exactly is refused."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.canonical import (
    Digest,
    Instant,
    Record,
    canonical,
    digest_of,
    is_digest,
    parse,
    sha256,
    short,
    utc,
)
from lockgate.kernel.errors import Corrupt, Malformed

LARGEST = 2**53 - 1

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-LARGEST, LARGEST),
    # Whole numbers beyond 2**53 are written without a point (RFC 8785), so Python reads them back as other values.
    st.floats(-1e15, 1e15, allow_nan=False),
    st.text(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


class Thing(Record, tag="thing/1", frozen=True, kw_only=True):
    """A record to test with."""

    name: str
    at: Instant
    span: timedelta = timedelta(0)


WHEN = datetime(2013, 3, 1, 13, 15, tzinfo=UTC)

# Each expected text was derived by hand from RFC 8785; none was copied from what the code gave.
WRITTEN: dict[str, tuple[Any, bytes]] = {
    "keys are sorted": ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),
    "keys are sorted at every depth": ({"x": [{"b": 1, "a": {"d": 0, "c": 0}}]}, b'{"x":[{"a":{"c":0,"d":0},"b":1}]}'),
    # U+1F600 is D83D DE00 in UTF-16 and so stands before U+FB33, though its code point is the higher one.
    "keys are sorted by UTF-16 units": (
        {"\N{HEBREW LETTER DALET WITH DAGESH}": 3, "\N{GRINNING FACE}": 2, "z": 1},
        '{"z":1,"\N{GRINNING FACE}":2,"\N{HEBREW LETTER DALET WITH DAGESH}":3}'.encode(),
    ),
    "a whole float is written as an integer": ([1.0, -0.0, 100.0], b"[1,0,100]"),
    "floats are written as ECMAScript writes them": (
        [1e21, 1e20, 1e-7, 1e-6, 0.1, 5e-324, 1.7976931348623157e308],
        b"[1e+21,100000000000000000000,1e-7,0.000001,0.1,5e-324,1.7976931348623157e+308]",
    ),
    "text is escaped no more than it must be": ('\u20ac\x0f\n"\\/\x7f', b'"\xe2\x82\xac\\u000f\\n\\"\\\\/\x7f"'),
    "a tuple is a list": ((1, (2, 3)), b"[1,[2,3]]"),
    "a set has one order": (frozenset({"b", "a", "c"}), b'["a","b","c"]'),
    "a moment is UTC with a Z": (WHEN, b'"2013-03-01T13:15:00Z"'),
    "a moment in another zone is the same moment": (
        [WHEN.astimezone(ZoneInfo("America/New_York")), WHEN.astimezone(timezone(timedelta(hours=5, minutes=45)))],
        b'["2013-03-01T13:15:00Z","2013-03-01T13:15:00Z"]',
    ),
    "microseconds are kept": (WHEN.replace(microsecond=5), b'"2013-03-01T13:15:00.000005Z"'),
    "a span is an ISO 8601 duration": ([timedelta(hours=3), timedelta(days=2)], b'["PT10800S","P2D"]'),
    "a record names its type and version": (
        Thing(name="x", at=WHEN),
        b'{"at":"2013-03-01T13:15:00Z","name":"x","span":"P0D","type":"thing/1"}',
    ),
    "the largest exact integer": ([LARGEST, -LARGEST], b"[9007199254740991,-9007199254740991]"),
    "nothing": ({}, b"{}"),
}

REFUSED: dict[str, Any] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "minus infinity": [-float("inf")],
    "NaN deep inside": {"a": [{"b": float("nan")}]},
    "an integer that doubles can't tell from its neighbour": 2**53 + 1,
    "a negative one": -(2**53) - 1,
    "a huge integer": 10**30,
    "half of a surrogate pair": "\ud800",
    "half of a surrogate pair in a key": {"\ud800": 1},
    "an object": object(),
    "a function": len,
    "a moment without a zone": datetime(2013, 3, 1),  # noqa: DTZ001 - that is what is refused
    "a record with a moment without a zone": Thing(name="x", at=datetime(2013, 3, 1)),  # noqa: DTZ001 - likewise
}


@pytest.mark.parametrize("what", WRITTEN)
def test_canonical_json_is_rfc_8785(what: str) -> None:
    value, expected = WRITTEN[what]

    assert canonical(value) == expected


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_said_exactly_is_refused(what: str) -> None:
    with pytest.raises(Malformed):
        canonical(REFUSED[what])


@given(value=VALUES)
def test_canonical_json_is_json_and_a_fixed_point(value: object) -> None:
    once = canonical(value)
    read = json.loads(once)

    assert read == value
    assert canonical(read) == once


@given(keys=st.lists(st.text(), unique=True, min_size=2, max_size=6), data=st.data())
def test_the_order_in_which_keys_were_added_does_not_count(keys: list[str], data: st.DataObject) -> None:
    other = data.draw(st.permutations(keys))

    assert digest_of(dict.fromkeys(keys, 1)) == digest_of(dict.fromkeys(other, 1))


def test_digests_are_those_of_sha256sum() -> None:
    assert sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_of({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_a_record_is_read_back() -> None:
    thing = Thing(name="x", at=WHEN, span=timedelta(seconds=90))

    assert parse(canonical(thing), Thing, digest=digest_of(thing)) == thing


def test_other_bytes_than_the_digest_names_are_corrupt_before_they_are_read() -> None:
    with pytest.raises(Corrupt) as refused:
        parse(b"no JSON at all", Thing, digest=sha256(b"x"))

    assert refused.value.expected == sha256(b"x")
    assert refused.value.found == sha256(b"no JSON at all")


UNREADABLE = {
    "no JSON": b"{",
    "another type": b'{"type":"other/1","name":"x","at":"2013-03-01T13:15:00Z"}',
    "another version": b'{"type":"thing/2","name":"x","at":"2013-03-01T13:15:00Z"}',
    "no type": b'{"name":1,"at":"2013-03-01T13:15:00Z"}',
    "a field too many": b'{"type":"thing/1","name":"x","at":"2013-03-01T13:15:00Z","more":1}',
    "a field too few": b'{"type":"thing/1","name":"x"}',
    "a field of another type": b'{"type":"thing/1","name":7,"at":"2013-03-01T13:15:00Z"}',
    "a moment without a zone": b'{"type":"thing/1","name":"x","at":"2013-03-01T13:15:00"}',
    "text that is not UTF-8": b'{"type":"thing/1","name":"\xff","at":"2013-03-01T13:15:00Z"}',
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_record_is_read_strictly(what: str) -> None:
    with pytest.raises(Malformed, match="These bytes are not a Thing"):
        parse(UNREADABLE[what], Thing)


def test_a_record_can_not_be_edited() -> None:
    with pytest.raises(AttributeError):
        Thing(name="x", at=WHEN).name = "y"  # type: ignore[misc]  # that is what is refused


DIGESTS = {
    "a digest": (sha256(b"x"), True),
    "its hexadecimal digits alone": (sha256(b"x")[7:], False),
    "one digit short": (sha256(b"x")[:-1], False),
    "one digit long": (sha256(b"x") + "0", False),
    "with a line break": (sha256(b"x") + "\n", False),
    "in capitals": (sha256(b"x").upper(), False),
    "another algorithm": ("sha512:" + "0" * 64, False),
    "nothing": ("", False),
}


@pytest.mark.parametrize("what", DIGESTS)
def test_a_digest_is_told_from_other_text(what: str) -> None:
    text, expected = DIGESTS[what]

    assert is_digest(text) is expected
    if expected:
        assert msgspec.convert([text], list[Digest]) == [text]
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert([text], list[Digest])


def test_a_digest_is_shortened_for_people() -> None:
    assert short(sha256(b"")) == "e3b0c44298fc"


def test_a_moment_is_brought_to_utc_and_a_naive_one_refused() -> None:
    assert utc(datetime(2013, 3, 1, 8, tzinfo=ZoneInfo("America/New_York"))) == datetime(2013, 3, 1, 13, tzinfo=UTC)
    assert utc(WHEN.astimezone(ZoneInfo("Asia/Tokyo"))).tzinfo is UTC
    with pytest.raises(Malformed, match="without a zone"):
        utc(datetime(2013, 3, 1))  # noqa: DTZ001 - that is what is refused
