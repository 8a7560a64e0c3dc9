"""Rules that are declared for the history of requests guard the requests themselves."""

import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.checks.examine import examine
from lockgate.kernel.canonical import sha256
from lockgate.kernel.closure import close
from lockgate.kernel.errors import Invalid
from lockgate.records.check import Rule
from lockgate.records.features import Field, FieldKind, RequestSpec
from lockgate.serving.rowrules import RowRules

REQUEST = RequestSpec(
    name="Parcel",
    key="parcel",
    asked_at="sent_at",
    history="orders",
    lateness=timedelta(days=1),
    fields=(
        Field(name="parcel", kind=FieldKind.TEXT),
        Field(name="sent_at", kind=FieldKind.TIME),
        Field(name="depot", kind=FieldKind.CATEGORY, nullable=True),
        Field(name="weight", kind=FieldKind.FLOAT, nullable=True),
    ),
)
AT = datetime(2013, 3, 1, 12, tzinfo=UTC)


def heavy_by_day(sent_at: datetime, weight: float) -> bool:
    return weight < 20 or sent_at.hour > 6


def rule(kind: str, *columns: str, at_most: float = 0.0, **parameters: Any) -> Rule:  # noqa: ANN401 - each has its own
    return Rule(source="orders", kind=kind, column=columns[0], more=columns[1:], at_most=at_most, parameters=parameters)


def held(at_most: float = 0.0) -> Rule:
    source, literals = close(heavy_by_day)
    text = {"name": "heavy_by_day", "source": source, "literals": literals}
    return rule("holds", "sent_at", "weight", at_most=at_most, function=text, timezone="UTC")


RULES = [
    rule("between", "weight", low=0, high=30),
    rule("one_of", "depot", values=["ams", "rtm"]),
    rule("missing", "depot"),
    held(),
]

REFUSED: dict[str, tuple[tuple[Any, ...], list[tuple[str, str, str]]]] = {
    "a number out of bounds": (("p", AT, "ams", 31.0), [("rows[0].weight", "0 ≤ weight ≤ 30", "31.0")]),
    "a text that is not listed": (("p", AT, "asm", 1.0), [("rows[0].depot", "depot is one of ams, rtm", '"asm"')]),
    "a null": (("p", AT, None, 1.0), [("rows[0].depot", "depot is there", "null")]),
    "a function that is false": (
        ("p", AT.replace(hour=3), "ams", 25.0),
        [("rows[0]", "heavy_by_day(sent_at, weight)", 'sent_at "2013-03-01T03:00:00Z", weight 25.0')],
    ),
    "two at once": (
        ("p", AT, None, -1.0),
        [("rows[0].weight", "0 ≤ weight ≤ 30", "-1.0"), ("rows[0].depot", "depot is there", "null")],
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_row_that_breaks_a_rule_without_tolerance_is_refused_with_all_it_breaks(what: str) -> None:
    row, expected = REFUSED[what]

    with pytest.raises(Invalid) as refused:
        RowRules(RULES, REQUEST).refuse([row])
    assert [(fault.at, fault.expected, fault.found) for fault in refused.value.faults] == expected


def test_the_nearest_listed_value_is_named() -> None:
    with pytest.raises(Invalid, match="Did you mean 'ams'"):
        RowRules(RULES, REQUEST).refuse([("p", AT, "asm", 1.0)])


def test_every_bad_row_is_counted_and_a_hundred_are_listed() -> None:
    with pytest.raises(Invalid, match="150 faults, the first 100") as refused:
        RowRules(RULES, REQUEST).refuse([("p", AT, "ams", 1.0), *[("p", AT, "ams", 31.0)] * 150])
    assert len(refused.value.faults) == 100
    assert refused.value.faults[0].at == "rows[1].weight"


def test_a_row_that_holds_passes_and_a_null_breaks_nothing_but_missing() -> None:
    RowRules(RULES, REQUEST).refuse([("p", AT, "ams", 30.0), ("p", AT, "rtm", None)])


def test_a_rule_with_a_tolerance_is_counted_and_refuses_nothing() -> None:
    rules = RowRules([rule("between", "weight", at_most=0.01, low=0, high=30), held(0.5)], REQUEST)

    rules.refuse([("p", AT, "ams", 31.0)])
    assert rules.broken(("p", AT, "ams", 31.0)) == ("between(weight)",)
    assert rules.broken(("p", AT.replace(hour=1), "ams", 31.0)) == ("between(weight)", "holds(heavy_by_day)")
    assert rules.broken(("p", AT, "ams", 3.0)) == ()


ROWS = st.lists(
    st.tuples(
        st.just("p"),
        st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given a zone
        st.none() | st.sampled_from(["ams", "rtm", "asm", ""]),
        st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.floats(-5, 40),
    ),
    min_size=1,
    max_size=10,
)


@given(rows=ROWS)
def test_history_and_requests_are_judged_alike(rows: list[tuple[Any, ...]]) -> None:
    kinds: dict[str, pl.DataType | type[pl.DataType]] = {
        "parcel": pl.String,
        "sent_at": pl.Datetime("us", "UTC"),
        "depot": pl.String,
        "weight": pl.Float64,
    }
    report = examine(pl.DataFrame(rows, schema=kinds, orient="row"), RULES, on=sha256(b"x"), source="orders")
    for one, result in zip(RULES, report.results, strict=True):
        guard = RowRules([one], REQUEST)
        refused = 0
        for row in rows:
            try:
                guard.refuse([row])
            except Invalid:
                refused += 1
        assert refused == result.failures


def test_a_row_is_judged_in_a_few_microseconds() -> None:
    rules, rows = RowRules(RULES[:3], REQUEST), [("p", AT, "ams", 1.0)] * 1000
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        rules.refuse(rows)
        best = min(best, time.perf_counter() - began)

    assert best / len(rows) < 5e-6
