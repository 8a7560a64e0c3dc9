"""Compiles features, what they look up and aggregate, and the columns of the matrix."""

import inspect
from typing import Any

from msgspec.structs import replace

from lockgate.declare.mistakes import StandIn, note
from lockgate.declare.project import FeatureWanted, Project
from lockgate.declare.request import FieldsWanted
from lockgate.declare.sources import Columns, Source
from lockgate.declare.windows import Window as DeclaredWindow
from lockgate.declare.windows import WindowColumns
from lockgate.kernel.names import nearest
from lockgate.project.contract import close_function
from lockgate.project.types import annotations_of, kind_of
from lockgate.project.windows import compile_windows, is_window_column
from lockgate.records.features import (
    FeatureSet,
    FeatureSpec,
    Field,
    FieldKind,
    Input,
    InputKind,
    Lookup,
    LookupColumn,
    ModelColumn,
    RequestSpec,
    Window,
)

__all__ = ["compile_features"]

_NOT_NUMBERS = {FieldKind.TEXT, FieldKind.TIME}


def compile_features(project: Project, request: RequestSpec, wanted: list[Any]) -> FeatureSet:
    """Compile all that stands between the request and the matrix."""
    compiler = _Compiler(project, request)
    for feature in project.features:
        compiler.feature(feature)
    place = project.models[0].where if project.models else project.where
    columns = [column for entry in wanted for column in compiler.columns(entry, place)]
    if project.models:
        _check_columns(columns, place)
    used = compiler.needed(columns)
    return FeatureSet(
        timezone=project.timezone,
        lookups=compiler.lookups(columns, used),
        windows=compiler.windows(columns, used),
        features=tuple(used),
        columns=tuple(columns),
    )


def _check_columns(columns: list[ModelColumn], place: str) -> None:
    names = [column.name for column in columns]
    if not names:
        note(place, expected="features for the model", found="none")
    for name in sorted({name for name in names if names.count(name) > 1}):
        note(place, expected="each column once", found=f"{name} {names.count(name)} times")


