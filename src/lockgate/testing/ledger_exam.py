"""The exam that every ledger sits: memory, SQLite, PostgreSQL, and whatever anybody writes to the Protocol."""
# ruff: noqa: S101, PLR2004 - an exam asserts, and says what it expects where it expects it

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import TypeVar

import msgspec

from lockgate.kernel.canonical import sha256
from lockgate.kernel.errors import Conflict, Invalid, Malformed
from lockgate.ledger.protocols import Entry, Lease, Ledger, Move, Stored
from lockgate.testing.exams import Questions, refuses

__all__ = ["ledger_exam"]

T = TypeVar("T")

_QUESTIONS = Questions[Ledger]()
_NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_ENTRY = Entry(kind="snapshot", id="one", subject="flights", body=b'{"rows":1}', by="ada", at=_NOON)
_THREADS = 4


def ledger_exam(make: Callable[[], Ledger]) -> list[tuple[str, Callable[[], None]]]:
    """Give the exam: each sentence, with the function that raises AssertionError where it does not hold.

    Args:
        make: makes an empty ledger; it is called for every question, and what it makes is closed after it.
    """
    return [(sentence, partial(_sit, question, make)) for sentence, question in _QUESTIONS]


def _sit(question: Callable[[Ledger], None], make: Callable[[], Ledger]) -> None:
    with make() as ledger:
        question(ledger)


# --- records ---------------------------------------------------------------------------------------------------------


@_QUESTIONS.ask("a record comes back as it went in")
def _comes_back(ledger: Ledger) -> None:
    stored = ledger.records.append(_ENTRY)
    assert stored == Stored(**msgspec.structs.asdict(_ENTRY), sequence=stored.sequence)
    assert ledger.records.get("snapshot", "one") == stored


@_QUESTIONS.ask("a record that was never appended is not there")
def _not_there(ledger: Ledger) -> None:
    ledger.records.append(_ENTRY)
    assert ledger.records.get("snapshot", "two") is None
    assert ledger.records.get("release", "one") is None
    assert list(ledger.records.list("release")) == []
    assert list(ledger.records.latest("release")) == []


@_QUESTIONS.ask("appending the same record again gives the first one and changes nothing")
def _same_again(ledger: Ledger) -> None:
    first = ledger.records.append(_ENTRY)
    assert ledger.records.append(_ENTRY) == first
    assert ledger.records.append(msgspec.structs.replace(_ENTRY, by="bob", at=_NOON + _MINUTE)) == first
    assert list(ledger.records.list("snapshot")) == [first]


@_QUESTIONS.ask("another body under the same kind and id is refused, with both digests")
def _other_body(ledger: Ledger) -> None:
    first = ledger.records.append(_ENTRY)
    with refuses(Conflict) as refusal:
        ledger.records.append(msgspec.structs.replace(_ENTRY, body=b'{"rows":2}'))
    assert (refusal.error.expected, refusal.error.found) == (sha256(b'{"rows":2}'), sha256(b'{"rows":1}'))
    assert ledger.records.get("snapshot", "one") == first


@_QUESTIONS.ask("the same id under another kind is another record")
def _other_kind(ledger: Ledger) -> None:
    ledger.records.append(_ENTRY)
    other = ledger.records.append(msgspec.structs.replace(_ENTRY, kind="release", body=b"{}"))
    assert ledger.records.get("release", "one") == other


@_QUESTIONS.ask("records are listed oldest first, each kind and each subject alone")
def _listed(ledger: Ledger) -> None:
    kept = _append(ledger, "a", "b", "c")
    other = ledger.records.append(msgspec.structs.replace(_ENTRY, subject="weather"))
    ledger.records.append(msgspec.structs.replace(_ENTRY, kind="release"))
    assert [record.sequence for record in kept] == sorted({record.sequence for record in kept})
    assert list(ledger.records.list("snapshot")) == [*kept, other]
    assert list(ledger.records.list("snapshot", subject="flights")) == kept
    assert list(ledger.records.list("snapshot", subject="weather")) == [other]
    assert list(ledger.records.list("snapshot", subject="planes")) == []


@_QUESTIONS.ask("a list goes on after a sequence and stops at its limit")
def _paged(ledger: Ledger) -> None:
    one, two, three = _append(ledger, "a", "b", "c")
    assert list(ledger.records.list("snapshot", limit=2)) == [one, two]
    assert list(ledger.records.list("snapshot", after=one.sequence, limit=1)) == [two]
    assert list(ledger.records.list("snapshot", after=two.sequence, subject="flights")) == [three]
    assert list(ledger.records.list("snapshot", after=three.sequence)) == []
    assert list(ledger.records.list("snapshot", limit=0)) == []


