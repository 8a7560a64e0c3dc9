"""How much more one of two things takes than the other, from paired samples."""

import math
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Ratio", "ratio"]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """The typical ratio of first to second, with an interval."""

    # The Hodges-Lehmann estimate.
    value: float
    # The ends of the interval.
    low: float
    high: float
    # How many pairs there were.
    pairs: int

    @property
    def width(self) -> float:
        """Half the interval, as a logarithm."""
        return (math.log(self.high) - math.log(self.low)) / 2


def ratio(first: ArrayLike, second: ArrayLike, *, alpha: float, spread: float = 0.0) -> Ratio:
    """Estimate the typical ratio of paired positive samples; each end of the interval is beyond it once in `1 / alpha`.

    The median of all averages of two logarithms of ratios (Hodges and Lehmann, 1963), with the interval that inverts
    Wilcoxon's signed rank test (Tukey's walk through the averages; Hollander and Wolfe, *Nonparametric Statistical
    Methods*, section 3.3), by its normal approximation. It needs the logarithms to be symmetric about their middle,
    as differences of exchangeable samples are, and no moments: an interrupted pair is one pair.

    Args:
        first: samples of one thing; must be positive.
        second: samples of the other, taken beside them.
        alpha: the chance of an error on either side.
        spread: the standard deviation of the logarithm between repetitions of the whole, which pairs can't show.

    Raises:
        ValueError: the samples are not in pairs, there are fewer than 8, or one is not positive.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n = len(a)
    if a.shape != b.shape or n < 8 or not (np.isfinite(a) & np.isfinite(b) & (a > 0) & (b > 0)).all():  # noqa: PLR2004
        raise ValueError("expected at least 8 pairs of positive numbers")
    logarithms = np.log(a) - np.log(b)
    left, right = np.triu_indices(n)
    averages = np.sort((logarithms[left] + logarithms[right]) / 2)
    z = NormalDist().inv_cdf(1 - alpha)
    middle, deviation = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    outside = max(0, math.floor(middle - z * deviation))
    value = float(np.median(averages))
    low, high = float(averages[outside]), float(averages[len(averages) - 1 - outside])
    more = z * spread
    return Ratio(
        value=math.exp(value),
        low=math.exp(value - math.hypot(value - low, more)),
        high=math.exp(value + math.hypot(high - value, more)),
        pairs=n,
    )
