"""The fused closure: all features of a model in one Python function, and the look-ups that feed it.

- A feature's meaning is what CPython does. Online this closure runs for each request, offline the same one runs over
  the rows: parity by construction.
- An error that means null (`kernel.closure.ERRORS_THAT_MEAN_NULL`) makes that feature null, never the request.
- Null, NaN, infinities and categories outside the vocabulary reach the model as NaN.
- Times are handed over in the feature set's zone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lockgate.kernel.closure import ERRORS_THAT_MEAN_NULL, open_closed
from lockgate.records.features import FeatureSet, FieldKind, InputKind, RequestSpec

__all__ = ["Encoder", "RawFeatures", "TableRows", "fuse", "number"]

RawFeatures = Callable[[Sequence[Any], Sequence[Sequence[Any]]], tuple[Any, ...]]
"""From (fields of a row in contract order, values of each look-up and then of each window) to the matrix columns before
encoding."""

TableRows = Mapping[str | int, tuple[Any, ...]]
"""A table's wanted columns by key."""


def fuse(request: RequestSpec, features: FeatureSet) -> RawFeatures:
    """Fuse a feature set into one function.

    Raises:
        Invalid: a feature's code is not a closed function.
    """
    names = _Names(request, features)
    scope: dict[str, Any] = {"NULL": ERRORS_THAT_MEAN_NULL}
    lines = ["def fused(row, known):"]
    lines.append(f"    {', '.join(names.fields.values())}, = row")
    for number, known in enumerate(_by_place(features)):
        lines.append(f"    {', '.join(names.given[one] for one in known)}, = known[{number}]")
    for place, feature in enumerate(features.features):
        scope[f"call{place}"] = open_closed(feature.code.name, feature.code.source, feature.code.literals)
        arguments = ", ".join(names.of(one.kind, one.source, one.name) for one in feature.inputs)
        lines.append(f"    try: v{place} = call{place}({arguments})")
        lines.append(f"    except NULL: v{place} = None")
    columns = [names.of(one.kind, one.source, one.origin) for one in features.columns]
    lines.append(f"    return ({', '.join(columns)},)")
    exec(compile("\n".join(lines), "<fused features>", "exec"), scope)  # noqa: S102 - our own text over verified functions
    fused: RawFeatures = scope["fused"]
    return fused


_Given = tuple[InputKind, str, str]
"""A column that is given beside the request: its kind, its source or window, its name."""


def _by_place(features: FeatureSet) -> list[list[_Given]]:
    """Give the columns of each look-up, then of each window: as they stand in what was known."""
    found = [[(InputKind.LOOKUP, one.source, column.name) for column in one.columns] for one in features.lookups]
    return found + [[(InputKind.WINDOW, one.name, column.name) for column in one.columns] for one in features.windows]


class _Names:
    """Names values by their place: names of fields, features and columns are text, and never become code."""

    def __init__(self, request: RequestSpec, features: FeatureSet) -> None:
        self.fields = {field.name: f"f{place}" for place, field in enumerate(request.fields)}
        self.features = {feature.name: f"v{place}" for place, feature in enumerate(features.features)}
        self.given = {
            column: f"g{number}_{place}"
            for number, columns in enumerate(_by_place(features))
            for place, column in enumerate(columns)
        }

    def of(self, kind: InputKind, source: str, name: str) -> str:
        if kind in {InputKind.LOOKUP, InputKind.WINDOW}:
            return self.given[kind, source, name]
        return self.fields[name] if kind is InputKind.FIELD else self.features[name]


class Encoder:
    """Turns the values of matrix columns into float64s.

    Args:
        features: the feature set, types known.
        vocabulary: for each category column its values, in code order.
    """

    def __init__(self, features: FeatureSet, vocabulary: Mapping[str, Sequence[str]]) -> None:
        """Index the vocabulary."""
        self._plan = [
            (column.name, {value: float(code) for code, value in enumerate(vocabulary[column.name])})
            if column.type is FieldKind.CATEGORY
            else (column.name, None)
            for column in features.columns
        ]

    def encode(self, values: Sequence[Any]) -> tuple[list[float], tuple[str, ...]]:
        """Give a matrix row, and the names of columns whose category is not in the vocabulary."""
        row = []
        unseen: tuple[str, ...] = ()
        for value, (name, codes) in zip(values, self._plan, strict=True):
            if codes is None:
                row.append(number(value))
            elif not isinstance(value, str):
                row.append(math.nan)
            elif (code := codes.get(value)) is None:
                row.append(math.nan)
                unseen = (*unseen, name)
            else:
                row.append(code)
        return row, unseen


def number(value: Any) -> float:  # noqa: ANN401 - whatever a feature returned
    """Give a value as the model sees it: a finite float, else NaN."""
    try:
        found = float(value)
    except ERRORS_THAT_MEAN_NULL:
        return math.nan
    return found if math.isfinite(found) else math.nan
