"""Floats that JSON does not tell as they are, and how they are written all the same.

- Canonical JSON has no NaN and no infinity: those are written as the texts `NaN`, `Infinity` and `-Infinity`.
- It writes `1.0` as `1`, and nobody can tell afterwards that it was a float. Where that matters, the places of such
  floats are kept beside the value, as JSON pointers (RFC 6901).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

__all__ = ["Number", "heard", "said", "whole_floats", "with_floats"]

Number = float | Literal["NaN", "Infinity", "-Infinity"]
"""A float as it is written."""


def said(value: float) -> Number:
    """Give a float as it is written.

    >>> said(0.5), said(float("nan")), said(float("-inf"))
    (0.5, 'NaN', '-Infinity')
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def heard(number: Number) -> float:
    """Give back the float that was written.

    >>> heard("-Infinity"), heard(0.5)
    (-inf, 0.5)
    """
    return float(number)


def whole_floats(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON values
    """Give the places of the floats that canonical JSON writes as integers.

    >>> whole_floats({"rate": 1.0, "trees": 100, "steps": [0.5, 2.0]})
    ('/rate', '/steps/1')
    """
    return tuple(_whole(value, ""))


def with_floats(value: Any, places: Sequence[str]) -> Any:  # noqa: ANN401 - JSON values
    """Give a value that was read from canonical JSON with its whole floats as floats again.

    >>> with_floats({"rate": 1, "steps": [0.5, 2]}, ("/rate", "/steps/1"))
    {'rate': 1.0, 'steps': [0.5, 2.0]}
    """
    return _restored(value, "", frozenset(places))


def _whole(value: Any, at: str) -> Iterator[str]:  # noqa: ANN401 - JSON values
    if isinstance(value, float) and value.is_integer():
        yield at
    for name, inner in _inside(value):
        yield from _whole(inner, f"{at}/{name}")


def _inside(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON values
    if isinstance(value, dict):
        yield from ((_token(name), inner) for name, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(place), inner) for place, inner in enumerate(value))


def _restored(value: Any, at: str, places: frozenset[str]) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(value, dict):
        return {name: _restored(inner, f"{at}/{_token(name)}", places) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_restored(inner, f"{at}/{place}", places) for place, inner in enumerate(value)]
    return float(value) if at in places and isinstance(value, int) and not isinstance(value, bool) else value


def _token(name: Any) -> str:  # noqa: ANN401 - a key; JSON makes a text of it
    return str(name).replace("~", "~0").replace("/", "~1")
