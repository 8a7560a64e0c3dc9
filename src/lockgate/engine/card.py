"""The facts of a model card: all that is recorded about a released package, gathered; nothing is concluded from it.

What was not measured has no evidence here, and whoever writes the card has to say so.
"""

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.lineage import contract_of
from lockgate.engine.naming import find_release
from lockgate.engine.packages import PackageSeen, show_package
from lockgate.engine.status import ReleaseSeen, endpoint_status
from lockgate.kernel.canonical import Digest, Instant, parse
from lockgate.records.features import TrainingSet
from lockgate.records.package import Contract, Evidence
from lockgate.records.registration import RegisteredFeature, Registration
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.training import TrainingRun

__all__ = ["Card", "gather_card"]


class SnapshotFacts(msgspec.Struct, kw_only=True):
    """Rows that the model learnt from."""

    source: str
    snapshot: Digest
    rows: int
    columns: int
    # The earliest and the latest event, and until when the snapshot knew; None for a table.
    first_event: Instant | None
    last_event: Instant | None
    known_until: Instant | None


class Card(msgspec.Struct, kw_only=True):
    """The facts."""

    # As of when waivers and levels are told.
    at: Instant
    package: PackageSeen
    # What its gates and checks saw, with waivers as they stand.
    release: ReleaseSeen
    contract: Contract
    # What the package uses of the register of features; empty for an import.
    features: tuple[RegisteredFeature, ...]
    training_run: TrainingRun
    training_set: TrainingSet
    snapshots: list[SnapshotFacts]
    # All that was measured about this package, the release's own evidence first, then later ones, such as a rebuild.
    evidence: list[Evidence]


def gather_card(where: Installation, what: str) -> Card:
    """Gather what is recorded about the package of the release that is meant.

    Raises:
        NotFound: there is no such release.
        Untrusted: nobody who is trusted here signed it.
    """
    shelf, digest = where.shelf, find_release(where, what)
    release = shelf.get(Release, digest)
    run = shelf.get(TrainingRun, release.training_run)
    rows = shelf.get(TrainingSet, run.training_set)
    shown = show_package(where, digest)
    measured = [shelf.get(Evidence, one) for one in release.evidence]
    seen = next(one for one in endpoint_status(where, release.endpoint).releases if one.release == digest)
    return Card(
        at=where.clock(),
        package=shown,
        release=seen,
        contract=contract_of(where, release.package),
        features=_registered(where, release),
        training_run=run,
        training_set=rows,
        snapshots=[_snapshot(where, source, one) for source, one in sorted(rows.snapshots.items())],
        evidence=[*(one for one in measured if one.package == release.package), *shown.rebuilt],
    )


def _registered(where: Installation, release: Release) -> tuple[RegisteredFeature, ...]:
    for stored in where.shelf.ledger.records.latest("registration", subject=release.endpoint, limit=1000):
        found = parse(stored.body, Registration)
        if found.package == release.package:
            return found.features
    return ()


def _snapshot(where: Installation, source: str, digest: Digest) -> SnapshotFacts:
    found = where.shelf.get(Snapshot, digest)
    return SnapshotFacts(
        source=source,
        snapshot=digest,
        rows=found.rows,
        columns=len(found.columns),
        first_event=found.first_event,
        last_event=found.last_event,
        known_until=found.known_until,
    )
