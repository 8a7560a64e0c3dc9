"""Compares two snapshots: their columns, their rows, and how each column is spread. Streams; keeps hashes, not rows.

- Rows that a reading found to be there no more are left out on its side: what is compared is what the source held.
- A row is added or gone by all its cells. One that is gone and has an added row of its identity was corrected.
- Numbers and times are counted between the deciles of the first side; texts by their most frequent values.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from lockgate.records.snapshot import SnapshotColumn
from lockgate.snapshots.rows import Hashes

__all__ = ["ColumnDifference", "Difference", "Side", "compare"]

_VALUES = 10
_TELLING = 0.05
_CUTS = [part / 10 for part in range(1, 10)]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot to compare."""

    # Its columns, as its manifest says.
    columns: tuple[SnapshotColumn, ...]
    # Where its files are.
    paths: tuple[str, ...]
    # The positions of rows that are there no more: a file; None for none.
    gone_rows: str | None = None


class ColumnDifference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column on both sides, the first side first; a side that has no such column has None."""

    name: str
    # `same`, `added`, `gone` or `retyped`.
    change: str
    types: tuple[str | None, str | None]
    nulls: tuple[int | None, int | None]
    # What is counted: parts of the range, or values; `other` last. Empty where it is neither numbers, times nor texts.
    parts: tuple[str, ...] = ()
    # The share of each part among what is not null.
    shares: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    # How far the two are apart: half the sum of differences of shares, 0 to 1.
    distance: float | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How two snapshots differ."""

    # Rows that the sources held then.
    rows: tuple[int, int]
    # Rows of the second side that the first has not, and the other way round; None where their columns differ.
    added: int | None
    gone: int | None
    # Of those gone, the ones that an added row of the same identity takes the place of.
    corrected: int | None
    columns: tuple[ColumnDifference, ...]


def compare(first: Side, second: Side, identity: Sequence[str]) -> Difference:
    """Compare two snapshots of one source; `identity` names the columns that tell rows apart."""
    heights = tuple(sum(frame.height for frame in _held(side)) for side in (first, second))
    same = [(one.name, one.type) for one in first.columns] == [(one.name, one.type) for one in second.columns]
    added, gone, corrected = _rows(first, second, identity) if same else (None, None, None)
    return Difference(
        rows=(heights[0], heights[1]),
        added=added,
        gone=gone,
        corrected=corrected,
        columns=tuple(_column(name, first, second) for name in _names(first, second)),
    )


def _names(first: Side, second: Side) -> list[str]:
    return list(dict.fromkeys(column.name for side in (first, second) for column in side.columns))


def _held(side: Side) -> Iterator[pl.DataFrame]:
    """Give the rows that the source held, a file at a time."""
    gone = pl.Series("place", [], dtype=pl.UInt32)
    if side.gone_rows is not None:
        gone = pl.read_parquet(side.gone_rows)["place"]
    start = 0
    for path in side.paths:
        frame = pl.read_parquet(path)
        places = pl.int_range(start, start + frame.height, dtype=pl.UInt32, eager=True)
        start += frame.height
        yield frame.filter(~places.is_in(gone.implode())) if len(gone) else frame


def _lazily(side: Side, column: str) -> pl.LazyFrame:
    rows = pl.concat([pl.scan_parquet(path).select(column) for path in side.paths])
    if side.gone_rows is None:
        return rows
    gone = pl.scan_parquet(side.gone_rows).select(pl.col("place").cast(pl.UInt32).alias("@place"))
    return rows.with_row_index("@place").join(gone, on="@place", how="anti").select(column)


def _rows(first: Side, second: Side, identity: Sequence[str]) -> tuple[int, int, int]:
    """Count rows added, gone, and corrected."""
    hashes = Hashes(), Hashes()
    for side, gathered in zip((first, second), hashes, strict=True):
        for frame in _held(side):
            gathered.add(frame)
    gone, added = hashes[0].not_in(hashes[1]), hashes[1].not_in(hashes[0])
    columns = list(identity)
    told, lost = _chosen(second, added, columns), _chosen(first, gone, columns)
    corrected = lost.join(told, on=columns, how="semi", nulls_equal=True).height
    return len(added), len(gone), corrected


