"""The exam that every ledger sits: memory, SQLite, PostgreSQL, and whatever anybody writes to the Protocol."""
# ruff: noqa: S101 - an exam asserts, and says what it expects where it expects it

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import msgspec

from lockgate.kernel.canonical import sha256
from lockgate.kernel.errors import Conflict, Invalid, Malformed
from lockgate.ledger.protocols import Entry, Ledger, Move, Stored
from lockgate.testing.exams import Questions, refuses
from lockgate.testing.lease_questions import LEASE_QUESTIONS
from lockgate.testing.ledger_cases import ENTRY, MINUTE, NOON, THREADS, append, move, together

__all__ = ["ledger_exam"]

_QUESTIONS = Questions[Ledger]()


def ledger_exam(make: Callable[[], Ledger]) -> list[tuple[str, Callable[[], None]]]:
    """Give the exam: each sentence, with the function that raises AssertionError where it does not hold.

    Args:
        make: makes an empty ledger; it is called for every question, and what it makes is closed after it.
    """
    return [(sentence, partial(_sit, question, make)) for sentence, question in (*_QUESTIONS, *LEASE_QUESTIONS)]


def _sit(question: Callable[[Ledger], None], make: Callable[[], Ledger]) -> None:
    with make() as ledger:
        question(ledger)


# --- records ---------------------------------------------------------------------------------------------------------


@_QUESTIONS.ask("a record comes back as it went in")
def _comes_back(ledger: Ledger) -> None:
    stored = ledger.records.append(ENTRY)
    assert stored == Stored(**msgspec.structs.asdict(ENTRY), sequence=stored.sequence)
    assert ledger.records.get("snapshot", "one") == stored


@_QUESTIONS.ask("a record that was never appended is not there")
def _not_there(ledger: Ledger) -> None:
    ledger.records.append(ENTRY)
    assert ledger.records.get("snapshot", "two") is None
    assert ledger.records.get("release", "one") is None
    assert list(ledger.records.list("release")) == []
    assert list(ledger.records.latest("release")) == []


@_QUESTIONS.ask("appending the same record again gives the first one and changes nothing")
def _same_again(ledger: Ledger) -> None:
    first = ledger.records.append(ENTRY)
    assert ledger.records.append(ENTRY) == first
    assert ledger.records.append(msgspec.structs.replace(ENTRY, by="bob", at=NOON + MINUTE)) == first
    assert list(ledger.records.list("snapshot")) == [first]


@_QUESTIONS.ask("another body under the same kind and id is refused, with both digests")
def _other_body(ledger: Ledger) -> None:
    first = ledger.records.append(ENTRY)
    with refuses(Conflict) as refusal:
        ledger.records.append(msgspec.structs.replace(ENTRY, body=b'{"rows":2}'))
    assert (refusal.error.expected, refusal.error.found) == (sha256(b'{"rows":2}'), sha256(b'{"rows":1}'))
    assert ledger.records.get("snapshot", "one") == first


@_QUESTIONS.ask("the same id under another kind is another record")
def _other_kind(ledger: Ledger) -> None:
    ledger.records.append(ENTRY)
    other = ledger.records.append(msgspec.structs.replace(ENTRY, kind="release", body=b"{}"))
    assert ledger.records.get("release", "one") == other


@_QUESTIONS.ask("every kind that there is a record of is told, once")
def _kinds(ledger: Ledger) -> None:
    assert list(ledger.records.kinds()) == []
    append(ledger, "a", "b")
    ledger.records.append(msgspec.structs.replace(ENTRY, kind="release"))
    assert list(ledger.records.kinds()) == ["release", "snapshot"]


