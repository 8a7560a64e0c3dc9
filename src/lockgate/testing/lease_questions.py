"""What the ledger exam asks about leases, and about writes fenced by one."""
# ruff: noqa: S101, PLR2004 - an exam asserts, and says what it expects where it expects it

from datetime import datetime, timedelta

import msgspec

from lockgate.kernel.errors import Conflict, Invalid
from lockgate.ledger.protocols import Lease, Ledger
from lockgate.testing.exams import Questions, refuses
from lockgate.testing.ledger_cases import ENTRY, MINUTE, NOON, lease_on_line, move, together

__all__ = ["LEASE_QUESTIONS"]

LEASE_QUESTIONS = Questions[Ledger]()
"""The questions."""


# --- leases ----------------------------------------------------------------------------------------------------------


@LEASE_QUESTIONS.ask("a lease that nobody holds is given until its end")
def _given(ledger: Ledger) -> None:
    assert ledger.leases.holder("line") is None
    lease = lease_on_line(ledger, "ada", NOON)
    assert lease == Lease(name="line", owner="ada", token=lease.token, expires_at=NOON + MINUTE)
    assert ledger.leases.holder("line") == lease
    assert ledger.leases.acquire("other", owner="bob", now=NOON, span=MINUTE) is not None


@LEASE_QUESTIONS.ask("a lease that is held is given to nobody, its owner included")
def _held(ledger: Ledger) -> None:
    lease = lease_on_line(ledger, "ada", NOON)
    just_before = lease.expires_at - timedelta(microseconds=1)
    assert ledger.leases.acquire("line", owner="bob", now=just_before, span=MINUTE) is None
    assert ledger.leases.acquire("line", owner="ada", now=NOON, span=MINUTE) is None
    assert ledger.leases.holder("line") == lease


@LEASE_QUESTIONS.ask("a lease that has ended shows its last holder, and the next one gets a higher token")
def _ended(ledger: Ledger) -> None:
    first = lease_on_line(ledger, "ada", NOON)
    assert ledger.leases.holder("line") == first
    second = lease_on_line(ledger, "bob", first.expires_at)
    assert second.token > first.token
    assert ledger.leases.holder("line") == second


@LEASE_QUESTIONS.ask("a lease that is renewed in time lasts longer under the same token")
def _renewed(ledger: Ledger) -> None:
    lease = lease_on_line(ledger, "ada", NOON)
    now = NOON + MINUTE / 2
    renewed = ledger.leases.renew(lease, now=now, span=MINUTE)
    assert renewed == msgspec.structs.replace(lease, expires_at=now + MINUTE)
    assert ledger.leases.acquire("line", owner="bob", now=lease.expires_at, span=MINUTE) is None
    assert ledger.leases.holder("line") == renewed


@LEASE_QUESTIONS.ask("a lease that has ended, was taken over or given up is not renewed")
def _not_renewed(ledger: Ledger) -> None:
    first = lease_on_line(ledger, "ada", NOON)
    with refuses(Conflict):
        ledger.leases.renew(first, now=first.expires_at, span=MINUTE)
    second = lease_on_line(ledger, "ada", first.expires_at)
    with refuses(Conflict) as refusal:
        ledger.leases.renew(first, now=NOON, span=MINUTE)
    assert str(first.token) in refusal.error.expected
    assert str(second.token) in refusal.error.found
    ledger.leases.release(second)
    with refuses(Conflict):
        ledger.leases.renew(second, now=first.expires_at, span=MINUTE)


@LEASE_QUESTIONS.ask("a lease that was given up is free at once, and its tokens go on counting")
def _given_up(ledger: Ledger) -> None:
    first = lease_on_line(ledger, "ada", NOON)
    ledger.leases.release(first)
    assert ledger.leases.holder("line") is None
    ledger.leases.release(first)
    assert lease_on_line(ledger, "bob", NOON).token > first.token


