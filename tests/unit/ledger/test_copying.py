"""A ledger that is copied is the same ledger."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockgate.kernel.errors import Conflict, Corrupt
from lockgate.ledger import copying
from lockgate.ledger.copying import copy_ledger, refuse_unless_beginning, refuse_unless_same
from lockgate.ledger.database import Database
from lockgate.ledger.protocols import Entry
from lockgate.ledger.sql import SqlLedger

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
SPAN = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_BATCH", 3)


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite"])
def urls(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> tuple[str, str]:
    """Give a ledger with something of everything, and a place to copy it to."""
    both = (f"sqlite:///{tmp_path}/ledger.db", postgres_url)
    here, there = both if request.param == "sqlite to postgres" else both[::-1]
    with SqlLedger(here) as ledger:
        fill(ledger, "a")
    return here, there


def fill(ledger: SqlLedger, name: str) -> None:
    for number in range(7):
        body = f'{{"é":{number}}}'.encode() + bytes([0, 255])
        ledger.records.append(Entry(kind=name, id=f"{number}", subject="ünder", body=body, by="ada", at=NOON))
    for pointer in (f"{name}/B", f"{name}/a", f"{name}/Ä"):  # databases disagree on their order
        for number in range(4):
            stands = ledger.pointers.read(pointer)
            expected = stands.value if stands else None
            ledger.pointers.move(pointer, expected=expected, value=f"{number}", reason="r", by="ada", at=NOON)
    for number in range(3):
        lease = ledger.leases.acquire("line", owner=f"{name} {number}", now=NOON, span=SPAN)
        assert lease is not None
        if number < 2 or name == "b":
            ledger.leases.release(lease)


Opened = Callable[[str], Database]


@pytest.fixture
def opened() -> Iterator[Opened]:
    databases: list[Database] = []

    def open_it(url: str) -> Database:
        databases.append(Database(url, SPAN))
        return databases[-1]

    yield open_it
    for one in databases:
        one.close()


def copy(source: Database, target: Database) -> None:
    refuse_unless_beginning(source, target)
    with source.writing() as connection:
        copy_ledger(connection, target)
        refuse_unless_same(connection, target)


def test_every_record_move_and_token_is_the_same_there(urls: tuple[str, str], opened: Opened) -> None:
    copy(*map(opened, urls))
    with SqlLedger(urls[0]) as here, SqlLedger(urls[1]) as there:
        assert there.records.list("a") == here.records.list("a")
        for pointer in ("a/B", "a/a", "a/Ä"):
            assert there.pointers.history(pointer) == here.pointers.history(pointer)
        assert there.leases.holder("line") == here.leases.holder("line")


def test_what_is_appended_afterwards_takes_the_next_place(urls: tuple[str, str], opened: Opened) -> None:
    copy(*map(opened, urls))
    with SqlLedger(urls[1]) as there:
        last = there.records.latest("a")[0].sequence
        assert there.records.append(Entry(kind="a", id="new", subject="s", body=b"{}", by="b", at=NOON)).sequence > last


def test_a_copy_that_is_there_is_brought_up_to_date_and_tokens_only_rise(urls: tuple[str, str], opened: Opened) -> None:
    here, there = map(opened, urls)
    copy(here, there)
    with SqlLedger(urls[0]) as ledger:
        held = ledger.leases.holder("line")
        assert held is not None
        ledger.leases.release(held)
        fill(ledger, "b")
    copy(here, there)
    with SqlLedger(urls[0]) as first, SqlLedger(urls[1]) as second:
        assert second.records.list("b") == first.records.list("b") != []
        took = [one.leases.acquire("line", owner="z", now=NOON, span=SPAN) for one in (first, second)]
    assert took[0] == took[1] is not None


def append_other(ledger: SqlLedger) -> None:
    ledger.records.append(Entry(kind="other", id="x", subject="s", body=b"{}", by="bob", at=NOON))


def move_other(ledger: SqlLedger) -> None:
    ledger.pointers.move("other", expected=None, value="x", reason="r", by="bob", at=NOON)


def lease_other(ledger: SqlLedger) -> None:
    ledger.leases.acquire("other", owner="bob", now=NOON, span=SPAN)


OTHER = {
    "record": (append_other, "record other x"),
    "move": (move_other, "move other"),
    "lease": (lease_other, "lease other"),
}


@pytest.mark.parametrize("what", OTHER)
def test_a_target_that_holds_something_else_is_refused_and_left_alone(
    what: str, urls: tuple[str, str], opened: Opened
) -> None:
    write, said = OTHER[what]
    with SqlLedger(urls[1]) as there:
        write(there)
    with pytest.raises(Conflict) as refused:
        copy(*map(opened, urls))
    assert said in refused.value.found
    with SqlLedger(urls[1]) as there:
        assert there.records.list("a") == []


def test_a_target_that_went_on_by_itself_is_refused(urls: tuple[str, str], opened: Opened) -> None:
    here, there = map(opened, urls)
    copy(here, there)
    with SqlLedger(urls[1]) as ledger:
        append_other(ledger)
    with pytest.raises(Conflict, match="it holds something else"):
        copy(here, there)


def test_a_copy_that_is_not_the_original_is_found_out(urls: tuple[str, str], opened: Opened) -> None:
    here, there = map(opened, urls)
    copy(here, there)
    with SqlLedger(urls[1]) as ledger:
        append_other(ledger)
    with here.reading() as connection, pytest.raises(Corrupt, match="expected 7 records") as refused:
        refuse_unless_same(connection, there)
    assert "8 with digest" in refused.value.found
