"""Takes a snapshot: rows as Parquet files, and a manifest whose digest is its id.

- A snapshot of a clocked source is cumulative: the files of its parent, then files with the rows that are new. Rows are
  compared as a multiset, by all their columns. Where nothing is new, it is the parent.
- A new row that says it was available before the parent was taken (or, with a stated ingest lag, longer before this one
  than that) was not there then: its file says since when it was (`features/known.py`).
- Rows that are there no more stay, and are counted: they were known.
- Rows are kept in the order in which they were read, 500,000 to a file; the same rows give the same files.
- Memory holds one file's rows and 16 bytes for each row compared, whatever the size of the source.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl
from msgspec.structs import replace

from lockgate.features.known import AVAILABLE, declared, stamped
from lockgate.kernel.canonical import Digest
from lockgate.records.snapshot import RowFile, Snapshot, SnapshotColumn
from lockgate.records.source import SourceSpec
from lockgate.snapshots.rows import Hashes, fingerprint, plus, same_version

__all__ = ["PER_FILE", "Parent", "Taken", "as_recorded", "columns_of", "fingerprint", "take", "write_rows"]

PER_FILE = 500_000
"""How many rows a file holds at most."""


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that a source is compared with."""

    # Its id, manifest and files.
    digest: Digest
    snapshot: Snapshot
    paths: tuple[str, ...]
    # The moment it speaks of.
    taken_as_of: datetime
    # The positions of rows that are there no more; None for none.
    gone_rows: str | None = None


class Taken(msgspec.Struct, kw_only=True):
    """A snapshot, and how it differs from its parent."""

    snapshot: Snapshot
    # Where the files are that were written, by digest.
    written: dict[Digest, str]
    # As in `Reading`.
    new: int
    backfilled: int
    gone: int | None
    begins: str = ""
    # The positions of all rows that are there no more: a file; None where there are none.
    gone_rows: str | None = None
    # The rows as they were read: files.
    read: list[str] = []


def take(
    spec: SourceSpec,
    batches: Iterable[pl.DataFrame],
    folder: Path,
    *,
    at: datetime,
    parent: Parent | None = None,
    whole: bool = True,
    corrects: bool = False,
) -> Taken:
    """Write a source's rows as files in a folder and give the manifest.

    Args:
        spec: the source.
        batches: its rows as read, one frame at least; columns as the parent's.
        folder: where files go.
        at: the moment the snapshot speaks of.
        parent: what it continues; None where it begins a chain.
        whole: whether all of the source was read, so that what is missing is gone.
        corrects: whether, where not all was read, a new row takes the place of an older one of its identity.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes = Hashes()
    read = [write_rows(part, folder / f"rows-{i}.parquet", hashes) for i, part in enumerate(_parts(batches))]
    paths = [str(folder / f"rows-{i}.parquet") for i in range(len(read))]
    begins = _changed(parent, paths[0])
    if parent is None or begins or not spec.clocked:
        snapshot = _manifest(spec, list(zip(read, paths, strict=True)))
        written = dict(zip((file.digest for file in read), paths, strict=True))
        return Taken(
            snapshot=snapshot, written=written, new=snapshot.rows, backfilled=0, gone=0, begins=begins, read=paths
        )
    before = Hashes()
    for frame in _frames(parent.paths):
        before.add(frame)
    new = hashes.not_in(before)
    taken = _continued(spec, parent, paths, new, at, folder)
    taken.read = paths
    gone = before.not_in(hashes) if whole else _gone_still(spec, parent, paths, new, corrects=corrects)
    taken.gone = len(gone) if whole else None
    if len(gone):
        taken.gone_rows = str(folder / "gone.parquet")
        pl.DataFrame({"place": gone}, schema={"place": pl.UInt32}).write_parquet(taken.gone_rows, compression="zstd")
    return taken


def as_recorded(spec: SourceSpec, snapshot: Snapshot, paths: Sequence[str], folder: Path, *, at: datetime) -> Taken:
    """Give what was known at an earlier moment, from a snapshot that was taken later; the source is not read.

    What came since, and what was backfilled since, is no part of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[tuple[RowFile, str]] = []
    written: dict[Digest, str] = {}
    for number, (file, path) in enumerate(zip(snapshot.files, paths, strict=True)):
        frame = stamped(spec, pl.scan_parquet(path), file.not_before).filter(pl.col(AVAILABLE) <= at).collect()
        if frame.height == file.rows:
            files.append((file, path))
        elif frame.height or (not files and number == len(paths) - 1):
            draft = folder / f"then-{number}.parquet"
            kept = replace(write_rows(frame.drop(AVAILABLE), draft), not_before=file.not_before)
            files.append((kept, str(draft)))
            written[kept.digest] = str(draft)
    return Taken(
        snapshot=_manifest(spec, files),
        written=written,
        new=0,
        backfilled=0,
        gone=None,
        read=[path for _, path in files],
    )


