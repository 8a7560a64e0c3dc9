"""How far rows have moved, and when that is more than chance."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.verdicts import Verdict
from lockgate.records.check import Rule
from lockgate.rules.distances import FLOOR, by_chance, jensen_shannon, ks, measure, psi

SHARES = st.lists(st.floats(0.001, 1), min_size=2, max_size=12).map(lambda given: [one / sum(given) for one in given])


def of(kind: str, counts: list[int], **limits: Any) -> Rule:  # noqa: ANN401 - thresholds
    return Rule(
        source="s",
        kind=kind,
        column="x",
        parameters={"counts": counts, "min_rows": limits.pop("min_rows", 0)},
        **limits,
    )


@given(shares=SHARES)
def test_nothing_is_far_from_itself(shares: list[float]) -> None:
    assert psi(shares, shares) == ks(shares, shares) == 0
    assert jensen_shannon(shares, shares) < 1e-6


@given(data=st.data())
def test_distances_are_those_of_plain_formulas(data: st.DataObject) -> None:
    a = data.draw(SHARES)
    b = data.draw(st.permutations(a))

    assert psi(a, b) == pytest.approx(sum((y - x) * math.log(y / x) for x, y in zip(a, b, strict=True)), abs=1e-9)
    assert ks(a, b) == pytest.approx(np.abs(np.cumsum(a) - np.cumsum(b)).max(), abs=1e-12)
    middle = [(x + y) / 2 for x, y in zip(a, b, strict=True)]
    bits = [sum(x * math.log2(x / m) for x, m in zip(one, middle, strict=True)) for one in (a, b)]
    assert jensen_shannon(a, b) == pytest.approx(math.sqrt(max(0.0, sum(bits) / 2)), abs=1e-6)


def test_an_empty_bin_counts_as_the_floor() -> None:
    assert psi([0.5, 0.5], [1.0, 0.0]) == pytest.approx(0.5 * math.log(2) + (FLOOR - 0.5) * math.log(FLOOR / 0.5))


# The 99.9 % points of chi-squared, from a table.
POINTS = {1: 10.828, 2: 13.816, 9: 27.877, 30: 59.703, 100: 149.449}


@pytest.mark.parametrize("freedom", POINTS)
def test_what_chance_gives_is_the_point_of_chi_squared(freedom: int) -> None:
    found = by_chance("psi", freedom + 1, 1000, 1000) / (2 / 1000)

    assert found == pytest.approx(POINTS[freedom], rel=0.04)


@pytest.mark.parametrize("kind", ["psi", "ks", "jensen_shannon"])
def test_chance_stays_below_its_limit(kind: str) -> None:
    random = np.random.default_rng(5)
    before = random.multinomial(2000, [0.1] * 10)
    rule = of(kind, [int(n) for n in before], at_most=0.0)
    found = [measure(rule, [int(n) for n in random.multinomial(1000, [0.1] * 10)])[3] for _ in range(1000)]

    # A distance above the limit but not above chance says nothing; the share that does is near one in a thousand.
    assert sum(one is None for one in found) <= 12


FOUND: dict[str, tuple[Rule, list[int], Verdict | None, bool]] = {
    "too few rows now": (of("psi", [500, 500], min_rows=1000), [5, 5], None, False),
    "too few rows then": (of("psi", [5, 5], min_rows=1000), [500, 500], None, False),
    "no rows at all": (of("psi", [5, 5]), [0, 0], None, False),
    "above the limit, and chance could do it": (
        of("psi", [50, 50], at_most=0.01),
        [44, 56],
        Verdict.INCONCLUSIVE,
        True,
    ),
    "above the limit, and chance could not": (of("psi", [5000, 5000], at_most=0.01), [4000, 6000], None, True),
    "below the limit": (of("psi", [50, 50], at_most=0.5), [44, 56], None, True),
}


@pytest.mark.parametrize("what", FOUND)
def test_few_rows_are_never_passed_in_silence(what: str) -> None:
    rule, counts, verdict, measured = FOUND[what]
    value, _, note, found = measure(rule, counts)

    assert (found, value is not None) == (verdict, measured)
    assert note
