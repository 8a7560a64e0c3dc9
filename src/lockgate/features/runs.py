"""Aggregates over runs: rows that each belong to a run of consecutive questions, and what every question gets of them.

No loop goes over rows or questions; all numbers of one kind are computed at once.

- Counts and sums of whole numbers: a row is added where its run begins and taken away where it ends; the sums go along.
  Exact: where 64 bits would not do, Python's integers do.
- Greatest and least, and sums of floats: a tree stands over the questions; a run is cut into the few nodes that it
  covers whole, nodes gather their rows, and what they gathered goes down to the questions. Nothing is ever subtracted.
- Means and deviations of floats are merged node by node (Chan, Golub, LeVeque 1979), so that they do not cancel.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Runs", "largest", "ratio"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SAFE = 2**62
_EXACT = 2**53
"""Up to here every whole number is a float64."""


class Runs:
    """Rows and the questions they belong to.

    Args:
        size: how many questions there are.
        starts: for each row its first question.
        ends: for each row the question before which its run ends, after its first.
    """

    def __init__(self, size: int, starts: Ints, ends: Ints) -> None:
        """Keep the runs."""
        self.size = size
        self._starts, self._ends = starts, ends
        self._leaves = 1 << max(0, size - 1).bit_length()

    @cached_property
    def counts(self) -> Ints:
        """How many rows each question has."""
        counts: Ints = self._summed(np.ones(len(self._starts), dtype=np.int64))
        return counts

    def sums(self, units: Any) -> Any:  # noqa: ANN401 - NDArray of int64 or of Python integers
        """Sum whole numbers, exactly; the result holds Python integers where 64 bits might not do."""
        if largest(units) * int(self.counts.max(initial=0)) >= _SAFE:
            units = units.astype(object)
        return self._summed(units)

    def _summed(self, units: Any) -> Any:  # noqa: ANN401 - likewise
        steps = np.zeros(self.size + 1, dtype=units.dtype)
        np.add.at(steps, self._starts, units)
        np.subtract.at(steps, self._ends, units)
        return np.cumsum(steps[:-1])

    def greatest(self, values: NDArray[Any], nothing: float) -> NDArray[Any]:
        """Give the greatest value; `nothing`, which is no greater than any, where there are no rows."""
        return self._spread(np.maximum, values, nothing)

    def least(self, values: NDArray[Any], nothing: float) -> NDArray[Any]:
        """Give the least value; `nothing`, which is no less than any, where there are no rows."""
        return self._spread(np.minimum, values, nothing)

    def float_sums(self, values: Floats) -> Floats:
        """Sum floats; each is added a few times at most, and never subtracted."""
        nodes, rows = self._covered
        kept = self._gathered(nodes, values[rows])
        return self._handed_down(np.add, kept)

    def float_deviations(self, values: Floats) -> Floats:
        """Give the sum of squared deviations from the mean; 0 where there are no rows."""
        nodes, rows = self._covered
        count = self._gathered(nodes, np.ones(len(nodes)))
        mean = self._gathered(nodes, values[rows]) / np.maximum(count, 1)
        apart = values[rows] - mean[nodes]
        square = self._gathered(nodes, apart * apart)
        for level in self._levels():
            above, below = slice(level, 2 * level), slice(2 * level, 4 * level)
            n, m, s = (np.repeat(of[above], 2) for of in (count, mean, square))
            both = np.maximum(count[below] + n, 1)
            step = m - mean[below]
            square[below] += s + step * step * (count[below] * n / both)
            mean[below] += step * (n / both)
            count[below] += n
        return square[self._leaves : self._leaves + self.size]

    @cached_property
    def _covered(self) -> tuple[Ints, Ints]:
        """Cut every run into the nodes of the tree that it covers whole: (nodes, the row of each)."""
        left, right = self._starts + self._leaves, self._ends + self._leaves
        rows = np.arange(len(left))
        found: list[tuple[Ints, Ints]] = [(left[:0], rows[:0])]
        while rows.size:
            for odd, nodes in ((left & 1 == 1, left), (right & 1 == 1, right - 1)):
                found.append((nodes[odd], rows[odd]))
            left, right = (left + 1) >> 1, right >> 1
            going = left < right
            left, right, rows = left[going], right[going], rows[going]
        return np.concatenate([nodes for nodes, _ in found]), np.concatenate([of for _, of in found])

    def _gathered(self, nodes: Ints, values: Floats) -> Floats:
        """Sum up what the rows bring to each node."""
        return np.bincount(nodes, weights=values, minlength=2 * self._leaves).astype(np.float64, copy=False)

    def _spread(self, ufunc: np.ufunc, values: NDArray[Any], nothing: float) -> NDArray[Any]:
        nodes, rows = self._covered
        kept = np.full(2 * self._leaves, nothing, dtype=values.dtype)
        ufunc.at(kept, nodes, values[rows])
        return self._handed_down(ufunc, kept)

    def _handed_down(self, ufunc: Callable[..., Any], kept: NDArray[Any]) -> NDArray[Any]:
        for level in self._levels():
            below = kept[2 * level : 4 * level]
            ufunc(below, np.repeat(kept[level : 2 * level], 2), out=below)
        return kept[self._leaves : self._leaves + self.size]

    def _levels(self) -> list[int]:
        """Give the first node of each level of the tree that has one below it, from the top."""
        return [1 << depth for depth in range(self._leaves.bit_length() - 1)]


def ratio(above: Any, below: Any) -> Floats:  # noqa: ANN401 - NDArrays of int64 or of Python integers
    """Divide whole numbers, as Python does: the float nearest to the true quotient; NaN beyond what a float holds."""
    if max(largest(above), largest(below)) <= _EXACT:
        quotient: Floats = above.astype(np.float64) / below.astype(np.float64)
        return quotient
    return np.array([_quotient(int(a), int(b)) for a, b in zip(above, below, strict=True)], dtype=np.float64)


def largest(numbers: Any) -> int:  # noqa: ANN401 - likewise
    """Give the greatest magnitude; 0 for nothing."""
    return max(abs(int(numbers.max())), abs(int(numbers.min()))) if len(numbers) else 0


def _quotient(above: int, below: int) -> float:
    try:
        return above / below
    except OverflowError:
        return float("nan")
