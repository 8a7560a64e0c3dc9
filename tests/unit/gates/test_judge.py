"""A gate opens on evidence only; none, or too little, leaves it shut."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.gates.judge import GATES, Case, judge
from lockgate.kernel.canonical import digest_of, sha256
from lockgate.kernel.verdicts import Verdict
from lockgate.records.check import CheckReport, RuleResult, Stage
from lockgate.records.package import Evidence
from lockgate.records.training import Machine
from lockgate.records.verdict import GateSpec, GateVerdict

OURS, LIVE, OTHER = sha256(b"ours"), sha256(b"live"), sha256(b"other")
TEST, OTHER_TEST = sha256(b"test"), sha256(b"other test")
NOW = datetime(2013, 3, 1, tzinfo=UTC)
MACHINE = Machine(processor="x", cores=1, memory=1, platform="x")
PASS, WARN, INCONCLUSIVE, FAIL = Verdict.PASS, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.FAIL


def evidence(values: dict[str, Any], kind: str = "metrics", package: str = OURS, on: str = TEST) -> Evidence:
    return Evidence(package=package, kind=kind, on=on, at=NOW, machine=MACHINE, values=values)


def metrics(rows: int = 1000, slices: dict[str, Any] | None = None, **values: float | None) -> dict[str, Any]:
    return {"rows": rows, "metrics": values, "slices": {"origin": slices or {}}}


def part(rows: int, **values: float | None) -> dict[str, Any]:
    return {"rows": rows, "metrics": values}


def report(*verdicts: Verdict, source: str = "orders") -> CheckReport:
    results = tuple(
        RuleResult(rule=f"rule({place})", condition="x", rows=10, failures=0, at_most=0.0, verdict=verdict)
        for place, verdict in enumerate(verdicts)
    )
    worst = max(verdicts, key=list(Verdict).index, default=INCONCLUSIVE)
    return CheckReport(stage=Stage.KEPT, source=source, on=TEST, rows=1000, results=results, verdict=worst)


def case(*found: Evidence, checks: tuple[CheckReport, ...] = (), live: str | None = None) -> Case:
    return Case(package=OURS, checks=checks, evidence=found, live=live)


def metric(name: str = "roc_auc", **bounds: Any) -> GateSpec:  # noqa: ANN401 - each bound has its own type
    return GateSpec(kind="metric", parameters={"metric": name, "min_rows": 200, **bounds})


def against_live(name: str = "roc_auc", margin: float = 0.25) -> GateSpec:
    return GateSpec(kind="no_worse_than_live", parameters={"metric": name, "margin": margin})


def both(ours: float | None, theirs: float | None, name: str = "roc_auc") -> Case:
    here, there = ({**metrics(), "metrics": {name: value}} for value in (ours, theirs))
    return case(evidence(here), evidence(there, package=LIVE), live=LIVE)


CHECKS, REFERENCE = GateSpec(kind="data_checks"), GateSpec(kind="reference_answers")
RUNTIME = GateSpec(kind="runtime_parity")
AGREES = {
    "runtime": "gtil",
    "rows": 900,
    "splits": 50,
    "probed": 50,
    "flips": 0,
    "worst_difference": 1e-16,
    "tolerance": 1e-9,
    "refused": {},
}
ANSWERS = {"values": 50, "mismatched": 0, "worst_difference": 0.0, "tolerance": 1e-9}

# gate, what there is to judge by, the verdict, and what must be said in `found` or `note`.
TABLE: dict[str, tuple[GateSpec, Case, Verdict, str]] = {
    "no checks": (CHECKS, case(), INCONCLUSIVE, "0 rules ran on 0 rows of 0 stages"),
    "checks without a rule": (CHECKS, case(checks=(report(),)), INCONCLUSIVE, "0 rules"),
    "every rule held": (
        CHECKS,
        case(checks=(report(PASS, PASS), report(PASS))),
        PASS,
        "3 rules ran on 2,000 rows of 2 stages",
    ),
    "one rule of many is broken": (
        CHECKS,
        case(checks=(report(PASS), report(PASS, FAIL, source="weather"))),
        FAIL,
        "weather as kept: rule(1)",
    ),
    "one rule warns": (CHECKS, case(checks=(report(PASS, WARN),)), WARN, "2 rules"),
    "what warned is in the note": (CHECKS, case(checks=(report(PASS, WARN),)), WARN, "orders as kept: rule(1)"),
    "a stage without a report": (
        GateSpec(kind="data_checks", parameters={"places": ["orders as kept", "matrix"]}),
        case(checks=(report(PASS),)),
        INCONCLUSIVE,
        "no report of matrix",
    ),
    "every stage that is needed": (
        GateSpec(kind="data_checks", parameters={"places": ["orders as kept"]}),
        case(checks=(report(PASS),)),
        PASS,
        "1 rules ran",
    ),
    "one source was not examined": (CHECKS, case(checks=(report(PASS), report())), INCONCLUSIVE, "1 rules"),
    "nothing about who answers": (RUNTIME, case(), INCONCLUSIVE, "no evidence"),
    "the library itself answers": (
        RUNTIME,
        case(evidence({**AGREES, "runtime": "library", "rows": 0}, "runtime")),
        PASS,
        "the library itself",
    ),
    "another answers the same": (RUNTIME, case(evidence(AGREES, "runtime")), PASS, "flips 0 of 900 decisions"),
    "another flips a decision": (RUNTIME, case(evidence({**AGREES, "flips": 1}, "runtime")), FAIL, "flips 1 of 900"),
    "another differs": (
        RUNTIME,
        case(evidence({**AGREES, "worst_difference": 1e-8}, "runtime")),
        FAIL,
        "differ by 1.0e-08",
    ),
    "another, of which nothing could be compared": (
        RUNTIME,
        case(evidence({**AGREES, "rows": 0}, "runtime")),
        INCONCLUSIVE,
        "answered no row",
    ),
    "what the library refuses is told": (
        RUNTIME,
        case(evidence({**AGREES, "refused": {"at infinity": 12}}, "runtime")),
        PASS,
        "12 at infinity",
    ),
    "no reference answers": (REFERENCE, case(), INCONCLUSIVE, "no evidence"),
    "reference answers of another package": (
        REFERENCE,
        case(evidence(ANSWERS, "reference", OTHER)),
        INCONCLUSIVE,
        "no evidence",
    ),
    "reference answers of nothing": (
        REFERENCE,
        case(evidence({**ANSWERS, "values": 0}, "reference")),
        INCONCLUSIVE,
        "no evidence",
    ),
    "the same answers": (REFERENCE, case(evidence(ANSWERS, "reference")), PASS, "0 of 50 feature values differ"),
    "answers at the tolerance": (
        REFERENCE,
        case(evidence({**ANSWERS, "worst_difference": 1e-9}, "reference")),
        PASS,
        "1.0e-09 at most",
    ),
    "answers beyond the tolerance": (
        REFERENCE,
        case(evidence({**ANSWERS, "worst_difference": 1.1e-9}, "reference")),
        FAIL,
        "1.1e-09 at most",
    ),
    "one feature value differs": (
        REFERENCE,
        case(evidence({**ANSWERS, "mismatched": 1}, "reference")),
        FAIL,
        "1 of 50 feature values differ",
    ),
    "no metrics": (metric(at_least=0.5), case(), INCONCLUSIVE, "no evidence"),
    "metrics of another package": (
        metric(at_least=0.5),
        case(evidence(metrics(roc_auc=0.9), package=OTHER)),
        INCONCLUSIVE,
        "no evidence",
    ),
    "evidence of another kind": (
        metric(at_least=0.5),
        case(evidence(metrics(roc_auc=0.9), "reference")),
        INCONCLUSIVE,
        "no evidence",
    ),
    "above the floor": (metric(at_least=0.5), case(evidence(metrics(roc_auc=0.9))), PASS, "0.9000 on 1,000 rows"),
    "at the floor": (metric(at_least=0.5), case(evidence(metrics(roc_auc=0.5))), PASS, "0.5000"),
    "below the floor": (metric(at_least=0.5), case(evidence(metrics(roc_auc=0.4999))), FAIL, "0.4999"),
    "a floor of zero counts": (metric(at_least=0.0), case(evidence(metrics(roc_auc=-0.1))), FAIL, "-0.1000"),
    "below the ceiling": (metric("rmse", at_most=2.0), case(evidence(metrics(rmse=1.0))), PASS, "1.0000"),
    "at the ceiling": (metric("rmse", at_most=2.0), case(evidence(metrics(rmse=2.0))), PASS, "2.0000"),
    "above the ceiling": (metric("rmse", at_most=2.0), case(evidence(metrics(rmse=2.5))), FAIL, "2.5000"),
    "a ceiling of zero counts": (metric("rmse", at_most=0.0), case(evidence(metrics(rmse=0.1))), FAIL, "0.1000"),
    "beyond one of two bounds": (
        metric(at_least=0.5, at_most=0.8),
        case(evidence(metrics(roc_auc=0.9))),
        FAIL,
        "0.9000",
    ),
    "as many rows as are needed": (
        metric(at_least=0.5),
        case(evidence(metrics(200, roc_auc=0.9))),
        PASS,
        "200 rows",
    ),
    "too few rows, however good": (
        metric(at_least=0.5),
        case(evidence(metrics(199, roc_auc=1.0))),
        INCONCLUSIVE,
        "199 rows, fewer than 200",
    ),
    "too few rows, however bad": (
        metric(at_least=0.5),
        case(evidence(metrics(199, roc_auc=0.0))),
        INCONCLUSIVE,
        "199 rows, fewer than 200",
    ),
    "a metric that is not defined": (
        metric(at_least=0.5),
        case(evidence(metrics(roc_auc=None))),
        INCONCLUSIVE,
        "not defined on these 1000 rows",
    ),
    "a metric that was not measured": (
        metric(at_least=0.5),
        case(evidence(metrics(accuracy=1.0))),
        INCONCLUSIVE,
        "not defined",
    ),
    "the last evidence counts": (
        metric(at_least=0.5),
        case(evidence(metrics(roc_auc=0.9)), evidence(metrics(roc_auc=0.1))),
        FAIL,
        "0.1000",
    ),
    "every slice is above": (
        metric(at_least=0.5, by="origin"),
        case(evidence(metrics(slices={"EWR": part(300, roc_auc=0.6), "JFK": part(300, roc_auc=0.7)}))),
        PASS,
        "EWR: 0.6000 on 300 rows; JFK: 0.7000",
    ),
    "one slice is below": (
        metric(at_least=0.5, by="origin"),
        case(evidence(metrics(slices={"EWR": part(300, roc_auc=0.6), "JFK": part(300, roc_auc=0.4)}))),
        FAIL,
        "JFK: 0.4000 on 300 rows",
    ),
    "a small slice is named and not judged": (
        metric(at_least=0.5, by="origin"),
        case(evidence(metrics(slices={"EWR": part(300, roc_auc=0.6), "JFK": part(199, roc_auc=0.1)}))),
        PASS,
        "too few rows to judge: JFK",
    ),
    "a slice that is just large enough is judged": (
        metric(at_least=0.5, by="origin"),
        case(evidence(metrics(slices={"EWR": part(300, roc_auc=0.6), "JFK": part(200, roc_auc=0.4)}))),
        FAIL,
        "JFK: 0.4000 on 200 rows",
    ),
    "every slice is small": (
        metric(at_least=0.5, by="origin"),
        case(evidence(metrics(slices={"EWR": part(1, roc_auc=0.9)}))),
        INCONCLUSIVE,
        "no value with enough rows",
    ),
    "a slice in which it is not defined": (
        metric(at_least=0.5, by="origin"),
        case(evidence(metrics(slices={"EWR": part(300, roc_auc=0.6), "JFK": part(300, roc_auc=None)}))),
        INCONCLUSIVE,
        "JFK: roc_auc is not defined",
    ),
    "slices that were not measured": (
        metric(at_least=0.5, by="carrier"),
        case(evidence(metrics(roc_auc=0.9))),
        INCONCLUSIVE,
        "no value with enough",
    ),
    "evidence without any slices": (
        metric(at_least=0.5, by="origin"),
        case(evidence({"rows": 1000, "metrics": {"roc_auc": 0.9}})),
        INCONCLUSIVE,
        "no value with enough",
    ),
    "no live release": (against_live(), case(evidence(metrics(roc_auc=0.1))), PASS, "the first release has no rival"),
    "better than live": (against_live(), both(0.9, 0.5), PASS, "0.9000 against 0.5000"),
    "as good as live": (against_live(margin=0.0), both(0.5, 0.5), PASS, "0.5000 against 0.5000"),
    "worse by the margin": (against_live(), both(0.5, 0.75), PASS, "0.5000 against 0.7500"),
    "worse by more than the margin": (against_live(), both(0.5, 0.78125), FAIL, "0.5000 against 0.7812"),
    "a loss that is lower is better": (against_live("log_loss"), both(0.1, 0.9, "log_loss"), PASS, "0.1000 against"),
    "a loss that is higher by the margin": (against_live("log_loss"), both(0.75, 0.5, "log_loss"), PASS, "0.7500"),
    "a loss that is higher by more": (against_live("log_loss"), both(0.78125, 0.5, "log_loss"), FAIL, "0.7812"),
    "no metrics of ours": (
        against_live(),
        case(evidence(metrics(roc_auc=0.9), package=LIVE), live=LIVE),
        INCONCLUSIVE,
        OURS[7:19],
    ),
    "no metrics of live": (
        against_live(),
        case(evidence(metrics(roc_auc=0.9)), live=LIVE),
        INCONCLUSIVE,
        LIVE[7:19],
    ),
    "metrics on other rows": (
        against_live(),
        case(evidence(metrics(roc_auc=0.9)), evidence(metrics(roc_auc=0.1), package=LIVE, on=OTHER_TEST), live=LIVE),
        INCONCLUSIVE,
        "no metrics of",
    ),
    "not defined here": (against_live(), both(None, 0.5), INCONCLUSIVE, "not defined on these rows"),
    "not defined there": (against_live(), both(0.5, None), INCONCLUSIVE, "not defined on these rows"),
    "a gate that nobody knows": (GateSpec(kind="kindness"), case(), INCONCLUSIVE, "kindness"),
}


@pytest.mark.parametrize("what", TABLE)
def test_a_gate_is_judged_by_evidence_about_this_package(what: str) -> None:
    gate, given_case, verdict, said = TABLE[what]
    found = judge(gate, given_case)

    assert found.verdict is verdict
    assert said in f"{found.found} {found.note}"
    assert found.package == OURS
    assert found.gate == gate.name
    assert found.expected


@pytest.mark.parametrize("what", TABLE)
def test_judging_is_a_function_of_its_arguments_and_leaves_them_alone(what: str) -> None:
    gate, given_case, _, _ = TABLE[what]
    before = msgspec.json.encode((gate, given_case))

    assert judge(gate, given_case) == judge(gate, given_case)
    assert msgspec.json.encode((gate, given_case)) == before


@pytest.mark.parametrize("what", TABLE)
def test_a_verdict_of_pass_or_fail_names_the_evidence_it_saw(what: str) -> None:
    gate, given_case, verdict, _ = TABLE[what]
    found = judge(gate, given_case)
    known = {digest_of(one) for one in (*given_case.evidence, *given_case.checks)}

    assert set(found.evidence) <= known
    if verdict in {PASS, FAIL} and gate.kind != "no_worse_than_live":
        assert found.evidence


def test_a_comparison_names_both_sides() -> None:
    given_case = both(0.5, 0.5)

    assert judge(against_live(), given_case).evidence == tuple(digest_of(one) for one in given_case.evidence)


EXPECTED = {
    "a floor": (metric(at_least=0.5), "roc_auc ≥ 0.5"),
    "a ceiling": (metric("rmse", at_most=2), "rmse ≤ 2"),
    "both": (metric(at_least=0.5, at_most=0.8), "roc_auc ≥ 0.5 and ≤ 0.8"),
    "slices": (metric(at_least=0.5, by="origin"), "roc_auc ≥ 0.5 for each origin"),
}


@pytest.mark.parametrize("what", EXPECTED)
def test_what_had_to_hold_is_said_in_words(what: str) -> None:
    gate, words = EXPECTED[what]

    assert judge(gate, case()).expected == words


def test_many_small_slices_are_not_all_listed() -> None:
    slices = {f"S{number:02}": part(1, roc_auc=0.9) for number in range(20)}
    found = judge(metric(at_least=0.5, by="origin"), case(evidence(metrics(slices=slices))))

    assert found.note == "too few rows to judge: S00, S01, S02, S03, S04, S05, S06, S07 …"


@given(
    value=st.none() | st.floats(0, 1),
    rows=st.integers(0, 400),
    floor=st.floats(0, 1),
    kind=st.sampled_from(sorted(GATES)),
)
def test_no_gate_opens_without_evidence(value: float | None, rows: int, floor: float, kind: str) -> None:
    parameters = {"metric": "roc_auc", "at_least": floor, "min_rows": 200, "margin": 0.1}
    nothing = judge(GateSpec(kind=kind, parameters=parameters), case(live=LIVE))
    something: GateVerdict = judge(metric(at_least=floor), case(evidence(metrics(rows, roc_auc=value))))

    assert nothing.verdict is INCONCLUSIVE
    assert something.verdict.opens is (rows >= 200 and value is not None and value >= floor)
