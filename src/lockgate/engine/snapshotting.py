"""Takes snapshots of a project's sources, and finds those that were taken.

- Each reading is a record: when it was, which snapshot holds what was known, and how that differs from the one before.
- A reading is compared with the newest one before it whose source had the same clock; then it continues it.
- A moment that a reading was made after is taken from what is recorded, not from the source: what was backfilled since
  was not known then.
- A source can be begun anew, on request: then its rows are believed about their times, as in the first snapshot.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import polars as pl
from msgspec.structs import replace

from lockgate.engine.installation import Installation
from lockgate.engine.jobs import Taken, Taking
from lockgate.features.known import known_rows
from lockgate.kernel.canonical import Digest, Record, parse
from lockgate.kernel.errors import Conflict, NotFound, Refused
from lockgate.records.check import Rule
from lockgate.records.snapshot import Reading, Snapshot
from lockgate.records.source import SourceSpec
from lockgate.snapshots.compare import Side, compare
from lockgate.snapshots.refer import materialise, pinned

__all__ = [
    "Held",
    "Told",
    "assumed_of",
    "difference",
    "fetch_gone",
    "fetch_rows",
    "find_snapshot",
    "history",
    "in_words",
    "newest_reading",
    "pin",
    "reading_of",
    "readings",
    "rows_before",
    "rows_of",
    "said_of",
    "snapshots_of",
    "subject_of",
    "take_source",
]

T = TypeVar("T")

_READINGS = 1000
_MANY = 0.1


class Told(Protocol):
    """Keeps a record, listed under a subject."""

    def __call__(self, record: Record, *, subject: str | None = None) -> Digest:
        """Give its digest."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source: how it was declared, and the snapshot that holds its rows."""

    spec: SourceSpec
    # The reading, and what it found to be there no more: a blob, or None.
    reading: Digest
    gone_rows: Digest | None
    snapshot: Snapshot
    taken_as_of: datetime


def subject_of(project: str, source: str) -> str:
    """Name what the readings of a source are listed under."""
    return f"{project}/{source}"


def readings(where: Installation, project: str, source: str) -> list[tuple[Digest, Reading]]:
    """Give the readings of a source, that of the latest moment first."""
    stored = where.shelf.ledger.records.latest("reading", subject=subject_of(project, source), limit=_READINGS)
    found = [(one.id, parse(one.body, Reading)) for one in stored]
    return sorted(found, key=lambda one: one[1].taken_as_of, reverse=True)


def newest_reading(
    where: Installation, project: str, source: str, at: datetime | None = None
) -> tuple[Digest, Reading] | None:
    """Give the reading of the latest moment, or of the latest one up to `at`."""
    found = readings(where, project, source)
    return next((one for one in found if at is None or one[1].taken_as_of <= at), None)


def take_source(  # noqa: PLR0913 - a reading is made of these
    where: Installation,
    spec: SourceSpec,
    *,
    project: str,
    at: datetime,
    anew: bool,
    rules: list[Rule],
    scratch: Path,
    run: Callable[[str, dict[str, Any], Path, type[Taken]], Taken],
    keep: Told,
    line: str = "",
) -> dict[str, Digest]:
    """Take a snapshot of a source.

    Args:
        where: the installation.
        spec: the source.
        project: whose it is.
        at: the moment that the snapshot speaks of.
        anew: whether it begins a history of its own.
        rules: what rows are examined by as they are read.
        scratch: a folder.
        run: runs a child.
        keep: keeps a record.
        line: the walk.

    Returns:
        `snapshot`, `reading`, `read` (a check report) and `kinds` (a blob).
    """
    newest, begins = _before(where, spec, project, anew=anew)
    asked = Taking(spec=spec, at=at, rules=rules)
    before = _prepare(where, project, asked, newest, scratch) if newest is not None else None
    taken = run("snapshot", msgspec.to_builtins(asked), scratch, Taken)
    for path in taken.written.values():
        where.shelf.blobs.put_file(Path(path))
    continues = before is not None and not taken.begins
    reading = Reading(
        project=project,
        source=spec.name,
        snapshot=keep(taken.snapshot),
        spec=keep(spec),
        taken_as_of=at,
        after=before[0] if before and continues else None,
        begins=taken.begins or begins,
        new=taken.new,
        backfilled=taken.backfilled,
        gone=taken.gone,
        held_back=taken.held_back,
        gone_rows=where.shelf.blobs.put_file(Path(taken.gone_rows)) if taken.gone_rows else None,
        state=taken.state,
        line=line,
    )
    return {
        "snapshot": reading.snapshot,
        "reading": keep(reading, subject=subject_of(project, spec.name)),
        "read": keep(taken.report),
        "kinds": where.shelf.blobs.put(msgspec.json.encode(taken.kinds, order="sorted")),
    }


