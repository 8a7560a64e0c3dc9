"""Facets of OpenLineage, from records: pure functions to plain data, each with the URL of the schema it holds to."""

from collections.abc import Iterable
from typing import Any

import lockgate
from lockgate.kernel.verdicts import Verdict
from lockgate.project.lineage import How, Lineage, NodeKind, upstream
from lockgate.records.check import CheckReport, RuleResult
from lockgate.records.package import Package
from lockgate.records.snapshot import Snapshot
from lockgate.records.verdict import GateVerdict

__all__ = [
    "MODEL_SCHEMA",
    "PRODUCER",
    "assertions",
    "column_lineage",
    "error_message",
    "facet",
    "job_type",
    "model",
    "quality_metrics",
    "schema",
    "tests",
    "version",
]

PRODUCER = f"urn:lockgate:{lockgate.__version__}"
"""Who says so."""

MODEL_SCHEMA = "urn:lockgate:openlineage:1-0-0:ModelDatasetFacet#/$defs/ModelDatasetFacet"
"""Our own facet; its schema is docs/spec/openlineage/ModelDatasetFacet.json."""

_OFFICIAL = "https://openlineage.io/spec/facets"
_STATUS = {Verdict.PASS: "pass", Verdict.WARN: "fail", Verdict.FAIL: "fail", Verdict.INCONCLUSIVE: "skip"}
_SAID = 4_000


def facet(name: str, schema_version: str, **content: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Give an official facet, by the name of its class; what is None is left out."""
    url = f"{_OFFICIAL}/{schema_version}/{name}.json#/$defs/{name}"
    kept = {key: value for key, value in content.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": url, **kept}


def job_type(kind: str) -> dict[str, Any]:
    """Say what a job is: a `WALK` or a `STEP`."""
    return facet("JobTypeJobFacet", "2-0-4", processingType="BATCH", integration="LOCKGATE", jobType=kind)


def version(digest: str) -> dict[str, Any]:
    """Say which version of a dataset is meant."""
    return facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=digest)


def schema(columns: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Say which columns a dataset has, with their types."""
    fields = [{"name": name, "type": kind} for name, kind in columns]
    return facet("SchemaDatasetFacet", "1-2-0", fields=fields)


def quality_metrics(snapshot: Snapshot, *, of_input: bool = False) -> dict[str, Any]:
    """Say how many rows, bytes and nulls there are."""
    name, schema_version = (
        ("DataQualityMetricsInputDatasetFacet", "1-0-3") if of_input else ("DataQualityMetricsDatasetFacet", "1-0-0")
    )
    return facet(
        name,
        schema_version,
        rowCount=snapshot.rows,
        bytes=sum(file.bytes for file in snapshot.files),
        fileCount=len(snapshot.files),
        lastUpdated=snapshot.known_until.isoformat() if snapshot.known_until else None,
        columnMetrics={column.name: {"nullCount": column.nulls} for column in snapshot.columns},
    )


def assertions(report: CheckReport) -> dict[str, Any]:
    """Say what the rules found of a dataset."""
    found = [_kept({**_result(one), "success": one.verdict is Verdict.PASS}) for one in report.results]
    return facet("DataQualityAssertionsDatasetFacet", "1-1-0", assertions=found)


def _result(one: RuleResult) -> dict[str, Any]:
    return {
        "assertion": one.rule.partition("(")[0],
        "name": one.rule,
        "column": one.columns[0] if one.columns else None,
        "description": one.condition,
        "expected": f"at most {one.at_most:g}",
        "actual": None if one.measured is None else f"{one.measured:g}",
        "severity": "warn" if one.verdict is Verdict.WARN else "error",
    }


def tests(reports: Iterable[CheckReport], verdicts: Iterable[GateVerdict]) -> dict[str, Any] | None:
    """Say what rules and gates decided; None where there was none. One that could not decide was not executed."""
    found = [
        _kept(
            {
                "name": f"{report.place}: {one.rule}",
                "status": _STATUS[one.verdict],
                "severity": "warn" if one.verdict is Verdict.WARN else "error",
                "type": one.rule.partition("(")[0],
                "description": one.condition,
                "expected": f"at most {one.at_most:g}",
                "actual": one.note or (None if one.measured is None else f"{one.measured:g}"),
            }
        )
        for report in reports
        for one in report.results
    ]
    found += [
        _kept(
            {
                "name": one.gate,
                "status": _STATUS[one.verdict],
                "severity": "warn" if one.verdict is Verdict.WARN else "error",
                "type": "gate",
                "description": one.note or None,
                "expected": one.expected,
                "actual": one.found,
            }
        )
        for one in verdicts
    ]
    return facet("TestRunFacet", "1-0-1", tests=found) if found else None


def _kept(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}


def error_message(said: str) -> dict[str, Any]:
    """Say why a run failed."""
    return facet("ErrorMessageRunFacet", "1-0-1", message=said[:_SAID], programmingLanguage="Python")


def column_lineage(whole: Lineage, namespace: str, names: dict[str, str]) -> dict[str, Any]:
    """Say which columns of sources each column of the model, and the outcome, is made of.

    Args:
        whole: the lineage.
        namespace: of the datasets.
        names: the dataset of each source.
    """
    ends = [node for node in whole.nodes if node.kind in {NodeKind.MODEL, NodeKind.OUTCOME}]
    fields = {}
    for end in ends:
        inputs = [
            {"namespace": namespace, "name": names[source], "field": column, "transformations": [transformation]}
            for source, column, transformation in _inputs(whole, end.id)
            if source in names
        ]
        fields[f"@{end.name}" if end.kind is NodeKind.MODEL else "@outcome"] = {"inputFields": inputs}
    return facet("ColumnLineageDatasetFacet", "1-2-0", fields=fields)


def _inputs(whole: Lineage, end: str) -> Iterable[tuple[str, str, dict[str, Any]]]:
    part = upstream(whole, [end])
    values = upstream(Lineage(nodes=part.nodes, edges=tuple(e for e in part.edges if e.how is How.VALUE)), [end])
    made_of = {node.id for node in values.nodes}
    kinds = {node.kind for node in values.nodes}
    subtype = "IDENTITY"
    if NodeKind.FEATURE in kinds or NodeKind.OUTCOME in kinds:
        subtype = "TRANSFORMATION"
    if NodeKind.WINDOW in kinds:
        subtype = "AGGREGATION"
    for node in part.nodes:
        if node.kind is NodeKind.SOURCE:
            source, _, column = node.name.partition(".")
            direct = node.id in made_of
            yield source, column, {"type": "DIRECT" if direct else "INDIRECT", "subtype": subtype if direct else "JOIN"}


def model(package: Package, features: Iterable[str]) -> dict[str, Any]:
    """Say what a packaged model is: our own facet."""
    return {
        "_producer": PRODUCER,
        "_schemaURL": MODEL_SCHEMA,
        "format": package.format,
        "trainingSet": package.training_set,
        "code": package.code,
        "environment": package.environment,
        "parameters": package.parameters,
        "columns": list(features),
    }
