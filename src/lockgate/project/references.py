"""Takes from a reference profile what a rule is measured against, so that the rule holds all that decides."""

from pathlib import Path
from typing import Any

from lockgate.declare.mistakes import note
from lockgate.declare.rules import RuleWanted
from lockgate.kernel.canonical import parse, sha256
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.names import nearest
from lockgate.records.check import ColumnProfile, Profile

__all__ = ["PARTS", "compared_with", "merged"]

PARTS = 10
"""Parts of equal size that the numbers of a reference are divided into for PSI."""

_LISTED = 50
_NUMBERS = {"ks", "psi"}


def compared_with(wanted: RuleWanted, folder: Path) -> dict[str, Any] | None:
    """Give the parameters of a rule with a reference; None, and noted, where it has none.

    Args:
        wanted: the rule; its `reference` is a path.
        folder: what the path begins at.
    """
    path = folder / wanted.parameters["reference"]
    try:
        data = path.read_bytes()
        profile = parse(data, Profile)
    except (OSError, LockgateError) as error:
        hint = "lockgate check infer writes one."
        note(wanted.where, expected=f"a profile in {path}", found=str(error).partition("\n")[0], hint=hint)
        return None
    column = profile.column(wanted.column)
    if column is None:
        names = [one.name for one in profile.columns]
        hint = nearest(wanted.column, names)
        note(wanted.where, expected=f"a column of {path.name}", found=repr(wanted.column), hint=hint)
        return None
    seen = _seen(wanted, column, profile.rows)
    if seen is None:
        wants = "numbers" if wanted.kind == "ks" else "numbers or texts" if wanted.kind == "psi" else "texts"
        expected = f"{wanted.kind} of a column whose reference has {wants} to compare"
        note(wanted.where, expected=expected, found=f"{wanted.column}, {column.type}")
        return None
    least = {"min_rows": wanted.parameters["min_rows"]} if "min_rows" in wanted.parameters else {}
    return {"reference": sha256(data), **seen, **least}


def _seen(wanted: RuleWanted, column: ColumnProfile, rows: int) -> dict[str, Any] | None:
    if wanted.kind == "missing_change":
        return {"share": (column.nulls + column.nans) / max(1, rows)}
    if wanted.kind in _NUMBERS and column.counts:
        edges, counts = (column.edges, column.counts) if wanted.kind == "ks" else merged(column)
        return {"edges": list(edges), "counts": list(counts)}
    if wanted.kind == "ks" or not column.values:
        return None
    if wanted.kind == "unseen":
        return {"values": list(column.values)}
    listed = list(column.values.items())
    beyond = sum(count for _, count in listed[_LISTED:])
    return {"values": [value for value, _ in listed[:_LISTED]], "counts": [*(n for _, n in listed[:_LISTED]), beyond]}


def merged(column: ColumnProfile) -> tuple[list[float], list[int]]:
    """Merge the bins of a column to about ten of equal size; a value that is there often has one of its own."""
    edges: list[float] = []
    total, counts, gathered = sum(column.counts), [0], 0
    for edge, count in zip(column.edges, column.counts, strict=False):
        gathered += count
        counts[-1] += count
        if gathered * PARTS >= (len(edges) + 1) * total:
            edges.append(edge)
            counts.append(0)
    counts[-1] += column.counts[-1]
    return edges, counts
