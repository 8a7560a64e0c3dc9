"""A ratio of paired samples is what was planted, and its interval misses it as seldom as it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from lockgate.statistics import ratio

SAMPLES = st.lists(st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)), min_size=8, max_size=60)


@given(pairs=SAMPLES)
def test_the_estimate_lies_in_its_interval_and_turns_round_with_its_sides(pairs: list[tuple[float, float]]) -> None:
    first, second = zip(*pairs, strict=True)
    one, other = ratio(first, second, alpha=0.02), ratio(second, first, alpha=0.02)

    assert one.low <= one.value <= one.high
    assert one.value == pytest.approx(1 / other.value)
    assert one.low == pytest.approx(1 / other.high)


@given(pairs=SAMPLES, factor=st.floats(0.1, 10))
def test_what_takes_longer_by_a_factor_has_that_ratio(pairs: list[tuple[float, float]], factor: float) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    one, more = ratio(first, second, alpha=0.02), ratio(factor * first, second, alpha=0.02)

    assert more.value == pytest.approx(factor * one.value)
    assert more.high == pytest.approx(factor * one.high)


@given(pairs=SAMPLES)
def test_a_spread_between_starts_makes_an_interval_wider_only(pairs: list[tuple[float, float]]) -> None:
    first, second = zip(*pairs, strict=True)
    one, wide = ratio(first, second, alpha=0.02), ratio(first, second, alpha=0.02, spread=0.05)

    assert wide.value == one.value
    assert wide.low < one.low
    assert wide.high > one.high
    assert wide.width > one.width


@pytest.mark.parametrize("shape", ["normal", "heavy tails"])
def test_an_interval_misses_the_truth_on_one_side_as_seldom_as_it_says(shape: str) -> None:
    random = np.random.default_rng(3)
    missed = 0
    for _ in range(1_000):
        noise = random.standard_t(2, 40) if shape == "heavy tails" else random.normal(0, 1, 40)
        missed += ratio(1.1 * np.exp(0.05 * noise), np.ones(40), alpha=0.05).high < 1.1

    assert stats.binom.cdf(missed, 1_000, 0.05) < 0.9999
    assert missed > 20


def test_the_interval_is_that_of_the_signed_rank_test() -> None:
    random = np.random.default_rng(4)
    first = np.exp(random.normal(0.05, 0.1, 30))
    one = ratio(first, np.ones(30), alpha=0.025)

    def p_value(value: float) -> float:
        return float(stats.wilcoxon(np.log(first) - np.log(value), method="approx").pvalue)

    assert p_value(one.low * 0.998) < 0.05 < p_value(one.low * 1.002)
    assert p_value(one.high * 1.002) < 0.05 < p_value(one.high * 0.998)


@pytest.mark.parametrize(
    ("first", "second"),
    [([1.0] * 7, [1.0] * 7), ([1.0] * 8, [1.0] * 9), ([0.0] * 8, [1.0] * 8), ([float("nan")] * 8, [1.0] * 8)],
)
def test_samples_that_give_no_ratio_are_refused(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match="pairs of positive numbers"):
        ratio(first, second, alpha=0.05)
