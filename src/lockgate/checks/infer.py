"""Writes rules down from what a snapshot looked like, for a person to review.

They are TOML, one rule a line, with what was seen beside it.

Rules have head-room: what the next snapshot is likely to bring does not break them. They tolerate a few rows, so that
none of them refuses a request; whoever reviews them makes them strict.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from lockgate.kernel.canonical import digest_of, short
from lockgate.records.check import ColumnProfile, Profile
from lockgate.records.source import SourceSpec
from lockgate.rules.distances import MIN_ROWS

__all__ = ["infer_rules"]

_ROOM = 0.1
_TOLERATED = 0.001
_LISTED = 30
_COMPARED = 50
_PARTS = 10
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_KINDS = {"String": "text", "Categorical": "text", "Enum": "text", "Boolean": "bool", "Datetime": "time"}


def infer_rules(spec: SourceSpec, profile: Profile, frame: pl.DataFrame, file: str) -> str:
    """Write the rules of a source.

    Args:
        spec: the source.
        profile: what its snapshot looked like.
        frame: the rows, to see which columns are unique.
        file: the name of the file that holds the profile, beside this one.
    """
    head = [
        f"# What {spec.name} looked like in snapshot {short(profile.snapshot)}: {profile.rows:,} rows.",
        "# Review every line: from now on it is what you expect. `warn` and `at_most` are shares of rows that may",
        "# break a rule, or distances. A rule with at_most = 0 also refuses requests; the others only count them.",
        f'source = "{spec.name}"',
        f'profile = {{ file = "{file}", digest = "{digest_of(profile)}" }}',
        "",
        "[rows]",
        *_of_rows(spec, profile, frame),
    ]
    for column in profile.columns:
        head += ["", f"[columns.{_keyed(column.name)}]", *_of_column(spec, column, profile.rows)]
    return "\n".join([*head, ""])


def _of_rows(spec: SourceSpec, profile: Profile, frame: pl.DataFrame) -> Iterator[str]:
    most = "" if spec.clocked else f", at_most = {profile.rows * 2}"
    yield f"row_count = {{ at_least = {max(1, profile.rows // 2)}{most} }}  # {profile.rows:,}"
    yield "row_change = { at_most = 0.5 }  # against the snapshot before"
    for columns in ([spec.key], [spec.key, spec.event_time or spec.key]):
        there = frame.drop_nulls(columns).select(pl.struct(columns).is_duplicated().any()).item()
        if not there:
            yield f"unique = [{', '.join(map(_quoted, columns))}]  # no two rows"
            return


def _of_column(spec: SourceSpec, column: ColumnProfile, rows: int) -> Iterator[str]:
    missing = column.nulls + column.nans
    kind = _kind(column)
    if kind is not None:
        yield f'typed = "{kind}"  # {column.type}'
    if missing < rows and column.name not in {spec.key, spec.event_time}:  # those are never missing, by declaration
        room = min(1.0, _rounded_up(2 * missing / max(1, rows) + _TOLERATED))
        yield f"missing = {{ at_most = {room:g} }}  # {missing:,} of {rows:,}"
    if column.name == spec.key:
        return
    if column.quantiles:
        yield from _of_numbers(column, rows - missing)
    if column.values:
        yield from _of_texts(column, rows - missing)


def _kind(column: ColumnProfile) -> str | None:
    name = column.type.partition("(")[0]
    if name.startswith(("Int", "UInt")):
        return "int"
    return "float" if name.startswith("Float") else _KINDS.get(name)


def _of_numbers(column: ColumnProfile, there: int) -> Iterator[str]:
    low, high = column.quantiles[0], column.quantiles[-1]
    room = _ROOM * (high - low)
    least, most = low - room if low < 0 else max(0.0, low - room), high + room
    if column.type.startswith(("Int", "UInt")):
        least, most = float(math.floor(least)), float(math.ceil(most))
    seen = f"{low:g} to {high:g}, mean {column.mean or 0.0:.4g}"
    yield f"between = {{ low = {_rounded(least)}, high = {_rounded(most)}, at_most = {_TOLERATED} }}  # {seen}"
    if there >= MIN_ROWS and len(column.edges) >= _PARTS:
        yield f"psi = {{ warn = 0.1, at_most = 0.25 }}  # against {there:,} values"


def _of_texts(column: ColumnProfile, there: int) -> Iterator[str]:
    values, count = sorted(column.values), len(column.values)
    if column.type == "Boolean":
        return
    if count <= _LISTED:
        listed = ", ".join(_quoted(value) for value in values)
        yield f"one_of = {{ values = [{listed}], at_most = {_TOLERATED} }}  # {count} values"
    else:
        yield f"unseen = {{ at_most = 0.01 }}  # another than the {count} values of the profile"
    if there >= MIN_ROWS and count <= _COMPARED:
        yield f"jensen_shannon = {{ warn = 0.15, at_most = 0.3 }}  # against {there:,} values"


def _keyed(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _rounded(value: float) -> str:
    """Write a bound with six digits: nobody reviews sixteen."""
    return f"{value:.6g}" if math.isfinite(value) else "0"


def _rounded_up(share: float) -> float:
    return math.ceil(share * 1000 - 1e-9) / 1000


def _quoted(value: Any) -> str:  # noqa: ANN401 - a text, number or truth value
    """Write a value as TOML does; of what JSON leaves as it is, TOML takes all but DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
