"""Gates that no release goes without: the checks of its data, and its reference answers."""

from lockgate.gates.case import Case, verdict
from lockgate.kernel.canonical import digest_of
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.records.verdict import GateSpec, GateVerdict

__all__ = ["data_checks", "reference_answers"]


def data_checks(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge by the checks of every stage that the package came through."""
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
    said = worst([*(report.verdict for report in case.checks), *(Verdict.INCONCLUSIVE for _ in absent)])
    found = (
        f"{len(rules)} rules ran on {sum(report.rows for report in case.checks):,} rows of {len(case.checks)} stages"
    )
    return verdict(
        gate,
        case,
        said,
        "every rule of every stage to hold",
        "; ".join([*broken, *(f"no report of {place}" for place in absent)]) or found,
        note="; ".join(warned),
        evidence=tuple(digest_of(report) for report in case.checks),
    )


def reference_answers(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge whether the package answers like the object it was made of."""
    evidence = case.find(case.package, "reference")
    expected = "the package to answer like the fitted object, and its features online to equal those in training"
    if evidence is None or not evidence.values.get("values"):
        return verdict(gate, case, Verdict.INCONCLUSIVE, expected, "no evidence")
    values = evidence.values
    holds = values["worst_difference"] <= values["tolerance"] and values["mismatched"] == 0
    found = (
        f"{values['mismatched']:,} of {values['values']:,} feature values differ;"
        f" answers differ by {values['worst_difference']:.1e} at most"
    )
    said = Verdict.PASS if holds else Verdict.FAIL
    return verdict(gate, case, said, expected, found, evidence=(digest_of(evidence),))
