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

from lockgate.features.store import OnlineStore
from lockgate.kernel.closure import ERRORS_THAT_MEAN_NULL, open_closed
from lockgate.records.features import FeatureSet, FieldKind, InputKind, Lookup, RequestSpec
from lockgate.records.prediction import Known

__all__ = ["Encoder", "RawFeatures", "Resolver", "TableRows", "fuse", "number"]

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
    scope: dict[str, Any] = {"NULL": ERRORS_THAT_MEAN_NULL}
    lines = ["def fused(row, known):"]
    lines.append(f"    {', '.join(f'f_{field.name}' for field in request.fields)}, = row")
    given = _given_names(features)
    for number, known in enumerate(_by_place(features)):
        lines.append(f"    {', '.join(given[one] for one in known)}, = known[{number}]")
    for feature in features.features:
        scope[f"call_{feature.name}"] = open_closed(feature.code.name, feature.code.source, feature.code.literals)
        arguments = ", ".join(_name(given, one.kind, one.source, one.name) for one in feature.inputs)
        lines.append(f"    try: v_{feature.name} = call_{feature.name}({arguments})")
        lines.append(f"    except NULL: v_{feature.name} = None")
    columns = [_name(given, one.kind, one.source, one.origin) for one in features.columns]
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


def _given_names(features: FeatureSet) -> dict[_Given, str]:
    """Name given values by their place: column names of a source need not be Python names."""
    return {
        column: f"g{number}_{place}"
        for number, columns in enumerate(_by_place(features))
        for place, column in enumerate(columns)
    }


def _name(given: Mapping[_Given, str], kind: InputKind, source: str, name: str) -> str:
    if kind in {InputKind.LOOKUP, InputKind.WINDOW}:
        return given[kind, source, name]
    return f"f_{name}" if kind is InputKind.FIELD else f"v_{name}"


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


class Resolver:
    """Looks up what a request needs of tables and of the online store.

    Args:
        request: the request.
        features: the feature set.
        tables: the rows of each table, as in the snapshot.
        store: what is known now of clocked sources.
    """

    def __init__(
        self, request: RequestSpec, features: FeatureSet, tables: Mapping[str, TableRows], store: OnlineStore
    ) -> None:
        """Find each look-up's field."""
        names = [field.name for field in request.fields]
        self._store = store
        self._plan = [
            (lookup, names.index(lookup.by), tables.get(lookup.source, {}), (None,) * len(lookup.columns))
            for lookup in features.lookups
        ]

    def resolve(self, row: Sequence[Any], asked_at: int) -> tuple[Known, ...]:
        """Give what was known of each look-up at `asked_at` (microseconds)."""
        known = []
        for lookup, position, table, nothing in self._plan:
            key = row[position]
            if not lookup.clocked:
                known.append(Known(lookup.source, table.get(key, nothing), None, None))
                continue
            found = None if key is None else self._store.read(lookup.source, key, asked_at)
            if found is None or _stale(lookup, found.event_time, asked_at):
                known.append(Known(lookup.source, nothing, None, None))
            else:
                values = tuple(found.values.get(column.name) for column in lookup.columns)
                known.append(Known(lookup.source, values, found.event_time, found.available_time))
        return tuple(known)


def _stale(lookup: Lookup, event_time: int, asked_at: int) -> bool:
    if lookup.stale_after is None:
        return False
    return asked_at - event_time > lookup.stale_after.total_seconds() * 1_000_000
