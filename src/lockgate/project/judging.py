"""Compiles rules and gates."""

from lockgate.declare.gates import GateWanted
from lockgate.declare.mistakes import note
from lockgate.declare.project import Project
from lockgate.declare.rules import RuleWanted
from lockgate.kernel.names import nearest
from lockgate.records.check import Rule
from lockgate.records.features import FieldKind, OutcomeSpec, RequestSpec
from lockgate.records.verdict import METRIC_DIRECTIONS, GateSpec

__all__ = ["compile_gates", "compile_rules"]


def compile_rules(project: Project, request: RequestSpec | None, outcome: OutcomeSpec | None) -> tuple[Rule, ...]:
    """Compile declared rules, after those that follow from the declarations."""
    keyed = {request.history if request else "", outcome.source if outcome else ""}
    rules: list[Rule] = []
    for source in project.sources:
        rules.append(Rule(source=source.name, kind="row_count", parameters={"least": 1, "most": None}))
        rules.append(Rule(source=source.name, kind="missing", column=source.key))
        if source.event_time is not None:
            rules.append(Rule(source=source.name, kind="missing", column=source.event_time))
        if source.event_time is None or source.name in keyed:
            rules.append(Rule(source=source.name, kind="unique", column=source.key))
        rules += [_rule(source.name, wanted) for wanted in source.rules]
    return tuple({(rule.source, rule.name): rule for rule in rules}.values())


def _rule(source: str, wanted: RuleWanted) -> Rule:
    if not 0 <= wanted.at_most <= 1:
        note(wanted.where, expected="at_most as a share, 0 to 1", found=repr(wanted.at_most))
    low, high = wanted.parameters.get("low"), wanted.parameters.get("high")
    if low is not None and high is not None and low > high:
        note(wanted.where, expected="between(column, least, greatest)", found=f"{low:g} and {high:g}")
    if wanted.kind == "one_of" and not wanted.parameters["values"]:
        note(wanted.where, expected="one_of(column, values, ...)", found="no values")
    return Rule(
        source=source,
        kind=wanted.kind,
        column=wanted.column,
        parameters=wanted.parameters,
        at_most=float(wanted.at_most),
    )


def compile_gates(project: Project, request: RequestSpec | None, outcome: OutcomeSpec | None) -> tuple[GateSpec, ...]:
    """Compile declared gates, after those that no release goes without: its data's checks and reference answers."""
    for gate in project.gates:
        if outcome is not None:
            _check_metric(gate, "binary" if outcome.returns is FieldKind.BOOL else "regression")
        by = gate.parameters.get("by")
        names = [field.name for field in request.fields] if request else []
        if by is not None and request is not None and by not in names:
            note(gate.where, expected="by to name a request field", found=repr(by), hint=nearest(str(by), names))
    declared = [GateSpec(kind=gate.kind, parameters=gate.parameters) for gate in project.gates]
    return (GateSpec(kind="data_checks"), GateSpec(kind="reference_answers"), *declared)


def _check_metric(gate: GateWanted, task: str) -> None:
    known = METRIC_DIRECTIONS[task]
    name = gate.parameters.get("metric")
    if name not in known:
        note(gate.where, expected=f"a metric for a {task} outcome", found=repr(name), hint=nearest(str(name), known))
        return
    if gate.kind == "metric":
        bound = "at_least" if known[name] > 0 else "at_most"
        if bound not in gate.parameters:
            found = ", ".join(sorted(set(gate.parameters) & {"at_least", "at_most"})) or "no bound"
            note(gate.where, expected=f"{bound} for {name}", found=found)
