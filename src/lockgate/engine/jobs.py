"""What children do: the parts of the line that run a user's code or parse what it made. Files in, files out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from lockgate.checks.examine import Around, examine
from lockgate.engine.bringing.job import bring_in
from lockgate.engine.checking import Watch
from lockgate.engine.fitting import fit_model
from lockgate.engine.performing import perform
from lockgate.engine.reasking import reask
from lockgate.features.known import AVAILABLE, GONE, known_rows
from lockgate.kernel.canonical import Digest, digest_of
from lockgate.kernel.errors import Refused
from lockgate.kernel.folders import replace_file
from lockgate.monitoring.parity import Side, compare
from lockgate.monitoring.span import Span
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import load_package, read_seeds
from lockgate.packages.runtimes import Agreement
from lockgate.predictionlog import reading
from lockgate.project.blueprint import Blueprint
from lockgate.project.load import load
from lockgate.records.check import CheckReport, Rule, Stage
from lockgate.records.features import FeatureSet, FieldKind, TrainingSet
from lockgate.records.monitoring import ParityClass, ParityReport
from lockgate.records.snapshot import RowFile, Snapshot
from lockgate.records.source import SourceSpec
from lockgate.rules.frames import broken_by
from lockgate.snapshots import take
from lockgate.snapshots.refer import refer
from lockgate.snapshots.take import write_rows
from lockgate.sources.read import RowsRead, kind_of_type, read
from lockgate.training.assemble import Rows, assemble, known_until
from lockgate.training.behaviour import Behaviour, compare_answers
from lockgate.training.measure import compare_runtimes, measure, transform_mismatches
from lockgate.training.seeds import travelling

__all__ = [
    "JOBS",
    "AskedSide",
    "Assembled",
    "Loaded",
    "Measured",
    "ParitySide",
    "SourceRows",
    "Taken",
    "Taking",
    "ToExamine",
    "examine_kept",
]

Report = Callable[[float, str], None]


class Loaded(msgspec.Struct, kw_only=True):
    """A compiled project."""

    blueprint: Blueprint
    places: dict[str, str]


class Taking(msgspec.Struct, kw_only=True):
    """A source to take a snapshot of, and the snapshot to compare it with."""

    spec: SourceSpec
    # The moment that the snapshot speaks of.
    at: datetime
    # What rows are examined by as they are read.
    rules: list[Rule]
    # The snapshot before: what it is, where its files are, what it speaks of, what was read; None for none.
    parent: Snapshot | None = None
    parent_id: str = ""
    parent_files: list[str] = []
    parent_at: datetime | None = None
    state: dict[str, Any] = {}
    gone_rows: str = ""
    # Whether that moment is past: then it is taken from that snapshot, and the source is not read.
    recorded: bool = False


class Taken(msgspec.Struct, kw_only=True):
    """A snapshot, and how it differs from the one before."""

    snapshot: Snapshot
    # Where the files are that were written, by digest.
    written: dict[Digest, str]
    # The field type of each column; None for one that no field can have.
    kinds: dict[str, FieldKind | None]
    # What the rows looked like as they were read.
    report: CheckReport
    # As in `Reading`.
    new: int
    backfilled: int
    gone: int | None
    held_back: int
    begins: str
    state: dict[str, Any]
    gone_rows: str | None


class Assembled(msgspec.Struct, kw_only=True):
    """A training set; its rows are in `train.parquet` and `test.parquet`."""

    training_set: TrainingSet
    # What its stages looked like.
    reports: list[CheckReport]


class SourceRows(msgspec.Struct, kw_only=True):
    """A source's declaration, and where the rows of its snapshot are."""

    spec: SourceSpec
    # For each file where it is, and the floor of its rows' available time.
    files: list[tuple[str, datetime | None]]
    # Rows that break one of these are not given.
    quarantine: list[Rule] = []
    # The places of rows that the source holds no more: a file; empty for none.
    gone: str = ""


class ToExamine(msgspec.Struct, kw_only=True):
    """A snapshot to examine, and what its rules need to know beside its rows."""

    spec: SourceSpec
    rules: list[Rule]
    snapshot: Digest
    # For each file where it is, and the floor of its rows' available time.
    files: list[tuple[str, datetime | None]]
    # For each source that a rule refers to, its key and files.
    keys: dict[str, tuple[str, list[str]]]
    # The places of rows that the source holds no more, which are not examined: a file; empty for none.
    gone: str = ""
    # How many rows were read, and how many the snapshot before had; None where nobody knows.
    rows_in: int | None = None
    rows_before: int | None = None
    # When the rows were read.
    at: datetime | None = None
    # Where rows go that are split off; nowhere if empty.
    quarantine: str = ""


class Measured(msgspec.Struct, kw_only=True):
    """What was measured of a package; None where the rows can't be put to it, with the reason."""

    metrics: dict[str, Any] | None
    reason: str = ""
    reference: dict[str, Any] | None = None


