"""Hypotheses on a pair of values alone: 32 bits, cut digits, another unit, another type."""

import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lockgate.monitoring.differences import Difference
from lockgate.monitoring.evidence import Evidence, Found
from lockgate.records.features import FieldKind
from lockgate.records.monitoring import ParityCause

__all__ = ["as_number", "coercion", "float32", "truncation", "unit"]

_SEVERAL = 3
"""Different values that one factor or offset must explain."""

_LEFT = 1e-6
"""How much of the gap a factor or offset may leave."""

_CLOSE = 1e-9
_MOST_DECIMALS = 8
_NAMED = {
    1.609344: "miles and kilometres",
    0.3048: "feet and metres",
    1.852: "knots and kilometres per hour",
    0.514444: "knots and metres per second",
    0.45359237: "pounds and kilograms",
    25.4: "inches and millimetres",
    3.6: "metres per second and kilometres per hour",
    60.0: "minutes and seconds, or hours and minutes",
    3600.0: "hours and seconds",
    100.0: "a share and per cent, or cents",
    1000.0: "thousands",
}


def as_number(value: Any) -> float | None:  # noqa: ANN401 - a value of any column
    """Give a value as a finite float; None for one that is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _pair(one: Difference) -> tuple[float, float] | None:
    served, expected = as_number(one.served), as_number(one.expected)
    return None if served is None or expected is None else (served, expected)


def _applies(evidence: Evidence) -> bool:
    return evidence.target.kind in {FieldKind.FLOAT, FieldKind.INT}


def float32(evidence: Evidence) -> Found | None:
    """One of the two is the other after a passage through 32 bits."""

    def fits(one: Difference) -> bool:
        pair = _pair(one)
        if pair is None:
            return False
        served, expected = pair
        # Whole numbers say nothing of 32 bits: whatever lies close beside one becomes it.
        return served == _narrow(expected) or (expected == _narrow(served) and not expected.is_integer())

    if not _applies(evidence):
        return None
    return evidence.found(ParityCause.FLOAT32, fits, "what was served is what was derived, rounded to 32 bits")


def _narrow(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def truncation(evidence: Evidence) -> Found | None:
    """Decimals or letters were cut off."""
    if evidence.target.kind in {FieldKind.TEXT, FieldKind.CATEGORY}:
        return _cut_text(evidence)
    if not _applies(evidence):
        return None
    ways: list[tuple[str, Callable[[float], float]]] = [
        ("cut to whole numbers", lambda value: float(math.trunc(value))),
        ("rounded down", lambda value: float(math.floor(value))),
        ("rounded up", lambda value: float(math.ceil(value))),
    ]
    for digits in range(_MOST_DECIMALS):
        ways.append((f"rounded to {digits} decimals", partial(round, ndigits=digits)))
        ways.append((f"cut to {digits} decimals", partial(_cut, digits=digits)))
    return _best([_one_way(evidence, name, way) for name, way in ways])


def _one_way(evidence: Evidence, name: str, way: Callable[[float], float]) -> Found | None:
    def fits(one: Difference) -> bool:
        pair = _pair(one)
        return pair is not None and pair[0] == way(pair[1])

    return evidence.found(ParityCause.TRUNCATION, fits, f"what was served is what was derived, {name}")


def _cut(value: float, digits: int) -> float:
    return math.trunc(value * 10.0**digits) / 10.0**digits


def _cut_text(evidence: Evidence) -> Found | None:
    lengths = Counter(
        len(one.served)
        for one in evidence.different
        if isinstance(one.served, str) and isinstance(one.expected, str) and one.expected.startswith(one.served)
    )
    if not lengths:
        return None
    longest = max(lengths)
    return evidence.found(
        ParityCause.TRUNCATION,
        lambda one: (
            isinstance(one.expected, str) and isinstance(one.served, str) and one.served == one.expected[:longest]
        ),
        f"what was served ends after {longest} letters",
    )


def unit(evidence: Evidence) -> Found | None:
    """One factor, or one offset, or both make one of the other."""
    if not _applies(evidence):
        return None
    pairs = [pair for one in evidence.different if (pair := _pair(one)) is not None]
    if len({expected for _, expected in pairs}) < _SEVERAL:
        return None
    ratios = Counter(_rounded(served / expected) for served, expected in pairs if served and expected)
    offsets = Counter(_rounded(served - expected) for served, expected in pairs)
    tries = [_affine(evidence, ratio, 0.0) for ratio, _ in ratios.most_common(3)]
    tries += [_affine(evidence, 1.0, offset) for offset, _ in offsets.most_common(3)]
    tries += [_affine(evidence, *line) for line in _lines(pairs)]
    return _best(tries)


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")


def _lines(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Give the line through the two pairs that are farthest apart."""
    (low_served, low), (high_served, high) = (choose(pairs, key=lambda pair: pair[1]) for choose in (min, max))
    slope = (high_served - low_served) / (high - low)
    return [(slope, low_served - slope * low)]


def _affine(evidence: Evidence, factor: float, offset: float) -> Found | None:
    explained: set[float] = set()

    def fits(one: Difference) -> bool:
        pair = _pair(one)
        if pair is None:
            return False
        served, wanted = pair[0], pair[1] * factor + offset
        near = abs(factor) > _CLOSE and abs(served - wanted) <= _LEFT * abs(served - pair[1])
        if near:
            explained.add(pair[1])
        return near

    found = evidence.found(ParityCause.UNIT, fits, _said(factor, offset), at_least=_SEVERAL)
    return found if len(explained) >= _SEVERAL else None


def _said(factor: float, offset: float) -> str:
    parts = [f"times {factor:.7g}"] if not math.isclose(factor, 1.0, rel_tol=_CLOSE) else []
    if not math.isclose(offset, 0.0, abs_tol=_CLOSE):
        parts.append(f"{'plus' if offset > 0 else 'minus'} {abs(offset):.7g}")
    ways = (factor, 1 / factor) if factor and not offset else ()
    known = [name for value, name in _NAMED.items() if any(math.isclose(one, value, rel_tol=1e-5) for one in ways)]
    return f"what was served is what was derived {' '.join(parts)}{f' ({known[0]}?)' if known else ''}"


def coercion(evidence: Evidence) -> Found | None:
    """The same value, in another type."""

    def fits(one: Difference) -> bool:
        served, expected = one.served, one.expected
        if served is None or expected is None or type(served) is type(expected):
            return False
        return str(served) == str(expected) or _parsed(served) == _parsed(expected)

    return evidence.found(ParityCause.COERCION, fits, "the same value in another type")


def _parsed(value: Any) -> Any:  # noqa: ANN401 - a value of any column
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _best(found: list[Found | None]) -> Found | None:
    return max((one for one in found if one is not None), key=lambda one: len(one.explains), default=None)