def _prepare(
    where: Installation, project: str, asked: Taking, newest: tuple[Digest, Reading], scratch: Path
) -> tuple[Digest, Reading] | None:
    """Tell a child what was read before; give the reading that the new one continues."""
    # The past is taken from the newest snapshot, unless one was taken at that very moment.
    asked.recorded = asked.spec.clocked and asked.at <= newest[1].taken_as_of
    then = newest_reading(where, project, asked.spec.name, asked.at) if asked.recorded else newest
    exact = then is not None and then[1].taken_as_of == asked.at
    _tell_before(where, then[1] if then and exact else newest[1], asked, scratch)
    if not asked.recorded:
        return newest
    asked.gone_rows = fetch_gone(where, then[1], scratch / "before") if then else ""
    return then


def _before(
    where: Installation, spec: SourceSpec, project: str, *, anew: bool
) -> tuple[tuple[Digest, Reading] | None, str]:
    """Give the reading that a new one continues; or why it continues none."""
    newest = newest_reading(where, project, spec.name)
    if newest is None:
        return None, ""
    if anew:
        return None, "it was asked for"
    if where.shelf.get(Snapshot, newest[1].snapshot).clock != spec.clock:
        return None, "its clock is declared differently"
    return newest, ""


def _tell_before(where: Installation, reading: Reading, asked: Taking, scratch: Path) -> None:
    asked.parent = where.shelf.get(Snapshot, reading.snapshot)
    asked.parent_id = reading.snapshot
    asked.parent_files = []
    if asked.parent.reference is None:
        asked.parent_files = [path for path, _ in fetch_rows(where, asked.spec, asked.parent, scratch / "before")]
    asked.parent_at = reading.taken_as_of
    asked.state = reading.state
    asked.gone_rows = fetch_gone(where, reading, scratch / "before")


def fetch_gone(where: Installation, reading: Reading, folder: Path) -> str:
    """Fetch the places of rows that a source held no more: a file; empty where there are none."""
    if reading.gone_rows is None:
        return ""
    path = folder / "gone.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    where.shelf.blobs.fetch(reading.gone_rows, path)
    return str(path)


def rows_before(where: Installation, reading: Reading) -> int | None:
    """Give how many rows the snapshot had that a reading continues; None where it continues none."""
    if reading.after is None:
        return None
    return where.shelf.get(Snapshot, where.shelf.get(Reading, reading.after).snapshot).rows


def fetch_rows(
    where: Installation, spec: SourceSpec, snapshot: Snapshot, folder: Path
) -> list[tuple[str, datetime | None]]:
    """Fetch a snapshot's files, verified: for each where it is, and the floor of its rows' available times.

    Raises:
        NotFound: it refers to a table whose files are no more.
    """
    if snapshot.reference is not None:
        return materialise(spec, snapshot.reference, folder)
    files = []
    for file in snapshot.files:
        path = folder / f"{file.digest.removeprefix('sha256:')}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        where.shelf.blobs.fetch(file.digest, path)
        files.append((str(path), file.not_before))
    return files


