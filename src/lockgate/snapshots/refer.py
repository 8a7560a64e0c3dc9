"""Snapshots that refer to a table instead of copying it, and how their rows are had.

- Such a snapshot is only as immutable as the table owner's policy: what is vacuumed is gone. Pinning copies it in time.
- It continues its parent where all of the parent's files are still part of the table; files that came since carry since
  when their rows count. A table that was rewritten begins anew: nobody can tell which of its rows are new.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from lockgate.features.known import AVAILABLE, declared, stamped
from lockgate.kernel.errors import NotFound
from lockgate.records.snapshot import ReferencedFile, RowFile, Snapshot, TableReference
from lockgate.records.source import SourceSpec
from lockgate.snapshots.take import Parent, Taken, write_rows

__all__ = ["materialise", "pinned", "refer"]


def refer(spec: SourceSpec, taken: Taken, reference: TableReference, parent: Parent | None, *, at: datetime) -> Taken:
    """Make a snapshot, taken of all rows, one that refers to the table that they were read from."""
    known = parent.snapshot.reference if parent else None
    begins = _begins(spec, reference, parent)
    there = {one.path: one for one in known.files} if known and not begins else {}
    files = tuple(
        there.get(one.path) or (_floored(spec, one, parent.taken_as_of, at) if there and parent else one)
        for one in reference.files
    )
    rows_before = parent.snapshot.rows if parent and there else 0
    taken.snapshot = replace(
        taken.snapshot,
        files=(),
        fingerprint="",
        reference=replace(reference, files=files, known_by=at if spec.clocked else None),
        parents=(parent.digest,) if parent and there else (),
    )
    taken.written, taken.begins = {}, begins
    taken.new, taken.gone = taken.snapshot.rows - rows_before, None
    return taken


def _begins(spec: SourceSpec, reference: TableReference, parent: Parent | None) -> str:
    if parent is None or not spec.clocked:
        return ""
    known = parent.snapshot.reference
    if known is None or known.uri != reference.uri:
        return "it refers to a table that the one before does not refer to"
    if not {one.path for one in known.files} <= {one.path for one in reference.files}:
        return "its table's files were rewritten"
    return ""


def _floored(spec: SourceSpec, file: ReferencedFile, seen: datetime, at: datetime) -> ReferencedFile:
    if spec.ingest_lag is not None:
        return replace(file, not_before=at - spec.ingest_lag)
    return replace(file, not_before=at, seen_after=seen)


def materialise(spec: SourceSpec, reference: TableReference, folder: Path) -> list[tuple[str, datetime | None]]:
    """Copy the rows of a referenced table into a folder: files, each with the floor of its rows' available times.

    Raises:
        NotFound: files of that version are no more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: list[tuple[str, datetime | None]] = []
    for number, (floor, seen, paths) in enumerate(_groups(reference.files)):
        try:
            rows = stamped(spec, pl.scan_parquet(paths, glob=False), floor, seen)
            if reference.known_by is not None:
                rows = rows.filter(pl.col(AVAILABLE) <= reference.known_by)
            raised = declared(spec) < pl.col(AVAILABLE) if spec.clocked else pl.lit(value=False)
            for name, part, kept in (("said", ~raised, None), ("raised", raised, floor)):
                path = folder / f"{number}-{name}.parquet"
                rows.filter(part).drop(AVAILABLE, strict=False).sink_parquet(path, compression="zstd")
                made.append((str(path), kept))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise NotFound(
                f"Version {reference.version} of {reference.uri} can't be read any more",
                expected=f"{len(reference.files)} files of {sum(one.bytes for one in reference.files):,} bytes",
                found=str(error).partition("\n")[0],
                way_out="Its owner may have vacuumed it. Restore the files, or take a new snapshot with --anew; "
                "lockgate snapshot pin copies what must last.",
            ) from error
    return made


def _groups(
    files: Sequence[ReferencedFile],
) -> list[tuple[datetime | None, datetime | None, list[str]]]:
    keys = dict.fromkeys((one.not_before, one.seen_after) for one in files)
    return [
        (floor, seen, [one.path for one in files if (one.not_before, one.seen_after) == (floor, seen)])
        for floor, seen in keys
    ]


def pinned(snapshot: Snapshot, digest: str, files: Sequence[tuple[str, datetime | None]]) -> tuple[Snapshot, list[str]]:
    """Give a copy of a referring snapshot that holds its rows itself, and the files that they are in."""
    kept: list[tuple[RowFile, str]] = []
    for path, floor in files:
        frame = pl.read_parquet(path)
        if frame.height or (path, floor) == files[0]:
            kept.append((replace(write_rows(frame, Path(path)), not_before=floor), path))
    copied = replace(
        snapshot,
        files=tuple(file for file, _ in kept),
        rows=sum(file.rows for file, _ in kept),
        reference=None,
        parents=(digest,),
    )
    return copied, [path for _, path in kept]
