"""Readers for declarations that a test reads nothing by, and frames with their clock."""

import polars as pl

from lockgate.features.known import stamped
from lockgate.records.source import Reader, ReaderKind, SourceSpec

__all__ = ["by_function", "known"]


def by_function(where: str = "m:f") -> Reader:
    """Read by a function of the project."""
    return Reader(kind=ReaderKind.FUNCTION, where=where)


def known(spec: SourceSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """Give rows as those of a source's first snapshot: with their effective clock."""
    return stamped(spec, frame.lazy()).collect()
