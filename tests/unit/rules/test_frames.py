"""Which rows break a rule, on frames and on single rows alike."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.closure import close
from lockgate.records.check import ALONE, Rule
from lockgate.rules.frames import ROW_RULES, Unfit, broken_rows, count_broken
from lockgate.rules.rows import BROKEN_ON_ROWS
from lockgate.rules.words import condition_of

NAN, INF = math.nan, math.inf
DAY = datetime(2013, 1, 1, tzinfo=UTC)


def rule(kind: str, *columns: str, **parameters: Any) -> Rule:  # noqa: ANN401 - each rule has its own
    first, *more = columns or ("x",)
    return Rule(source="s", kind=kind, column=first, more=tuple(more), parameters=parameters)


def broken(one: Rule, frame: pl.DataFrame, keys: dict[str, pl.Series] | None = None) -> list[bool]:
    """Give where a rule is broken; what is counted must be as many."""
    found = frame.select(broken_rows(one, frame.schema, keys or {}).alias("@")).to_series().fill_null(value=False)
    assert frame.select(count_broken(one, frame.schema, keys or {}).alias("@")).item() == found.sum()
    return found.to_list()


BROKEN: dict[str, tuple[Rule, list[Any] | pl.Series, list[bool]]] = {
    "a value twice breaks at its second place": (rule("unique"), [1, 2, 1, 1], [False, False, True, True]),
    "null twice is not a value twice": (rule("unique"), ["a", None, None], [False, False, False]),
    "text that differs by case differs": (rule("unique"), ["a", "A"], [False, False]),
    "a moment twice": (rule("unique"), [DAY, DAY], [False, True]),
    "true twice": (rule("unique"), [True, True, False], [False, True, False]),
    "null is missing": (rule("missing"), [None, 1], [True, False]),
    "NaN is missing": (rule("missing"), [NAN, None, 0.0, INF], [True, True, False, False]),
    "empty text is there": (rule("missing"), ["", None], [False, True]),
    "both bounds are inside": (rule("between", low=1, high=3), [0, 1, 2, 3, 4], [True, False, False, False, True]),
    "null is not held against bounds": (rule("between", low=1, high=3), [None, 2], [False, False]),
    "NaN is in no bounds": (rule("between", low=1.0, high=3.0), [NAN, 2.0], [True, False]),
    "NaN is not even in the widest bounds": (rule("between", low=-1e308, high=1e308), [NAN], [True]),
    "infinity is beyond bounds": (rule("between", low=-1e308, high=1e308), [INF, -INF], [True, True]),
    "integers are held against fractions": (rule("between", low=0.5, high=1.5), [0, 1, 2], [True, False, True]),
    "large integers are not rounded": (
        rule("between", low=0, high=2.0**53),
        [2**53, 2**53 + 1, 2**63 - 1],
        [False, True, True],
    ),
    "bounds that a small type can't hold": (
        rule("between", low=-5, high=1000),
        pl.Series([0, 255], dtype=pl.UInt8),
        [False, False],
    ),
    "bounds that are all beyond a small type": (
        rule("between", low=300, high=1000),
        pl.Series([0, 255], dtype=pl.UInt8),
        [True, True],
    ),
    "a float of half the width is held against the bound as it stands": (
        rule("between", low=0.0, high=0.1),
        pl.Series([0.1, 0.09], dtype=pl.Float32),
        [True, False],
    ),
    "decimals": (rule("between", low=0, high=1.5), [Decimal("1.5"), Decimal("1.51"), None], [False, True, False]),
    "a value that is not listed": (rule("one_of", values=["a", "b"]), ["a", "c"], [False, True]),
    "null is not held against a list": (rule("one_of", values=["a"]), [None, "a"], [False, False]),
    "categories are compared by their text": (
        rule("one_of", values=["a"]),
        pl.Series(["a", "b", None], dtype=pl.Categorical),
        [False, True, False],
    ),
    "whole numbers that are listed": (rule("one_of", values=[1, 2]), [1, 3, None], [False, True, False]),
    "true and false that are listed": (rule("one_of", values=[True]), [True, False], [False, True]),
    "a value that the reference did not have": (rule("unseen", values=["a"]), ["a", "b", None], [False, True, False]),
    "a time before the one above": (
        rule("in_order"),
        [DAY, DAY + timedelta(1), DAY, None, DAY, DAY - timedelta(1)],
        [False, False, True, False, False, True],
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_rule_is_broken_where_its_words_say(what: str) -> None:
    one, column, expected = BROKEN[what]

    assert broken(one, pl.DataFrame({"x": column})) == expected


def test_a_combination_of_columns_is_unique_and_a_null_in_it_is_not_looked_at() -> None:
    frame = pl.DataFrame({"x": [1, 1, 1, None, None], "y": ["a", "b", "a", "a", "a"]})

    assert broken(rule("unique", "x", "y"), frame) == [False, False, True, False, False]


def test_order_is_kept_within_each_group() -> None:
    frame = pl.DataFrame({"x": [1, 5, 2, 4], "by": ["a", "b", "a", "b"]})

    assert broken(rule("in_order", "x", "by"), frame) == [False, False, False, True]


def test_a_value_that_is_no_key_of_the_other_source_breaks_and_null_does_not() -> None:
    one, frame = rule("refers_to", source="vans", key="van"), pl.DataFrame({"x": ["a", "z", None]})

    assert broken(one, frame, {"vans": pl.Series(["a", "b", "b", None])}) == [False, True, False]


def test_keys_of_all_widths_are_compared() -> None:
    one = rule("refers_to", source="vans", key="van")
    keys = {"vans": pl.Series([1, 2], dtype=pl.UInt64)}

    assert broken(one, pl.DataFrame({"x": pl.Series([1, -2], dtype=pl.Int8)}), keys) == [False, True]


def lands_later(left: float | None, landed: float) -> bool:
    return landed >= left if left is not None else False  # false with a null: not looked at


def early(left: datetime) -> bool:
    return left.hour < 6


def held(function: Any, *columns: str) -> Rule:  # noqa: ANN401 - any function
    source, literals = close(function)
    text = {"name": function.__name__, "source": source, "literals": literals}
    return rule("holds", *columns, function=text, timezone="America/New_York")


def test_a_function_breaks_where_it_is_false_or_raises_and_not_where_a_null_keeps_it_from_answering() -> None:
    frame = pl.DataFrame({"left": [1.0, 3.0, None, NAN], "landed": [2.0, 2.0, 2.0, 2.0]})

    assert broken(held(lands_later, "left", "landed"), frame) == [False, True, False, True]


def raises(x: int) -> bool:
    return 1 / (x - x) > 0


def test_a_function_that_always_raises_holds_nowhere() -> None:
    assert broken(held(raises, "x"), pl.DataFrame({"x": [1, None]})) == [True, False]


def test_a_function_is_given_times_in_the_project_s_zone() -> None:
    frame = pl.DataFrame({"left": [datetime(2013, 1, 1, 10, tzinfo=UTC), datetime(2013, 1, 1, 12, tzinfo=UTC)]})

    assert broken(held(early, "left"), frame) == [False, True]


def test_a_function_runs_on_a_lazy_frame_as_well() -> None:
    one, frame = held(raises, "x"), pl.DataFrame({"x": list(range(10))})
    found = frame.lazy().select(count_broken(one, frame.schema, {}).alias("@")).collect(engine="streaming")

    assert found.item() == 10


UNFIT: dict[str, tuple[Rule, list[Any], str]] = {
    "bounds of text": (rule("between", low=0, high=1), ["a"], "x is no number, but String"),
    "bounds of a moment": (rule("between", low=0, high=1), [DAY], "x is no number"),
    "texts of numbers": (rule("one_of", values=["a"]), [1], "x is no text"),
    "numbers of texts": (rule("one_of", values=[1]), ["a"], "x is no int"),
    "order of texts": (rule("in_order"), ["a"], "neither time nor number"),
    "keys that are not there": (rule("refers_to", source="vans", key="van"), ["a"], "the rows of vans are not there"),
    "no such column": (rule("missing", "y"), [1], "there is no column y"),
    "a list for a function": (held(raises, "x"), [[1]], "which a function is not given"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_rule_that_can_t_mean_anything_says_why(what: str) -> None:
    one, values, why = UNFIT[what]
    frame = pl.DataFrame({"x": values})

    with pytest.raises(Unfit, match=why):
        broken_rows(one, frame.schema, {})


def test_the_rules_that_a_row_can_break_alone_are_those_that_guard_requests() -> None:
    assert set(BROKEN_ON_ROWS) == ALONE
    assert set(BROKEN_ON_ROWS) < set(ROW_RULES)


def small(x: float) -> bool:
    return x < 3 or x == 7


GUARDS = [
    rule("missing"),
    rule("between", low=-2, high=2.5),
    rule("between", low=2.0**53, high=2.0**60),
    held(small, "x"),
]
VALUES = [
    (pl.Float64, st.none() | st.floats()),
    (pl.Float32, st.none() | st.floats(width=32)),
    (pl.Int64, st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-4, 4) | st.integers(2**53 - 2, 2**53 + 2)),
    (pl.UInt8, st.none() | st.integers(0, 255)),
]


@pytest.mark.parametrize("kind", range(len(VALUES)))
@given(data=st.data())
def test_a_rule_has_one_meaning_on_frames_and_on_single_rows(kind: int, data: st.DataObject) -> None:
    column, strategy = VALUES[kind]
    values = pl.Series("x", data.draw(st.lists(strategy, max_size=20)), dtype=column)
    for one in GUARDS:
        alone = BROKEN_ON_ROWS[one.kind](one)
        assert broken(one, values.to_frame()) == [alone(value) for value in values.to_list()]


@given(values=st.lists(st.none() | st.sampled_from(["a", "b", "B", "", "å", "a "]), max_size=20))
def test_texts_have_one_meaning_as_text_and_as_category_on_frames_and_on_single_rows(values: list[str | None]) -> None:
    for one in (rule("one_of", values=["a", "å"]), rule("unseen", values=["b", ""]), rule("missing")):
        expected = [BROKEN_ON_ROWS[one.kind](one)(value) for value in values]
        for kind in (pl.String, pl.Categorical):
            assert broken(one, pl.DataFrame({"x": pl.Series(values, dtype=kind)})) == expected


@given(rows=st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | st.sampled_from("ab")), max_size=20))
def test_unique_counts_every_combination_beyond_its_first(rows: list[tuple[int | None, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"x": pl.Int64, "y": pl.String}, orient="row")
    for columns in (("x",), ("y",), ("x", "y")):
        there = [row for row in frame.select(columns).iter_rows() if None not in row]
        assert sum(broken(rule("unique", *columns), frame)) == len(there) - len(set(there))


@given(values=st.lists(st.none() | st.integers(0, 5), max_size=20))
def test_order_is_that_of_plain_python(values: list[int | None]) -> None:
    expected, last = [], None
    for value in values:
        expected.append(value is not None and last is not None and value < last)
        last = value if value is not None else last

    assert broken(rule("in_order"), pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64)})) == expected


CONDITIONS: dict[str, Rule] = {
    "no id twice": rule("unique", "id"),
    "no id, day twice": rule("unique", "id", "day"),
    "id is there": rule("missing", "id"),
    "0.5 ≤ x ≤ 10": rule("between", low=0.5, high=10),
    "x is one of a, b": rule("one_of", values=["a", "b"]),
    "lands_later(left, landed)": held(lands_later, "left", "landed"),
    "x is a van of vans": rule("refers_to", source="vans", key="van"),
    "no x before that of the row above of one by": rule("in_order", "x", "by"),
    "1 rows or more": Rule(source="s", kind="row_count", parameters={"least": 1, "most": None}),
    "1 to 9 rows": Rule(source="s", kind="row_count", parameters={"least": 1, "most": 9}),
    "at most 5.0% of the rows lost": Rule(source="s", kind="row_loss", at_most=0.05),
    "the newest x is at most 2:00:00 old": Rule(source="s", kind="fresh", column="x", at_most=7200),
    "odd(x)": rule("odd"),
}


@pytest.mark.parametrize("words", CONDITIONS)
def test_a_condition_is_said_in_words(words: str) -> None:
    assert condition_of(CONDITIONS[words]) == words