def _chosen(side: Side, places: pl.Series, columns: list[str]) -> pl.DataFrame:
    """Give some columns of the rows at places, counted over the rows that the source held."""
    start, parts = 0, []
    for frame in _held(side):
        here = places.filter((places >= start) & (places < start + frame.height)) - start
        parts.append(frame.select(columns)[here.to_list()])
        start += frame.height
    return pl.concat(parts)


def _column(name: str, first: Side, second: Side) -> ColumnDifference:
    old, new = (next((one for one in side.columns if one.name == name), None) for side in (first, second))
    change = "added" if old is None else "gone" if new is None else "same" if old.type == new.type else "retyped"
    parts, shares = _spread(name, first, second) if change == "same" else ((), ((), ()))
    return ColumnDifference(
        name=name,
        change=change,
        types=(old.type if old else None, new.type if new else None),
        nulls=(old.nulls if old else None, new.nulls if new else None),
        parts=parts,
        shares=shares,
        distance=sum(abs(a - b) for a, b in zip(*shares, strict=True)) / 2 if all(shares) else None,
    )


def _spread(
    name: str, first: Side, second: Side
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], tuple[float, ...]]]:
    """Give the parts of a column, and the share of each on both sides."""
    kind = pl.read_parquet_schema(first.paths[0])[name]
    sides = [_lazily(side, name) for side in (first, second)]
    if kind.is_numeric() or kind.is_temporal():
        return _by_range(name, kind, sides)
    if kind in {pl.String, pl.Categorical, pl.Enum, pl.Boolean}:
        return _by_value(name, sides)
    return (), ((), ())


def _by_range(
    name: str, kind: pl.DataType, sides: list[pl.LazyFrame]
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], tuple[float, ...]]]:
    there = pl.col(name).drop_nulls().drop_nans() if kind.is_float() else pl.col(name).drop_nulls()
    found = sides[0].select(there.quantile(cut, "lower").alias(f"{cut}") for cut in _CUTS).collect().row(0)
    edges = sorted({edge for edge in found if edge is not None})
    if not edges:
        return (), ((), ())
    bins = [*((there <= edge).sum() for edge in edges), there.len()]
    counts = [side.select(one.alias(f"{i}") for i, one in enumerate(bins)).collect().row(0) for side in sides]
    shares = [_shares([after - before for before, after in zip((0, *below), below, strict=False)]) for below in counts]
    said = [f"≤ {_said(edge)}" for edge in edges] + [f"> {_said(edges[-1])}"]
    return tuple(said), (shares[0], shares[1])


def _by_value(
    name: str, sides: list[pl.LazyFrame]
) -> tuple[tuple[str, ...], tuple[tuple[float, ...], tuple[float, ...]]]:
    counted = [
        dict(
            side.select(pl.col(name).cast(pl.String).drop_nulls().alias("value"))
            .group_by("value")
            .len()
            .collect()
            .iter_rows()
        )
        for side in sides
    ]
    total = {value: sum(one.get(value, 0) for one in counted) for one in counted for value in one}
    shown = sorted(total, key=lambda value: (-total[value], value))[:_VALUES]
    if sum(total[value] for value in shown) < _TELLING * sum(total.values()) or not shown:
        return (), ((), ())  # names of things, one each
    counts = [[*(one.get(value, 0) for value in shown)] for one in counted]
    if len(total) > len(shown):
        for one, line in zip(counted, counts, strict=True):
            line.append(sum(one.values()) - sum(line))
        shown = [*shown, "other"]
    return tuple(shown), (_shares(counts[0]), _shares(counts[1]))


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    total = sum(counts)
    return tuple(count / total if total else 0.0 for count in counts)


def _said(edge: Any) -> str:  # noqa: ANN401 - a number or a time
    return f"{edge:,.6g}" if isinstance(edge, int | float) else f"{edge:%Y-%m-%d %H:%M}" if edge else ""
