"""From a user's annotation to the type of a value."""

import types
import typing
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lockgate.declare.mistakes import note
from lockgate.declare.request import Category
from lockgate.records.features import FieldKind

__all__ = ["annotations_of", "kind_of"]

_KINDS: dict[type, FieldKind] = {
    bool: FieldKind.BOOL,
    int: FieldKind.INT,
    float: FieldKind.FLOAT,
    str: FieldKind.TEXT,
    Category: FieldKind.CATEGORY,
    datetime: FieldKind.TIME,
}


def annotations_of(owner: Callable[..., Any] | type, place: str) -> dict[str, Any]:
    """Give the annotations of a function or class, resolved; a name that can't be resolved is noted."""
    try:
        return typing.get_type_hints(owner)
    except (NameError, TypeError) as error:
        note(place, expected="annotations that can be resolved", found=str(error))
        return {}


def kind_of(annotation: object, at: str, what: str) -> tuple[FieldKind, bool] | None:
    """Give the type, and whether null is allowed; anything else is noted."""
    choices = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    named = [choice for choice in choices if choice is not type(None)]
    if len(named) == 1 and named[0] in _KINDS:
        return _KINDS[named[0]], len(choices) > 1
    expected = f"{what} to be bool, int, float, str, datetime or lockgate.Category, with or without '| None'"
    note(at, expected=expected, found=getattr(annotation, "__name__", None) or str(annotation))
    return None


def _is_union(annotation: object) -> bool:
    return typing.get_origin(annotation) in {typing.Union, types.UnionType}
