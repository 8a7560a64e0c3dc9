"""What is known of a source: the rows of a snapshot, brought to where a child can read them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.jobs import SourceRows
from lockgate.kernel.canonical import Digest, digest_of, parse, short
from lockgate.kernel.errors import NotFound
from lockgate.project.blueprint import Blueprint
from lockgate.records.snapshot import Snapshot
from lockgate.records.source import SourceSpec

__all__ = ["Held", "hold"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENOUGH = 10_000


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a snapshot, as files."""

    # The source's declaration, and where the rows are.
    rows: SourceRows
    # Until when, in microseconds, it covers what is asked; None for a table, which is pinned.
    until: int | None


def hold(where: Installation, snapshot: Digest, scratch: Path) -> Held:
    """Bring a snapshot to a scratch folder.

    Raises:
        NotFound: it is not here, or nobody knows how its source was declared.
    """
    found = where.shelf.get(Snapshot, snapshot)
    spec = _declared(where, found)
    path = scratch / f"{found.source}-{short(snapshot)}.parquet"
    scratch.mkdir(parents=True, exist_ok=True)
    where.shelf.blobs.fetch(found.files[0].digest, path)
    until = None if found.known_until is None else (found.known_until - _EPOCH) // timedelta(microseconds=1)
    return Held(rows=SourceRows(spec=spec, path=str(path)), until=until)


def _declared(where: Installation, snapshot: Snapshot) -> SourceSpec:
    for stored in where.shelf.ledger.records.latest("blueprint", limit=_ENOUGH):
        for spec in parse(stored.body, Blueprint).sources:
            if spec.name == snapshot.source and digest_of(spec) == snapshot.spec:
                return spec
    msg = f"Nobody knows how the source {snapshot.source} was declared"
    raise NotFound(msg, expected="a blueprint with it", found=short(snapshot.spec))
