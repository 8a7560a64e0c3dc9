"""Rows as a multiset: which of them are not among others, and a fingerprint that does not see their order.

A row is known by two 64-bit hashes of all its cells, with different seeds: 16 bytes of each row are kept in memory, not
the rows. Two rows are held for the same only if both agree. Hashes are compared within a process, never kept.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Hashes", "fingerprint", "plus", "same_version"]

_MASK = (1 << 64) - 1


class Hashes:
    """The hashes of rows, gathered batch by batch."""

    def __init__(self) -> None:
        """Gather none yet."""
        self._first: list[NDArray[np.uint64]] = []
        self._second: list[NDArray[np.uint64]] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Gather the rows of a frame."""
        plain = _plain(frame)
        self._first.append(plain.hash_rows(seed=0).to_numpy().copy())
        self._second.append(plain.hash_rows(seed=1).to_numpy().copy())

    def frame(self) -> pl.DataFrame:
        """Give `place`, `a`, `b` and `copy`: which of several same rows a row is, from 0."""
        none = np.zeros(0, dtype=np.uint64)
        first = np.concatenate([none, *self._first])
        second = np.concatenate([none, *self._second])
        return pl.DataFrame({"a": first, "b": second, "copy": _copies(first)}).with_row_index("place")

    def not_in(self, others: "Hashes") -> pl.Series:
        """Give the places of rows that are not among others, ascending; of several same ones, the last."""
        missing = self.frame().join(others.frame(), on=["a", "b", "copy"], how="anti")
        return missing["place"].sort()


def _copies(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Number rows of one hash in their order. Where two different rows share it, one may count as new: none is lost."""
    copies = np.zeros(len(hashes), dtype=np.uint32)
    in_order = np.sort(hashes)
    if not np.any(in_order[1:] == in_order[:-1]):
        return copies
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(np.append(starts, len(ordered)))
    copies[order] = np.arange(len(ordered), dtype=np.uint32) - np.repeat(starts, lengths).astype(np.uint32)
    return copies


def fingerprint(frame: pl.DataFrame) -> str:
    """Give an order-independent fingerprint of rows; comparable within one Polars version, which it names."""
    total = int(_plain(frame).hash_rows(seed=0).to_numpy().sum(dtype=np.uint64)) if frame.width else 0
    return f"polars-{pl.__version__}:{total:016x}"


def plus(one: str, other: str) -> str:
    """Give the fingerprint of the rows of two together; both of this Polars version."""
    version, _, first = one.partition(":")
    return f"{version}:{(int(first, 16) + int(other.partition(':')[2], 16)) & _MASK:016x}"


def same_version(one: str) -> bool:
    """Tell whether a fingerprint was made by this Polars version."""
    return one.startswith(f"polars-{pl.__version__}:")


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Hash texts, not their codes: these differ from process to process."""
    return frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
