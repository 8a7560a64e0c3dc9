"""What children do: the parts of the line that run a user's code or parse what it made. Files in, files out."""

import resource
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from lockgate.kernel.canonical import Digest, canonical
from lockgate.kernel.errors import Refused
from lockgate.kernel.folders import replace_file
from lockgate.monitoring.parity import Side, compare
from lockgate.monitoring.span import Span
from lockgate.packages.runtime import MODEL, REFERENCE, encode_seed, encode_table, load_package
from lockgate.predictionlog import reading
from lockgate.project.blueprint import Blueprint
from lockgate.project.load import function_of, load
from lockgate.records.features import FeatureSet, FieldKind, TrainingSet
from lockgate.records.monitoring import ParityClass, ParityReport
from lockgate.records.snapshot import Snapshot
from lockgate.records.source import SourceSpec
from lockgate.records.training import ModelSpec
from lockgate.snapshots.take import take, write_rows
from lockgate.sources.read import kind_of_type, read
from lockgate.training.assemble import Rows, assemble, seed_rows, table_rows
from lockgate.training.fit import fit
from lockgate.training.measure import measure, transform_mismatches

__all__ = ["JOBS", "Fit", "Loaded", "Measured", "ParitySide", "SourceRows", "Taken"]

Report = Callable[[float, str], None]


class Loaded(msgspec.Struct, kw_only=True):
    """A compiled project."""

    blueprint: Blueprint
    places: dict[str, str]


class Taken(msgspec.Struct, kw_only=True):
    """A snapshot; its rows are in `rows.parquet`."""

    snapshot: Snapshot
    # The field type of each column; None for one that no field can have.
    kinds: dict[str, FieldKind | None]


class SourceRows(msgspec.Struct, kw_only=True):
    """A source's declaration, and where its rows are."""

    spec: SourceSpec
    path: str


class Fit(msgspec.Struct, kw_only=True):
    """A fitted model; its bytes are in `model.bin`, its reference answers in `reference.json`."""

    format: str
    fitted: str
    logged: dict[str, float]
    seconds: float
    peak_memory: int


class Measured(msgspec.Struct, kw_only=True):
    """What was measured of a package; None where the rows can't be put to it, with the reason."""

    metrics: dict[str, Any] | None
    reason: str = ""
    reference: dict[str, Any] | None = None


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
    spec = msgspec.convert(arguments["spec"], SourceSpec)
    as_of = msgspec.convert(arguments["as_of"], datetime | None)
    frame = read(spec, function_of(folder, spec.function), as_of)
    kinds = {name: kind_of_type(kind) for name, kind in frame.schema.items()}
    return Taken(snapshot=take(spec, frame, scratch / "rows.parquet"), kinds=kinds)


def _assemble(_: Path, scratch: Path, arguments: dict[str, Any], progress: Report) -> TrainingSet:
    blueprint = msgspec.convert(arguments["blueprint"], Blueprint)
    features = msgspec.convert(arguments["features"], FeatureSet)
    rows = _rows(arguments["sources"])
    for lookup in features.lookups:
        spec, frame = rows[lookup.source]
        path, data = (
            encode_seed(lookup.source, seed_rows(lookup, spec, frame))
            if lookup.clocked
            else encode_table(lookup.source, table_rows(lookup, spec, frame))
        )
        replace_file(scratch / "files" / path, data)
    return assemble(
        request=blueprint.request,
        features=features,
        outcome=blueprint.outcome,
        test=timedelta(seconds=blueprint.model.test_seconds),
        rows=rows,
        snapshots=msgspec.convert(arguments["snapshots"], dict[str, Digest]),
        folder=scratch,
        write=write_rows,
        progress=lambda share: progress(share, "features"),
        processes=arguments["processes"],
    )


def _fit(folder: Path, scratch: Path, arguments: dict[str, Any], _: Report) -> Fit:
    spec = msgspec.convert(arguments["model"], ModelSpec)
    features = msgspec.convert(arguments["features"], FeatureSet)
    train, tested = pl.read_parquet(arguments["train"]), pl.read_parquet(arguments["test"])
    result = fit(spec, features, function_of(folder, spec.function), train, tested)
    replace_file(scratch / MODEL, result.model)
    replace_file(scratch / REFERENCE, canonical(result.reference))
    return Fit(
        format=result.format,
        fitted=result.fitted,
        logged=result.logged,
        seconds=result.seconds,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


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


def _parity(_: Path, __: Path, arguments: dict[str, Any], progress: Report) -> ParityReport:
    given = msgspec.convert(arguments["sides"], dict[str, ParitySide])
    logged = max(1, arguments["logged"])
    log = Path(arguments["log"])
    sides = {
        bytes.fromhex(release): Side(
            version=one.version,
            package=load_package(Path(one.package_folder), one.package),
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
    return {name: (one.spec, pl.read_parquet(one.path)) for name, one in given.items()}


JOBS: dict[str, Callable[[Path, Path, dict[str, Any], Report], Any]] = {
    "assemble": _assemble,
    "fit": _fit,
    "load": _load,
    "measure": _measure,
    "parity": _parity,
    "snapshot": _snapshot,
}
"""Every job, by name: from (project folder, scratch folder, arguments, progress) to a result."""
