"""One closure stands between a request and the matrix; offline and online it gives the same bits."""

import math
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockgate.features.offline import as_served, encode_rows, raw_columns, vocabulary_of
from lockgate.features.online import Encoder, Resolver, fuse
from lockgate.features.store import MemoryStore
from lockgate.kernel.errors import Invalid
from lockgate.records.features import (
    Code,
    FeatureSet,
    FeatureSpec,
    Field,
    FieldKind,
    Input,
    InputKind,
    Lookup,
    LookupColumn,
    ModelColumn,
    RequestSpec,
)
from lockgate.records.source import SourceSpec

NEW_YORK = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REQUEST = RequestSpec(
    name="Ask",
    key="id",
    asked_at="asked",
    history="asks",
    lateness=timedelta(days=7),
    fields=(
        Field(name="id", kind=FieldKind.INT),
        Field(name="asked", kind=FieldKind.TIME),
        Field(name="place", kind=FieldKind.CATEGORY, nullable=True),
        Field(name="size", kind=FieldKind.FLOAT, nullable=True),
        Field(name="count", kind=FieldKind.INT, nullable=True),
        Field(name="fresh", kind=FieldKind.BOOL, nullable=True),
        Field(name="at", kind=FieldKind.TIME, nullable=True),
    ),
)

FUNCTIONS: dict[str, tuple[str, tuple[str, ...], FieldKind]] = {
    "hour": ("def hour(asked):\n    return asked.hour", ("asked",), FieldKind.INT),
    "day": ("def day(asked):\n    return asked.timetuple().tm_yday", ("asked",), FieldKind.INT),
    "minutes": ("def minutes(asked):\n    return asked.hour * 60 + asked.minute", ("asked",), FieldKind.INT),
    "second_pass": ("def second_pass(asked):\n    return asked.fold", ("asked",), FieldKind.INT),
    "offset": (
        "def offset(asked):\n    return asked.utcoffset().total_seconds()",
        ("asked",),
        FieldKind.FLOAT,
    ),
    "since": ("def since(asked, at):\n    return (asked - at).total_seconds()", ("asked", "at"), FieldKind.FLOAT),
    "share": ("def share(size, count):\n    return size / count", ("size", "count"), FieldKind.FLOAT),
    "root": ("def root(size):\n    return math.sqrt(size)", ("size",), FieldKind.FLOAT),
    "huge": ("def huge(count):\n    return count ** 40", ("count",), FieldKind.INT),
    "letters": ("def letters(place):\n    return len(place)", ("place",), FieldKind.INT),
    "initial": ("def initial(place):\n    return place[0].upper()", ("place",), FieldKind.CATEGORY),
    "either": ("def either(fresh, size):\n    return fresh or size > 1", ("fresh", "size"), FieldKind.BOOL),
    "twice": ("def twice(share):\n    return 2 * share", ("share",), FieldKind.FLOAT),
    "seen": ("def seen(staff, size):\n    return staff * size", ("staff", "size"), FieldKind.FLOAT),
}


def source_of(name: str, parameter: str) -> Input:
    if parameter == "staff":
        return Input(parameter=parameter, kind=InputKind.LOOKUP, name="staff of", source="places")
    kind = InputKind.FEATURE if parameter in FUNCTIONS else InputKind.FIELD
    assert parameter != name
    return Input(parameter=parameter, kind=kind, name=parameter)


def feature(name: str) -> FeatureSpec:
    source, parameters, returns = FUNCTIONS[name]
    return FeatureSpec(
        name=name,
        version=1,
        inputs=tuple(source_of(name, parameter) for parameter in parameters),
        returns=returns,
        code=Code(name=name, source=source),
    )


