"""Judges who answers: a faster runtime must answer as the model's own library does."""

from lockgate.gates.case import Case, verdict
from lockgate.kernel.canonical import digest_of
from lockgate.kernel.verdicts import Verdict
from lockgate.records.verdict import GateSpec, GateVerdict

__all__ = ["runtime_parity"]

_EXPECTED = "whoever answers to answer as the model's own library, also on and beside every split"


def runtime_parity(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge by the answers of both to the same rows; the library itself needs no comparison."""
    evidence = case.find(case.package, "runtime")
    if evidence is None:
        return verdict(gate, case, Verdict.INCONCLUSIVE, _EXPECTED, "no evidence")
    values, seen = evidence.values, (digest_of(evidence),)
    if values["runtime"] == "library":
        return verdict(gate, case, Verdict.PASS, _EXPECTED, "the library itself answers", evidence=seen)
    if not values["rows"]:
        return verdict(gate, case, Verdict.INCONCLUSIVE, _EXPECTED, "the library answered no row", evidence=seen)
    holds = values["flips"] == 0 and values["worst_difference"] <= values["tolerance"]
    found = (
        f"{values['runtime']} flips {values['flips']:,} of {values['rows']:,} decisions, at {values['probed']:,} of"
        f" {values['splits']:,} splits; answers differ by {values['worst_difference']:.1e} at most"
    )
    refused = ", ".join(f"{rows:,} {place}" for place, rows in sorted(values["refused"].items()))
    note = f"rows that the library refuses: {refused}" if refused else ""
    return verdict(gate, case, Verdict.PASS if holds else Verdict.FAIL, _EXPECTED, found, note=note, evidence=seen)
