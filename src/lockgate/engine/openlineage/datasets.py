"""Datasets of OpenLineage: what a step consumed and produced, by the records behind its digests."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lockgate.engine.openlineage import facets
from lockgate.kernel.canonical import Digest, Record, parse
from lockgate.project.blueprint import Blueprint
from lockgate.project.lineage import lineage
from lockgate.records.check import CheckReport, Stage
from lockgate.records.features import TrainingSet
from lockgate.records.package import Package
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.source import ReaderKind, SourceSpec
from lockgate.records.verdict import GateVerdict
from lockgate.registry.shelf import Shelf

__all__ = ["NAMESPACE", "Found", "find", "inputs_of", "outputs_of"]

NAMESPACE = "lockgate"

_KINDS: dict[str, type[Record]] = {
    "check-report": CheckReport,
    "gate-verdict": GateVerdict,
    "package": Package,
    "release": Release,
    "snapshot": Snapshot,
    "training-set": TrainingSet,
}
_FILES = {ReaderKind.CSV, ReaderKind.PARQUET, ReaderKind.DELTA}


class Found(msgspec.Struct, frozen=True):
    """Records behind digests."""

    records: Mapping[Digest, Record]

    def of(self, kind: type[Any]) -> list[tuple[Digest, Any]]:
        """Give those of a kind."""
        return [(digest, record) for digest, record in self.records.items() if isinstance(record, kind)]


def find(shelf: Shelf, digests: Iterable[str]) -> Found:
    """Give the records that a step's digests stand for, of the kinds that say something of data."""
    found: dict[Digest, Record] = {}
    for digest in digests:
        for name, kind in _KINDS.items():
            stored = shelf.ledger.records.get(name, digest) if digest.startswith("sha256:") else None
            if stored is not None:
                found[digest] = parse(stored.body, kind)
    return Found(found)


def inputs_of(consumed: Found, produced: Found, blueprint: Blueprint) -> list[dict[str, Any]]:
    """Give the datasets that a step read: those it consumed, and for a new snapshot what it was read from."""
    reports = {report.on: report for _, report in produced.of(CheckReport) if report.stage is Stage.KEPT}
    inputs = []
    for digest, snapshot in consumed.of(Snapshot):
        dataset = _snapshot(blueprint.name, digest, snapshot)
        dataset["inputFacets"] = {"dataQualityMetrics": facets.quality_metrics(snapshot, of_input=True)}
        if digest in reports:
            dataset["inputFacets"]["dataQualityAssertions"] = facets.assertions(reports[digest])
        inputs.append(dataset)
    for digest, rows in consumed.of(TrainingSet):
        inputs.append(_training_set(blueprint, digest, rows))
    for digest, package in consumed.of(Package):
        inputs.append(_package(blueprint, digest, package))
    return inputs + [_source(blueprint.source(one.source)) for _, one in produced.of(Snapshot)]


def outputs_of(produced: Found, blueprint: Blueprint) -> list[dict[str, Any]]:
    """Give the datasets that a step wrote."""
    outputs = []
    for digest, snapshot in produced.of(Snapshot):
        dataset = _snapshot(blueprint.name, digest, snapshot)
        read = _source(blueprint.source(snapshot.source))
        fields = {column.name: {"inputFields": [_as_read(read, column.name)]} for column in snapshot.columns}
        dataset["facets"]["columnLineage"] = facets.facet("ColumnLineageDatasetFacet", "1-2-0", fields=fields)
        dataset["outputFacets"] = _written(snapshot.rows, snapshot.files)
        outputs.append(dataset)
    for digest, rows in produced.of(TrainingSet):
        dataset = _training_set(blueprint, digest, rows)
        dataset["outputFacets"] = _written(rows.train_rows + rows.test_rows, (*rows.train_files, *rows.test_files))
        outputs.append(dataset)
    outputs += [_package(blueprint, digest, package) for digest, package in produced.of(Package)]
    outputs += [_release(digest, release) for digest, release in produced.of(Release)]
    return outputs


def _dataset(name: str, digest: Digest, **more: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": NAMESPACE, "name": name, "facets": {"version": facets.version(digest), **more}}


def _snapshot(project: str, digest: Digest, snapshot: Snapshot) -> dict[str, Any]:
    return _dataset(
        _snapshot_name(project, snapshot.source),
        digest,
        schema=facets.schema((column.name, column.type) for column in snapshot.columns),
        dataQualityMetrics=facets.quality_metrics(snapshot),
    )


def _snapshot_name(project: str, source: str) -> str:
    return f"{project}/snapshots/{source}"


def _training_set(blueprint: Blueprint, digest: Digest, rows: TrainingSet) -> dict[str, Any]:
    whole = lineage(blueprint.request, blueprint.features, blueprint.outcome)
    names = {source: _snapshot_name(blueprint.name, source) for source in rows.snapshots}
    fields = [(field.name, field.kind.value) for field in blueprint.request.fields]
    columns = [(f"@{column.name}", "float64") for column in blueprint.features.columns]
    return _dataset(
        f"{blueprint.name}/training-set",
        digest,
        schema=facets.schema([*fields, *columns, ("@outcome", "float64")]),
        columnLineage=facets.column_lineage(whole, NAMESPACE, names),
    )


def _package(blueprint: Blueprint, digest: Digest, package: Package) -> dict[str, Any]:
    columns = [column.name for column in blueprint.features.columns]
    return _dataset(f"{blueprint.name}/model", digest, lockgate_model=facets.model(package, columns))


def _release(digest: Digest, release: Release) -> dict[str, Any]:
    return _dataset(f"{release.endpoint}/release", digest)


def _source(spec: SourceSpec) -> dict[str, Any]:
    """Name what a source is read from as OpenLineage names such things; no credentials in it."""
    kind, where = spec.reader.kind, spec.reader.where
    parts = urlsplit(where)
    if kind is ReaderKind.FUNCTION:
        return {"namespace": "python", "name": where}
    if kind in _FILES:
        remote = parts.scheme and parts.netloc
        return {
            "namespace": f"{parts.scheme}://{parts.hostname}" if remote else "file",
            "name": (parts.path.lstrip("/") or "/") if remote else where.removeprefix("file://"),
        }
    host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    scheme = parts.scheme.partition("+")[0]
    return {"namespace": f"{scheme}://{host}" if host else scheme, "name": f"{parts.path.strip('/')}.{spec.name}"}


def _as_read(read: Mapping[str, Any], column: str) -> dict[str, Any]:
    transformation = {"type": "DIRECT", "subtype": "IDENTITY"}
    return {**read, "field": column, "transformations": [transformation]}


def _written(rows: int, files: Iterable[Any]) -> dict[str, Any]:
    sizes = [file.bytes for file in files]
    return {
        "outputStatistics": facets.facet(
            "OutputStatisticsOutputDatasetFacet", "1-0-2", rowCount=rows, size=sum(sizes), fileCount=len(sizes)
        )
    }
