"""Compiles gates."""

from lockgate.declare.gates import GateWanted
from lockgate.declare.mistakes import note
from lockgate.declare.project import Project
from lockgate.kernel.names import nearest
from lockgate.project.performing import check_performance
from lockgate.records.check import Stage, place_of
from lockgate.records.features import FieldKind, OutcomeSpec, RequestSpec
from lockgate.records.verdict import METRIC_DIRECTIONS, GateSpec

__all__ = ["compile_gates", "standing_gates"]


def compile_gates(project: Project, request: RequestSpec | None, outcome: OutcomeSpec | None) -> tuple[GateSpec, ...]:
    """Compile declared gates, after those that no release goes without: of its data, its answers and who gives them."""
    for gate in project.gates:
        check_performance(gate)
        if outcome is not None:
            _check_metric(gate, "binary" if outcome.returns is FieldKind.BOOL else "regression")
        by = gate.parameters.get("by")
        names = [field.name for field in request.fields] if request else []
        if by is not None and request is not None and by not in names:
            note(gate.where, expected="by to name a request field", found=repr(by), hint=nearest(str(by), names))
    declared = [GateSpec(kind=gate.kind, parameters=gate.parameters) for gate in project.gates]
    return (*standing_gates(_places(project)), *declared)


def standing_gates(places: list[str]) -> tuple[GateSpec, ...]:
    """Give the gates that no release goes without, its data having been examined at these places."""
    checks = GateSpec(kind="data_checks", parameters={"places": places})
    return (checks, GateSpec(kind="reference_answers"), GateSpec(kind="runtime_parity"))


def _places(project: Project) -> list[str]:
    """Name every stage whose report a release needs."""
    sources = [place_of(stage, one.name) for one in project.sources for stage in (Stage.READ, Stage.KEPT)]
    later = [stage for stage in Stage if stage not in {Stage.READ, Stage.KEPT}]
    return [*sources, *(place_of(stage, "") for stage in later)]


def _check_metric(gate: GateWanted, task: str) -> None:
    if "metric" not in gate.parameters:
        return
    known = METRIC_DIRECTIONS[task]
    name = gate.parameters["metric"]
    if name not in known:
        note(gate.where, expected=f"a metric for a {task} outcome", found=repr(name), hint=nearest(str(name), known))
        return
    if gate.kind == "metric":
        bound = "at_least" if known[name] > 0 else "at_most"
        if bound not in gate.parameters:
            found = ", ".join(sorted(set(gate.parameters) & {"at_least", "at_most"})) or "no bound"
            note(gate.where, expected=f"{bound} for {name}", found=found)