@LEASE_QUESTIONS.ask("who lost a lease can't give up the next holder's")
def _not_yours(ledger: Ledger) -> None:
    first = lease_on_line(ledger, "ada", NOON)
    second = lease_on_line(ledger, "bob", first.expires_at)
    ledger.leases.release(first)
    assert ledger.leases.holder("line") == second


@LEASE_QUESTIONS.ask("a lease without name, owner or span is refused")
def _unnamed_lease(ledger: Ledger) -> None:
    with refuses(Invalid) as refusal:
        ledger.leases.acquire("", owner="", now=NOON, span=MINUTE)
    assert [fault.at for fault in refusal.error.faults] == ["name", "owner"]
    with refuses(Invalid):
        ledger.leases.acquire("line", owner="ada", now=NOON, span=timedelta(0))
    assert ledger.leases.holder("line") is None


@LEASE_QUESTIONS.ask("of many threads that take a lease, one gets it")
def _take_together(ledger: Ledger) -> None:
    found = together(lambda number: ledger.leases.acquire("line", owner=str(number), now=NOON, span=MINUTE))
    assert [lease for lease in found if lease] == [ledger.leases.holder("line")]


# --- fences ----------------------------------------------------------------------------------------------------------


@LEASE_QUESTIONS.ask("a fence that is held lets writes through, also as it was before it was renewed")
def _fence_held(ledger: Ledger) -> None:
    lease = lease_on_line(ledger, "ada", NOON)
    ledger.records.append(ENTRY, fence=lease, now=NOON)
    ledger.leases.renew(lease, now=NOON, span=3 * MINUTE)
    later = NOON + 2 * MINUTE
    ledger.records.append(msgspec.structs.replace(ENTRY, id="two"), fence=lease, now=later)
    move(ledger, None, "a", at=later, fence=lease)
    assert len(ledger.records.list("snapshot")) == 2


@LEASE_QUESTIONS.ask("a fence whose lease has ended stops writes, and nothing is written")
def _fence_ended(ledger: Ledger) -> None:
    lease = lease_on_line(ledger, "ada", NOON)
    _refuse_writes(ledger, lease, lease.expires_at)


@LEASE_QUESTIONS.ask("a holder who was replaced can't write, whatever time it believes it is")
def _fence_taken(ledger: Ledger) -> None:
    first = lease_on_line(ledger, "ada", NOON)
    lease_on_line(ledger, "ada", first.expires_at)
    _refuse_writes(ledger, first, NOON)


@LEASE_QUESTIONS.ask("a lease that was given up is no fence")
def _fence_given_up(ledger: Ledger) -> None:
    lease = lease_on_line(ledger, "ada", NOON)
    ledger.leases.release(lease)
    _refuse_writes(ledger, lease, NOON)


@LEASE_QUESTIONS.ask("a lost fence stops even a record that stands already")
def _fence_before_all(ledger: Ledger) -> None:
    lease = lease_on_line(ledger, "ada", NOON)
    ledger.records.append(ENTRY, fence=lease, now=NOON)
    with refuses(Conflict):
        ledger.records.append(ENTRY, fence=lease, now=lease.expires_at)


@LEASE_QUESTIONS.ask("a fence without a moment is refused, and a moment without a fence")
def _fence_and_moment(ledger: Ledger) -> None:
    lease = lease_on_line(ledger, "ada", NOON)
    with refuses(Invalid):
        ledger.records.append(ENTRY, fence=lease)
    with refuses(Invalid):
        ledger.records.append(ENTRY, now=NOON)
    assert ledger.records.get("snapshot", "one") is None


def _refuse_writes(ledger: Ledger, fence: Lease, now: datetime) -> None:
    with refuses(Conflict):
        ledger.records.append(ENTRY, fence=fence, now=now)
    with refuses(Conflict):
        move(ledger, None, "a", at=now, fence=fence)
    assert ledger.records.get("snapshot", "one") is None
    assert ledger.pointers.read("live") is None
