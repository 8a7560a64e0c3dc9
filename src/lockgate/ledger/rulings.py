"""What the ledger decides, apart from where it is kept: pure functions from what stands and what is asked.

- The same record again changes nothing; another body under its kind and id is a conflict.
- A pointer moves only from where it stands; its versions count from 1 without a gap.
- A lease is held while `now` lies before its end. Each new holder's token is one higher than the last one's; a lease
  that was given up counts too.
- A fence holds while its token is the newest and its lease, as last renewed, has not ended.

Every store asks here inside its own transaction, so that all stores refuse the same things in the same words.
"""

from datetime import datetime, timedelta

import msgspec

from lockgate.kernel.canonical import is_digest, sha256, short, utc
from lockgate.kernel.errors import Conflict, Fault, Invalid
from lockgate.ledger.protocols import Entry, Lease, Move, Stored

__all__ = [
    "Holding",
    "as_lease",
    "given_up",
    "next_move",
    "refuse_other_body",
    "refuse_unless_held",
    "renewed",
    "sound_entry",
    "taken",
]


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A lease as a store keeps it; it outlives its holders, since its token may never fall."""

    # What it is on.
    name: str
    # The newest token.
    token: int
    # Who holds it, and until when; both None once it was given up.
    owner: str | None
    expires_at: datetime | None


def sound_entry(entry: Entry, fence: Lease | None, now: datetime | None) -> Entry:
    """Give an entry as it will be stored, its time in UTC.

    Raises:
        Invalid: it lacks what every record has, or a fence came without a moment to judge it at.
    """
    if (fence is None) != (now is None):
        found = "a fence without a moment" if now is None else "a moment without a fence"
        raise Invalid("A fence is judged at a moment", expected="both `fence` and `now`, or neither", found=found)
    _refuse_bad_text(kind=entry.kind, id=entry.id, subject=entry.subject, by=entry.by)
    return msgspec.structs.replace(entry, at=utc(entry.at))


def refuse_other_body(entry: Entry, there: Stored) -> None:
    """Refuse an entry whose body is not the one that stands.

    Raises:
        Conflict: with the digests of both.
    """
    if entry.body != there.body:
        raise Conflict(
            f"Cannot append {entry.kind} {_brief(entry.id)}: another body stands under that kind and id",
            expected=sha256(entry.body),
            found=sha256(there.body),
            way_out=f"Records never change. Read the {entry.kind} that stands, or append yours under an id of its own.",
        )


def next_move(
    there: Move | None, name: str, *, expected: str | None, value: str, reason: str, by: str, at: datetime
) -> Move:
    """Give the move that follows the one that stands.

    Raises:
        Conflict: the pointer does not stand at `expected`.
        Invalid: the move lacks a name, a value, a reason or an author.
    """
    _refuse_bad_text(name=name, value=value, reason=reason, by=by)
    found = there.value if there else None
    if found != expected:
        raise Conflict(
            f"Cannot point {name} at {_brief(value)}: the pointer moved while you were deciding",
            expected=_or_never(expected),
            found=_or_never(found),
            way_out=f"Read it again and judge {_brief(value)} against {_brief(_or_never(found))}.",
        )
    version = there.version + 1 if there else 1
    return Move(name=name, version=version, value=value, reason=reason, by=by, at=utc(at))


def taken(there: Holding | None, name: str, *, owner: str, now: datetime, span: timedelta) -> Holding | None:
    """Give a lease to a new holder; None while somebody has it.

    Raises:
        Invalid: the lease lacks a name or an owner, or would end before it begins.
    """
    _refuse_bad_text(name=name, owner=owner)
    _refuse_no_span(span)
    if there is not None and _is_held(there, now):
        return None
    token = there.token + 1 if there else 1
    return Holding(name=name, token=token, owner=owner, expires_at=utc(now) + span)


def renewed(there: Holding | None, lease: Lease, *, now: datetime, span: timedelta) -> Holding:
    """Prolong a lease.

    Raises:
        Conflict: it is not held any more.
        Invalid: it would end before it begins.
    """
    _refuse_no_span(span)
    holding = _held_or_refused(there, lease, now, f"Cannot renew the lease on {lease.name}")
    return msgspec.structs.replace(holding, expires_at=utc(now) + span)


def given_up(there: Holding | None, lease: Lease) -> Holding | None:
    """Free a lease; None where there is nothing to free, since somebody else has it or nobody."""
    if there is None or there.owner is None or there.token != lease.token:
        return None
    return msgspec.structs.replace(there, owner=None, expires_at=None)


def refuse_unless_held(there: Holding | None, fence: Lease, now: datetime) -> None:
    """Refuse a write whose fence is lost.

    Raises:
        Conflict: with both tokens, or both times.
    """
    _held_or_refused(there, fence, now, f"Cannot write for {fence.owner}: the lease on {fence.name} is lost")


def as_lease(holding: Holding | None) -> Lease | None:
    """Give a lease as people know it; None where it was never held or was given up."""
    if holding is None or holding.owner is None or holding.expires_at is None:
        return None
    return Lease(name=holding.name, owner=holding.owner, token=holding.token, expires_at=holding.expires_at)


def _is_held(holding: Holding, now: datetime) -> bool:
    return holding.expires_at is not None and utc(now) < holding.expires_at


def _held_or_refused(there: Holding | None, lease: Lease, now: datetime, what: str) -> Holding:
    if there is None or there.owner is None:
        expected, found = f"{lease.owner} with token {lease.token}", "a lease that nobody holds"
    elif there.token != lease.token or there.owner != lease.owner:
        expected, found = f"{lease.owner} with token {lease.token}", f"{there.owner} with token {there.token}"
    elif not _is_held(there, now):
        expected, found = f"a lease that lasts beyond {utc(now)}", f"one that ended at {there.expires_at}"
    else:
        return there
    raise Conflict(what, expected=expected, found=found, way_out="Acquire it again, and read what changed meanwhile.")


def _refuse_no_span(span: timedelta) -> None:
    if span <= timedelta(0):
        raise Invalid("A lease must last", expected="a span above zero", found=str(span))


def _refuse_bad_text(**texts: str) -> None:
    faults = tuple(
        Fault(at=name, expected=wanted, found=repr(text)) for name, text in texts.items() if (wanted := _lacks(text))
    )
    if faults:
        raise Invalid("The ledger cannot keep this", faults=faults)


def _lacks(text: str) -> str:
    if not text:
        return "a text that is not empty"
    # Not every database keeps a NUL, and none keeps half a surrogate pair.
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        return "text without NUL or lone surrogates"
    return ""


def _brief(value: str) -> str:
    return short(value) if is_digest(value) else value


def _or_never(value: str | None) -> str:
    return "never set" if value is None else value
