"""How far rows have moved from a reference: distances between counts in the reference's own bins.

- A distance says how much, not whether: at few rows chance alone moves it. So a distance above a threshold counts only
  where it is also above what chance gives in 999 of 1,000 samples of these sizes; else it is inconclusive.
- Below `min_rows` of either side nothing is said. At the 1,000 of the default chance stays under 0.06 for PSI over ten
  bins and under 0.09 for KS, so under their usual thresholds.
- A bin that is empty on one side counts as a share of 1e-4 (`FLOOR`) in PSI, which has no value there.
"""

import math
from collections.abc import Callable, Sequence

from lockgate.kernel.verdicts import Verdict
from lockgate.records.check import Rule

__all__ = ["FLOOR", "MIN_ROWS", "by_chance", "jensen_shannon", "ks", "measure", "psi"]

FLOOR = 1e-4
"""The least share that PSI reckons with."""

MIN_ROWS = 1_000
"""Rows of both sides below which no distance is judged, unless a rule says otherwise."""

Shares = Sequence[float]


def psi(before: Shares, now: Shares) -> float:
    """Give the population stability index: sum of (now - before) * ln(now / before) over bins.

    >>> psi([0.5, 0.5], [0.5, 0.5])
    0.0
    """
    pairs = [(max(a, FLOOR), max(b, FLOOR)) for a, b in zip(before, now, strict=True)]
    return math.fsum((b - a) * math.log(b / a) for a, b in pairs)


def ks(before: Shares, now: Shares) -> float:
    """Give the greatest difference of the cumulated shares, at the ends of bins.

    >>> ks([0.5, 0.5], [0.25, 0.75])
    0.25
    """
    worst, total = 0.0, 0.0
    for a, b in zip(before, now, strict=True):
        total += b - a
        worst = max(worst, abs(total))
    return worst


def jensen_shannon(before: Shares, now: Shares) -> float:
    """Give the Jensen-Shannon distance, the root of the divergence in bits: 0 for the same shares, 1 for disjoint ones.

    >>> jensen_shannon([1.0, 0.0], [0.0, 1.0])
    1.0
    """
    return math.sqrt(
        max(0.0, math.fsum(_bits(a, (a + b) / 2) + _bits(b, (a + b) / 2) for a, b in zip(before, now, strict=True)) / 2)
    )


def _bits(share: float, middle: float) -> float:
    return share * math.log2(share / middle) if share > 0 else 0.0


def by_chance(kind: str, bins: int, before: int, now: int) -> float:
    """Give what a distance is below in 999 of 1,000 samples of the same rows.

    PSI and the divergence are chi-squared over the row counts (bins - 1 degrees of freedom); KS is Kolmogorov's.
    """
    spread = 1 / before + 1 / now
    if kind == "ks":
        return 1.95 * math.sqrt(spread)
    if bins < 2:  # noqa: PLR2004 - one bin holds everything on both sides
        return 0.0
    limit = _chi_squared(bins - 1) * spread
    return limit if kind == "psi" else math.sqrt(limit / (8 * math.log(2)))


def _chi_squared(freedom: int) -> float:
    """Give the 99.9 % point by Wilson and Hilferty, within 4 %."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + 3.0902 * math.sqrt(part)) ** 3)


_DISTANCES: dict[str, Callable[[Shares, Shares], float]] = {"jensen_shannon": jensen_shannon, "ks": ks, "psi": psi}


def measure(rule: Rule, counts: Sequence[int]) -> tuple[float | None, int, str, Verdict | None]:
    """Give the distance of counts from the reference in a rule: value, broken rows, note and verdict where it decides.

    Args:
        rule: its parameters hold the reference's `counts` and `min_rows`.
        counts: how many values are in each of its bins now.
    """
    reference = rule.parameters["counts"]
    before, now, least = sum(reference), sum(counts), rule.parameters["min_rows"]
    if min(before, now) < max(1, least):
        note = f"{now:,} values against {before:,} in the reference; fewer than {least:,} can't tell chance from change"
        return None, 0, note, None
    value = _DISTANCES[rule.kind]([one / before for one in reference], [one / now for one in counts])
    used = sum(1 for a, b in zip(reference, counts, strict=True) if a or b)
    chance = by_chance(rule.kind, used, before, now)
    note = f"chance alone gives up to {chance:.3f} with {before:,} and {now:,} values"
    lowest = rule.at_most if rule.warn is None else min(rule.warn, rule.at_most)
    return value, 0, note, Verdict.INCONCLUSIVE if lowest < value <= chance else None
