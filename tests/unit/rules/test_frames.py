"""Which rows break a rule."""

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.check import Rule
from lockgate.rules.frames import ROW_RULES, condition_of

NAN, INF = math.nan, math.inf

BROKEN: dict[str, tuple[str, dict[str, Any], pl.Series, list[bool]]] = {
    "a value twice breaks at its second place": ("unique", {}, pl.Series([1, 2, 1, 1]), [False, False, True, True]),
    "null twice is not a value twice": ("unique", {}, pl.Series(["a", None, None]), [False, False, False]),
    "text that differs by case differs": ("unique", {}, pl.Series(["a", "A"]), [False, False]),
    "a moment twice": (
        "unique",
        {},
        pl.Series([datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC)]),
        [False, True],
    ),
    "true twice": ("unique", {}, pl.Series([True, True, False]), [False, True, False]),
    "null is missing": ("missing", {}, pl.Series([None, 1]), [True, False]),
    "NaN is missing": ("missing", {}, pl.Series([NAN, None, 0.0, INF]), [True, True, False, False]),
    "empty text is there": ("missing", {}, pl.Series(["", None]), [False, True]),
    "both bounds are inside": (
        "between",
        {"low": 1, "high": 3},
        pl.Series([0, 1, 2, 3, 4]),
        [True, False, False, False, True],
    ),
    "null is not held against bounds": ("between", {"low": 1, "high": 3}, pl.Series([None, 2]), [False, False]),
    "NaN is in no bounds": ("between", {"low": 1.0, "high": 3.0}, pl.Series([NAN, 2.0]), [True, False]),
    "NaN is not even in the widest bounds": ("between", {"low": -1e308, "high": 1e308}, pl.Series([NAN]), [True]),
    "infinity is beyond bounds": ("between", {"low": -1e308, "high": 1e308}, pl.Series([INF, -INF]), [True, True]),
    "integers are held against fractions": (
        "between",
        {"low": 0.5, "high": 1.5},
        pl.Series([0, 1, 2]),
        [True, False, True],
    ),
    "a value that is not listed": ("one_of", {"values": ["a", "b"]}, pl.Series(["a", "c"]), [False, True]),
    "null is not held against a list": ("one_of", {"values": ["a"]}, pl.Series([None, "a"]), [False, False]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_rule_is_broken_where_its_words_say(what: str) -> None:
    kind, parameters, column, expected = BROKEN[what]
    frame = pl.DataFrame({"x": column})
    found = frame.select(ROW_RULES[kind]("x", parameters, frame.schema["x"]))["x"]

    assert found.to_list() == expected


@given(values=st.lists(st.none() | st.integers(0, 5)))
def test_unique_counts_every_value_beyond_its_first(values: list[int | None]) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64)})
    there = [value for value in values if value is not None]

    assert frame.select(ROW_RULES["unique"]("x", {}, pl.Int64())).sum().item() == len(there) - len(set(there))


CONDITIONS: dict[str, Rule] = {
    "no id twice": Rule(source="s", kind="unique", column="id"),
    "id is there": Rule(source="s", kind="missing", column="id"),
    "0.5 ≤ x ≤ 10": Rule(source="s", kind="between", column="x", parameters={"low": 0.5, "high": 10}),
    "x is one of a, b": Rule(source="s", kind="one_of", column="x", parameters={"values": ["a", "b"]}),
    "1 rows or more": Rule(source="s", kind="row_count", parameters={"least": 1, "most": None}),
    "1 to 9 rows": Rule(source="s", kind="row_count", parameters={"least": 1, "most": 9}),
    "odd(x)": Rule(source="s", kind="odd", column="x"),
}


@pytest.mark.parametrize("words", CONDITIONS)
def test_a_condition_is_said_in_words(words: str) -> None:
    assert condition_of(CONDITIONS[words]) == words