def history(where: Installation, project: str, at: datetime | None = None) -> dict[str, Held]:
    """Give what is known of each source of a project: its newest reading, or the newest one up to a moment.

    Raises:
        NotFound: no source of such a project was ever read.
    """
    records = where.shelf.ledger.records
    subjects = {one.subject for one in _all_readings(where) if one.subject.partition("/")[0] == project}
    found: dict[str, Held] = {}
    for subject in sorted(subjects):
        newest = newest_reading(where, project, subject.partition("/")[2], at)
        if newest is None:
            continue
        stored = records.get("source", newest[1].spec)
        assert stored is not None  # noqa: S101 - it was kept before the reading
        found[newest[1].source] = Held(
            spec=parse(stored.body, SourceSpec),
            reading=newest[0],
            gone_rows=newest[1].gone_rows,
            snapshot=where.shelf.get(Snapshot, newest[1].snapshot),
            taken_as_of=newest[1].taken_as_of,
        )
    if not found:
        msg = f"No source of {project} was read yet"
        raise NotFound(msg, expected="a snapshot", found="none", way_out="lockgate snapshot take FOLDER takes one.")
    return found


def _all_readings(where: Installation) -> Iterable[Any]:
    after = 0
    while page := where.shelf.ledger.records.list("reading", after=after):
        yield from page
        after = page[-1].sequence


def rows_of(where: Installation, held: Held, folder: Path) -> pl.LazyFrame:
    """Give a source's rows with their effective clock."""
    return known_rows(held.spec, fetch_rows(where, held.spec, held.snapshot, folder))


def said_of(reading: Reading, snapshot: Snapshot) -> str:
    """Say in one line what a reading found."""
    said = [f"{snapshot.rows:,} rows"]
    if reading.after is not None and snapshot.known_until is not None:
        said.append(f"{reading.new:,} new" if reading.new else "nothing new")
    if reading.backfilled:
        said.append(
            f"{reading.backfilled:,} of them were not there when they say they were known, and count from now on"
        )
    if reading.backfilled > snapshot.rows * _MANY:
        said.append(f"if it is the way of reading that changed: --anew {reading.source}")
    if reading.gone:
        said.append(f"{reading.gone:,} are there no more and stay in history")
    if reading.begins:
        said.append(f"begins anew, since {reading.begins}")
    if snapshot.reference is not None:
        said.append("referred to, not copied: only as immutable as its owner's policy")
    return ", ".join(said)


def assumed_of(spec: SourceSpec) -> str:
    """Say what is assumed of when rows were known."""
    if not spec.clocked:
        return "no clock: as in this snapshot"
    if spec.available_time is not None:
        since = f"known since {spec.available_time}, as rows say"
    elif spec.available_delay:
        since = f"assumed known {in_words(spec.available_delay)} after {spec.event_time}"
    else:
        since = f"assumed known as soon as {spec.event_time}"
    if spec.ingest_lag is None:
        return f"{since}; what an earlier reading should have had counts from the reading that first has it"
    return f"{since}; what shows up later than {in_words(spec.ingest_lag)} after that counts from so long before it did"


