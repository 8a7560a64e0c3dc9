"""Two values are equal where their bits are; nulls are equal, and NaNs; nothing else is near unless that is stated."""

import math
import struct
from typing import Any

import numpy as np
import polars as pl
import pytest

from lockgate.features.offline import TYPES
from lockgate.monitoring.columns import compare_numbers, compare_values
from lockgate.records.features import FieldKind

OTHER_NAN: float = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_0001))[0]
LAST_BIT = math.nextafter(0.1, 1.0)

# The type, what was served, what is derived, the tolerance; whether they are exact, and whether within.
PAIRS: dict[str, tuple[FieldKind, Any, Any, float, tuple[bool, bool]]] = {
    "equal floats are exact": (FieldKind.FLOAT, 0.1, 0.1, 0.0, (True, True)),
    "the last bit is a difference": (FieldKind.FLOAT, LAST_BIT, 0.1, 0.0, (False, False)),
    "the last bit is within a tolerance": (FieldKind.FLOAT, LAST_BIT, 0.1, 1e-12, (False, True)),
    "beyond the tolerance is a difference": (FieldKind.FLOAT, 0.2, 0.1, 1e-12, (False, False)),
    "zero is not minus zero": (FieldKind.FLOAT, 0.0, -0.0, 0.0, (False, False)),
    "every nan is one": (FieldKind.FLOAT, math.nan, OTHER_NAN, 0.0, (True, True)),
    "null is not nan": (FieldKind.FLOAT, None, math.nan, 1.0, (False, False)),
    "null is null": (FieldKind.FLOAT, None, None, 0.0, (True, True)),
    "null is not zero": (FieldKind.FLOAT, None, 0.0, 1.0, (False, False)),
    "zero is not null": (FieldKind.FLOAT, 0.0, None, 1.0, (False, False)),
    "whole numbers beyond 53 bits are told apart": (FieldKind.INT, 2**53 + 1, 2**53, 0.0, (False, False)),
    "true is not one": (FieldKind.INT, True, 1, 0.0, (False, False)),
    "a text of a number is not the number": (FieldKind.FLOAT, "0.1", 0.1, 1.0, (False, False)),
    "letters have a case": (FieldKind.TEXT, "n1", "N1", 1.0, (False, False)),
    "a microsecond is a difference": (FieldKind.TIME, 1, 0, 0.0, (False, False)),
}


@pytest.mark.parametrize(("kind", "served", "derived", "allowed", "said"), PAIRS.values(), ids=PAIRS.keys())
def test_two_values_are_compared(kind: FieldKind, served: Any, derived: Any, allowed: float, said: Any) -> None:  # noqa: ANN401 - values of any column
    column = pl.Series([derived], dtype=pl.Int64 if kind is FieldKind.TIME else TYPES[kind]).cast(TYPES[kind])
    found = compare_values(np.ones(1, dtype=np.bool_), [served], column, kind, np.array([allowed]))
    assert (bool(found.exact[0]), bool(found.within[0])) == said


def test_a_matrix_column_is_compared_by_its_bits() -> None:
    served = np.array([0.1, LAST_BIT, 0.0, math.nan, math.nan, 1.0])
    derived = np.array([0.1, 0.1, -0.0, OTHER_NAN, 1.0, math.nan])
    found = compare_numbers(np.ones(6, dtype=np.bool_), served, derived, np.zeros(1))
    assert found.exact.tolist() == found.within.tolist() == [True, False, False, True, False, False]
    assert found.served_null.tolist() == [False, False, False, True, True, False]
    assert found.expected_null.tolist() == [False, False, False, True, False, True]


def test_a_tolerance_belongs_to_its_value() -> None:
    found = compare_numbers(np.ones(2, dtype=np.bool_), np.full(2, 1.0), np.full(2, 1.1), np.array([0.2, 0.01]))
    assert found.within.tolist() == [True, False]