class _Compiler:
    def __init__(self, project: Project, request: RequestSpec) -> None:
        self._project = project
        self._request = request
        self._fields = {field.name: field for field in request.fields}
        self._features: dict[str, FeatureSpec] = {}
        self._by_function: dict[int, str] = {}
        self._refused: set[str] = set()
        self._windows = compile_windows(project, request)
        self._window_of = {column.name: one.name for one in self._windows.values() for column in one.columns}

    def feature(self, wanted: FeatureWanted) -> None:
        name = getattr(wanted.function, "__name__", "")
        if name in self._features or name in self._fields:
            note(wanted.where, expected="a name of its own for each feature", found=f"{name}, which is taken")
        code = close_function(wanted.function, wanted.where)
        hints = annotations_of(wanted.function, wanted.where)
        returns = kind_of(hints.get("return"), wanted.where, f"the answer of {name}")
        inputs = [
            self._input(wanted, parameter, hints.get(parameter.name))
            for parameter in inspect.signature(wanted.function).parameters.values()
        ]
        self._by_function[id(wanted.function)] = name
        if code is None or returns is None:
            self._refused.add(name)
            return
        self._features[name] = FeatureSpec(
            name=name,
            version=wanted.version,
            inputs=tuple(one for one in inputs if one is not None),
            returns=returns[0],
            code=code,
        )

    def _input(self, wanted: FeatureWanted, parameter: inspect.Parameter, annotation: object) -> Input | None:
        kind = kind_of(annotation, wanted.where, f"parameter {parameter.name}")
        if isinstance(parameter.default, Columns | WindowColumns):
            return self._given_input(parameter.name, parameter.default)
        if isinstance(parameter.default, StandIn) or self._is_excused(parameter.name):
            return None
        if parameter.name in self._features:
            self._check_type(wanted, parameter.name, kind, self._features[parameter.name].returns)
            return Input(parameter=parameter.name, kind=InputKind.FEATURE, name=parameter.name)
        if parameter.name in self._window_of:
            window = self._window_of[parameter.name]
            return Input(parameter=parameter.name, kind=InputKind.WINDOW, name=parameter.name, source=window)
        if parameter.name not in self._fields:
            known = [*self._fields, *self._features, *self._window_of]
            expected = (
                f"parameter {parameter.name} to be a request field, an earlier feature, a window's column, "
                "or to have a column as default"
            )
            note(wanted.where, expected=expected, found=parameter.name, hint=nearest(parameter.name, known))
            return None
        self._check_type(wanted, parameter.name, kind, self._fields[parameter.name].kind)
        return Input(parameter=parameter.name, kind=InputKind.FIELD, name=parameter.name)

    def _check_type(
        self, wanted: FeatureWanted, name: str, kind: tuple[FieldKind, bool] | None, declared: FieldKind
    ) -> None:
        text = {FieldKind.TEXT, FieldKind.CATEGORY}
        if kind and kind[0] is not declared and not {kind[0], declared} <= text:
            what = "as in the request" if name in self._fields else f"as the feature {name} gives it"
            note(wanted.where, expected=f"{name} {what}, {declared.value}", found=kind[0].value)

    def _given_input(self, parameter: str, columns: Columns | WindowColumns) -> Input | None:
        """Feed a parameter with the column that is its default."""
        if len(columns.names) != 1:
            note(columns.where, expected=f"one column for {parameter}", found=f"{len(columns.names)}")
            return None
        if isinstance(columns, Columns):
            return Input(parameter=parameter, kind=InputKind.LOOKUP, name=columns.names[0], source=columns.source.name)
        known = self._known_columns(columns)
        window = columns.window.name
        return Input(parameter=parameter, kind=InputKind.WINDOW, name=known[0], source=window) if known else None

    def _is_excused(self, parameter: str) -> bool:
        """Tell whether a parameter may name something that was declared, and could not be taken."""
        gone = "window" in self._project.excused or len(self._windows) < len(self._project.windows)
        return parameter in self._refused or (gone and is_window_column(parameter) and parameter not in self._window_of)

    def _known_columns(self, columns: WindowColumns) -> list[str]:
        """Give the names that the window has; the others are noted, unless the window could not be taken."""
        window = self._windows.get(columns.window.name)
        known = [column.name for column in window.columns] if window else []
        for name in columns.names:
            if window is not None and name not in known:
                expected = f"a column of the window {window.name}"
                note(columns.where, expected=expected, found=repr(name), hint=nearest(name, known))
        return [name for name in columns.names if name in known]

    def columns(self, entry: Any, place: str) -> list[ModelColumn]:  # noqa: ANN401 - whatever the user listed
        """Give the matrix columns of one entry of `features`."""
        if isinstance(entry, FieldsWanted):
            return [column for name in entry.names if (column := self._field_column(name, place))]
        if isinstance(entry, Columns):
            return [
                ModelColumn(
                    name=f"{entry.source.name}_{name}",
                    kind=InputKind.LOOKUP,
                    origin=name,
                    source=entry.source.name,
                    type=None,
                )
                for name in entry.names
            ]
        if isinstance(entry, DeclaredWindow):
            window = self._windows.get(entry.name)
            return [_window_column(entry.name, column.name) for column in window.columns] if window else []
        if isinstance(entry, WindowColumns):
            return [_window_column(entry.window.name, name) for name in self._known_columns(entry)]
        if id(entry) in self._by_function:
            return self._feature_column(self._by_function[id(entry)], place)
        excused = isinstance(entry, StandIn) or ("feature" in self._project.excused and callable(entry))
        if not excused:
            expected = "lockgate.fields(...), a declared feature, columns of a source or a window"
            found = getattr(entry, "__name__", None) or repr(entry)[:60]
            note(place, expected=expected, found=found, hint=nearest(str(found), self._features))
        return []

    def _field_column(self, name: str, place: str) -> ModelColumn | None:
        field: Field | None = self._fields.get(name)
        if field is None:
            note(place, expected="a request field", found=repr(name), hint=nearest(str(name), self._fields))
            return None
        if field.kind in _NOT_NUMBERS:
            hint = "Make it a lockgate.Category, or a feature of it."
            note(place, expected=f"{name} as a number or category", found=field.kind.value, hint=hint)
            return None
        return ModelColumn(name=name, kind=InputKind.FIELD, origin=name, type=field.kind)

    def _feature_column(self, name: str, place: str) -> list[ModelColumn]:
        feature = self._features.get(name)
        if feature is None:
            return []
        if feature.returns in _NOT_NUMBERS:
            note(place, expected=f"{name} to give a number or category", found=feature.returns.value)
            return []
        return [ModelColumn(name=name, kind=InputKind.FEATURE, origin=name, type=feature.returns)]

    def needed(self, columns: list[ModelColumn]) -> list[FeatureSpec]:
        """Give the features that the matrix needs, each after those it reads (declaration order keeps that)."""
        wanted = {column.origin for column in columns if column.kind is InputKind.FEATURE}
        for feature in reversed(self._features.values()):
            if feature.name in wanted:
                wanted |= {one.name for one in feature.inputs if one.kind is InputKind.FEATURE}
        return [feature for feature in self._features.values() if feature.name in wanted]

    def windows(self, columns: list[ModelColumn], features: list[FeatureSpec]) -> tuple[Window, ...]:
        """Give the windows that are used, with the columns that are."""
        asked = {one.name for feature in features for one in feature.inputs if one.kind is InputKind.WINDOW}
        asked |= {column.origin for column in columns if column.kind is InputKind.WINDOW}
        cut = [
            replace(window, columns=tuple(column for column in window.columns if column.name in asked))
            for window in self._windows.values()
        ]
        return tuple(window for window in cut if window.columns)

    def lookups(self, columns: list[ModelColumn], features: list[FeatureSpec]) -> tuple[Lookup, ...]:
        """Gather what is looked up, a source at a time, columns in order of first use."""
        asked = [
            (one.source, one.name) for feature in features for one in feature.inputs if one.kind is InputKind.LOOKUP
        ]
        asked += [(column.source, column.origin) for column in columns if column.kind is InputKind.LOOKUP]
        by_source: dict[str, list[str]] = {}
        for source, name in dict.fromkeys(asked):
            by_source.setdefault(source, []).append(name)
        sources = {source.name: source for source in self._project.sources}
        return tuple(self._lookup(sources[name], columns) for name, columns in by_source.items() if name in sources)

    def _lookup(self, source: Source, columns: list[str]) -> Lookup:
        if source.key not in self._fields:
            expected = f"the key of {source.name} to be a request field, to look it up by"
            note(source.where, expected=expected, found=repr(source.key), hint=nearest(source.key, self._fields))
        return Lookup(
            source=source.name,
            by=source.key,
            columns=tuple(LookupColumn(name=name) for name in columns),
            clocked=source.event_time is not None,
            stale_after=source.stale_after,
        )


def _window_column(window: str, name: str) -> ModelColumn:
    return ModelColumn(name=name, kind=InputKind.WINDOW, origin=name, source=window, type=None)