def in_words(span: timedelta) -> str:
    """Say a span: `50 min`, `1 d 12 h`.

    >>> in_words(timedelta(minutes=90))
    '1 h 30 min'
    """
    seconds = round(span.total_seconds())
    parts = [
        (seconds // 86_400, "d"),
        (seconds // 3_600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def find_snapshot(where: Installation, wanted: str) -> tuple[Digest, Snapshot]:
    """Give a snapshot by its digest or the beginning of it.

    Raises:
        NotFound: there is none.
        Conflict: several begin so.
    """
    beginning = wanted.removeprefix("sha256:")
    found: dict[str, Snapshot] = {}
    after = 0
    while page := where.shelf.ledger.records.list("snapshot", after=after):
        after = page[-1].sequence
        found |= {
            one.id: parse(one.body, Snapshot)
            for one in page
            if beginning and one.id.removeprefix("sha256:").startswith(beginning)
        }
    if not found:
        msg = f"There is no snapshot {wanted}"
        raise NotFound(msg, expected="its id, or how that begins", found=wanted, way_out="lockgate snapshot list")
    if len(found) > 1:
        msg = f"Several snapshots begin with {wanted}"
        raise Conflict(msg, expected="one", found=", ".join(sorted(found)), way_out="Write more of its id.")
    return next(iter(found.items()))


def snapshots_of(where: Installation, project: str | None = None, line: str | None = None) -> list[dict[str, Any]]:
    """List readings, of a project or of a walk if one is named, the latest first."""
    rows = []
    for stored in _all_readings(where):
        reading = parse(stored.body, Reading)
        if project not in {None, reading.project} or line not in {None, reading.line}:
            continue
        snapshot = where.shelf.get(Snapshot, reading.snapshot)
        spec = where.shelf.get(SourceSpec, reading.spec)
        rows.append(
            {
                "project": reading.project,
                "source": reading.source,
                "snapshot": reading.snapshot,
                "reading": stored.id,
                "taken_as_of": reading.taken_as_of,
                "taken_at": stored.at,
                "by": stored.by,
                "rows": snapshot.rows,
                "files": len(snapshot.files),
                "bytes": sum(file.bytes for file in snapshot.files),
                "new": reading.new,
                "backfilled": reading.backfilled,
                "gone": reading.gone,
                "held_back": reading.held_back,
                "begins": reading.begins,
                "known_until": snapshot.known_until,
                "fingerprint": snapshot.fingerprint,
                "reference": None if snapshot.reference is None else snapshot.reference.uri,
                "assumed": assumed_of(spec),
                "said": said_of(reading, snapshot),
            }
        )
    return rows[::-1]


def difference(where: Installation, first: str, second: str, scratch: Path) -> dict[str, Any]:
    """Say how two snapshots differ; ids may be shortened.

    Raises:
        NotFound, Conflict: as `find_snapshot`.
        Refused: they are of different sources.
    """
    found = [find_snapshot(where, wanted) for wanted in (first, second)]
    sources = [snapshot.source for _, snapshot in found]
    if sources[0] != sources[1]:
        msg = "These are snapshots of different sources"
        raise Refused(msg, expected=f"two of {sources[0]}", found=f"one of {sources[1]}")
    read = [reading_of(where, digest) for digest, _ in found]
    specs = [where.shelf.get(SourceSpec, one.spec) for one in read]
    sides = [
        _side(where, spec, snapshot, reading, scratch / name)
        for name, (_, snapshot), reading, spec in zip(("first", "second"), found, read, specs, strict=True)
    ]
    compared = compare(sides[0], sides[1], specs[1].identity)
    times = [one.taken_as_of for one in read]
    return {
        "source": sources[0],
        "snapshots": [digest for digest, _ in found],
        "taken_as_of": times,
        **msgspec.to_builtins(compared),
    }


def reading_of(where: Installation, snapshot: Digest) -> Reading:
    """Give the first reading that a snapshot came of."""
    for stored in _all_readings(where):
        reading = parse(stored.body, Reading)
        if reading.snapshot == snapshot:
            return reading
    msg = f"No reading is recorded of the snapshot {snapshot}"
    raise NotFound(msg, expected="a snapshot that was taken by ship or snapshot take", found=snapshot)


def _side(where: Installation, spec: SourceSpec, snapshot: Snapshot, reading: Reading, folder: Path) -> Side:
    paths = tuple(path for path, _ in fetch_rows(where, spec, snapshot, folder))
    return Side(columns=snapshot.columns, paths=paths, gone_rows=fetch_gone(where, reading, folder) or None)


def pin(where: Installation, wanted: str, scratch: Path, *, by: str) -> dict[str, Any]:
    """Copy what a snapshot refers to; one that holds its rows itself is given back.

    Raises:
        NotFound: there is no such snapshot, or its table's files are no more.
    """
    digest, snapshot = find_snapshot(where, wanted)
    if snapshot.reference is None:
        return {"snapshot": digest, "was": digest, "rows": snapshot.rows, "copied": False}
    reading = reading_of(where, digest)
    spec = where.shelf.get(SourceSpec, reading.spec)
    copied, paths = pinned(snapshot, digest, materialise(spec, snapshot.reference, scratch))
    for path in paths:
        where.shelf.blobs.put_file(Path(path))
    subject, at = subject_of(reading.project, reading.source), where.clock()
    made = where.shelf.keep(copied, subject=reading.project, by=by, at=at)
    where.shelf.keep(replace(reading, snapshot=made, line=""), subject=subject, by=by, at=at)
    return {"snapshot": made, "was": digest, "rows": copied.rows, "copied": True}
