"""Several processes on one database, of each kind; each is a real one, and all begin together."""

import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from lockgate.kernel.errors import Conflict
from lockgate.ledger.protocols import Entry, Lease
from lockgate.ledger.sql import SqlLedger

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(seconds=60)
SPAWN = multiprocessing.get_context("spawn")
WAIT = 60  # seconds after which a test is given up; nothing is timed by it


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a place where no ledger is yet."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/new/ledger.db"


def entry(record_id: str, body: str = "{}") -> Entry:
    return Entry(kind="step", id=record_id, subject="line", body=body.encode(), by="test", at=NOON)


def together(processes: int, act: Callable[[str, Barrier, int], None], url: str) -> None:
    ready = SPAWN.Barrier(processes)
    workers = [SPAWN.Process(target=act, args=(url, ready, number)) for number in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(WAIT)
    assert [worker.exitcode for worker in workers] == [0] * processes


def count_up(url: str, ready: Barrier, _number: int) -> None:
    with SqlLedger(url, patience=PATIENCE) as ledger:
        ready.wait(WAIT)
        done = 0
        while done < 20:
            stands = ledger.pointers.read("count")
            expected = stands.value if stands else None
            value = str(int(expected or 0) + 1)
            try:
                ledger.pointers.move("count", expected=expected, value=value, reason="next", by="test", at=NOON)
            except Conflict:
                continue
            done += 1


def open_and_append(url: str, ready: Barrier, number: int) -> None:
    ready.wait(WAIT)
    with SqlLedger(url, patience=PATIENCE) as ledger:
        ledger.records.append(entry("shared"))
        ledger.records.append(entry(f"own {number}"))


def take_over_and_write(url: str, ready: Barrier, number: int) -> None:
    """Every turn takes the lease from whoever has it, then writes as if no time had passed since."""
    with SqlLedger(url, patience=PATIENCE) as ledger:
        ready.wait(WAIT)
        for turn in range(40):
            last = ledger.leases.holder("line")
            now = last.expires_at if last else NOON
            lease = ledger.leases.acquire("line", owner=f"worker {number}", now=now, span=MINUTE)
            if lease is not None:
                write_if_held(ledger, lease, f"{number}/{turn}", now)


def write_if_held(ledger: SqlLedger, lease: Lease, record_id: str, now: datetime) -> None:
    try:
        ledger.records.append(entry(record_id, str(lease.token)), fence=lease, now=now)
    except Conflict:
        ledger.records.append(Entry(kind="lost", id=record_id, subject="line", body=b"{}", by="test", at=NOON))


def write_as_a_zombie(url: str, ready: Barrier, _number: int) -> None:
    """Take a lease, fall asleep, wake up after another process took it over, and write."""
    with SqlLedger(url) as ledger:
        lease = ledger.leases.acquire("line", owner="zombie", now=NOON, span=MINUTE)
        assert lease is not None
        ready.wait(WAIT)  # the other one takes over
        ready.wait(WAIT)
        write_if_held(ledger, lease, "zombie", NOON)
        try:
            ledger.pointers.move("p", expected=None, value="z", reason="late", by="zombie", at=NOON, fence=lease)
        except Conflict:
            return
    raise AssertionError("a zombie moved a pointer")


def test_four_processes_that_count_up_a_pointer_lose_no_count(url: str) -> None:
    together(4, count_up, url)

    with SqlLedger(url) as ledger:
        moves = ledger.pointers.history("count")
    assert [(move.version, int(move.value)) for move in moves] == [(n, n) for n in range(1, 81)]


def test_processes_that_open_a_new_ledger_at_once_all_succeed(url: str) -> None:
    together(4, open_and_append, url)

    with SqlLedger(url) as ledger:
        found = sorted(record.id for record in ledger.records.list("step"))
    assert found == [*(f"own {number}" for number in range(4)), "shared"]


def test_a_lease_that_wanders_between_processes_leaves_tokens_in_order(url: str) -> None:
    together(3, take_over_and_write, url)

    with SqlLedger(url) as ledger:
        tokens = [int(record.body) for record in ledger.records.list("step")]
        lost = ledger.records.list("lost")
        holder = ledger.leases.holder("line")
    assert tokens == sorted(set(tokens))
    # Every turn that got the lease either wrote under it, or was told that it had lost it.
    assert holder is not None
    assert holder.token == len(tokens) + len(lost)


def test_a_zombie_in_another_process_is_refused(url: str) -> None:
    ready = SPAWN.Barrier(2)
    zombie = SPAWN.Process(target=write_as_a_zombie, args=(url, ready, 0))
    zombie.start()

    ready.wait(WAIT)
    with SqlLedger(url) as ledger:
        assert ledger.leases.acquire("line", owner="heir", now=NOON + MINUTE, span=MINUTE)
        ready.wait(WAIT)
        zombie.join(WAIT)

        assert zombie.exitcode == 0
        assert ledger.pointers.read("p") is None
        assert ledger.records.list("step") == []
        assert [record.id for record in ledger.records.list("lost")] == ["zombie"]
