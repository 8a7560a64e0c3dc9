"""A window read from the rows of a series gives what its definition says, edge by edge."""

import math
import statistics
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lockgate.features.windows import WindowReader
from lockgate.records.features import Aggregate, FieldKind, Window, WindowColumn

Row = tuple[int, int, Any, Any]  # event time, available time, id, value


class Rows(msgspec.Struct):
    """The rows of a series, kept as they come: tests give them in order."""

    rows: list[Row]

    @property
    def events(self) -> list[int]:
        return [row[0] for row in self.rows]

    @property
    def available(self) -> list[int]:
        return [row[1] for row in self.rows]

    @property
    def ids(self) -> list[Any]:
        return [row[2] for row in self.rows]

    def column(self, name: str, start: int, end: int) -> list[Any]:
        return [row[3] for row in self.rows[start:end]] if name == "value" else [None] * (end - start)


def window(*aggregates: str, kind: FieldKind = FieldKind.FLOAT, scale: int | None = None, over: int = 10) -> Window:
    return Window(
        name="w",
        source="rows",
        by="place",
        value="value",
        value_type=kind,
        scale=scale,
        columns=tuple(
            WindowColumn(name=f"w_{one}", aggregate=Aggregate(one), span=timedelta(microseconds=over))
            for one in aggregates
        ),
    )


def read(wanted: Window, rows: Sequence[Row], asked_at: int = 100, *, identified: bool = False) -> tuple[Any, ...]:
    return WindowReader(wanted, identified=identified).read(Rows(list(rows)), asked_at).values


def values(*given: float | str | None) -> list[Row]:
    return [(91 + place, 0, place, value) for place, value in enumerate(given)]


EVERY = ("count", "sum", "mean", "min", "max", "std", "last")


def test_an_empty_window_counts_none_sums_none_and_knows_nothing_else() -> None:
    assert read(window(*EVERY), []) == (0, 0.0, None, None, None, None, None)


def test_every_aggregate_is_what_its_name_says() -> None:
    assert read(window(*EVERY), values(3.0, 1.5, 9.0)) == (
        3,
        13.5,
        4.5,
        1.5,
        9.0,
        statistics.stdev([3.0, 1.5, 9.0]),
        9.0,
    )


def test_the_beginning_of_a_span_is_not_part_of_it_and_its_end_is() -> None:
    rows = [(event, 0, event, event) for event in (89, 90, 91, 100, 101)]

    assert read(window("count", "min", "max", kind=FieldKind.INT), rows) == (2, 91, 100)


def test_a_row_counts_from_when_it_could_be_known() -> None:
    rows = [(95, 100, "a", 1), (96, 101, "b", 2)]

    assert read(window("count", kind=FieldKind.INT), rows) == (1,)
    assert read(window("count", kind=FieldKind.INT), rows, 101) == (2,)


def test_a_row_that_is_known_before_it_happens_counts_from_when_it_happens() -> None:
    rows = [(95, 10, "a", 1)]

    assert read(window("count", kind=FieldKind.INT), rows, 94) == (0,)
    assert read(window("count", kind=FieldKind.INT), rows, 95) == (1,)


def test_a_correction_counts_instead_of_what_it_corrects_from_when_it_is_known() -> None:
    rows = [(95, 95, "a", 1), (95, 99, "a", 7)]

    assert read(window("count", "sum", kind=FieldKind.INT), rows, 98) == (1, 1)
    assert read(window("count", "sum", kind=FieldKind.INT), rows, 99) == (1, 7)


def test_a_correction_to_null_takes_a_row_out() -> None:
    assert read(window("count", kind=FieldKind.INT), [(95, 95, "a", 1), (95, 99, "a", None)]) == (0,)


def test_a_correction_told_before_the_row_it_corrects_hides_it() -> None:
    rows = [(95, 95, "a", 1), (97, 96, "a", 2)]

    assert read(window("sum", kind=FieldKind.INT), rows, 96, identified=True) == (1,)
    assert read(window("sum", kind=FieldKind.INT), rows, 97, identified=True) == (2,)


def test_a_row_that_was_corrected_to_before_the_window_is_not_in_it() -> None:
    rows = [(80, 99, "a", 5), (95, 95, "a", 1)]

    assert read(window("count", kind=FieldKind.INT), rows, 98, identified=True) == (1,)
    assert read(window("count", kind=FieldKind.INT), rows, 99, identified=True) == (0,)


def test_rows_of_one_time_and_other_ids_are_other_rows() -> None:
    assert read(window("count", kind=FieldKind.INT), [(95, 95, "a", 1), (95, 95, "b", 1)]) == (2,)


def test_without_a_column_for_it_an_id_identifies_together_with_the_event_time() -> None:
    assert read(window("count", kind=FieldKind.INT), [(94, 95, "a", 1), (95, 95, "a", 1)]) == (2,)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_does_not_count(value: float | None) -> None:
    assert read(window("count", "last", "sum"), values(2.0, value)) == (1, 2.0, 2.0)


def test_without_a_value_rows_are_counted() -> None:
    wanted = Window(name="w", source="rows", by="place", columns=window("count").columns)

    assert read(wanted, values(None, math.nan, "x")) == (3,)


def test_true_counts_as_one() -> None:
    assert read(window(*EVERY, kind=FieldKind.BOOL), values(True, False, True))[:5] == (3, 2, 2 / 3, 0, 1)


def test_a_scale_makes_sums_exact() -> None:
    given = [0.1] * 7

    assert read(window("sum", "mean", "std", scale=1), values(*given)) == (0.7, 0.1, 0.0)


def test_a_scale_rounds_half_to_even() -> None:
    assert read(window("sum", "max", scale=0), values(0.5, 1.5, 2.5)) == (4.0, 2.5)


def test_a_value_too_large_for_its_scale_does_not_count() -> None:
    assert read(window("count", scale=2), values(1e17, 1.0)) == (1,)


def test_floats_are_summed_as_if_in_infinite_precision() -> None:
    assert read(window("sum"), values(1e16, 1.0, -1e16)) == (1.0,)


def test_a_sum_beyond_64_bits_is_null_and_the_mean_is_not() -> None:
    assert read(window("sum", "mean", kind=FieldKind.INT), values(2**62, 2**62)) == (None, float(2**62))


def test_a_sum_beyond_what_a_float_holds_is_null() -> None:
    assert read(window("sum", "std"), values(1.7e308, 1.7e308)) == (None, None)


def test_of_the_newest_rows_of_both_times_the_greatest_is_last() -> None:
    rows = [(96, 97, "z", 9), (97, 96, "a", 3), (97, 97, "a", 7), (97, 97, "b", 5)]

    assert read(window("last", "sum", kind=FieldKind.INT), rows[:1] + rows[2:]) == (7, 21)
    assert read(window("last", kind=FieldKind.INT), [rows[0], rows[3], rows[2]]) == (7,)


def test_the_newest_row_that_counted_is_told() -> None:
    found = WindowReader(window("count")).read(Rows([(95, 97, "a", 1.0), (96, 96, "b", 2.0), (97, 97, "c", None)]), 100)

    assert (found.source, found.event_time, found.available_time) == ("w", 96, 96)


def test_each_span_reaches_as_far_back_as_it_says() -> None:
    columns = (window("count", over=10).columns[0], window("count", over=50).columns[0])
    wanted = msgspec.structs.replace(window("count", kind=FieldKind.INT), columns=columns)

    assert read(wanted, [(event, 0, event, 1) for event in range(0, 100, 5)]) == (1, 9)
