"""Names, verdicts."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.names import is_name, nearest
from lockgate.kernel.verdicts import Verdict, worst

NAMES = {
    "a word": ("flights", True),
    "words with hyphens": ("flight-delay-2", True),
    "one letter": ("x", True),
    "63 characters": ("x" * 63, True),
    "64 characters": ("x" * 64, False),
    "nothing": ("", False),
    "a capital": ("Flights", False),
    "a digit first": ("2flights", False),
    "a hyphen first": ("-flights", False),
    "a hyphen last": ("flights-", False),
    "two hyphens": ("flight--delay", False),
    "an underscore": ("flight_delay", False),
    "a dot": ("flight.delay", False),
    "a path": ("../flights", False),
    "a line break": ("flights\n", False),
    "a letter beyond ASCII": ("fl\N{LATIN SMALL LETTER I WITH ACUTE}ghts", False),
    "a digit beyond ASCII": ("x\N{ARABIC-INDIC DIGIT ONE}", False),
}

NEAREST = {
    "one letter is missing": ("orgin", ["origin", "carrier"], "Did you mean 'origin'?"),
    "two letters are swapped": ("carreir", ["origin", "carrier"], "Did you mean 'carrier'?"),
    "nothing is near": ("zzz", ["origin", "carrier"], "There is carrier, origin."),
    "nothing is known": ("zzz", [], ""),
    "too many to list": (
        "zzz",
        [f"a{n:02}" for n in range(13)],
        "There is a00, a01, a02, a03, a04, a05, a06, a07, a08, a09, a10, a11, \u2026.",
    ),
}

OPENS = {Verdict.PASS: True, Verdict.WARN: True, Verdict.INCONCLUSIVE: False, Verdict.FAIL: False}


@pytest.mark.parametrize("what", NAMES)
def test_a_name_is_a_name(what: str) -> None:
    text, expected = NAMES[what]

    assert is_name(text) is expected


@pytest.mark.parametrize("what", NEAREST)
def test_the_nearest_right_name_is_told(what: str) -> None:
    text, known, expected = NEAREST[what]

    assert nearest(text, known) == expected
    assert nearest(text, reversed(known)) == expected


@given(verdicts=st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_worst_verdict_counts_in_whatever_order(verdicts: list[Verdict]) -> None:
    found = worst(verdicts)

    assert found in verdicts
    assert found is worst(reversed(verdicts))
    # Whatever does not open makes the whole not open.
    assert found.opens is all(verdict.opens for verdict in verdicts)


def test_failing_is_worse_than_not_knowing_which_is_worse_than_a_warning() -> None:
    for order in permutations(Verdict):
        assert worst(order) is Verdict.FAIL
    assert worst([Verdict.INCONCLUSIVE, Verdict.WARN]) is Verdict.INCONCLUSIVE
    assert worst([Verdict.PASS, Verdict.WARN]) is Verdict.WARN


def test_nothing_examined_is_not_a_success() -> None:
    assert worst([]) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_gate_opens_on_a_pass_or_a_warning_only(verdict: Verdict) -> None:
    assert verdict.opens is OPENS[verdict]
