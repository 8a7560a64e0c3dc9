"""How two packages differ: data, code, environment, parameters, metrics, and what they answer to the same rows.

- What is the same is left out. What is not known of one of them is null there.
- Both are asked the test rows of the newer one, each with its own features, looking up in the newer one's snapshots.
  That is done in a child, as code of a package runs. Where it can't be done the reason is told, and the rest stands.
- Metrics are those that were measured when each was released; whether that was on the same rows is said.
"""

from pathlib import Path
from typing import Any

import msgspec

from lockgate.engine.children import Job, run_child
from lockgate.engine.installation import Installation
from lockgate.engine.jobs import AskedSide, SourceRows
from lockgate.engine.lineage import contract_of
from lockgate.engine.machine import processes
from lockgate.engine.naming import find_release
from lockgate.engine.snapshotting import fetch_gone, fetch_rows, reading_of
from lockgate.kernel.canonical import Digest, Instant, digest_of, parse
from lockgate.kernel.errors import LockgateError, Refused
from lockgate.packages.signing import Trust
from lockgate.records.features import TrainingSet
from lockgate.records.line import Tree
from lockgate.records.package import Contract, Evidence, Package
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.source import SourceSpec
from lockgate.records.training import Environment, TrainingRun
from lockgate.training.behaviour import Behaviour

__all__ = ["Change", "PackagesBeside", "compare_packages"]


class Change(msgspec.Struct, kw_only=True):
    """Something that differs; null where a package does not have it."""

    name: str
    first: Any
    second: Any


class SideSeen(msgspec.Struct, kw_only=True):
    """One of the two."""

    endpoint: str
    version: str
    release: Digest
    package: Digest
    at: Instant
    commit: str


class MetricsBeside(msgspec.Struct, kw_only=True):
    """What was measured of both."""

    # Whether on the same rows; else the numbers can't be held against each other.
    same_rows: bool
    changes: list[Change]


class PackagesBeside(msgspec.Struct, kw_only=True):
    """Two packages beside each other."""

    first: SideSeen
    second: SideSeen
    # Whether it is one package, released twice.
    same: bool
    # Rows to learn from and to be tested on; for each source its snapshot and how many rows.
    data: list[Change]
    # Files of the project by digest, and features by version and the beginning of their code's digest.
    files: list[Change]
    features: list[Change]
    environment: list[Change]
    parameters: list[Change]
    metrics: MetricsBeside
    # Whose test rows were put to both, and how the answers differ; null with the reason where that could not be done.
    asked: str
    behaviour: Behaviour | None
    reason: str


class _Side(msgspec.Struct, frozen=True, kw_only=True):
    """All that is recorded of one of the two."""

    digest: Digest
    release: Release
    package: Package
    run: TrainingRun
    rows: TrainingSet
    contract: Contract


def compare_packages(where: Installation, first: str, second: str, scratch: Path) -> PackagesBeside:
    """Compare the packages of the two releases that are meant.

    Raises:
        NotFound: there is no such release, or its package is not here any more.
        Untrusted: nobody who is trusted here signed one of them.
    """
    a, b = _side(where, first), _side(where, second)
    newer = max((a, b), key=lambda one: (one.release.at, one.release.number))
    behaviour, reason = _behaviour(where, a, b, newer, scratch)
    return PackagesBeside(
        first=_seen(a),
        second=_seen(b),
        same=a.release.package == b.release.package,
        data=_changes(_data(where, a), _data(where, b)),
        files=_changes(_files(where, a), _files(where, b)),
        features=_changes(_features(a), _features(b)),
        environment=_changes(_environment(where, a), _environment(where, b)),
        parameters=_changes(a.package.parameters, b.package.parameters),
        metrics=_metrics(where, a, b),
        asked=f"{newer.release.endpoint} {newer.release.name}",
        behaviour=behaviour,
        reason=reason,
    )


def _side(where: Installation, what: str) -> _Side:
    shelf, digest = where.shelf, find_release(where, what)
    envelope = shelf.ledger.records.get("envelope", digest)
    # Its code is to run: only what somebody who is trusted signed is opened.
    release = Trust.read(where.state.trust).verify(envelope.body if envelope else b"{}")
    run = shelf.get(TrainingRun, release.training_run)
    return _Side(
        digest=digest,
        release=release,
        package=shelf.get(Package, release.package),
        run=run,
        rows=shelf.get(TrainingSet, run.training_set),
        contract=contract_of(where, release.package),
    )