@_QUESTIONS.ask("records are listed oldest first, each kind and each subject alone")
def _listed(ledger: Ledger) -> None:
    kept = append(ledger, "a", "b", "c")
    other = ledger.records.append(msgspec.structs.replace(ENTRY, subject="weather"))
    ledger.records.append(msgspec.structs.replace(ENTRY, kind="release"))
    assert [record.sequence for record in kept] == sorted({record.sequence for record in kept})
    assert list(ledger.records.list("snapshot")) == [*kept, other]
    assert list(ledger.records.list("snapshot", subject="flights")) == kept
    assert list(ledger.records.list("snapshot", subject="weather")) == [other]
    assert list(ledger.records.list("snapshot", subject="planes")) == []


@_QUESTIONS.ask("a list goes on after a sequence and stops at its limit")
def _paged(ledger: Ledger) -> None:
    one, two, three = append(ledger, "a", "b", "c")
    assert list(ledger.records.list("snapshot", limit=2)) == [one, two]
    assert list(ledger.records.list("snapshot", after=one.sequence, limit=1)) == [two]
    assert list(ledger.records.list("snapshot", after=two.sequence, subject="flights")) == [three]
    assert list(ledger.records.list("snapshot", after=three.sequence)) == []
    assert list(ledger.records.list("snapshot", limit=0)) == []


@_QUESTIONS.ask("the latest records come newest first")
def _latest(ledger: Ledger) -> None:
    one, two, three = append(ledger, "a", "b", "c")
    ledger.records.append(msgspec.structs.replace(ENTRY, subject="weather"))
    assert list(ledger.records.latest("snapshot", subject="flights")) == [three]
    assert list(ledger.records.latest("snapshot", subject="flights", limit=9)) == [three, two, one]


@_QUESTIONS.ask("the latest records go on before a sequence")
def _earlier(ledger: Ledger) -> None:
    one, two, three = append(ledger, "a", "b", "c")
    assert list(ledger.records.latest("snapshot", before=three.sequence, limit=9)) == [two, one]
    assert list(ledger.records.latest("snapshot", before=two.sequence + 1)) == [two]
    assert list(ledger.records.latest("snapshot", subject="flights", before=one.sequence, limit=9)) == []
    assert list(ledger.records.latest("snapshot", before=0, limit=9)) == []


