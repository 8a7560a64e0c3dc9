"""A waiver lets one package past one gate of one endpoint for a while, and does nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lockgate.gates.waivers import LONGEST, check_terms, counts, fitting, gates_shut, waivable
from lockgate.kernel.canonical import digest_of, sha256
from lockgate.kernel.errors import Invalid, NotFound, Refused
from lockgate.kernel.verdicts import Verdict
from lockgate.records.verdict import GateVerdict
from lockgate.records.waiver import Waiver

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
PACKAGE, OTHER = sha256(b"package"), sha256(b"other")
ENDPOINT = "parcels"

FAILED = GateVerdict(gate="metric roc_auc", package=PACKAGE, verdict=Verdict.FAIL, expected="≥ 0.9", found="0.8")
WAIVER = Waiver(
    endpoint=ENDPOINT, package=PACKAGE, gate=FAILED.gate, reason="a pilot", until=NOW + HOUR, by="ada", at=NOW
)


def verdict(gate: str, said: Verdict) -> GateVerdict:
    return replace(FAILED, gate=gate, verdict=said)


def shut(*waivers: Waiver, at: datetime = NOW, verdicts: tuple[GateVerdict, ...] = (FAILED,)) -> list[str]:
    kept = {digest_of(one): one for one in waivers}
    return [one.gate for one in gates_shut(verdicts, ENDPOINT, kept, at)]


def test_a_gate_that_a_waiver_fits_does_not_hold_the_package_back() -> None:
    assert shut() == ["metric roc_auc"]
    assert shut(WAIVER) == []


@pytest.mark.parametrize(
    "other",
    [{"gate": "metric roc_auc by depot"}, {"package": OTHER}, {"endpoint": "letters"}, {"until": NOW}],
    ids=lambda change: next(iter(change)),
)
def test_a_waiver_of_something_else_does_not_count(other: dict[str, object]) -> None:
    assert shut(replace(WAIVER, **other)) == ["metric roc_auc"]


def test_a_waiver_counts_until_its_end_and_not_at_it() -> None:
    assert counts(WAIVER, WAIVER.until - TICK)
    assert not counts(WAIVER, WAIVER.until)
    assert shut(WAIVER, at=WAIVER.until - TICK) == []
    assert shut(WAIVER, at=WAIVER.until) == ["metric roc_auc"]


@pytest.mark.parametrize("said", list(Verdict))
def test_open_gates_need_no_waiver_and_shut_ones_do_whatever_shut_them(said: Verdict) -> None:
    assert bool(shut(verdicts=(verdict("own", said),))) is not said.opens


def test_of_several_waivers_the_one_that_counts_longest_is_taken() -> None:
    longer = replace(WAIVER, until=NOW + 3 * HOUR)
    over = replace(WAIVER, until=NOW - HOUR)
    kept = {digest_of(one): one for one in (longer, WAIVER, over)}

    assert fitting(FAILED, ENDPOINT, kept, NOW) == (digest_of(longer), longer)
    assert fitting(FAILED, ENDPOINT, kept, NOW + 3 * HOUR) is None


@given(
    gates=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(list(Verdict))), max_size=6),
    waived=st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from([PACKAGE, OTHER]),
            st.sampled_from([ENDPOINT, "letters"]),
            st.integers(-2, 2),
        ),
        max_size=6,
    ),
)
def test_what_is_let_through_is_open_or_waived_for_this_package_here_and_now(
    gates: list[tuple[str, Verdict]], waived: list[tuple[str, str, str, int]]
) -> None:
    verdicts = tuple(verdict(name, said) for name, said in gates)
    waivers = tuple(
        replace(WAIVER, gate=gate, package=package, endpoint=endpoint, until=NOW + hours * HOUR)
        for gate, package, endpoint, hours in waived
    )
    let = {
        gate for gate, package, endpoint, hours in waived if (package, endpoint) == (PACKAGE, ENDPOINT) and hours > 0
    }

    assert shut(*waivers, verdicts=verdicts) == [name for name, said in gates if not said.opens and name not in let]


def test_a_gate_of_another_name_is_answered_with_the_nearest_that_is_shut() -> None:
    verdicts = [verdict("metric roc_auc", Verdict.FAIL), verdict("metric log_loss", Verdict.PASS)]

    with pytest.raises(NotFound, match="Did you mean 'metric roc_auc'"):
        waivable(verdicts, "metric roc-auc")
    with pytest.raises(Refused, match="there is nothing to waive"):
        waivable(verdicts, "metric log_loss")


def test_of_two_gates_of_one_name_the_one_that_is_shut_is_meant() -> None:
    verdicts = [verdict("metric roc_auc", Verdict.PASS), verdict("metric roc_auc", Verdict.INCONCLUSIVE)]

    assert waivable(verdicts, "metric roc_auc").verdict is Verdict.INCONCLUSIVE


def test_reference_answers_can_not_be_waived() -> None:
    with pytest.raises(Refused, match="can't be waived"):
        waivable([verdict("reference answers", Verdict.FAIL)], "reference answers")


TERMS = {
    "no reason": ("", NOW + HOUR, ["reason"]),
    "a blank reason": (" \n", NOW + HOUR, ["reason"]),
    "an end that is now": ("a pilot", NOW, ["until"]),
    "an end that is past": ("a pilot", NOW - HOUR, ["until"]),
    "an end that is too far away": ("a pilot", NOW + LONGEST + TICK, ["until"]),
    "both": ("", NOW, ["reason", "until"]),
}


@pytest.mark.parametrize("what", TERMS)
def test_terms_that_can_not_be_given_are_refused_all_at_once(what: str) -> None:
    reason, until, wrong = TERMS[what]

    with pytest.raises(Invalid) as refused:
        check_terms(reason, until, NOW)
    assert [fault.at for fault in refused.value.faults] == wrong


@pytest.mark.parametrize("until", [NOW + TICK, NOW + LONGEST], ids=["the next moment", "90 days away"])
def test_terms_may_reach_from_the_next_moment_to_the_longest(until: datetime) -> None:
    check_terms("a pilot", until, NOW)