class AskedSide(msgspec.Struct, kw_only=True):
    """A package that is asked beside another one, and the rows that it looks up."""

    package: Digest
    package_folder: str
    # By source, as `SourceRows`.
    sources: dict[str, Any]


class ParitySide(msgspec.Struct, kw_only=True):
    """A version, and what its predictions are held against."""

    # The number of its release.
    version: int
    package: Digest
    package_folder: str
    # The sources it looks up.
    sources: dict[str, SourceRows]
    # Until when, in microseconds, each clocked one covers what is asked.
    until: dict[str, int]


def _load(folder: Path, _: Path, __: dict[str, Any], ___: Report) -> Loaded:
    compiled = load(folder)
    return Loaded(blueprint=compiled.blueprint, places=compiled.places)


def _snapshot(folder: Path, scratch: Path, arguments: dict[str, Any], _: Report) -> Taken:
    asked = msgspec.convert(arguments, Taking)
    spec = asked.spec
    if asked.recorded and asked.parent is not None:
        found = take.as_recorded(spec, asked.parent, asked.parent_files, scratch / "rows", at=asked.at)
        found.gone_rows = asked.gone_rows or None
        if asked.at == asked.parent_at:
            found.snapshot = asked.parent
        return _taken(asked, found, asked.state, held_back=0)
    # A table is replaced whole, so all of it is read.
    rows = read(spec, folder, asked.at, before=asked.state if spec.clocked else None)
    found = _taken_from(asked, rows, scratch / "rows")
    if found.begins and not rows.whole:
        rows = read(spec, folder, asked.at)
        found = _taken_from(asked, rows, scratch / "rows")
    if rows.reference is not None:
        found = refer(spec, found, rows.reference, _parent(asked), at=asked.at)
    return _taken(asked, found, rows.state, held_back=rows.held_back)


def _taken_from(asked: Taking, rows: RowsRead, folder: Path) -> take.Taken:
    parent = None if rows.reference is not None else _parent(asked)
    return take.take(
        asked.spec, rows.batches, folder, at=asked.at, parent=parent, whole=rows.whole, corrects=rows.corrects
    )


def _parent(asked: Taking) -> take.Parent | None:
    if asked.parent is None or asked.parent_at is None:
        return None
    return take.Parent(
        digest=asked.parent_id,
        snapshot=asked.parent,
        paths=tuple(asked.parent_files),
        taken_as_of=asked.parent_at,
        gone_rows=asked.gone_rows or None,
    )


def _taken(asked: Taking, found: take.Taken, state: dict[str, Any], *, held_back: int) -> Taken:
    rows = pl.concat([pl.scan_parquet(path) for path in found.read])
    return Taken(
        snapshot=found.snapshot,
        written=found.written,
        kinds={name: kind_of_type(kind) for name, kind in rows.collect_schema().items()},
        report=examine(rows, asked.rules, on=digest_of(found.snapshot), stage=Stage.READ, source=asked.spec.name),
        new=found.new,
        backfilled=found.backfilled,
        gone=found.gone,
        held_back=held_back,
        begins=found.begins,
        state=state,
        gone_rows=found.gone_rows,
    )


def examine_kept(asked: ToExamine) -> CheckReport:
    """Examine a snapshot; of a row that was told more than once, as it was told last."""
    rows = known_rows(asked.spec, asked.files, asked.gone).drop(AVAILABLE, strict=False)
    if asked.gone:
        rows = rows.filter(~pl.col(GONE)).drop(GONE)
    if len(asked.files) > 1:
        rows = rows.filter(_told_last(asked.spec))
    keys = {
        name: pl.concat([pl.scan_parquet(path).select(key) for path in files]).collect().to_series()
        for name, (key, files) in asked.keys.items()
    }
    around = Around(
        rows_in=asked.rows_in,
        rows_before=asked.rows_before,
        at=asked.at,
        keys=keys,
        quarantine=_split_off(asked, rows),
    )
    return examine(rows, asked.rules, on=asked.snapshot, stage=Stage.KEPT, source=asked.spec.name, around=around)


def _split_off(asked: ToExamine, rows: pl.LazyFrame) -> RowFile | None:
    rules = [rule for rule in asked.rules if rule.quarantine]
    if not rules or not asked.quarantine:
        return None
    frame = rows.filter(broken_by(rules, dict(rows.collect_schema()))).collect()
    return write_rows(frame, Path(asked.quarantine)) if frame.height else None


def _told_last(spec: SourceSpec) -> pl.Expr:
    """Keep the last row of each identity, and all whose identity is not whole."""
    identity = [spec.event_id] if spec.event_id else [spec.key, spec.event_time or spec.key]
    broken = pl.any_horizontal(pl.col(column).is_null() for column in identity)
    return broken | pl.struct(identity).is_last_distinct()


