"""Compiles windows."""

import keyword
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lockgate.declare.mistakes import StandIn, note
from lockgate.declare.project import Project
from lockgate.declare.sources import Source
from lockgate.declare.windows import Window as Declared
from lockgate.kernel.names import nearest
from lockgate.records.features import Aggregate, Field, FieldKind, RequestSpec, Window, WindowColumn

__all__ = ["compile_windows", "is_window_column"]

_KEYS = {FieldKind.TEXT, FieldKind.CATEGORY, FieldKind.INT}
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
_MOST_PLACES = 9
_COLUMN = re.compile(rf"\w+_({'|'.join(one.value for one in Aggregate)})_\d+[{''.join(_UNITS)}]")


def compile_windows(project: Project, request: RequestSpec) -> dict[str, Window]:
    """Compile the declared windows, by name, with all their columns; one that can't be compiled is left out."""
    fields = {field.name: field for field in request.fields}
    found: dict[str, Window] = {}
    for declared in project.windows:
        _check_name(declared, project, found)
        if (window := _window(declared, project, fields)) is not None:
            _check_columns(declared, window, project, fields)
            found.setdefault(declared.name, window)
    return found


def is_window_column(name: str) -> bool:
    """Tell whether a name is made as the columns of windows are.

    >>> is_window_column("origin_mean_3h"), is_window_column("origin")
    (True, False)
    """
    return _COLUMN.fullmatch(name) is not None


def _check_name(declared: Declared, project: Project, found: Mapping[str, Window]) -> None:
    name = declared.name
    if not name.isidentifier() or keyword.iskeyword(name):
        note(declared.where, expected="a name for the window that begins Python names", found=repr(name))
    if name in found or any(name == source.name for source in project.sources):
        note(declared.where, expected="a name of its own for each window", found=f"{name}, which is taken")


def _window(declared: Declared, project: Project, fields: Mapping[str, Field]) -> Window | None:
    source, aggregates, spans = _source(declared, project), _aggregates(declared), _spans(declared)
    _check_by(declared, fields)
    _check_value(declared, aggregates)
    if source is None or not aggregates or not spans or declared.by not in fields:
        return None
    return Window(
        name=declared.name,
        source=source.name,
        by=declared.by,
        value=declared.value,
        scale=declared.scale,
        columns=tuple(
            WindowColumn(name=f"{declared.name}_{one.value}_{_written(span)}", aggregate=one, span=span)
            for span in spans
            for one in aggregates
        ),
    )


def _source(declared: Declared, project: Project) -> Source | None:
    source: Any = declared.source
    if isinstance(source, StandIn):
        return None
    if not isinstance(source, Source):
        names = [one.name for one in project.sources if one.event_time is not None]
        found = repr(source)[:80]
        note(declared.where, expected="a declared source", found=found, hint=nearest(str(source), names))
        return None
    if source.event_time is None:
        expected = f"a source with a clock for the window {declared.name}"
        note(declared.where, expected=expected, found=f"the table {source.name}")
        return None
    return source


def _aggregates(declared: Declared) -> list[Aggregate]:
    known = [one.value for one in Aggregate]
    for name in declared.of:
        if name not in known:
            near = nearest(str(name), known)
            note(declared.where, expected="of= to name aggregates", found=repr(name)[:80], hint=near)
    if not declared.of:
        note(declared.where, expected="of= to name aggregates", found="none", hint=f"There is {', '.join(known)}.")
    _check_repeated(declared, "of", [str(name) for name in declared.of])
    return [Aggregate(name) for name in dict.fromkeys(declared.of) if name in known]


def _spans(declared: Declared) -> list[timedelta]:
    good = []
    for span in declared.over:
        if not isinstance(span, timedelta) or span <= timedelta(0) or span % _UNITS["s"]:
            note(declared.where, expected="over= spans of whole seconds, longer than none", found=repr(span)[:80])
        else:
            good.append(span)
    if not declared.over:
        note(declared.where, expected="over= at least one span", found="none")
    _check_repeated(declared, "over", [_written(span) for span in good])
    return list(dict.fromkeys(good))


def _check_repeated(declared: Declared, what: str, given: list[str]) -> None:
    for one in sorted({one for one in given if given.count(one) > 1}):
        note(declared.where, expected=f"{what}= with each once", found=f"{one} {given.count(one)} times")


def _check_by(declared: Declared, fields: Mapping[str, Field]) -> None:
    field = fields.get(declared.by)
    if field is None:
        near = nearest(declared.by, fields)
        note(declared.where, expected="by= to name a request field", found=repr(declared.by), hint=near)
    elif field.kind not in _KEYS:
        note(
            declared.where,
            expected=f"by= a field of text, category or int; {field.name} is not",
            found=field.kind.value,
        )


def _check_value(declared: Declared, aggregates: list[Aggregate]) -> None:
    needy = [one.value for one in aggregates if one is not Aggregate.COUNT]
    if declared.value is None and needy:
        hint = f"{', '.join(needy)} need{'s' if len(needy) == 1 else ''} a value; rows alone can be counted."
        note(declared.where, expected=f"value= a column of {_name_of(declared.source)}", found="none", hint=hint)
    if declared.scale is not None and declared.value is None:
        note(declared.where, expected="scale= beside a value", found=f"scale={declared.scale} and no value")
    if declared.scale is not None and not 0 <= declared.scale <= _MOST_PLACES:
        note(declared.where, expected=f"scale= decimal places, 0 to {_MOST_PLACES}", found=repr(declared.scale))


def _name_of(source: object) -> str:
    return source.name if isinstance(source, Source) else "the source"


def _check_columns(declared: Declared, window: Window, project: Project, fields: Mapping[str, Field]) -> None:
    """Refuse a column that a feature could not ask for by name, because something else has it."""
    taken = {*fields, *(getattr(feature.function, "__name__", "") for feature in project.features)}
    for column in window.columns:
        if column.name in taken:
            note(declared.where, expected="columns with names of their own", found=f"{column.name}, which is taken")


def _written(span: timedelta) -> str:
    """Write a span in the largest unit that it is a whole number of.

    >>> _written(timedelta(hours=24)), _written(timedelta(minutes=90))
    ('1d', '90m')
    """
    unit, size = next((unit, size) for unit, size in _UNITS.items() if not span % size)
    return f"{span // size}{unit}"
