"""Whole columns become the matrix with exactly the meaning that `Encoder` has for one row."""

import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.features import matrix
from lockgate.features.matrix import encode_rows, run_rows, vocabulary_of
from lockgate.features.online import Encoder
from lockgate.records.features import FeatureSet, FieldKind, InputKind, ModelColumn
from tests.making.features import echoing

KINDS = (FieldKind.FLOAT, FieldKind.INT, FieldKind.BOOL, FieldKind.CATEGORY)
FEATURES = FeatureSet(
    timezone="UTC",
    lookups=(),
    features=(),
    columns=tuple(ModelColumn(name=kind.value, kind=InputKind.FIELD, origin=kind.value, type=kind) for kind in KINDS),
)
VOCABULARY = {"category": ("", "1", "EWR", "e\u0301", "\u00e9", "\U0001f6eb")}

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**53 - 3, 2**53 + 3),
    st.integers(2**62, 2**66),
    st.integers(10**300, 10**320),
    st.floats(),
    st.sampled_from([-0.0, 0.0, 5e-324, math.inf, -math.inf, math.nan]),
    st.sampled_from([*VOCABULARY["category"], "12", " 1_000.5\n", "nan", "-inf", "0x10", "\u0661", "JFK", "\ud800"]),
    st.text(max_size=4),
    st.sampled_from([datetime(2013, 1, 1, tzinfo=UTC), 1j, Decimal("0.1"), Fraction(1, 3), [1.0], (), {}, b"1"]),
)


def by_rows(rows: Sequence[tuple[Any, ...]]) -> bytes:
    encoder = Encoder(FEATURES, VOCABULARY)
    return b"".join(struct.pack("<4d", *encoder.encode(row)[0]) for row in rows)


def by_columns(rows: Sequence[tuple[Any, ...]]) -> bytes:
    return encode_rows(matrix._typed(rows, FEATURES.columns), FEATURES, VOCABULARY).tobytes()  # noqa: SLF001 - values that no closed function can give are put here


@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES), max_size=6))
@example(rows=[(2**53 + 1, -(2**53) - 1, 2**64 + 2**11, "1"), (10**308, 10**309, -(10**400), "12")])
@example(rows=[("12", " 7 ", "seven", "EWR"), ("1e400", "infinity", "", "\ud800"), (True, False, None, "")])
@example(rows=[(-0.0, 0, -0.0, None), (math.nan, -math.inf, math.inf, math.nan)])
@example(rows=[(1.5, 2, True, 1), (None, None, None, None)])
def test_columns_and_rows_are_encoded_to_the_same_bits(rows: list[tuple[Any, ...]]) -> None:
    assert by_columns(rows) == by_rows(rows)


@given(texts=st.lists(st.none() | st.text(max_size=4), max_size=8))
def test_a_vocabulary_is_sorted_as_python_sorts(texts: list[str | None]) -> None:
    rows = [(0.0, 0.0, 0.0, text) for text in texts]

    found = vocabulary_of(matrix._typed(rows, FEATURES.columns), FEATURES)  # noqa: SLF001 - likewise

    assert found == {"category": tuple(sorted({text for text in texts if text is not None}))}


def test_an_empty_vocabulary_leaves_nothing_seen() -> None:
    raw = matrix._typed([(0.0, 0.0, 0.0, "EWR")], FEATURES.columns)  # noqa: SLF001 - likewise

    assert math.isnan(encode_rows(raw, FEATURES, {"category": ()})[0, 3])


@pytest.mark.parametrize("height", [0, 1, 16_384, 16_385])
def test_rows_come_out_in_order_whatever_their_number(height: int) -> None:
    request, features, rows = echoing(height)

    raw = run_rows(rows, request, features)

    assert raw["twice"].to_list() == [2.0 * row for row in range(height)]
    assert raw["word"].to_list() == [f"w{row % 7}" for row in range(height)]


def test_the_matrix_is_of_float64_rows() -> None:
    request, features, rows = echoing(3)
    found = encode_rows(run_rows(rows, request, features), features, {"word": ("w1", "w2")})

    assert found.dtype == np.float64
    assert np.array_equal(found, np.array([[0, math.nan], [2, 0], [4, 1]]), equal_nan=True)