def _changed(parent: Parent | None, path: str) -> str:
    """Say how the columns differ from those of the parent; empty where they do not."""
    if parent is None:
        return ""
    if parent.snapshot.reference is not None:
        return "the one before only referred to its rows"
    old = {column.name: column.type for column in parent.snapshot.columns}
    new = {name: str(kind) for name, kind in pl.read_parquet_schema(path).items()}
    said = [f"{name} is new" for name in new if name not in old]
    said += [f"{name} is gone" for name in old if name not in new]
    said += [f"{name} was {old[name]} and is {new[name]}" for name in new if old.get(name, new[name]) != new[name]]
    if not said and list(old) != list(new):
        said = ["they are in another order"]
    return f"its columns changed: {', '.join(said)}" if said else ""


def _continued(
    spec: SourceSpec, parent: Parent, paths: Sequence[str], new: pl.Series, at: datetime, folder: Path
) -> Taken:
    """Add what is new to a parent: as declared, or not before it could be seen."""
    if not len(new):
        return Taken(snapshot=parent.snapshot, written={}, new=0, backfilled=0, gone=None)
    floor, raised = _raised(spec, parent, at)
    files: list[tuple[RowFile, str]] = []
    backfilled = 0
    for late in (False, True):
        wanted = (frame.filter(raised if late else ~raised) for frame in _chosen(paths, new))
        for part in _parts(frame for frame in wanted if frame.height):
            path = folder / f"{'late' if late else 'new'}-{len(files)}.parquet"
            file = write_rows(part, path)
            files.append((replace(file, not_before=floor) if late else file, str(path)))
            backfilled += part.height if late else 0
    added = _manifest(spec, files)
    return Taken(
        snapshot=_joined(spec, parent, added),
        written={file.digest: path for file, path in files},
        new=added.rows,
        backfilled=backfilled,
        gone=None,
    )


def _raised(spec: SourceSpec, parent: Parent, at: datetime) -> tuple[datetime, pl.Expr]:
    """Give the floor, and which new rows say they were available before they could be seen."""
    said = declared(spec)
    if spec.ingest_lag is not None:
        floor = at - spec.ingest_lag
        return floor, said < floor
    return at, (said <= parent.taken_as_of) & (said < at)


def _joined(spec: SourceSpec, parent: Parent, added: Snapshot) -> Snapshot:
    old = parent.snapshot
    nulls = {column.name: column.nulls for column in added.columns}
    mark = old.fingerprint if same_version(old.fingerprint) else _fingerprint_of(parent.paths)
    return Snapshot(
        source=spec.name,
        clock=spec.clock,
        columns=tuple(replace(column, nulls=column.nulls + nulls[column.name]) for column in old.columns),
        rows=old.rows + added.rows,
        files=old.files + added.files,
        fingerprint=plus(mark, added.fingerprint),
        first_event=_earliest(old.first_event, added.first_event),
        last_event=_latest(old.last_event, added.last_event),
        known_until=_latest(old.known_until, added.known_until),
        parents=(parent.digest,),
    )


