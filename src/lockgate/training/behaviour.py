"""Holds the answers of two packages to the same test rows beside each other."""

from datetime import datetime

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.features.offline import as_served, encode_rows, raw_columns
from lockgate.kernel.errors import Invalid
from lockgate.packages.runtime import LoadedPackage
from lockgate.training.assemble import Rows
from lockgate.training.measure import check_askable

__all__ = ["Behaviour", "compare_answers"]

_SHOWN = 10


class DifferentRow(msgspec.Struct, kw_only=True):
    """A row that two packages answer differently."""

    # What it is about, and when it was asked.
    key: str
    asked_at: datetime
    # The score of each.
    first: float
    second: float


class Behaviour(msgspec.Struct, kw_only=True):
    """How far the answers of two packages are apart."""

    rows: int
    # How many decisions differ, each by its own threshold; None where nothing is decided, as of a number.
    flipped: int | None
    # Of the scores, as absolute differences; 0 for no rows.
    mean_difference: float
    largest_difference: float
    # The rows with the largest differences, the largest first.
    most_different: list[DifferentRow]


def compare_answers(
    first: LoadedPackage, second: LoadedPackage, tested: pl.DataFrame, rows: tuple[Rows, Rows], *, processes: int = 1
) -> Behaviour:
    """Put test rows to two packages, each with its own features, and compare what they answer.

    Args:
        first: a package.
        second: another one.
        tested: test rows; their outcomes are not looked at.
        rows: for each package the rows of the sources that it looks up.
        processes: how many may compute features.

    Raises:
        Invalid: the rows do not have what a package asks for, or the packages do not foresee the same kind of thing.
    """
    if first.contract.task != second.contract.task:
        msg = "Answers of these packages can't be compared"
        raise Invalid(msg, expected=f"two for {second.contract.task}", found=f"one for {first.contract.task}")
    request = second.contract.request
    ordered = tested.sort(request.asked_at, request.key)
    ours, theirs = (_scores(one, ordered, held, processes) for one, held in zip((first, second), rows, strict=True))
    apart = np.abs(ours - theirs)
    worst = np.argsort(-apart, kind="stable")[:_SHOWN]
    flipped = None
    if second.contract.task == "binary":
        flipped = int(((ours >= first.contract.threshold) != (theirs >= second.contract.threshold)).sum())
    return Behaviour(
        rows=ordered.height,
        flipped=flipped,
        mean_difference=float(apart.mean()) if apart.size else 0.0,
        largest_difference=float(apart.max()) if apart.size else 0.0,
        most_different=[
            DifferentRow(
                key=str(ordered[request.key][int(i)]),
                asked_at=ordered[request.asked_at][int(i)],
                first=float(ours[i]),
                second=float(theirs[i]),
            )
            for i in worst
            if apart[i] > 0
        ],
    )


def _scores(loaded: LoadedPackage, ordered: pl.DataFrame, rows: Rows, processes: int) -> NDArray[np.float64]:
    """Ask a package rows in the order in which they lie."""
    contract = loaded.contract
    check_askable(contract, ordered, rows)
    frame = as_served(ordered, contract.request, contract.features, rows)
    raw = raw_columns(frame, contract.request, contract.features, processes=processes)
    scores = np.asarray(loaded.score(encode_rows(raw, contract.features, contract.vocabulary)), dtype=np.float64)
    # Served rows come in the order of the package's own time and key, which may be other fields than ours.
    numbered = ordered.with_row_index("@row")
    in_order = numbered.sort(contract.request.asked_at, contract.request.key)["@row"].to_numpy()
    placed = np.empty_like(scores)
    placed[in_order] = scores
    return placed
