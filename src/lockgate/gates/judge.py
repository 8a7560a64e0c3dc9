"""Judges a package by a gate.

- A verdict is a function of the gate and of evidence about this package's digest; nothing else is looked at.
- No evidence, or too little, is `inconclusive`, and an inconclusive gate stays shut.
- A verdict says what was expected and what was found, with the numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest, digest_of, short
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.records.check import CheckReport
from lockgate.records.package import Evidence
from lockgate.records.verdict import METRIC_DIRECTIONS, GateSpec, GateVerdict

__all__ = ["GATES", "Case", "judge"]

_ROUNDING = 1e-12  # 0.90 - 0.85 is a little more than 0.05
_MORE_IS_BETTER = {name for table in METRIC_DIRECTIONS.values() for name, sign in table.items() if sign > 0}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to judge by."""

    # The package.
    package: Digest
    # The checks of every stage it came through.
    checks: tuple[CheckReport, ...]
    # What was measured about it, and about the live package, on the same rows.
    evidence: tuple[Evidence, ...]
    # The package of the live release; None before the first release.
    live: Digest | None

    def find(self, package: Digest, kind: str) -> Evidence | None:
        """Give the last evidence of a kind about a package."""
        return next((one for one in reversed(self.evidence) if one.package == package and one.kind == kind), None)


def judge(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge by one gate; an unknown gate is inconclusive."""
    decide = GATES.get(gate.kind)
    if decide is None:
        return _verdict(gate, case, Verdict.INCONCLUSIVE, f"a gate that is known: {', '.join(GATES)}", gate.kind)
    return decide(gate, case)


def _data_checks(gate: GateSpec, case: Case) -> GateVerdict:
    rules = [result for report in case.checks for result in report.results]
    broken = [
        f"{report.place}: {one.rule}" for report in case.checks for one in report.results if not one.verdict.opens
    ]
    warned = [
        f"{report.place}: {one.rule}: {one.note or f'{one.failures:,} rows'}"
        for report in case.checks
        for one in report.results
        if one.verdict is Verdict.WARN
    ]
    # Silence is never success: a stage that was not examined keeps the gate shut.
    absent = [place for place in gate.parameters.get("places", ()) if place not in {one.place for one in case.checks}]
    verdict = worst([*(report.verdict for report in case.checks), *(Verdict.INCONCLUSIVE for _ in absent)])
    found = (
        f"{len(rules)} rules ran on {sum(report.rows for report in case.checks):,} rows of {len(case.checks)} stages"
    )
    return _verdict(
        gate,
        case,
        verdict,
        "every rule of every stage to hold",
        "; ".join([*broken, *(f"no report of {place}" for place in absent)]) or found,
        note="; ".join(warned),
        evidence=tuple(digest_of(report) for report in case.checks),
    )


def _reference_answers(gate: GateSpec, case: Case) -> GateVerdict:
    evidence = case.find(case.package, "reference")
    expected = "the package to answer like the fitted object, and its features online to equal those in training"
    if evidence is None or not evidence.values.get("values"):
        return _verdict(gate, case, Verdict.INCONCLUSIVE, expected, "no evidence")
    values = evidence.values
    holds = values["worst_difference"] <= values["tolerance"] and values["mismatched"] == 0
    found = (
        f"{values['mismatched']:,} of {values['values']:,} feature values differ;"
        f" answers differ by {values['worst_difference']:.1e} at most"
    )
    verdict = Verdict.PASS if holds else Verdict.FAIL
    return _verdict(gate, case, verdict, expected, found, evidence=(digest_of(evidence),))


def _metric(gate: GateSpec, case: Case) -> GateVerdict:
    evidence = case.find(case.package, "metrics")
    expected = _bound_text(gate)
    if evidence is None:
        return _verdict(gate, case, Verdict.INCONCLUSIVE, expected, "no evidence")
    if "by" not in gate.parameters:
        verdict, found = _judge_rows(gate, evidence.values)
        return _verdict(gate, case, verdict, expected, found, evidence=(digest_of(evidence),))
    return _metric_by(gate, case, evidence, expected)


def _metric_by(gate: GateSpec, case: Case, evidence: Evidence, expected: str) -> GateVerdict:
    slices = evidence.values.get("slices", {}).get(gate.parameters["by"], {})
    judged = {
        value: _judge_rows(gate, one) for value, one in slices.items() if one["rows"] >= gate.parameters["min_rows"]
    }
    small = sorted(set(slices) - set(judged))
    verdict = worst(one for one, _ in judged.values())
    shown = [f"{value}: {found}" for value, (one, found) in judged.items() if one is verdict]
    note = f"too few rows to judge: {', '.join(small[:8])}{' …' if len(small) > 8 else ''}" if small else ""  # noqa: PLR2004
    found = "; ".join(shown[:6]) or "no value with enough rows"
    return _verdict(gate, case, verdict, expected, found, note=note, evidence=(digest_of(evidence),))


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


def _no_worse_than_live(gate: GateSpec, case: Case) -> GateVerdict:
    name, margin = gate.parameters["metric"], gate.parameters["margin"]
    expected = f"{name} no worse than live by more than {margin:g}, on the same rows"
    if case.live is None:
        return _verdict(gate, case, Verdict.PASS, expected, "no live release", note="the first release has no rival")
    ours, theirs = case.find(case.package, "metrics"), case.find(case.live, "metrics")
    if ours is None or theirs is None or ours.on != theirs.on:
        who = short(case.live if ours is not None else case.package)
        note = "A live release that asks for other columns can't be put to these rows." if ours is not None else ""
        return _verdict(gate, case, Verdict.INCONCLUSIVE, expected, f"no metrics of {who} on these rows", note=note)
    here, there = ours.values["metrics"].get(name), theirs.values["metrics"].get(name)
    seen = (digest_of(ours), digest_of(theirs))
    if here is None or there is None:
        return _verdict(
            gate, case, Verdict.INCONCLUSIVE, expected, f"{name} is not defined on these rows", evidence=seen
        )
    loss = there - here if name in _MORE_IS_BETTER else here - there
    verdict = Verdict.PASS if loss <= margin + _ROUNDING else Verdict.FAIL
    found = f"{here:.4f} against {there:.4f} on {ours.values['rows']:,} rows"
    return _verdict(gate, case, verdict, expected, found, evidence=seen)


def _verdict(
    gate: GateSpec,
    case: Case,
    verdict: Verdict,
    expected: str,
    found: str,
    *,
    note: str = "",
    evidence: tuple[Digest, ...] = (),
) -> GateVerdict:
    return GateVerdict(
        gate=gate.name,
        package=case.package,
        verdict=verdict,
        expected=expected,
        found=found,
        note=note,
        evidence=evidence,
    )


GATES: dict[str, Callable[[GateSpec, Case], GateVerdict]] = {
    "data_checks": _data_checks,
    "metric": _metric,
    "no_worse_than_live": _no_worse_than_live,
    "reference_answers": _reference_answers,
}
"""Every gate, by the name that blueprints carry."""