@_QUESTIONS.ask("the latest records come newest first")
def _latest(ledger: Ledger) -> None:
    one, two, three = _append(ledger, "a", "b", "c")
    ledger.records.append(msgspec.structs.replace(_ENTRY, subject="weather"))
    assert list(ledger.records.latest("snapshot", subject="flights")) == [three]
    assert list(ledger.records.latest("snapshot", subject="flights", limit=9)) == [three, two, one]


@_QUESTIONS.ask("a time comes back as the same moment in UTC, exact to the microsecond")
def _times(ledger: Ledger) -> None:
    eastern = timezone(timedelta(hours=-5))
    moments = [
        datetime(2013, 3, 1, 8, 15, 0, 123_457, tzinfo=eastern),
        datetime(1903, 12, 17, 10, 35, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
    for number, moment in enumerate(moments):
        ledger.records.append(msgspec.structs.replace(_ENTRY, id=str(number), at=moment))
    found = [record.at for record in ledger.records.list("snapshot")]
    assert found == moments
    assert all(moment.utcoffset() == timedelta(0) for moment in found)


@_QUESTIONS.ask("a time without a zone is refused")
def _no_zone(ledger: Ledger) -> None:
    nowhere = _NOON.replace(tzinfo=None)
    with refuses(Malformed):
        ledger.records.append(msgspec.structs.replace(_ENTRY, at=nowhere))
    with refuses(Malformed):
        ledger.pointers.move("live", expected=None, value="a", reason="first", by="ada", at=nowhere)
    with refuses(Malformed):
        ledger.leases.acquire("line", owner="ada", now=nowhere, span=_MINUTE)
    assert ledger.records.get("snapshot", "one") is None


@_QUESTIONS.ask("any text and any bytes come back as they went in")
def _any_text(ledger: Ledger) -> None:
    body = bytes(range(256)) * 5000
    entry = Entry(kind="a'b\"c", id="%s ?; --\n\t", subject="Zürich 東京 ✈", body=body, by="é≠e\u0301", at=_NOON)
    ledger.records.append(entry)
    stored = ledger.records.get(entry.kind, entry.id)
    assert stored == Stored(**msgspec.structs.asdict(entry), sequence=stored.sequence if stored else 0)
    assert ledger.records.get(entry.kind.upper(), entry.id) is None


@_QUESTIONS.ask("a record without kind, id, subject or author is refused, and every fault is named")
def _unnamed(ledger: Ledger) -> None:
    with refuses(Invalid) as refusal:
        ledger.records.append(Entry(kind="", id="a\0b", subject="\ud800", body=b"{}", by="", at=_NOON))
    assert [fault.at for fault in refusal.error.faults] == ["kind", "id", "subject", "by"]


@_QUESTIONS.ask("of many threads that append the same record, all get the one that is kept")
def _append_together(ledger: Ledger) -> None:
    found = _together(lambda number: ledger.records.append(msgspec.structs.replace(_ENTRY, by=f"thread {number}")))
    assert found == list(ledger.records.list("snapshot")) * _THREADS


# --- pointers --------------------------------------------------------------------------------------------------------


@_QUESTIONS.ask("a pointer that was never set stands nowhere")
def _never_set(ledger: Ledger) -> None:
    assert ledger.pointers.read("live") is None
    assert list(ledger.pointers.history("live")) == []


@_QUESTIONS.ask("a pointer moves from where it stands, and every move is kept")
def _moves(ledger: Ledger) -> None:
    first = _move(ledger, None, "a")
    assert first == Move(name="live", version=1, value="a", reason="because", by="ada", at=_NOON)
    second = _move(ledger, "a", "b")
    third = _move(ledger, "b", "a")
    assert (second.version, third.version) == (2, 3)
    assert ledger.pointers.read("live") == third
    assert list(ledger.pointers.history("live")) == [first, second, third]


@_QUESTIONS.ask("a pointer that does not stand where its mover believes is left there, and both values are named")
def _moved_meanwhile(ledger: Ledger) -> None:
    stands = _move(ledger, None, "a")
    for believed, said in [("b", "b"), (None, "never set")]:
        with refuses(Conflict) as refusal:
            _move(ledger, believed, "c")
        assert (refusal.error.expected, refusal.error.found) == (said, "a")
    assert list(ledger.pointers.history("live")) == [stands]


@_QUESTIONS.ask("a pointer that was never set does not move from a value")
def _never_there(ledger: Ledger) -> None:
    with refuses(Conflict) as refusal:
        _move(ledger, "a", "b")
    assert (refusal.error.expected, refusal.error.found) == ("a", "never set")
    assert ledger.pointers.read("live") is None


@_QUESTIONS.ask("pointers move each on its own")
def _own_pointers(ledger: Ledger) -> None:
    _move(ledger, None, "a")
    other = ledger.pointers.move("test", expected=None, value="z", reason="because", by="bob", at=_NOON)
    assert other.version == 1
    assert list(ledger.pointers.history("test")) == [other]
    assert [move.value for move in ledger.pointers.history("live")] == ["a"]


@_QUESTIONS.ask("a move without value, reason or author is refused")
def _unnamed_move(ledger: Ledger) -> None:
    with refuses(Invalid) as refusal:
        ledger.pointers.move("live", expected=None, value="", reason="", by="", at=_NOON)
    assert [fault.at for fault in refusal.error.faults] == ["value", "reason", "by"]


@_QUESTIONS.ask("of many threads that move a pointer from the same value, one wins and the others are told")
def _move_together(ledger: Ledger) -> None:
    def try_to_move(number: int) -> str | None:
        try:
            return _move(ledger, None, str(number)).value
        except Conflict as conflict:
            return None if conflict.found == "never set" else ""

    found = _together(try_to_move)
    (stands,) = ledger.pointers.history("live")
    assert sorted(map(str, found)) == sorted([*[""] * (_THREADS - 1), stands.value])


@_QUESTIONS.ask("threads that count up a pointer lose no count")
def _count_together(ledger: Ledger) -> None:
    each = 5

    def count(_number: int) -> None:
        done = 0
        while done < each:
            stands = ledger.pointers.read("live")
            try:
                _move(ledger, stands.value if stands else None, str(int(stands.value) + 1 if stands else 1))
            except Conflict:
                continue
            done += 1

    _together(count)
    counted = [(move.version, int(move.value)) for move in ledger.pointers.history("live")]
    assert counted == [(number, number) for number in range(1, each * _THREADS + 1)]


# --- leases ----------------------------------------------------------------------------------------------------------


@_QUESTIONS.ask("a lease that nobody holds is given until its end")
def _given(ledger: Ledger) -> None:
    assert ledger.leases.holder("line") is None
    lease = _lease(ledger, "ada", _NOON)
    assert lease == Lease(name="line", owner="ada", token=lease.token, expires_at=_NOON + _MINUTE)
    assert ledger.leases.holder("line") == lease
    assert ledger.leases.acquire("other", owner="bob", now=_NOON, span=_MINUTE) is not None


@_QUESTIONS.ask("a lease that is held is given to nobody, its owner included")
def _held(ledger: Ledger) -> None:
    lease = _lease(ledger, "ada", _NOON)
    just_before = lease.expires_at - timedelta(microseconds=1)
    assert ledger.leases.acquire("line", owner="bob", now=just_before, span=_MINUTE) is None
    assert ledger.leases.acquire("line", owner="ada", now=_NOON, span=_MINUTE) is None
    assert ledger.leases.holder("line") == lease


@_QUESTIONS.ask("a lease that has ended shows its last holder, and the next one gets a higher token")
def _ended(ledger: Ledger) -> None:
    first = _lease(ledger, "ada", _NOON)
    assert ledger.leases.holder("line") == first
    second = _lease(ledger, "bob", first.expires_at)
    assert second.token > first.token
    assert ledger.leases.holder("line") == second


@_QUESTIONS.ask("a lease that is renewed in time lasts longer under the same token")
def _renewed(ledger: Ledger) -> None:
    lease = _lease(ledger, "ada", _NOON)
    now = _NOON + _MINUTE / 2
    renewed = ledger.leases.renew(lease, now=now, span=_MINUTE)
    assert renewed == msgspec.structs.replace(lease, expires_at=now + _MINUTE)
    assert ledger.leases.acquire("line", owner="bob", now=lease.expires_at, span=_MINUTE) is None
    assert ledger.leases.holder("line") == renewed


@_QUESTIONS.ask("a lease that has ended, was taken over or given up is not renewed")
def _not_renewed(ledger: Ledger) -> None:
    first = _lease(ledger, "ada", _NOON)
    with refuses(Conflict):
        ledger.leases.renew(first, now=first.expires_at, span=_MINUTE)
    second = _lease(ledger, "ada", first.expires_at)
    with refuses(Conflict) as refusal:
        ledger.leases.renew(first, now=_NOON, span=_MINUTE)
    assert str(first.token) in refusal.error.expected
    assert str(second.token) in refusal.error.found
    ledger.leases.release(second)
    with refuses(Conflict):
        ledger.leases.renew(second, now=first.expires_at, span=_MINUTE)


@_QUESTIONS.ask("a lease that was given up is free at once, and its tokens go on counting")
def _given_up(ledger: Ledger) -> None:
    first = _lease(ledger, "ada", _NOON)
    ledger.leases.release(first)
    assert ledger.leases.holder("line") is None
    ledger.leases.release(first)
    assert _lease(ledger, "bob", _NOON).token > first.token


@_QUESTIONS.ask("who lost a lease can't give up the next holder's")
def _not_yours(ledger: Ledger) -> None:
    first = _lease(ledger, "ada", _NOON)
    second = _lease(ledger, "bob", first.expires_at)
    ledger.leases.release(first)
    assert ledger.leases.holder("line") == second


@_QUESTIONS.ask("a lease without name, owner or span is refused")
def _unnamed_lease(ledger: Ledger) -> None:
    with refuses(Invalid) as refusal:
        ledger.leases.acquire("", owner="", now=_NOON, span=_MINUTE)
    assert [fault.at for fault in refusal.error.faults] == ["name", "owner"]
    with refuses(Invalid):
        ledger.leases.acquire("line", owner="ada", now=_NOON, span=timedelta(0))
    assert ledger.leases.holder("line") is None


@_QUESTIONS.ask("of many threads that take a lease, one gets it")
def _take_together(ledger: Ledger) -> None:
    found = _together(lambda number: ledger.leases.acquire("line", owner=str(number), now=_NOON, span=_MINUTE))
    assert [lease for lease in found if lease] == [ledger.leases.holder("line")]


# --- fences ----------------------------------------------------------------------------------------------------------


@_QUESTIONS.ask("a fence that is held lets writes through, also as it was before it was renewed")
def _fence_held(ledger: Ledger) -> None:
    lease = _lease(ledger, "ada", _NOON)
    ledger.records.append(_ENTRY, fence=lease, now=_NOON)
    ledger.leases.renew(lease, now=_NOON, span=3 * _MINUTE)
    later = _NOON + 2 * _MINUTE
    ledger.records.append(msgspec.structs.replace(_ENTRY, id="two"), fence=lease, now=later)
    _move(ledger, None, "a", at=later, fence=lease)
    assert len(ledger.records.list("snapshot")) == 2


@_QUESTIONS.ask("a fence whose lease has ended stops writes, and nothing is written")
def _fence_ended(ledger: Ledger) -> None:
    lease = _lease(ledger, "ada", _NOON)
    _refuse_writes(ledger, lease, lease.expires_at)


@_QUESTIONS.ask("a holder who was replaced can't write, whatever time it believes it is")
def _fence_taken(ledger: Ledger) -> None:
    first = _lease(ledger, "ada", _NOON)
    _lease(ledger, "ada", first.expires_at)
    _refuse_writes(ledger, first, _NOON)


@_QUESTIONS.ask("a lease that was given up is no fence")
def _fence_given_up(ledger: Ledger) -> None:
    lease = _lease(ledger, "ada", _NOON)
    ledger.leases.release(lease)
    _refuse_writes(ledger, lease, _NOON)


@_QUESTIONS.ask("a lost fence stops even a record that stands already")
def _fence_before_all(ledger: Ledger) -> None:
    lease = _lease(ledger, "ada", _NOON)
    ledger.records.append(_ENTRY, fence=lease, now=_NOON)
    with refuses(Conflict):
        ledger.records.append(_ENTRY, fence=lease, now=lease.expires_at)


@_QUESTIONS.ask("a fence without a moment is refused, and a moment without a fence")
def _fence_and_moment(ledger: Ledger) -> None:
    lease = _lease(ledger, "ada", _NOON)
    with refuses(Invalid):
        ledger.records.append(_ENTRY, fence=lease)
    with refuses(Invalid):
        ledger.records.append(_ENTRY, now=_NOON)
    assert ledger.records.get("snapshot", "one") is None


def _append(ledger: Ledger, *ids: str) -> list[Stored]:
    return [ledger.records.append(msgspec.structs.replace(_ENTRY, id=record_id)) for record_id in ids]


def _move(
    ledger: Ledger, expected: str | None, value: str, *, at: datetime = _NOON, fence: Lease | None = None
) -> Move:
    return ledger.pointers.move("live", expected=expected, value=value, reason="because", by="ada", at=at, fence=fence)


def _lease(ledger: Ledger, owner: str, now: datetime) -> Lease:
    lease = ledger.leases.acquire("line", owner=owner, now=now, span=_MINUTE)
    assert lease is not None, "a free lease was not given"
    return lease


def _refuse_writes(ledger: Ledger, fence: Lease, now: datetime) -> None:
    with refuses(Conflict):
        ledger.records.append(_ENTRY, fence=fence, now=now)
    with refuses(Conflict):
        _move(ledger, None, "a", at=now, fence=fence)
    assert ledger.records.get("snapshot", "one") is None
    assert ledger.pointers.read("live") is None


def _together(act: Callable[[int], T]) -> list[T]:
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(act, range(_THREADS)))
