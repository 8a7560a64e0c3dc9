"""Compiles a declared project to a blueprint, and notes everything that is wrong with it on the way."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lockgate.declare.fitting import LastSpan, ModelWanted
from lockgate.declare.mistakes import StandIn, note
from lockgate.declare.project import Project
from lockgate.declare.sources import Source
from lockgate.kernel.canonical import canonical
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.names import is_name, nearest
from lockgate.kernel.numbers import whole_floats
from lockgate.project.blueprint import Blueprint
from lockgate.project.columns import compile_features
from lockgate.project.contract import compile_outcome, compile_request
from lockgate.project.judging import compile_gates
from lockgate.project.readers import compile_reader, function_name, readable, zones
from lockgate.project.ruling import compile_rules
from lockgate.records.features import FieldKind, OutcomeSpec
from lockgate.records.source import SourceSpec
from lockgate.records.training import ModelSpec

__all__ = ["Compiled", "compile_project"]


@dataclass(frozen=True)
class Compiled:
    """A blueprint, and where its parts were declared."""

    blueprint: Blueprint
    places: dict[str, str]


_RUNTIMES = ("auto", "library", "gtil")


def compile_project(project: Project) -> Compiled | None:
    """Compile; None where a part is missing. Mistakes are noted (`declare.mistakes.note`), not raised."""
    _check_name_and_zone(project)
    sources = tuple(source for declared in project.sources if (source := _source(declared)) is not None)
    _check_twice(project)
    request = compile_request(project)
    outcome = compile_outcome(project)
    wanted = _only(project.models, "model", "@project.model(...) over a fitting function", project)
    compiled = compile_features(project, request, wanted.features if wanted else []) if request else None
    features = compiled.features if compiled else None
    model = _model(wanted, project, outcome) if wanted else None
    rules = compile_rules(project, request, features, outcome)
    gates = compile_gates(project, request, outcome)
    if not (request and outcome and compiled and features and model):
        return None
    blueprint = Blueprint(
        name=project.name,
        owner=project.owner,
        timezone=project.timezone,
        sources=sources,
        rules=rules,
        request=request,
        features=features,
        feature_notes=compiled.notes,
        outcome=outcome,
        model=model,
        gates=gates,
    )
    return Compiled(blueprint=blueprint, places=_places(project) | compiled.places)


def _check_name_and_zone(project: Project) -> None:
    if not isinstance(project.name, str) or not is_name(project.name):
        note(project.where, expected="a name of lower case letters, digits and hyphens", found=repr(project.name))
    if str(project.timezone) not in zones():
        near = nearest(str(project.timezone), zones())
        note(project.where, expected="the name of a time zone", found=repr(project.timezone), hint=near)
    if not isinstance(project.owner, str):
        note(project.where, expected="the owner as text", found=repr(project.owner)[:80])


def _check_twice(project: Project) -> None:
    seen: dict[str, str] = {}
    for source in project.sources:
        if source.name in seen:
            note(source.where, expected="a name for each source", found=f"{source.name}, as at {seen[source.name]}")
        seen[source.name] = source.where


def _source(source: Source) -> SourceSpec | None:
    reader = compile_reader(source)
    clocked = source.event_time is not None
    if clocked and (source.available_time is None) == (source.available_delay is None):
        found = "neither" if source.available_time is None else "both"
        hint = "There is no default: what was known when decides what a model may learn from."
        note(source.where, expected="available_time or available_delay", found=found, hint=hint)
    for name in ("available_delay", "stale_after", "ingest_lag"):
        value = getattr(source, name)
        if value is not None and (not isinstance(value, timedelta) or value < timedelta(0)):
            note(source.where, expected=f"{name} as a timedelta, not negative", found=repr(value))
            return None
    if reader is None:
        return None
    return SourceSpec(
        name=source.name,
        reader=reader,
        key=source.key,
        event_time=source.event_time,
        available_time=source.available_time,
        available_delay=source.available_delay,
        stale_after=source.stale_after,
        ingest_lag=source.ingest_lag,
        event_id=source.event_id,
    )


def _model(wanted: ModelWanted, project: Project, outcome: OutcomeSpec | None) -> ModelSpec | None:
    function = function_name(wanted.function, wanted.where, "a model")
    if outcome and not any(wanted.outcome is declared.function for declared in project.outcomes):
        note(wanted.where, expected=f"the declared outcome, {outcome.name}", found=readable(wanted.outcome))
    if isinstance(wanted.test, StandIn):
        return None
    if not isinstance(wanted.test, LastSpan) or wanted.test.span <= timedelta(0):
        note(wanted.where, expected="test=lockgate.last(timedelta(days=...))", found=readable(wanted.test))
        return None
    if wanted.runtime not in _RUNTIMES:
        hint = nearest(str(wanted.runtime), _RUNTIMES)
        note(wanted.where, expected=f"runtime to be {', '.join(_RUNTIMES)}", found=repr(wanted.runtime), hint=hint)
    if not 0 < wanted.threshold < 1:
        note(wanted.where, expected="a threshold between 0 and 1", found=repr(wanted.threshold))
    try:
        canonical(wanted.parameters)
    except LockgateError as error:
        note(wanted.where, expected="parameters that are JSON values", found=error.found)
        return None
    if function is None or outcome is None:
        return None
    return ModelSpec(
        name=wanted.function.__name__,
        function=function,
        parameters=wanted.parameters,
        task="binary" if outcome.returns is FieldKind.BOOL else "regression",
        threshold=float(wanted.threshold),
        whole_floats=whole_floats(wanted.parameters),
        runtime=wanted.runtime,
        test_seconds=wanted.test.span.total_seconds(),
    )


def _only(declared: list[Any], what: str, how: str, project: Project) -> Any:  # noqa: ANN401 - of each kind of declaration
    if not declared:
        if what not in project.excused:
            note(project.where, expected=f"a {what}: {how}", found="none")
        return None
    for extra in declared[1:]:
        note(extra.where, expected=f"one {what}", found=f"another one; the first is at {declared[0].where}")
    return declared[0]


def _places(project: Project) -> dict[str, str]:
    places = {f"source {source.name}": source.where for source in project.sources}
    places |= {f"feature {feature.function.__name__}": feature.where for feature in project.features}
    places |= {f"window {window.name}": window.where for window in project.windows}
    places |= {"request": project.requests[0].where, "model": project.models[0].where}
    return places | {"outcome": project.outcomes[0].where}
