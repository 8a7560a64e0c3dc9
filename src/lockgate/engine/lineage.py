"""Lineage of what was released: columns by `project.lineage`, and the snapshots and commit behind them."""

import msgspec

from lockgate.engine.explain import find_prediction
from lockgate.engine.installation import Installation
from lockgate.engine.naming import find_release
from lockgate.engine.origin import imported_from
from lockgate.kernel.canonical import Digest, Instant, parse
from lockgate.kernel.errors import NotFound
from lockgate.kernel.ids import id_parts
from lockgate.kernel.names import nearest
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import CONTRACT
from lockgate.project.lineage import Edge, Lineage, Node, NodeKind, lineage, upstream
from lockgate.records.features import TrainingSet
from lockgate.records.package import Contract
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.training import TrainingRun

__all__ = ["Traced", "contract_of", "trace"]


class SnapshotBehind(msgspec.Struct, kw_only=True):
    """Rows that a release was made of."""

    source: str
    snapshot: Digest
    rows: int
    known_until: Instant | None


class Traced(msgspec.Struct, kw_only=True):
    """Where a release comes from, as a whole and column by column."""

    project: str
    version: str
    release: Digest
    package: Digest
    training_run: Digest
    training_set: Digest
    commit: str
    dirty: bool
    # What was brought, where the model was not fitted here; else empty.
    imported: str
    snapshots: list[SnapshotBehind]
    # The prediction that was asked about; empty for none.
    prediction: str = ""
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def trace(where: Installation, what: str, column: str | None = None) -> Traced:
    """Give the lineage of a release.

    Args:
        where: the installation.
        what: a project, for its live release; `project@v2`, or a release's digest; or the id of a prediction it gave.
        column: only what this column of the model comes from.

    Raises:
        NotFound: there is no such release, prediction or column.
    """
    digest, prediction = _find(where, what)
    release = where.shelf.get(Release, digest)
    run = where.shelf.get(TrainingRun, release.training_run)
    rows = where.shelf.get(TrainingSet, run.training_set)
    contract = contract_of(where, release.package)
    whole = lineage(contract.request, contract.features, contract.outcome)
    part = whole if column is None else _only(whole, column)
    sources = {node.name.partition(".")[0] for node in part.nodes if node.kind is NodeKind.SOURCE}
    return Traced(
        project=release.endpoint,
        version=release.name,
        release=digest,
        package=release.package,
        training_run=release.training_run,
        training_set=run.training_set,
        commit=release.commit,
        dirty=release.dirty,
        imported=imported_from(where, release),
        snapshots=[_behind(where, name, rows.snapshots[name]) for name in sorted(sources & set(rows.snapshots))],
        prediction=prediction,
        nodes=part.nodes,
        edges=part.edges,
    )


def contract_of(where: Installation, package: Digest) -> Contract:
    """Give the contract of a package, verified."""
    return parse(PackageReader(where.shelf.unpack(package), package).read(CONTRACT), Contract)


def _find(where: Installation, what: str) -> tuple[Digest, str]:
    """Give the release that is meant, and the prediction if one was named."""
    if id_parts(what) is not None:
        _, found = find_prediction(where, what)
        return f"sha256:{found.release.hex()}", found.id
    return find_release(where, what), ""


def _only(whole: Lineage, column: str) -> Lineage:
    names = {node.name: node.id for node in whole.nodes if node.kind in {NodeKind.MODEL, NodeKind.OUTCOME}}
    if column not in names:
        msg = f"The model sees no column {column}"
        raise NotFound(msg, expected=", ".join(names), found=column, way_out=nearest(column, names))
    return upstream(whole, [names[column]])


def _behind(where: Installation, source: str, digest: Digest) -> SnapshotBehind:
    found = where.shelf.get(Snapshot, digest)
    return SnapshotBehind(source=source, snapshot=digest, rows=found.rows, known_until=found.known_until)
