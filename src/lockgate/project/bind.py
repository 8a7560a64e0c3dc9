"""Holds a blueprint against the columns that its sources really have, and fills in the types it could not know."""

from collections.abc import Mapping

from msgspec.structs import replace

from lockgate.kernel.errors import Fault, Invalid
from lockgate.kernel.names import nearest
from lockgate.project.blueprint import Blueprint
from lockgate.records.features import (
    Aggregate,
    FeatureSet,
    FieldKind,
    InputKind,
    Lookup,
    LookupColumn,
    ModelColumn,
    Window,
    WindowColumn,
)
from lockgate.records.source import SourceSpec

__all__ = ["Schemas", "bind"]

Schemas = Mapping[str, Mapping[str, FieldKind | None]]
"""For each source its columns and their types; None for a type that no field can have."""

_TEXTS = {FieldKind.TEXT, FieldKind.CATEGORY}
_LOOKED_UP = {FieldKind.BOOL, FieldKind.INT, FieldKind.FLOAT, FieldKind.TEXT}
_AGGREGATED = {FieldKind.BOOL, FieldKind.INT, FieldKind.FLOAT}


def bind(blueprint: Blueprint, schemas: Schemas, places: Mapping[str, str]) -> FeatureSet:
    """Give the feature set with all types known.

    Args:
        blueprint: the compiled project.
        schemas: what its sources have.
        places: where its parts were declared, for the error.

    Raises:
        Invalid: with a fault for every column that is missing or of the wrong type.
    """
    binder = _Binder(blueprint, schemas, places)
    for source in blueprint.sources:
        binder.check_source(source)
    binder.check_rules()
    binder.check_history()
    binder.check_outcome()
    bound = binder.bound()
    if binder.faults:
        count = f"{len(binder.faults)} mistake{'s' if len(binder.faults) != 1 else ''}"
        msg = f"The project does not fit its data: {count}; nothing was trained"
        raise Invalid(msg, faults=tuple(binder.faults))
    return bound


