"""Compares what an endpoint served with what is derived again: gathers all that takes, and runs it in a child.

- A release counts only with a trusted signature over it; its package is opened in the child, and its code runs there.
- Of a table the snapshot counts that the package was made from; of a clocked source that of the newest reading, which
  covers what was asked up to the moment it speaks of.
- Predictions of a release that can't be opened are counted and left out.
"""

import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from lockgate.engine.children import Job, Progress, run_child
from lockgate.engine.delivery import find_endpoint
from lockgate.engine.installation import Installation
from lockgate.engine.jobs import ParitySide, SourceRows
from lockgate.engine.snapshotting import fetch_rows, history
from lockgate.kernel.canonical import Digest, parse, short
from lockgate.kernel.errors import LockgateError, NotFound
from lockgate.monitoring.span import survey
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import CONTRACT
from lockgate.packages.signing import Trust
from lockgate.records.features import TrainingSet
from lockgate.records.monitoring import ParityClass, ParityReport
from lockgate.records.package import Contract
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.training import TrainingRun

__all__ = ["compare_endpoint"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compare_endpoint(
    where: Installation,
    name: str,
    *,
    last: timedelta | None,
    classes: frozenset[ParityClass],
    by: str,
    progress: Progress = lambda *_: None,
) -> ParityReport:
    """Compare what an endpoint served over the last part of its event clock; the report is kept.

    Raises:
        NotFound: there is no such endpoint.
        Failed: the child died.
    """
    find_endpoint(where, name)
    log = where.state.log / name
    found = survey(log, last)
    scratch = where.state.work(f"parity-{uuid.uuid4().hex[:12]}")
    sides, left_out = {}, {}
    try:
        for release in sorted(found.releases):
            try:
                sides[release.hex()] = msgspec.to_builtins(_side(where, f"sha256:{release.hex()}", scratch))
            except LockgateError as error:
                left_out[release.hex()] = error.what
        arguments = {
            "endpoint": name,
            "log": str(log),
            "span": msgspec.to_builtins(found.span),
            "logged": found.logged,
            "classes": sorted(one.value for one in classes),
            "sides": sides,
            "left_out": left_out,
        }
        job = Job(kind="parity", folder=str(scratch), arguments=arguments)
        report = run_child(job, scratch / "compare", ParityReport, progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    where.shelf.keep(report, subject=name, by=by, at=where.clock())
    return report


def _side(where: Installation, digest: Digest, scratch: Path) -> ParitySide:
    """Bring a release and what it is held against to where a child can read them."""
    shelf = where.shelf
    release = _trusted(where, digest)
    folder = shelf.unpack(release.package)
    contract = parse(PackageReader(folder, release.package).read(CONTRACT), Contract)
    pinned = shelf.get(TrainingSet, shelf.get(TrainingRun, release.training_run).training_set).snapshots
    wanted = {one.source for one in contract.features.lookups} | {one.source for one in contract.features.windows}
    known = history(where, release.endpoint) if wanted else {}
    sources, until = {}, {}
    for source in sorted(wanted):
        held = known[source]
        if not held.spec.clocked:
            held = replace(held, snapshot=shelf.get(Snapshot, pinned[source]))
        files = fetch_rows(where, held.spec, held.snapshot, scratch / f"{source}-{short(digest)}")
        sources[source] = SourceRows(spec=held.spec, files=files)
        if held.spec.clocked:
            until[source] = (held.taken_as_of - _EPOCH) // timedelta(microseconds=1)
    return ParitySide(
        version=release.number,
        package=release.package,
        package_folder=str(folder),
        sources=sources,
        until=until,
    )


def _trusted(where: Installation, digest: Digest) -> Release:
    """Give a release whose signature holds."""
    envelope = where.shelf.ledger.records.get("envelope", digest)
    if envelope is None:
        msg = f"The release {digest} is not known here"
        raise NotFound(msg)
    return Trust.read(where.state.trust).verify(envelope.body)