def _seen(side: _Side) -> SideSeen:
    release = side.release
    return SideSeen(
        endpoint=release.endpoint,
        version=release.name,
        release=side.digest,
        package=release.package,
        at=release.at,
        commit=release.commit,
    )


def _changes(first: dict[str, Any], second: dict[str, Any]) -> list[Change]:
    return [
        Change(name=name, first=first.get(name), second=second.get(name))
        for name in sorted({*first, *second})
        if (name in first) != (name in second) or first.get(name) != second.get(name)
    ]


def _data(where: Installation, side: _Side) -> dict[str, Any]:
    found: dict[str, Any] = {
        "training set": side.run.training_set,
        "rows to learn from": side.rows.train_rows,
        "rows to be tested on": side.rows.test_rows,
    }
    for source, digest in side.rows.snapshots.items():
        found[source] = {"snapshot": digest, "rows": where.shelf.get(Snapshot, digest).rows}
    return found


def _files(where: Installation, side: _Side) -> dict[str, Any]:
    stored = where.shelf.ledger.records.get("tree", side.package.code)
    return dict(parse(stored.body, Tree).files) if stored else {}


def _features(side: _Side) -> dict[str, Any]:
    features = side.contract.features
    found: dict[str, Any] = {
        one.name: f"v{one.version} {digest_of([one.code.source, one.code.literals])[7:19]}" for one in features.features
    }
    return found | {f"column {column.name}": column.kind.value for column in features.columns}


def _environment(where: Installation, side: _Side) -> dict[str, Any]:
    found = where.shelf.get(Environment, side.package.environment)
    return {"Python": found.python, **found.packages}


def _metrics(where: Installation, a: _Side, b: _Side) -> MetricsBeside:
    sides = [_measured(where, one) for one in (a, b)]
    return MetricsBeside(
        same_rows=None not in sides and len({one.on for one in sides if one}) == 1,
        changes=_changes(*(_flat(one.values) if one else {} for one in sides)),
    )


def _measured(where: Installation, side: _Side) -> Evidence | None:
    found = (where.shelf.get(Evidence, digest) for digest in side.release.evidence)
    return next((one for one in found if one.kind == "metrics" and one.package == side.release.package), None)


def _flat(value: object, path: str = "") -> dict[str, Any]:
    """Give all numbers of some evidence by their path; bounds of an interval stay together."""
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, Any] = {}
    for name, one in value.items():
        found |= _flat(one, f"{path}.{name}" if path else str(name))
    return found


def _behaviour(where: Installation, a: _Side, b: _Side, newer: _Side, scratch: Path) -> tuple[Behaviour | None, str]:
    try:
        tests = [scratch / f"test-{i}.parquet" for i, _ in enumerate(newer.rows.test_files)]
        for file, path in zip(newer.rows.test_files, tests, strict=True):
            where.shelf.blobs.fetch(file.digest, path)
        if not tests:
            return None, "the newer one has no test rows"
        arguments = {
            "sides": [msgspec.to_builtins(_asked(where, one, newer, scratch)) for one in (a, b)],
            "tests": [str(path) for path in tests],
            "processes": processes(),
        }
        job = Job(kind="beside", folder=str(scratch), arguments=arguments)
        return run_child(job, scratch / "beside", Behaviour), ""
    except LockgateError as error:
        found = f" (expected {error.expected}, found {error.found})" if isinstance(error, Refused) else ""
        return None, f"{error.what}{found}"


def _asked(where: Installation, side: _Side, newer: _Side, scratch: Path) -> AskedSide:
    """Bring a package, and the rows that it looks up as the newer one knew them, to where a child can read them."""
    features, sources = side.contract.features, {}
    wanted = {one.source for one in features.lookups} | {one.source for one in features.windows}
    for source in sorted(wanted & newer.rows.snapshots.keys()):
        digest = newer.rows.snapshots[source]
        reading = reading_of(where, digest)
        spec = where.shelf.get(SourceSpec, reading.spec)
        folder = scratch / f"{source}-{side.release.package[7:19]}"
        files = fetch_rows(where, spec, where.shelf.get(Snapshot, digest), folder)
        sources[source] = SourceRows(spec=spec, files=files, gone=fetch_gone(where, reading, folder))
    return AskedSide(
        package=side.release.package,
        package_folder=str(where.shelf.unpack(side.release.package)),
        sources=sources,
    )
