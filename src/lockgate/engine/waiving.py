"""Waivers of verdicts: gives them, lets walks past the gates by them, and shows them.

- A waiver is given about what a walk was stopped by, by a person with the scope `release`, and signed.
- Checks of data stop a walk before there is a package; nothing there can be waived.
- A gate whose waiver has expired is shut: no walk passes it, and no new plan puts a release live that rests on it.
  Going back to such a release stays possible, and says so.
"""

import shlex
from datetime import datetime
from typing import Any

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.walk import Walk
from lockgate.gates.waivers import check_terms, counts, fitting, gates_shut, waivable
from lockgate.kernel.canonical import Digest, Instant, digest_of, parse, short, utc
from lockgate.kernel.errors import GateClosed, NotFound, Refused
from lockgate.kernel.verdicts import Verdict
from lockgate.records.line import Line, LineEnd
from lockgate.records.release import Release
from lockgate.records.verdict import GateVerdict, Judgement
from lockgate.records.waiver import Waiver

__all__ = [
    "WaiverSeen",
    "expired_waivers",
    "judgement_of",
    "pass_gates",
    "refuse_if_shut",
    "stands_as_waived",
    "waive",
    "waivers_by_gate",
    "waivers_of",
]


class WaiverSeen(msgspec.Struct, kw_only=True):
    """A waiver, as it stands now."""

    waiver: Digest
    # What it is about.
    endpoint: str
    package: Digest
    gate: str
    reason: str
    by: str
    at: Instant
    until: Instant
    # `in force`, `expired`, or `untrusted` where nobody who is trusted signed it.
    state: str


def waive(where: Installation, walk: str, gate: str, reason: str, until: datetime, *, by: str) -> WaiverSeen:
    """Waive what a gate decided about the package of a walk.

    Args:
        where: the installation.
        walk: the walk that the gate stopped.
        gate: the gate's name.
        reason: why its verdict need not hold this package back.
        until: when the gate is shut again.
        by: who waives it.

    Raises:
        NotFound: there is no such walk, or no such gate judged in it.
        Refused: no gate judged in it, or this one is open, or it can't be waived.
        Invalid: there is no reason, or the end is past or too far away.
    """
    now = where.clock()
    judgement = judgement_of(where, walk)
    waivable(_verdicts(where, judgement.verdicts), gate)
    check_terms(reason, utc(until), now)
    waiver = Waiver(
        endpoint=judgement.endpoint,
        package=judgement.package,
        gate=gate,
        reason=reason.strip(),
        until=utc(until),
        by=by,
        at=now,
    )
    return _seen(where.shelf.keep_waiver(waiver), waiver, "in force")


def judgement_of(where: Installation, walk: str) -> Judgement:
    """Give what the gates of a walk decided.

    Raises:
        NotFound: there is no such walk.
        Refused: it did not come to its gates.
    """
    records = where.shelf.ledger.records
    stored = records.get("line", walk)
    if stored is None:
        msg = f"There is no walk {walk}"
        raise NotFound(msg, expected="a walk of this installation", found=walk, way_out="lockgate status lists them.")
    # The last one: the same walk was judged anew if it was killed and another release went live meanwhile.
    judged = records.latest("judgement", subject=walk)
    if judged:
        return parse(judged[0].body, Judgement)
    ended = records.get("line-end", parse(stored.body, Line).id)
    reason = parse(ended.body, LineEnd).reason if ended else "it has not ended"
    msg = f"Walk {walk} did not come to its gates, so no gate can be waived"
    hint = "Checks are not waived: a rule has a tolerance of its own (at_most=...), and warn=True lets it only warn."
    raise Refused(msg, expected="a walk that a gate stopped", found=reason.partition("\n")[0], way_out=hint)


def pass_gates(walk: Walk, endpoint: str, package: Digest, verdicts: tuple[Digest, ...]) -> tuple[Digest, ...]:
    """Let a walk past its gates; give the waivers that it needs for that.

    Which those are is a step of the walk: killed after it has signed its release, it makes the same one again.

    Raises:
        GateClosed: a gate stays shut and nobody waived that, or no gate judged.
    """
    where, now = walk.where, walk.where.clock()
    judgement = Judgement(line=walk.line.id, endpoint=endpoint, package=package, verdicts=verdicts)
    walk.keep(judgement, subject=walk.line.id)
    judged, known = _verdicts(where, verdicts), where.shelf.waivers(endpoint)
    shut = gates_shut(judged, endpoint, known, now)
    if shut or not judged:
        raise _closed(shut, endpoint, known, now, walk.line.id)
    found = [fitting(one, endpoint, known, now) for one in judged if not one.verdict.opens]
    if not found:
        return ()
    chosen = dict.fromkeys(pair[0] for pair in found if pair is not None)
    consumed = {"walk": walk.line.id, "verdicts": digest_of(list(verdicts))}
    made = walk.step("waivers", consumed, lambda: {f"waiver {i}": digest for i, digest in enumerate(chosen)})
    stated = tuple(made.values())
    _refuse(judged, endpoint, stated, known, now, walk.line.id)
    return stated