COLUMNS = (
    ModelColumn(name="place", kind=InputKind.FIELD, origin="place", type=FieldKind.CATEGORY),
    ModelColumn(name="size", kind=InputKind.FIELD, origin="size", type=FieldKind.FLOAT),
    ModelColumn(name="count", kind=InputKind.FIELD, origin="count", type=FieldKind.INT),
    ModelColumn(name="fresh", kind=InputKind.FIELD, origin="fresh", type=FieldKind.BOOL),
    *(ModelColumn(name=name, kind=InputKind.FEATURE, origin=name, type=FUNCTIONS[name][2]) for name in FUNCTIONS),
    # A column whose name is no Python name.
    ModelColumn(name="places_staff of", kind=InputKind.LOOKUP, origin="staff of", source="places", type=FieldKind.INT),
)
FEATURES = FeatureSet(
    timezone="America/New_York",
    lookups=(
        Lookup(
            source="places",
            by="place",
            columns=(LookupColumn(name="staff of", type=FieldKind.INT),),
            clocked=False,
        ),
    ),
    features=tuple(feature(name) for name in FUNCTIONS),
    columns=COLUMNS,
)
NAMES = [column.name for column in COLUMNS]
VOCABULARY = {"place": ("EWR", "JFK"), "initial": ("E", "J")}
STAFF: dict[str | int, tuple[Any, ...]] = {"EWR": (12,), "JFK": (-3,), "\N{LATIN SMALL LETTER SHARP S}": (0,)}
PLACES = SourceSpec(name="places", function="m:f", key="place")

Ask = dict[str, Any]

# Times around leap days and both changes of the clock in New York, to the microsecond.
CHANGES = [
    datetime(2013, 3, 10, 7, tzinfo=UTC),
    datetime(2013, 11, 3, 5, tzinfo=UTC),
    datetime(2013, 11, 3, 6, tzinfo=UTC),
    datetime(2012, 2, 29, 5, tzinfo=UTC),
    datetime(2012, 12, 31, 5, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
]
TIMES = st.one_of(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    st.builds(
        lambda moment, micros: moment + timedelta(microseconds=micros),
        st.sampled_from(CHANGES),
        st.integers(-3_700_000_000, 3_700_000_000),
    ),
)
TEXTS = st.none() | st.sampled_from(["EWR", "JFK", "", "\N{LATIN SMALL LETTER SHARP S}"]) | st.text(max_size=4)
ASKS = st.lists(
    st.fixed_dictionaries(
        {
            "asked": TIMES,
            "place": TEXTS,
            "size": st.none() | st.floats(),
            "count": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
            "fresh": st.none() | st.booleans(),
            "at": st.none() | TIMES,
        }
    ),
    min_size=1,
    max_size=5,
)


def bits(matrix: Sequence[Sequence[float]]) -> list[list[bytes]]:
    return [[struct.pack("<d", value) for value in row] for row in matrix]


def asks_frame(asks: Sequence[Ask]) -> pl.DataFrame:
    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        [{"id": number, **ask} for number, ask in enumerate(asks)],
        schema={
            "id": pl.Int64,
            "asked": moment,
            "place": pl.String,
            "size": pl.Float64,
            "count": pl.Int64,
            "fresh": pl.Boolean,
            "at": moment,
        },
    )


def offline(asks: Sequence[Ask]) -> list[list[float]]:
    table = pl.DataFrame(
        {"place": list(STAFF), "staff of": [staff for (staff,) in STAFF.values()]},
        schema={"place": pl.String, "staff of": pl.Int64},
    )
    frame = as_served(asks_frame(asks), REQUEST, FEATURES, {"places": (PLACES, table)})
    matrix = encode_rows(raw_columns(frame, REQUEST, FEATURES), FEATURES, VOCABULARY)
    order = frame["id"].to_list()
    return [matrix[order.index(number)].tolist() for number in range(len(asks))]


