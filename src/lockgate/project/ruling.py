"""Compiles rules: those that follow from the declarations, then those of files, then those of the project file.

Of one name the last one counts: what a person wrote beats what was inferred.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lockgate.declare.expecting import Expecting
from lockgate.declare.mistakes import StandIn, note
from lockgate.declare.project import Project
from lockgate.declare.rules import RulesFile, RuleWanted
from lockgate.declare.sources import Source
from lockgate.kernel.names import nearest
from lockgate.project.contract import close_function
from lockgate.project.references import compared_with
from lockgate.project.rulesfile import read_rules
from lockgate.project.types import annotations_of, kind_of
from lockgate.records.check import ALONE, Rule, Stage
from lockgate.records.features import FeatureSet, FieldKind, OutcomeSpec, RequestSpec

__all__ = ["compile_rules"]

_OF_SOURCES = {"fresh", "refers_to", "row_change"}
_OF_STAGES = {"row_loss"}


def compile_rules(
    project: Project, request: RequestSpec | None, features: FeatureSet | None, outcome: OutcomeSpec | None
) -> tuple[Rule, ...]:
    """Compile the rules of every stage."""
    rules: list[Rule] = []
    for source in project.sources:
        rules += _implied_of_source(source, request, outcome)
        rules += _declared(source, project, Stage.KEPT, source)
    if request and features and outcome:
        rules += _implied_later(features, outcome)
        for stage, expecting, columns in _later(project, request, features, outcome):
            declared = list(_declared(expecting, project, stage))
            _check_columns(declared, columns, expecting)
            rules += declared
    return tuple({(rule.stage, rule.source, rule.name): rule for rule in rules}.values())


def _implied_of_source(source: Source, request: RequestSpec | None, outcome: OutcomeSpec | None) -> Iterator[Rule]:
    name, keyed = source.name, {request.history if request else "", outcome.source if outcome else ""}
    yield Rule(source=name, stage=Stage.READ, kind="typed", column=source.key, parameters={"kinds": ["text", "int"]})
    for column in (source.event_time, source.available_time):
        if column is not None:
            yield Rule(source=name, stage=Stage.READ, kind="typed", column=column, parameters={"kinds": ["time"]})
    yield Rule(source=name, kind="row_count", parameters={"least": 1, "most": None})
    yield Rule(source=name, kind="row_loss")
    yield Rule(source=name, kind="missing", column=source.key)
    if source.event_time is not None:
        yield Rule(source=name, kind="missing", column=source.event_time)
    if source.event_time is None or name in keyed:
        yield Rule(source=name, kind="unique", column=source.key)


def _implied_later(features: FeatureSet, outcome: OutcomeSpec) -> Iterator[Rule]:
    yield Rule(stage=Stage.LABELLED, kind="row_loss", warn=0.1, at_most=0.5)
    yield Rule(stage=Stage.JOINED, kind="row_loss")
    for lookup in features.lookups:
        columns = [f"{lookup.source}.{column.name}" for column in lookup.columns]
        parameters = {"lookup": lookup.source}
        yield Rule(
            stage=Stage.JOINED,
            kind="found",
            column=columns[0],
            more=tuple(columns[1:]),
            parameters=parameters,
            warn=0.5,
            at_most=0.999,
        )
    for stage in (Stage.TRAIN, Stage.TEST):
        yield Rule(stage=stage, kind="row_count", parameters={"least": 1, "most": None})
        yield Rule(stage=stage, kind="row_loss", warn=0.5, at_most=0.9)
        yield Rule(stage=stage, kind="missing", column=outcome.name)
    for column in features.columns:
        yield Rule(stage=Stage.MATRIX, kind="varies", column=column.name, warn=0.0, at_most=1.0)
        yield Rule(stage=Stage.MATRIX, kind="missing", column=column.name, warn=0.5, at_most=1.0)


def _later(
    project: Project, request: RequestSpec, features: FeatureSet, outcome: OutcomeSpec
) -> Iterator[tuple[Stage, Expecting, list[str]]]:
    """Give the stages after the sources, with what is declared about them and the columns they have."""
    fields = [field.name for field in request.fields]
    joined = [*fields, outcome.name]
    joined += [f"{lookup.source}.{column.name}" for lookup in features.lookups for column in lookup.columns]
    joined += [f"{window.name}.{column.name}" for window in features.windows for column in window.columns]
    yield Stage.LABELLED, project.labelled, [*fields, outcome.name]
    yield Stage.JOINED, project.joined, joined
    yield Stage.TRAIN, project.training_set, joined
    yield Stage.TEST, project.training_set, joined
    yield Stage.MATRIX, project.matrix, [column.name for column in features.columns]


def _check_columns(rules: list[Rule], columns: list[str], expecting: Expecting) -> None:
    places = {wanted.kind: wanted.where for wanted in expecting.rules if isinstance(wanted, RuleWanted)}
    for rule in rules:
        for column in rule.columns:
            if column not in columns and rule.stage is not Stage.TEST:
                expected = f"a column of the {rule.stage.value} rows"
                note(places.get(rule.kind, ""), expected=expected, found=repr(column), hint=nearest(column, columns))


def _declared(expecting: Expecting, project: Project, stage: Stage, source: Source | None = None) -> Iterator[Rule]:
    for wanted in sorted(expecting.rules, key=lambda one: isinstance(one, RuleWanted)):
        for one in read_rules(wanted) if isinstance(wanted, RulesFile) else [wanted]:
            rule = _Compiling(one, project, stage, source).rule()
            if rule is not None:
                yield rule


class _Compiling:
    """Compiles one declared rule, and notes everything that is wrong with it."""

    def __init__(self, wanted: RuleWanted, project: Project, stage: Stage, source: Source | None) -> None:
        self.wanted, self._project, self._stage, self._source = wanted, project, stage, source
        self._right = True

    def _note(self, expected: str, found: str, hint: str = "") -> None:
        self._right = False
        note(self.wanted.where, expected=expected, found=found, hint=hint)

    def rule(self) -> Rule | None:
        wanted = self.wanted
        self._check_thresholds()
        self._check_place()
        compiled = getattr(self, f"_{wanted.kind}", self._plain)()
        if compiled is None or not self._right:
            return None
        columns, parameters = compiled
        return Rule(
            source=self._source.name if self._source else "",
            stage=self._stage,
            kind=wanted.kind,
            column=columns[0] if columns else "",
            more=tuple(columns[1:]),
            parameters=parameters,
            warn=None if wanted.warn is None else float(wanted.warn),
            at_most=float(wanted.at_most),
            quarantine=wanted.quarantine,
        )

    def _check_thresholds(self) -> None:
        wanted = self.wanted
        for name, value in (("at_most", wanted.at_most), ("warn", wanted.warn)):
            if value is not None and wanted.share and not 0 <= value <= 1:
                self._note(f"{name} as a share, 0 to 1", repr(value))
            elif value is not None and value < 0:
                self._note(f"{name} not negative", repr(value))
        if wanted.warn is not None and wanted.warn > wanted.at_most:
            self._note("warn no greater than at_most", f"{wanted.warn:g} and {wanted.at_most:g}")

    def _check_place(self) -> None:
        kind = self.wanted.kind
        if self._source is None and kind in _OF_SOURCES:
            self._note(f"{kind} about a source", f"about the {self._stage.value} rows")
        if self._source is not None and kind in _OF_STAGES:
            self._note(f"{kind} about a stage after the sources: project.labelled, project.training_set", "a source")
        if self.wanted.quarantine and (kind not in ALONE or self._source is None):
            self._note(f"quarantine with rules about single rows of a source: {', '.join(sorted(ALONE))}", kind)

    def _plain(self) -> tuple[list[str], dict[str, Any]] | None:
        return self._columns(), self.wanted.parameters

    def _columns(self) -> list[str]:
        return [column for column in (self.wanted.column, *self.wanted.more) if column]

    def _unique(self) -> tuple[list[str], dict[str, Any]] | None:
        if not self._columns():
            self._note("unique(columns, at_most)", "missing columns")
        return self._plain()

    def _between(self) -> tuple[list[str], dict[str, Any]] | None:
        low, high = self.wanted.parameters["low"], self.wanted.parameters["high"]
        if low > high:
            self._note("between(column, least, greatest)", f"{low:g} and {high:g}")
        return self._plain()

    def _one_of(self) -> tuple[list[str], dict[str, Any]] | None:
        values = self.wanted.parameters["values"]
        if not values:
            self._note("one_of(column, values, ...)", "no values")
        elif len({type(value) for value in values}) > 1:
            self._note("one_of(column, values, ...) of one type", ", ".join(map(repr, values))[:80])
        return self._plain()

    def _typed(self) -> tuple[list[str], dict[str, Any]] | None:
        kinds = self.wanted.parameters["kinds"]
        found = [one.value if isinstance(one, FieldKind) else self._kind(one) for one in kinds]
        if not kinds:
            self._note("typed(column, type, ...)", "no type")
        return None if None in found else (self._columns(), {"kinds": found})

    def _kind(self, annotation: object) -> str | None:
        kind = kind_of(annotation, self.wanted.where, f"the type of {self.wanted.column}")
        return kind[0].value if kind else None

    def _row_count(self) -> tuple[list[str], dict[str, Any]] | None:
        given = self.wanted.parameters
        for least, most in ([given["least"], given["most"]], given["warn_band"] or [0, None]):
            if most is not None and least > most:
                self._note("row_count from the least to the most", f"{least} and {most}")
        band = {"warn": given["warn_band"]} if given["warn_band"] else {}
        return [], {"least": given["least"], "most": given["most"], **band}

    def _fresh(self) -> tuple[list[str], dict[str, Any]] | None:
        source, column = self._source, self.wanted.column
        if source is None:
            return None
        if column:
            return [column], {}
        if source.event_time is None:
            self._note("fresh(column=...) for a table, which has no clock", "no column")
            return None
        delay = source.available_delay
        after = {"known_after": delay.total_seconds()} if delay is not None else {}
        return [source.available_time or source.event_time], after

    def _refers_to(self) -> tuple[list[str], dict[str, Any]] | None:
        other = self.wanted.parameters["source"]
        if not isinstance(other, Source):
            if not isinstance(other, StandIn):
                self._note("refers_to(column, a declared source)", repr(other)[:80])
            return None
        return self._columns(), {"source": other.name, "key": other.key}

    def _holds(self) -> tuple[list[str], dict[str, Any]] | None:
        function, at = self.wanted.parameters["function"], self.wanted.where
        if not inspect.isfunction(function):
            if not isinstance(function, StandIn):
                self._note("holds(a function of columns)", repr(function)[:80])
            return None
        code = close_function(function, at)
        columns = list(inspect.signature(function).parameters)
        if annotations_of(function, at).get("return") is not bool:
            self._note(f"{function.__name__} to say that it gives a bool: '-> bool'", "another answer")
        if not columns:
            self._note(f"{function.__name__} to have columns as parameters", "none")
        if code is None:
            return None
        text = {"name": code.name, "source": code.source, "literals": code.literals}
        return columns, {"function": text, "timezone": self._project.timezone}

    def _compared(self) -> tuple[list[str], dict[str, Any]] | None:
        folder = Path(self.wanted.where.rpartition(":")[0]).parent
        parameters = compared_with(self.wanted, folder)
        return None if parameters is None else (self._columns(), parameters)

    _psi = _ks = _jensen_shannon = _missing_change = _unseen = _compared
