"""What was live when: the traffic plan in force at a moment, and all that it rested on.

- A plan is in force from the moment that the pointer was moved to it until it was moved on; every move is kept.
- Where a clock went back between two moves, the later one counts from when the earlier one did.
- Waivers are told as they stood then. Everything else is a record, and never changed.
- Before the first plan nothing was live, and of what is to come nobody knows: both are errors, not an empty answer.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate, chain

import msgspec

from lockgate.engine.delivery import find_endpoint
from lockgate.engine.installation import Installation
from lockgate.engine.status import ReleaseSeen, WalkSeen, release_seen, walk_seen
from lockgate.kernel.canonical import Digest, Instant, parse, utc
from lockgate.kernel.errors import Invalid, NotFound
from lockgate.ledger.protocols import Move
from lockgate.records.line import Line
from lockgate.records.package import Evidence
from lockgate.records.release import Release
from lockgate.records.rollout import TrafficPlan

__all__ = ["Standing", "standing_at"]


class EvidenceSeen(msgspec.Struct, kw_only=True):
    """What was measured about a package."""

    evidence: Digest
    # What the record says.
    measured: Evidence


class ReleaseThen(msgspec.Struct, kw_only=True):
    """A release of the plan, with all that it rested on."""

    release: ReleaseSeen
    # The walk that made it; None where its record is not in this ledger.
    walk: WalkSeen | None
    evidence: list[EvidenceSeen]


class Standing(msgspec.Struct, kw_only=True):
    """What was live at a moment."""

    endpoint: str
    # The moment that was asked about.
    at: Instant
    # The plan in force then: its number, reason and who wanted it are in it.
    plan: TrafficPlan
    plan_id: Digest
    # From when on it was in force, and until when; None where it still is.
    since: Instant
    until: Instant | None
    # Every release of it, the live one first; `level` says what the plan made of each.
    releases: list[ReleaseThen]


def standing_at(where: Installation, name: str, at: datetime) -> Standing:
    """Give what was live at a moment.

    Raises:
        NotFound: there is no such endpoint, or nothing was live yet.
        Invalid: the moment is to come.
    """
    at, now = utc(at), where.clock()
    find_endpoint(where, name)
    if at > now:
        msg = f"What is live at {at.isoformat()} nobody knows yet"
        raise Invalid(msg, expected=f"a moment until {now.isoformat()}", found=at.isoformat())
    moves = where.shelf.ledger.pointers.history(f"plan/{name}")
    begins = list(accumulate((move.at for move in moves), max))
    place = sum(begin <= at for begin in begins) - 1
    if place < 0:
        raise _too_early(name, at, begins)
    plan = where.shelf.get(TrafficPlan, moves[place].value)
    return Standing(
        endpoint=name,
        at=at,
        plan=plan,
        plan_id=moves[place].value,
        since=begins[place],
        until=_until(moves, begins, place),
        releases=[_then(where, digest, level, at) for digest, level in _levels(plan).items()],
    )


def _too_early(name: str, at: datetime, begins: Sequence[datetime]) -> NotFound:
    if not begins:
        return NotFound(f"Nothing was ever live at {name}", expected="a plan", found="none", way_out="lockgate ship")
    msg = f"Nothing was live at {name} at {at.isoformat()}"
    hint = f"Its first plan is in force since {begins[0].isoformat()}."
    return NotFound(msg, expected="a moment since its first plan", found=at.isoformat(), way_out=hint)


def _until(moves: Sequence[Move], begins: Sequence[datetime], place: int) -> datetime | None:
    return begins[place + 1] if place + 1 < len(moves) else None


def _levels(plan: TrafficPlan) -> dict[Digest, str]:
    """Say what a plan makes of each of its releases, the live one first."""
    regions = plan.regions.values()
    found = {plan.live: "live"}
    for level, digests in {
        "live in a region": [one.live for one in regions],
        "canary": [one.release for one in chain(plan.canaries, *(region.canaries for region in regions))],
        "experiment": [arm.release for test in plan.experiments for arm in test.arms],
        "shadow": [one.release for one in plan.shadows],
        "previous": [plan.previous] if plan.previous else [],
    }.items():
        for digest in digests:
            found.setdefault(digest, level)
    return found


def _then(where: Installation, digest: Digest, level: str, at: datetime) -> ReleaseThen:
    release = where.shelf.get(Release, digest)
    walk = where.shelf.ledger.records.get("line", release.line)
    return ReleaseThen(
        release=release_seen(where, digest, level, at),
        walk=walk_seen(where, parse(walk.body, Line)) if walk else None,
        evidence=[EvidenceSeen(evidence=one, measured=where.shelf.get(Evidence, one)) for one in release.evidence],
    )