class _Binder:
    def __init__(self, blueprint: Blueprint, schemas: Schemas, places: Mapping[str, str]) -> None:
        self._blueprint = blueprint
        self._schemas = schemas
        self._places = places
        self.faults: list[Fault] = []

    def _note(self, part: str, expected: str, found: str, hint: str = "") -> None:
        self.faults.append(Fault(at=self._places.get(part, part), expected=expected, found=found, hint=hint))

    def _kind(self, source: str, column: str, part: str) -> FieldKind | None:
        """Give a column's type; a missing column is noted."""
        schema = self._schemas.get(source, {})
        if column not in schema:
            self._note(part, f"a column {column} in {source}", "no such column", nearest(column, schema))
            return None
        return schema[column]

    def check_source(self, source: SourceSpec) -> None:
        part = f"source {source.name}"
        key = self._kind(source.name, source.key, part)
        if key is not None and key not in {FieldKind.TEXT, FieldKind.INT}:
            self._note(part, f"the key {source.key} as text or integer", key.value)
        for column in (source.event_time, source.available_time):
            kind = self._kind(source.name, column, part) if column else FieldKind.TIME
            if kind is not FieldKind.TIME and column in self._schemas.get(source.name, {}):
                hint = "Give it a zone where the rows are read."
                self._note(part, f"{column} as a time with a zone", kind.value if kind else "another type", hint)

    def check_rules(self) -> None:
        for rule in self._blueprint.rules:
            if rule.column:
                self._kind(rule.source, rule.column, f"source {rule.source}")

    def check_history(self) -> None:
        request = self._blueprint.request
        for field in request.fields:
            kind = self._kind(request.history, field.name, "request")
            fits = (
                kind is field.kind
                or {kind, field.kind} <= _TEXTS
                or (kind, field.kind) == (FieldKind.INT, FieldKind.FLOAT)
            )
            if not fits and field.name in self._schemas.get(request.history, {}):
                expected = f"{request.history}.{field.name} as {field.kind.value}, as the request declares"
                self._note("request", expected, kind.value if kind else "another type")

    def check_outcome(self) -> None:
        outcome = self._blueprint.outcome
        for name in outcome.inputs:
            self._kind(outcome.source, name, "outcome")
        history = self._blueprint.source(self._blueprint.request.history)
        told = self._blueprint.source(outcome.source)
        ours = self._schemas.get(history.name, {}).get(history.key)
        theirs = self._schemas.get(told.name, {}).get(told.key)
        if ours and theirs and ours is not theirs:
            self._note("outcome", f"{told.name} keyed like {history.name}, by {ours.value}", theirs.value)

    def bound(self) -> FeatureSet:
        features = self._blueprint.features
        lookups = tuple(self._lookup(lookup) for lookup in features.lookups)
        windows = tuple(self._window(window) for window in features.windows)
        types = {(InputKind.LOOKUP, one.source, column.name): column.type for one in lookups for column in one.columns}
        types |= {(InputKind.WINDOW, one.name, column.name): column.type for one in windows for column in one.columns}
        columns = tuple(_column(column, types) for column in features.columns)
        return replace(features, lookups=lookups, windows=windows, columns=columns)

    def _lookup(self, lookup: Lookup) -> Lookup:
        part = f"source {lookup.source}"
        by = self._blueprint.request.field(lookup.by)
        key = self._schemas.get(lookup.source, {}).get(self._blueprint.source(lookup.source).key)
        if key is not None and key is not by.kind and not {key, by.kind} <= _TEXTS:
            self._note(part, f"a key of the type of {lookup.by}, {by.kind.value}", key.value)
        return replace(lookup, columns=tuple(self._lookup_column(lookup.source, one) for one in lookup.columns))

    def _lookup_column(self, source: str, column: LookupColumn) -> LookupColumn:
        kind = self._kind(source, column.name, f"source {source}")
        if column.name in self._schemas.get(source, {}) and kind not in _LOOKED_UP:
            found = kind.value if kind else "another type"
            self._note(f"source {source}", f"{column.name} as a number, text or true and false", found)
        return replace(column, type=kind)

    def _window(self, window: Window) -> Window:
        part = f"window {window.name}"
        by = self._blueprint.request.field(window.by)
        kind = self._kind(window.source, window.by, part)
        schema = self._schemas.get(window.source, {})
        if window.by in schema and kind is not by.kind and not {kind, by.kind} <= _TEXTS:
            expected = f"{window.source}.{window.by} of the type of the request's {window.by}, {by.kind.value}"
            self._note(part, expected, kind.value if kind else "another type")
        if window.value is None:
            return replace(window, columns=tuple(_window_column(one, None) for one in window.columns))
        value = self._kind(window.source, window.value, part)
        if window.value in schema and value not in _AGGREGATED:
            found = value.value if value else "another type"
            self._note(part, f"{window.value} as a number or true and false", found)
        return replace(window, value_type=value, columns=tuple(_window_column(one, value) for one in window.columns))


def _window_column(column: WindowColumn, value: FieldKind | None) -> WindowColumn:
    """Fill in the type: counts are whole numbers, means are not, the rest is as the value is; true counts as 1."""
    if column.aggregate is Aggregate.COUNT:
        return replace(column, type=FieldKind.INT)
    if column.aggregate in {Aggregate.MEAN, Aggregate.STD}:
        return replace(column, type=FieldKind.FLOAT)
    return replace(column, type=FieldKind.INT if value is FieldKind.BOOL else value)


def _column(column: ModelColumn, types: Mapping[tuple[InputKind, str, str], FieldKind | None]) -> ModelColumn:
    if column.kind not in {InputKind.LOOKUP, InputKind.WINDOW}:
        return column
    kind = types[column.kind, column.source, column.origin]
    return replace(column, type=FieldKind.CATEGORY if kind is FieldKind.TEXT else kind)