@_QUESTIONS.ask("a time comes back as the same moment in UTC, exact to the microsecond")
def _times(ledger: Ledger) -> None:
    eastern = timezone(timedelta(hours=-5))
    moments = [
        datetime(2013, 3, 1, 8, 15, 0, 123_457, tzinfo=eastern),
        datetime(1903, 12, 17, 10, 35, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
    for number, moment in enumerate(moments):
        ledger.records.append(msgspec.structs.replace(ENTRY, id=str(number), at=moment))
    found = [record.at for record in ledger.records.list("snapshot")]
    assert found == moments
    assert all(moment.utcoffset() == timedelta(0) for moment in found)


@_QUESTIONS.ask("a time without a zone is refused")
def _no_zone(ledger: Ledger) -> None:
    nowhere = NOON.replace(tzinfo=None)
    with refuses(Malformed):
        ledger.records.append(msgspec.structs.replace(ENTRY, at=nowhere))
    with refuses(Malformed):
        ledger.pointers.move("live", expected=None, value="a", reason="first", by="ada", at=nowhere)
    with refuses(Malformed):
        ledger.leases.acquire("line", owner="ada", now=nowhere, span=MINUTE)
    assert ledger.records.get("snapshot", "one") is None


@_QUESTIONS.ask("any text and any bytes come back as they went in")
def _any_text(ledger: Ledger) -> None:
    body = bytes(range(256)) * 5000
    entry = Entry(kind="a'b\"c", id="%s ?; --\n\t", subject="Zürich 東京 ✈", body=body, by="é≠e\u0301", at=NOON)
    ledger.records.append(entry)
    stored = ledger.records.get(entry.kind, entry.id)
    assert stored == Stored(**msgspec.structs.asdict(entry), sequence=stored.sequence if stored else 0)
    assert ledger.records.get(entry.kind.upper(), entry.id) is None


@_QUESTIONS.ask("a record without kind, id, subject or author is refused, and every fault is named")
def _unnamed(ledger: Ledger) -> None:
    with refuses(Invalid) as refusal:
        ledger.records.append(Entry(kind="", id="a\0b", subject="\ud800", body=b"{}", by="", at=NOON))
    assert [fault.at for fault in refusal.error.faults] == ["kind", "id", "subject", "by"]


@_QUESTIONS.ask("of many threads that append the same record, all get the one that is kept")
def _append_together(ledger: Ledger) -> None:
    found = together(lambda number: ledger.records.append(msgspec.structs.replace(ENTRY, by=f"thread {number}")))
    assert found == list(ledger.records.list("snapshot")) * THREADS


# --- pointers --------------------------------------------------------------------------------------------------------


@_QUESTIONS.ask("a pointer that was never set stands nowhere")
def _never_set(ledger: Ledger) -> None:
    assert ledger.pointers.read("live") is None
    assert list(ledger.pointers.history("live")) == []


@_QUESTIONS.ask("a pointer moves from where it stands, and every move is kept")
def _moves(ledger: Ledger) -> None:
    first = move(ledger, None, "a")
    assert first == Move(name="live", version=1, value="a", reason="because", by="ada", at=NOON)
    second = move(ledger, "a", "b")
    third = move(ledger, "b", "a")
    assert (second.version, third.version) == (2, 3)
    assert ledger.pointers.read("live") == third
    assert list(ledger.pointers.history("live")) == [first, second, third]


@_QUESTIONS.ask("a pointer that does not stand where its mover believes is left there, and both values are named")
def _moved_meanwhile(ledger: Ledger) -> None:
    stands = move(ledger, None, "a")
    for believed, said in [("b", "b"), (None, "never set")]:
        with refuses(Conflict) as refusal:
            move(ledger, believed, "c")
        assert (refusal.error.expected, refusal.error.found) == (said, "a")
    assert list(ledger.pointers.history("live")) == [stands]


@_QUESTIONS.ask("a pointer that was never set does not move from a value")
def _never_there(ledger: Ledger) -> None:
    with refuses(Conflict) as refusal:
        move(ledger, "a", "b")
    assert (refusal.error.expected, refusal.error.found) == ("a", "never set")
    assert ledger.pointers.read("live") is None


@_QUESTIONS.ask("pointers move each on its own")
def _own_pointers(ledger: Ledger) -> None:
    move(ledger, None, "a")
    other = ledger.pointers.move("test", expected=None, value="z", reason="because", by="bob", at=NOON)
    assert other.version == 1
    assert list(ledger.pointers.history("test")) == [other]
    assert [move.value for move in ledger.pointers.history("live")] == ["a"]


@_QUESTIONS.ask("a move without value, reason or author is refused")
def _unnamed_move(ledger: Ledger) -> None:
    with refuses(Invalid) as refusal:
        ledger.pointers.move("live", expected=None, value="", reason="", by="", at=NOON)
    assert [fault.at for fault in refusal.error.faults] == ["value", "reason", "by"]


@_QUESTIONS.ask("of many threads that move a pointer from the same value, one wins and the others are told")
def _move_together(ledger: Ledger) -> None:
    def try_to_move(number: int) -> str | None:
        try:
            return move(ledger, None, str(number)).value
        except Conflict as conflict:
            return None if conflict.found == "never set" else ""

    found = together(try_to_move)
    (stands,) = ledger.pointers.history("live")
    assert sorted(map(str, found)) == sorted([*[""] * (THREADS - 1), stands.value])


@_QUESTIONS.ask("threads that count up a pointer lose no count")
def _count_together(ledger: Ledger) -> None:
    each = 5

    def count(_number: int) -> None:
        done = 0
        while done < each:
            stands = ledger.pointers.read("live")
            try:
                move(ledger, stands.value if stands else None, str(int(stands.value) + 1 if stands else 1))
            except Conflict:
                continue
            done += 1

    together(count)
    counted = [(move.version, int(move.value)) for move in ledger.pointers.history("live")]
    assert counted == [(number, number) for number in range(1, each * THREADS + 1)]
