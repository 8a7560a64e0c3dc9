"""Compiles the request and the outcome."""

import inspect
from datetime import timedelta
from typing import Any

from lockgate.declare.mistakes import StandIn, note
from lockgate.declare.project import Project, RequestWanted
from lockgate.declare.request import FieldOptions
from lockgate.declare.sources import Source
from lockgate.kernel.closure import close
from lockgate.kernel.errors import Invalid
from lockgate.kernel.names import nearest
from lockgate.project.types import annotations_of, kind_of
from lockgate.records.features import Code, Field, FieldKind, OutcomeSpec, RequestSpec, Unseen

__all__ = ["close_function", "compile_outcome", "compile_request"]

_NUMBERS = {FieldKind.INT, FieldKind.FLOAT}


def compile_request(project: Project) -> RequestSpec | None:
    """Compile the request; None where there is none to compile."""
    if not project.requests:
        if "request" not in project.excused:
            note(project.where, expected="a request: @project.request(...) over a class of fields", found="none")
        return None
    wanted = project.requests[0]
    for extra in project.requests[1:]:
        note(extra.where, expected="one request", found=f"another one; the first is at {wanted.where}")
    fields = _fields(wanted)
    if not fields:
        return None
    _check_roles(wanted, fields)
    if not isinstance(wanted.history, Source):
        if not isinstance(wanted.history, StandIn):
            note(wanted.where, expected="history to be a declared source", found=repr(wanted.history)[:80])
        return None
    if wanted.history.event_time is None:
        note(wanted.where, expected="history to be a source with a clock", found=f"the table {wanted.history.name}")
    if wanted.lateness < timedelta(0):
        note(wanted.where, expected="lateness as a timedelta, not negative", found=repr(wanted.lateness))
        return None
    return RequestSpec(
        name=wanted.kind.__name__,
        key=wanted.key,
        asked_at=wanted.asked_at,
        history=wanted.history.name,
        lateness=wanted.lateness,
        fields=tuple(fields),
    )


def _fields(wanted: RequestWanted) -> list[Field]:
    if not isinstance(wanted.kind, type):
        note(wanted.where, expected="a class of fields", found=repr(wanted.kind)[:80])
        return []
    fields = []
    for name, annotation in annotations_of(wanted.kind, wanted.where).items():
        kind = kind_of(annotation, wanted.where, f"field {name}")
        if kind is not None:
            fields.append(_field(wanted, name, kind, getattr(wanted.kind, name, None)))
    return fields


def _field(wanted: RequestWanted, name: str, kind: tuple[FieldKind, bool], options: Any) -> Field:  # noqa: ANN401 - whatever the user wrote
    if options is not None and not isinstance(options, FieldOptions):
        if not isinstance(options, StandIn):
            note(wanted.where, expected=f"field {name} = lockgate.field(...)", found=repr(options))
        options = None
    given = options or FieldOptions(None, "other")
    low, high = given.between or (None, None)
    if given.between is not None and kind[0] not in _NUMBERS:
        note(wanted.where, expected=f"between on a number; {name} is {kind[0].value}", found=repr(given.between))
    elif low is not None and high is not None and low > high:
        note(wanted.where, expected=f"between=(least, greatest) for {name}", found=repr(given.between))
    return Field(
        name=name,
        kind=kind[0],
        nullable=kind[1],
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        unseen=Unseen(given.unseen),
    )


def _check_roles(wanted: RequestWanted, fields: list[Field]) -> None:
    names = [field.name for field in fields]
    for role in ("key", "asked_at"):
        if getattr(wanted, role) not in names:
            found = repr(getattr(wanted, role))
            note(
                wanted.where,
                expected=f"{role} to name a field",
                found=found,
                hint=nearest(getattr(wanted, role), names),
            )
    for field in fields:
        if field.name == wanted.asked_at and (field.kind is not FieldKind.TIME or field.nullable):
            note(wanted.where, expected=f"{field.name} (asked_at) to be datetime", found=field.kind.value)
        if field.name == wanted.key and (field.kind not in {FieldKind.TEXT, FieldKind.INT} or field.nullable):
            note(wanted.where, expected=f"{field.name} (key) to be str or int", found=field.kind.value)


def compile_outcome(project: Project) -> OutcomeSpec | None:
    """Compile the outcome; None where there is none to compile."""
    if not project.outcomes:
        if "outcome" not in project.excused:
            note(project.where, expected="an outcome: @project.outcome(...) over a function", found="none")
        return None
    wanted = project.outcomes[0]
    for extra in project.outcomes[1:]:
        note(extra.where, expected="one outcome", found=f"another one; the first is at {wanted.where}")
    if isinstance(wanted.source, StandIn):
        return None
    if not isinstance(wanted.source, Source) or wanted.source.event_time is None:
        note(
            wanted.where,
            expected="the outcome's source to be one with a clock",
            found=getattr(wanted.source, "name", repr(wanted.source)[:80]),
        )
        return None
    if wanted.final_after < timedelta(0):
        note(wanted.where, expected="final_after as a timedelta, not negative", found=repr(wanted.final_after))
        return None
    code = close_function(wanted.function, wanted.where)
    returns = _outcome_type(annotations_of(wanted.function, wanted.where).get("return"), wanted.where)
    if code is None or returns is None:
        return None
    return OutcomeSpec(
        name=code.name,
        source=wanted.source.name,
        inputs=tuple(inspect.signature(wanted.function).parameters),
        returns=returns,
        final_after=wanted.final_after,
        never=wanted.never,
        code=code,
    )


def _outcome_type(annotation: object, place: str) -> FieldKind | None:
    kind = kind_of(annotation, place, "the outcome")
    if kind is not None and kind[0] not in {FieldKind.BOOL, FieldKind.FLOAT}:
        note(place, expected="an outcome that is bool or float", found=kind[0].value)
        return None
    return kind[0] if kind else None


def close_function(function: Any, place: str) -> Code | None:  # noqa: ANN401 - whatever the user decorated
    """Close a function over literals; what keeps it from being closed is noted."""
    try:
        source, literals = close(function)
    except Invalid as error:
        for fault in error.faults:
            at = fault.at if ".py:" in fault.at else place
            note(at, expected=fault.expected, found=fault.found, hint=fault.hint)
        return None
    return Code(name=function.__name__, source=source, literals=literals)
