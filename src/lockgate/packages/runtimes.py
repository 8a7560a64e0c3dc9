"""Who answers for a model: its own library, or a faster runtime that was found to answer the same.

- Two runtimes agree where no decision flips and no answer differs by more than a stated tolerance, on rows as they come
  and on rows that stand on and beside every split (`packages.probes`).
- Rows that the library refuses are counted; nobody's answer can be held against them.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.packages.formats.protocol import Scorer, Trees
from lockgate.packages.formats.trees import LIBRARY, TOLERANCE, load_trees, opened
from lockgate.packages.probes import probe_rows

__all__ = ["AUTO", "Agreement", "agreement", "alone", "choose"]

AUTO = "auto"
"""Asks for the fastest runtime that agrees with the library."""

_CHUNK = 20_000


class Agreement(msgspec.Struct, kw_only=True):
    """How a runtime's answers compare with the library's."""

    # Who answers, and how many rows it was asked; what the library refused to answer is not among them.
    runtime: str
    rows: int
    # The splits of all trees, and those that rows were put at.
    splits: int
    probed: int
    # Rows on which the decision is another; 0 where a number is foreseen.
    flips: int
    # The largest difference of an answer, relative where the library's exceeds 1, and what is allowed.
    worst_difference: float
    tolerance: float
    # Rows that the library refused, by place.
    refused: dict[str, int]

    @property
    def holds(self) -> bool:
        """Tell whether the two answer the same."""
        return self.rows > 0 and self.flips == 0 and self.worst_difference <= self.tolerance


def alone() -> Agreement:
    """Give the agreement of a library with itself."""
    return Agreement(
        runtime=LIBRARY, rows=0, splits=0, probed=0, flips=0, worst_difference=0.0, tolerance=TOLERANCE, refused={}
    )


def agreement(
    library: Scorer, trees: Trees, x: NDArray[np.float64], sizes: Mapping[int, int], threshold: float | None
) -> Agreement:
    """Put the same rows to both.

    Args:
        library: the model's own library.
        trees: the same model, for the other runtime.
        x: rows as they come (rows, columns).
        sizes: the size of the vocabulary of each column that holds codes.
        threshold: from which score on the answer is true; None where a number is foreseen.
    """
    other = load_trees(trees)
    probes, splits, probed = probe_rows(opened(trees), x, sizes)
    found = alone()
    found.runtime, found.splits, found.probed = trees.runtime, splits, probed
    for place, rows in {"as they come": x, **probes}.items():
        for begin in range(0, len(rows), _CHUNK):
            _compare(library, other, rows[begin : begin + _CHUNK], threshold, found, place)
    return found


def _compare(
    library: Scorer, other: Scorer, rows: NDArray[np.float64], threshold: float | None, found: Agreement, place: str
) -> None:
    try:
        with np.errstate(invalid="ignore"):  # of infinities; a number that is none shows below
            expected = library.score(rows)
    except Exception:  # noqa: BLE001 - each library refuses in its own way
        found.refused[place] = found.refused.get(place, 0) + len(rows)
        return
    given = other.score(rows)
    found.rows += len(rows)
    apart = np.abs(given - expected) / np.maximum(1.0, np.abs(expected))
    found.worst_difference = max(found.worst_difference, float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0)))
    if threshold is not None:
        found.flips += int(((given >= threshold) != (expected >= threshold)).sum())


def choose(
    library: Scorer, trees: Trees | None, x: NDArray[np.float64], sizes: Mapping[int, int], threshold: float | None
) -> Trees | None:
    """Give what a faster runtime answers by, if there is one that agrees with the library."""
    if trees is None or not agreement(library, trees, x, sizes, threshold).holds:
        return None
    return trees