def online(asks: Sequence[Ask]) -> list[list[float]]:
    resolver = Resolver(REQUEST, FEATURES, {"places": STAFF}, MemoryStore())
    fused, encoder = fuse(REQUEST, FEATURES), Encoder(FEATURES, VOCABULARY)
    found = []
    for number, ask in enumerate(asks):
        row = (
            number,
            ask["asked"].astimezone(NEW_YORK),
            ask["place"],
            ask["size"],
            ask["count"],
            ask["fresh"],
            None if ask["at"] is None else ask["at"].astimezone(NEW_YORK),
        )
        known = resolver.resolve(row, (ask["asked"] - EPOCH) // timedelta(microseconds=1))
        found.append(encoder.encode(fused(row, [one.values for one in known]))[0])
    return found


def ask(**given: object) -> Ask:
    plain: Ask = {
        "asked": datetime(2013, 7, 4, 12, 30, tzinfo=UTC),
        "place": "EWR",
        "size": 6.0,
        "count": 4,
        "fresh": False,
        "at": datetime(2013, 7, 4, 12, tzinfo=UTC),
    }
    return plain | given


def value(name: str, **given: object) -> float:
    (row,) = online([ask(**given)])
    assert bits([row]) == bits(offline([ask(**given)]))
    return row[NAMES.index(name)]


@settings(max_examples=150)
@given(asks=ASKS)
@example(asks=[ask(size=math.nan), ask(size=math.inf), ask(size=-math.inf), ask(size=-0.0), ask(size=5e-324)])
@example(asks=[ask(count=2**63 - 1), ask(count=-(2**63)), ask(count=0), ask(count=None)])
@example(
    asks=[ask(place=text) for text in ("", "\x00", "\N{LATIN SMALL LETTER SHARP S}", "e\u0301", "\U0001f6eb", None)]
)
@example(asks=[ask(asked=moment, at=moment - timedelta(hours=1)) for moment in CHANGES])
@example(asks=[ask(asked=datetime(2013, 11, 3, hour, 30, tzinfo=UTC)) for hour in (4, 5, 6, 7)])
@example(asks=[ask(fresh=None, size=None), ask(fresh=True, size=None), ask(fresh=False, size=2.0)])
def test_offline_and_online_give_the_same_bits(asks: list[Ask]) -> None:
    assert bits(offline(asks)) == bits(online(asks))


MEANT: dict[str, tuple[str, Ask, float | None]] = {
    "an hour is the zone's": ("hour", {}, 8),
    "an hour that the clock skips": ("hour", {"asked": datetime(2013, 3, 10, 7, tzinfo=UTC)}, 3),
    "the first pass of an hour": ("second_pass", {"asked": datetime(2013, 11, 3, 5, 30, tzinfo=UTC)}, 0),
    "the second pass of an hour": ("second_pass", {"asked": datetime(2013, 11, 3, 6, 30, tzinfo=UTC)}, 1),
    "the offset of the first pass": ("offset", {"asked": datetime(2013, 11, 3, 5, 30, tzinfo=UTC)}, -4 * 3600),
    "the offset of the second pass": ("offset", {"asked": datetime(2013, 11, 3, 6, 30, tzinfo=UTC)}, -5 * 3600),
    "a leap day": ("day", {"asked": datetime(2012, 2, 29, 12, tzinfo=UTC)}, 60),
    "the last day of a leap year": ("day", {"asked": datetime(2012, 12, 31, 12, tzinfo=UTC)}, 366),
    "a division": ("share", {}, 1.5),
    "a division by zero is null": ("share", {"count": 0}, None),
    "an overflow is null": ("huge", {"count": 2**62}, None),
    "the root of a negative number is null": ("root", {"size": -1.0}, None),
    "null in a computation is null": ("share", {"size": None}, None),
    "an attribute of null is null": ("since", {"at": None}, None),
    "an index of nothing is null": ("initial", {"place": ""}, None),
    "a feature of a null feature is null": ("twice", {"count": 0}, None),
    "a feature of a feature": ("twice", {}, 3.0),
    "a comparison": ("either", {"size": 2.0}, 1.0),
    "NaN is missing": ("size", {"size": math.nan}, None),
    "infinity is missing": ("size", {"size": math.inf}, None),
    "an integer is a float": ("count", {"count": -3}, -3.0),
    "true is one": ("fresh", {"fresh": True}, 1.0),
    "a category is its place in the vocabulary": ("place", {"place": "JFK"}, 1.0),
    "a category that is null is missing": ("place", {"place": None}, None),
    "a category outside of the vocabulary is missing": ("place", {"place": "LGA"}, None),
    "a category that a feature gives": ("initial", {"place": "jf"}, 1.0),
    "a looked-up value": ("places_staff of", {}, 12.0),
    "a looked-up value of an unknown key is missing": ("places_staff of", {"place": "LGA"}, None),
    "a looked-up value of no key is missing": ("places_staff of", {"place": None}, None),
    "a feature of a looked-up value": ("seen", {}, 72.0),
    "a feature of a looked-up value that is missing is null": ("seen", {"place": "LGA"}, None),
}


@pytest.mark.parametrize("what", MEANT)
def test_a_feature_means_what_python_does_and_an_error_means_null(what: str) -> None:
    name, given_fields, expected = MEANT[what]
    found = value(name, **given_fields)

    assert (None if math.isnan(found) else found) == expected


def test_an_unseen_category_is_named() -> None:
    encoder = Encoder(FEATURES, VOCABULARY)
    fused = fuse(REQUEST, FEATURES)
    row = (1, datetime(2013, 7, 4, tzinfo=NEW_YORK), "LGA", 1.0, 1, True, None)

    assert encoder.encode(fused(row, [(None,)]))[1] == ("place", "initial")
    assert encoder.encode(fused((*row[:2], "EWR", *row[3:]), [(None,)]))[1] == ()
    assert encoder.encode(fused((*row[:2], None, *row[3:]), [(None,)]))[1] == ()


ODD_ANSWERS = {
    "a list": "[1]",
    "a dictionary": "{}",
    "a moment": "asked",
    "text": "'x'",
    "a number where a category is meant": "7",
    "a complex number": "(-8) ** 0.5",
    "nothing": "None",
}


@pytest.mark.parametrize("kind", [FieldKind.FLOAT, FieldKind.CATEGORY])
@pytest.mark.parametrize("what", ODD_ANSWERS)
def test_whatever_a_feature_answers_the_request_goes_on(what: str, kind: FieldKind) -> None:
    features = FeatureSet(
        timezone="UTC",
        lookups=(),
        features=(
            FeatureSpec(
                name="odd",
                version=1,
                inputs=(source_of("odd", "asked"),),
                returns=kind,
                code=Code(name="odd", source=f"def odd(asked):\n    return {ODD_ANSWERS[what]}"),
            ),
        ),
        columns=(ModelColumn(name="odd", kind=InputKind.FEATURE, origin="odd", type=kind),),
    )
    raw = fuse(REQUEST, features)((1, datetime(2013, 7, 4, tzinfo=UTC), "EWR", 1.0, 1, True, None), [])
    (found,), _ = Encoder(features, {"odd": ("a", "b")} if kind is FieldKind.CATEGORY else {}).encode(raw)

    assert found == 7 if what.startswith("a number") and kind is FieldKind.FLOAT else math.isnan(found)


def test_an_error_that_is_no_fault_of_a_value_is_not_hidden() -> None:
    features = FeatureSet(
        timezone="UTC",
        lookups=(),
        features=(
            FeatureSpec(
                name="deep",
                version=1,
                inputs=(source_of("deep", "count"),),
                returns=FieldKind.INT,
                code=Code(name="deep", source="def deep(count):\n    assert count > 1\n    return count"),
            ),
        ),
        columns=(ModelColumn(name="deep", kind=InputKind.FEATURE, origin="deep", type=FieldKind.INT),),
    )
    fused: Callable[..., Any] = fuse(REQUEST, features)

    with pytest.raises(AssertionError):
        fused((1, datetime(2013, 7, 4, tzinfo=UTC), "EWR", 1.0, 1, True, None), [])


def test_code_that_is_not_closed_is_not_fused() -> None:
    open_code = Code(name="hour", source="def hour(asked):\n    import os\n    return os.getpid()")
    features = FeatureSet(
        timezone="UTC",
        lookups=(),
        features=(
            FeatureSpec(
                name="hour", version=1, inputs=(source_of("hour", "asked"),), returns=FieldKind.INT, code=open_code
            ),
        ),
        columns=(),
    )

    with pytest.raises(Invalid):
        fuse(REQUEST, features)


def test_a_vocabulary_is_what_the_rows_had_sorted_and_without_null() -> None:
    asks = [ask(place="JFK"), ask(place=None), ask(place="EWR"), ask(place="JFK")]
    frame = as_served(
        asks_frame(asks), REQUEST, FEATURES, {"places": (PLACES, pl.DataFrame({"place": ["EWR"], "staff of": [1]}))}
    )

    assert vocabulary_of(raw_columns(frame, REQUEST, FEATURES), FEATURES) == {
        "place": ("EWR", "JFK"),
        "initial": ("E", "J"),
    }


def test_no_rows_are_a_matrix_of_no_rows() -> None:
    none = as_served(
        asks_frame([]), REQUEST, FEATURES, {"places": (PLACES, pl.DataFrame({"place": ["EWR"], "staff of": [1]}))}
    )

    assert encode_rows(raw_columns(none, REQUEST, FEATURES), FEATURES, VOCABULARY).shape == (0, len(COLUMNS))


def test_progress_is_told_as_a_share() -> None:
    frame = as_served(
        asks_frame([ask()]), REQUEST, FEATURES, {"places": (PLACES, pl.DataFrame({"place": ["EWR"], "staff of": [1]}))}
    )
    told: list[float] = []
    raw_columns(frame, REQUEST, FEATURES, told.append)

    assert told
    assert all(0 <= share <= 1 for share in told)
