"""Gates on how good a package's answers are."""

from collections.abc import Mapping
from typing import Any

from lockgate.gates.case import Case, verdict
from lockgate.kernel.canonical import digest_of, short
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.records.package import Evidence
from lockgate.records.verdict import METRIC_DIRECTIONS, GateSpec, GateVerdict

__all__ = ["metric", "no_worse_than_live"]

_ROUNDING = 1e-12  # 0.90 - 0.85 is a little more than 0.05
_MORE_IS_BETTER = {name for table in METRIC_DIRECTIONS.values() for name, sign in table.items() if sign > 0}


def metric(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge by bounds on a metric, over all test rows or for each value of a field."""
    evidence = case.find(case.package, "metrics")
    expected = _bound_text(gate)
    if evidence is None:
        return verdict(gate, case, Verdict.INCONCLUSIVE, expected, "no evidence")
    if "by" not in gate.parameters:
        said, found = _judge_rows(gate, evidence.values)
        return verdict(gate, case, said, expected, found, evidence=(digest_of(evidence),))
    return _metric_by(gate, case, evidence, expected)


def _metric_by(gate: GateSpec, case: Case, evidence: Evidence, expected: str) -> GateVerdict:
    slices = evidence.values.get("slices", {}).get(gate.parameters["by"], {})
    judged = {
        value: _judge_rows(gate, one) for value, one in slices.items() if one["rows"] >= gate.parameters["min_rows"]
    }
    small = sorted(set(slices) - set(judged))
    said = worst(one for one, _ in judged.values())
    shown = [f"{value}: {found}" for value, (one, found) in judged.items() if one is said]
    note = f"too few rows to judge: {', '.join(small[:8])}{' …' if len(small) > 8 else ''}" if small else ""  # noqa: PLR2004
    found = "; ".join(shown[:6]) or "no value with enough rows"
    return verdict(gate, case, said, expected, found, note=note, evidence=(digest_of(evidence),))


def _judge_rows(gate: GateSpec, values: Mapping[str, Any]) -> tuple[Verdict, str]:
    name, least = gate.parameters["metric"], gate.parameters["min_rows"]
    value = values["metrics"].get(name)
    if values["rows"] < least:
        return Verdict.INCONCLUSIVE, f"{values['rows']} rows, fewer than {least}"
    if value is None:
        return Verdict.INCONCLUSIVE, f"{name} is not defined on these {values['rows']} rows"
    low, high = gate.parameters.get("at_least"), gate.parameters.get("at_most")
    holds = (low is None or value >= low) and (high is None or value <= high)
    return (Verdict.PASS if holds else Verdict.FAIL), f"{value:.4f} on {values['rows']:,} rows"


def _bound_text(gate: GateSpec) -> str:
    low, high = gate.parameters.get("at_least"), gate.parameters.get("at_most")
    bounds = [f"≥ {low:g}" if low is not None else "", f"≤ {high:g}" if high is not None else ""]
    each = f" for each {gate.parameters['by']}" if "by" in gate.parameters else ""
    return f"{gate.parameters['metric']} {' and '.join(bound for bound in bounds if bound)}{each}"


def no_worse_than_live(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge by a comparison with the live package on the same rows."""
    name, margin = gate.parameters["metric"], gate.parameters["margin"]
    expected = f"{name} no worse than live by more than {margin:g}, on the same rows"
    if case.live is None:
        return verdict(gate, case, Verdict.PASS, expected, "no live release", note="the first release has no rival")
    ours, theirs = case.find(case.package, "metrics"), case.find(case.live, "metrics")
    if ours is None or theirs is None or ours.on != theirs.on:
        who = short(case.live if ours is not None else case.package)
        note = "A live release that asks for other columns can't be put to these rows." if ours is not None else ""
        return verdict(gate, case, Verdict.INCONCLUSIVE, expected, f"no metrics of {who} on these rows", note=note)
    here, there = ours.values["metrics"].get(name), theirs.values["metrics"].get(name)
    seen = (digest_of(ours), digest_of(theirs))
    if here is None or there is None:
        return verdict(
            gate, case, Verdict.INCONCLUSIVE, expected, f"{name} is not defined on these rows", evidence=seen
        )
    loss = there - here if name in _MORE_IS_BETTER else here - there
    said = Verdict.PASS if loss <= margin + _ROUNDING else Verdict.FAIL
    found = f"{here:.4f} against {there:.4f} on {ours.values['rows']:,} rows"
    return verdict(gate, case, said, expected, found, evidence=seen)