def _gone_still(spec: SourceSpec, parent: Parent, paths: Sequence[str], new: pl.Series, *, corrects: bool) -> pl.Series:
    """Give what was gone before, and, where new rows correct, what they correct: not all of the source was read."""
    gone = [pl.Series("place", [], dtype=pl.UInt32)]
    if parent.gone_rows is not None:
        gone.append(pl.read_parquet(parent.gone_rows)["place"])
    if corrects and len(new):
        columns = list(spec.identity)
        told = pl.concat([frame.select(columns) for frame in _chosen(paths, new)])
        known = pl.concat([pl.scan_parquet(path).select(columns) for path in parent.paths]).with_row_index("place")
        gone.append(known.join(told.lazy(), on=columns, how="semi", nulls_equal=True).collect()["place"])
    return pl.concat(gone).unique().sort()


def _manifest(spec: SourceSpec, files: Sequence[tuple[RowFile, str]]) -> Snapshot:
    """Describe files of rows, a file at a time."""
    columns: tuple[SnapshotColumn, ...] = ()
    mark = fingerprint(pl.DataFrame())
    times: dict[str, list[datetime | None]] = {"first": [], "last": [], "known": []}
    for file, path in files:
        frame = pl.read_parquet(path)
        found = columns_of(frame)
        columns = _summed(columns, found) if columns else found
        mark = plus(mark, fingerprint(frame))
        if spec.event_time is not None:
            times["first"].append(frame.select(pl.col(spec.event_time).min()).item())
            times["last"].append(frame.select(pl.col(spec.event_time).max()).item())
            times["known"].append(_latest(frame.select(declared(spec).max()).item(), file.not_before))
    return Snapshot(
        source=spec.name,
        clock=spec.clock,
        columns=columns,
        rows=sum(file.rows for file, _ in files),
        files=tuple(file for file, _ in files),
        fingerprint=mark,
        first_event=_earliest(*times["first"]),
        last_event=_latest(*times["last"]),
        known_until=_latest(*times["known"]),
    )


def columns_of(frame: pl.DataFrame) -> tuple[SnapshotColumn, ...]:
    """Describe the columns of a frame."""
    return tuple(
        SnapshotColumn(name=name, type=str(kind), nulls=frame[name].null_count()) for name, kind in frame.schema.items()
    )


def _summed(one: tuple[SnapshotColumn, ...], other: tuple[SnapshotColumn, ...]) -> tuple[SnapshotColumn, ...]:
    return tuple(replace(a, nulls=a.nulls + b.nulls) for a, b in zip(one, other, strict=True))


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _parts(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Give rows in frames of `PER_FILE`, however they came; an empty frame where there are columns but no rows."""
    waiting: pl.DataFrame | None = None
    given = False
    for batch in batches:
        waiting = batch if waiting is None else pl.concat([waiting, batch])
        while waiting.height >= PER_FILE:
            yield waiting.head(PER_FILE)
            given, waiting = True, waiting.slice(PER_FILE)
    if waiting is not None and (waiting.height or not given):
        yield waiting


def _chosen(paths: Sequence[str], places: pl.Series) -> Iterator[pl.DataFrame]:
    """Give the rows at places, counted over all files, a file at a time."""
    start = 0
    for path in paths:
        frame = pl.read_parquet(path)
        here = places.filter((places >= start) & (places < start + frame.height)) - start
        yield frame[here.to_list()] if len(here) < frame.height else frame
        start += frame.height


def _frames(paths: Sequence[str]) -> Iterator[pl.DataFrame]:
    return (pl.read_parquet(path) for path in paths)


def _fingerprint_of(paths: Sequence[str]) -> str:
    mark = fingerprint(pl.DataFrame())
    for frame in _frames(paths):
        mark = plus(mark, fingerprint(frame))
    return mark


def write_rows(frame: pl.DataFrame, path: Path, hashes: Hashes | None = None) -> RowFile:
    """Write rows as Parquet and digest the file; gather their hashes where somebody wants them."""
    whole = frame.rechunk()
    whole.write_parquet(path, compression="zstd", statistics=True)
    if hashes is not None:
        hashes.add(whole)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return RowFile(digest=f"sha256:{digest.hexdigest()}", bytes=path.stat().st_size, rows=frame.height)
