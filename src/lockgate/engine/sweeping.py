"""Frees space: deletes what no rule of retention reaches, while no walk goes.

- Nobody walks meanwhile. The sweep's lease is taken first and walks are looked for afterwards; a walk does it the other
  way round (`engine/holding.py`). What is found is looked for only then, so nothing can come to rest on it.
- First it is recorded that the steps which made it are to be done again; then it is deleted. Killed in between, nothing
  is lost that was not to go, no walk finds a result that is not there, and the same command goes on.
- The lease is renewed before each few deletions, so whoever lost it deletes no more.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from lockgate.engine.holding import PIN, SWEEP, is_held, take
from lockgate.engine.installation import Installation
from lockgate.engine.retention import Garbage, Retention, Unreached, garbage_of, read_ground, swept_steps
from lockgate.kernel.canonical import canonical, digest_of, parse
from lockgate.kernel.errors import Conflict
from lockgate.ledger.protocols import Entry, Lease, Stored
from lockgate.records.line import Step, Sweep, Swept

__all__ = ["Freed", "sweep"]

_SPAN = timedelta(minutes=2)
_AT_ONCE = 50  # deletions between two renewals: few enough to be done long before the lease ends


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted."""

    garbage: Garbage
    # How many finished steps are done again when they are needed.
    steps: int


def sweep(where: Installation, retention: Retention, *, by: str) -> Freed:
    """Delete what no rule keeps.

    Raises:
        Conflict: a walk goes, or somebody else frees space.
        Invalid: so little can't be kept.
    """
    lease = take(where, SWEEP, _SPAN)
    if lease is None:
        msg = "Somebody frees space already"
        raise Conflict(msg, expected="nobody", found="a lease that is held", way_out="Wait until that is done.")
    leases = where.shelf.ledger.leases
    try:
        _refuse_while_walked(where)
        ground = read_ground(where, retention, where.clock())
        garbage = garbage_of(where, retention, ground)
        # What was found may have taken long; whoever lost the lease meanwhile goes no further.
        lease = leases.renew(lease, now=where.clock(), span=_SPAN)
        steps = _forget(where, swept_steps(ground, garbage), lease, by)
        for few in _by_few(garbage.blobs):
            lease = leases.renew(lease, now=where.clock(), span=_SPAN)
            for one in few:
                where.shelf.blobs.delete(one.digest)
        for package in garbage.packages:
            shutil.rmtree(where.state.package(package), ignore_errors=True)
        _account(where, retention, garbage, steps, by)
    finally:
        leases.release(lease)
    return Freed(garbage=garbage, steps=steps)


def _refuse_while_walked(where: Installation) -> None:
    """Refuse where a walk goes, or a snapshot is copied, of this or of another installation of the same ledger."""
    if is_held(where, PIN):
        msg = "No space is freed while a snapshot is copied"
        raise Conflict(msg, expected="no copy under way", found="one", way_out="Wait until that is done.")
    records, after = where.shelf.ledger.records, 0
    while page := records.list("line", after=after):
        after = page[-1].sequence
        going = [one.id for one in page if is_held(where, f"line/{one.id}")]
        if going:
            msg = "No space is freed while a walk goes"
            hint = "Wait until it has ended; lockgate status lists walks."
            raise Conflict(msg, expected="no walk under way", found=f"walk {going[0]}", way_out=hint)


def _forget(where: Installation, steps: Sequence[Stored], lease: Lease, by: str) -> int:
    """Record that steps are to be done again; give how many were not so before."""
    records, forgotten = where.shelf.ledger.records, 0
    for stored in steps:
        if records.get("swept", stored.id) is None:
            now = where.clock()
            said = Swept(step=stored.id, station=parse(stored.body, Step).station, by=by, at=now)
            entry = Entry(kind="swept", id=stored.id, subject=stored.subject, body=canonical(said), by=by, at=now)
            records.append(entry, fence=lease, now=now)
            forgotten += 1
    return forgotten


def _by_few(blobs: Sequence[Unreached]) -> Iterator[Sequence[Unreached]]:
    for begin in range(0, len(blobs), _AT_ONCE):
        yield blobs[begin : begin + _AT_ONCE]


def _account(where: Installation, retention: Retention, garbage: Garbage, steps: int, by: str) -> None:
    now = where.clock()
    said = Sweep(
        kept_seconds=retention.keep_for.total_seconds(),
        kept_releases=retention.keep_releases,
        blobs=len(garbage.blobs),
        bytes=garbage.bytes,
        steps=steps,
        by=by,
        at=now,
    )
    entry = Entry(kind="sweep", id=digest_of(said), subject=where.name, body=canonical(said), by=by, at=now)
    where.shelf.ledger.records.append(entry)