def refuse_if_shut(where: Installation, release: Release) -> None:
    """Refuse to put a release live whose waivers do not count any more.

    Raises:
        GateClosed: one of its gates is shut.
    """
    known = where.shelf.waivers(release.endpoint)
    judged = _verdicts(where, release.verdicts)
    _refuse(judged, release.endpoint, release.waivers, known, where.clock(), release.line)


def _refuse(
    judged: list[GateVerdict],
    endpoint: str,
    stated: tuple[Digest, ...],
    known: dict[Digest, Waiver],
    now: datetime,
    walk: str,
) -> None:
    """Refuse where a verdict is not waived by one of the waivers that are stated."""
    shut = gates_shut(judged, endpoint, {digest: known[digest] for digest in stated if digest in known}, now)
    if shut:
        raise _closed(shut, endpoint, known, now, walk)


def stands_as_waived(where: Installation, release: Release) -> bool:
    """Tell whether a release still rests on the waivers that it states: none expired, none was given anew."""
    now, waivers = where.clock(), where.shelf.waivers(release.endpoint) if release.waivers else {}
    shut = [one for one in _verdicts(where, release.verdicts) if not one.verdict.opens]
    found = (fitting(one, release.endpoint, waivers, now) for one in shut)
    return {one[0] if one else None for one in found} == set(release.waivers)


def waivers_of(where: Installation, endpoint: str) -> list[WaiverSeen]:
    """Give every waiver of an endpoint that somebody who is trusted signed, newest first."""
    now, found = where.clock(), where.shelf.waivers(endpoint)
    return [_seen(digest, one, _state(one, now)) for digest, one in reversed(found.items())]


def waivers_by_gate(where: Installation, release: Release, at: datetime | None = None) -> dict[str, WaiverSeen]:
    """Give the waivers that a release states, by the gate that each is about, as they stood at a moment, else now."""
    if not release.waivers:
        return {}
    now, known = at or where.clock(), where.shelf.waivers(release.endpoint)
    stated = {digest: where.shelf.get(Waiver, digest) for digest in release.waivers}
    return {
        one.gate: _seen(digest, one, _state(one, now) if digest in known else "untrusted")
        for digest, one in stated.items()
    }


def expired_waivers(where: Installation, release: Digest) -> list[WaiverSeen]:
    """Give the waivers that a release states and that do not count any more: it could not be put live anew."""
    stated = waivers_by_gate(where, where.shelf.get(Release, release))
    return [one for one in stated.values() if one.state != "in force"]


def _verdicts(where: Installation, digests: tuple[Digest, ...]) -> list[GateVerdict]:
    return [where.shelf.get(GateVerdict, digest) for digest in digests]


def _closed(
    shut: tuple[GateVerdict, ...], endpoint: str, waivers: dict[Digest, Waiver], now: datetime, walk: str
) -> GateClosed:
    """Give the error that says which gates are shut, and what a waiver of each has to do with it."""
    found = "; ".join(
        f"{one.gate}: {one.verdict.value}: expected {one.expected}, found {one.found}"
        f"{_why_not_waived(one, endpoint, waivers, now)}"
        for one in shut
    )
    way_out = "Mend the model or its data, or change what is asked of it."
    if shut:
        gate = shlex.quote(shut[0].gate)
        way_out = f"{way_out} Or waive it: lockgate waive {walk} --gate {gate} --reason WHY --until DATE."
    msg = f"{len(shut)} gate{'s stay' if len(shut) != 1 else ' stays'} shut; nothing was released"
    return GateClosed(msg, expected=f"every gate to say {Verdict.PASS.value}", found=found, way_out=way_out)


def _why_not_waived(verdict: GateVerdict, endpoint: str, waivers: dict[Digest, Waiver], now: datetime) -> str:
    """Say why the newest waiver of a gate does not count here; empty where there is none."""
    about = [one for one in waivers.values() if (one.endpoint, one.gate) == (endpoint, verdict.gate)]
    expired = [one for one in about if one.package == verdict.package and not counts(one, now)]
    if expired:
        last = max(expired, key=lambda one: one.until)
        return f" (the waiver by {last.by} expired on {last.until:%Y-%m-%d at %H:%M} UTC)"
    standing = [one for one in about if counts(one, now)]
    if not standing:
        return ""
    other = standing[-1]
    return f" (the waiver by {other.by} is about another package, {short(other.package)})"


def _state(waiver: Waiver, now: datetime) -> str:
    return "in force" if counts(waiver, now) else "expired"


def _seen(digest: Digest, waiver: Waiver, state: str) -> WaiverSeen:
    told: dict[str, Any] = msgspec.structs.asdict(waiver)
    return WaiverSeen(waiver=digest, state=state, **told)
