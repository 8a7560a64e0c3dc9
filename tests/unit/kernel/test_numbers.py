"""Floats come back as they were, through JSON that does not tell them as they are."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.canonical import canonical
from lockgate.kernel.numbers import Number, heard, said, whole_floats, with_floats

FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
WHOLE = st.integers(-(2**53), 2**53).map(lambda value: float(value) + 0.0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | FLOATS | WHOLE | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def typed(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """Give a value with the type of everything in it; -0.0 is 0.0 in canonical JSON."""
    if isinstance(value, dict):
        return {name: typed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return type(value), value


@given(value=JSON)
def test_json_values_come_back_with_their_types(value: Any) -> None:  # noqa: ANN401 - JSON values
    read = msgspec.json.decode(canonical(value))

    assert typed(with_floats(read, whole_floats(value))) == typed(value)


def test_without_their_places_whole_floats_would_come_back_as_integers() -> None:
    assert type(msgspec.json.decode(canonical({"rate": 1.0}))["rate"]) is int


def test_a_place_that_holds_something_else_is_left_as_it_is() -> None:
    assert with_floats({"a": True, "b": "1", "c": None}, ("/a", "/b", "/c", "/d")) == {"a": True, "b": "1", "c": None}


@given(value=st.floats())
def test_every_float_can_be_written_and_comes_back(value: float) -> None:
    read = msgspec.json.decode(canonical([said(value)]), type=list[Number])
    (found,) = map(heard, read)

    assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize("text", ["nan", "inf", "1.0", ""])
def test_no_other_text_is_a_number(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Number)