def _check(_: Path, __: Path, arguments: dict[str, Any], ___: Report) -> CheckReport:
    return examine_kept(msgspec.convert(arguments, ToExamine))


def _assemble(_: Path, scratch: Path, arguments: dict[str, Any], progress: Report) -> Assembled:
    blueprint = msgspec.convert(arguments["blueprint"], Blueprint)
    features = msgspec.convert(arguments["features"], FeatureSet)
    rows = _rows(arguments["sources"])
    for path, data in travelling(blueprint.request, features, rows, known_until(rows)).items():
        replace_file(scratch / "files" / path, data)
    watch = Watch(blueprint.rules)
    training_set = assemble(
        request=blueprint.request,
        features=features,
        outcome=blueprint.outcome,
        test=timedelta(seconds=blueprint.model.test_seconds),
        rows=rows,
        snapshots=msgspec.convert(arguments["snapshots"], dict[str, Digest]),
        folder=scratch,
        write=write_rows,
        watch=watch,
        progress=lambda share: progress(share, "features"),
        processes=arguments["processes"],
    )
    return Assembled(training_set=training_set, reports=watch.reports(digest_of(training_set)))


def _measure(_: Path, __: Path, arguments: dict[str, Any], ___: Report) -> Measured:
    loaded = load_package(Path(arguments["package_folder"]), arguments["package"])
    tested = pl.read_parquet(arguments["test"])
    reference = None
    if arguments["own_rows"]:
        values, mismatched = transform_mismatches(loaded, tested)
        reference = {"values": values, "mismatched": mismatched, **loaded.reference_result}
    try:
        metrics = measure(
            loaded, tested, _rows(arguments["sources"]), arguments["slices"], processes=arguments["processes"]
        )
    except Refused as error:
        return Measured(metrics=None, reason=str(error), reference=reference)
    return Measured(metrics=metrics, reference=reference)


def _beside(_: Path, __: Path, arguments: dict[str, Any], ___: Report) -> Behaviour:
    sides = msgspec.convert(arguments["sides"], tuple[AskedSide, AskedSide])
    first, second = (load_package(Path(one.package_folder), one.package) for one in sides)
    tested = pl.concat([pl.read_parquet(path) for path in arguments["tests"]])
    rows = (_rows(sides[0].sources), _rows(sides[1].sources))
    return compare_answers(first, second, tested, rows, processes=arguments["processes"])


def _agree(_: Path, __: Path, arguments: dict[str, Any], ___: Report) -> Agreement:
    reader = PackageReader(Path(arguments["package_folder"]), arguments["package"])
    return compare_runtimes(reader, pl.read_parquet(arguments["test"]))


def _parity(_: Path, __: Path, arguments: dict[str, Any], progress: Report) -> ParityReport:
    given = msgspec.convert(arguments["sides"], dict[str, ParitySide])
    logged = max(1, arguments["logged"])
    log = Path(arguments["log"])
    sides = {
        bytes.fromhex(release): Side(
            version=one.version,
            package=load_package(Path(one.package_folder), one.package),
            seeds=frozenset(
                (row.source, row.key, row.event_time)
                for row in read_seeds(PackageReader(Path(one.package_folder), one.package))
            ),
            rows=_rows(one.sources),
            until=one.until,
        )
        for release, one in given.items()
    }
    return compare(
        arguments["endpoint"],
        reading.predictions(log),
        sides,
        span=msgspec.convert(arguments["span"], Span),
        classes=frozenset(ParityClass(one) for one in arguments["classes"]),
        left_out={bytes.fromhex(release): why for release, why in arguments["left_out"].items()},
        events=lambda: reading.events(log),
        progress=lambda count: progress(min(1.0, count / logged), f"{count:,} predictions"),
    )


def _rows(sources: dict[str, Any]) -> Rows:
    given = msgspec.convert(sources, dict[str, SourceRows])
    return {name: (one.spec, _sound_rows(one).collect()) for name, one in given.items()}


def _sound_rows(source: SourceRows) -> pl.LazyFrame:
    """Give the rows of a source that nothing was said against."""
    rows = known_rows(source.spec, source.files, source.gone)
    if not source.quarantine:
        return rows
    return rows.filter(~broken_by(source.quarantine, dict(rows.collect_schema())))


JOBS: dict[str, Callable[[Path, Path, dict[str, Any], Report], Any]] = {
    "agree": _agree,
    "assemble": _assemble,
    "beside": _beside,
    "check": _check,
    "fit": fit_model,
    "import": bring_in,
    "load": _load,
    "measure": _measure,
    "parity": _parity,
    "perform": perform,
    "reask": reask,
    "snapshot": _snapshot,
}
"""Every job, by name: from (project folder, scratch folder, arguments, progress) to a result."""
