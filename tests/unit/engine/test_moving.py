"""Moving an installation: refused where it must be, and killed at every moment."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lockgate.engine.clock import now
from lockgate.engine.installation import installation
from lockgate.engine.moving import move
from lockgate.engine.occupied import alone, in_use
from lockgate.engine.stores import Stores, remembered
from lockgate.kernel.errors import Conflict, Corrupt, LockgateError, NotFound, Unavailable
from lockgate.kernel.folders import StateFolder
from lockgate.ledger.protocols import Entry
from lockgate.ledger.sql import SqlLedger
from tests.making import servers

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
SPAN = timedelta(minutes=1)
RECORDS, MOVES, BLOBS = 7, 5, 6


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """Give an installation with something of everything."""
    with installation(tmp_path / "state", now) as where:
        ledger = where.shelf.ledger
        for number in range(RECORDS):
            entry = Entry(kind="k", id=f"{number}", subject="s", body=b"{}", by="ada", at=NOON)
            ledger.records.append(entry)
        for number in range(MOVES):
            expected = f"{number - 1}" if number else None
            ledger.pointers.move("p", expected=expected, value=f"{number}", reason="r", by="ada", at=NOON)
        for _ in range(2):
            lease = ledger.leases.acquire("l", owner="ada", now=NOON, span=SPAN)
            assert lease is not None
            ledger.leases.release(lease)
        for number in range(BLOBS):
            where.shelf.blobs.put(f"blob {number}".encode() * 1000)
        return where.state


def whole(state: StateFolder) -> tuple[int, int, int | None, int]:
    """Give what an installation holds, from wherever it is: records, moves, the next token, blobs."""
    with installation(state.root, now) as where:
        ledger = where.shelf.ledger
        blobs = [where.shelf.blobs.get(digest) for digest in where.shelf.blobs.digests()]
        lease = ledger.leases.acquire("l", owner="z", now=NOON, span=SPAN)
        assert lease is not None
        ledger.leases.release(lease)
        return len(ledger.records.list("k")), len(ledger.pointers.history("p")), lease.token, len(blobs)


WHOLE = (RECORDS, MOVES, 3, BLOBS)

# Kills itself before or after the call of a function, the first or a later one.
MOVES_AND_IS_KILLED = """
import os, pathlib, signal, sys
from lockgate.engine import moving
from lockgate.engine.stores import Stores
from lockgate.ledger import copying
from lockgate.ledger.blobs import ObjectBlobs
state, ledger, blobs, name, side, at = sys.argv[1:]
copying._BATCH = 2
moving._AT_ONCE = 1
owner = {"put_file": ObjectBlobs, "_write": copying, "remember": moving}[name]
do, calls = getattr(owner, name), 0
def killed(*arguments):
    global calls
    calls += 1
    if calls == int(at) and side == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = do(*arguments)
    if calls == int(at):
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, killed)
moving.move(pathlib.Path(state), Stores(ledger=ledger, blobs=blobs))
"""

BEFORE_THE_SWITCH = [
    ("put_file", "before", 1),
    ("put_file", "after", 2),
    ("put_file", "after", BLOBS - 2),
    ("_write", "before", 1),
    ("_write", "after", 1),
    ("_write", "after", 3),
    ("_write", "before", 6),
    ("_write", "after", 8),
    ("remember", "before", 1),
]


def test_killed_at_any_moment_it_is_whole_and_the_same_command_goes_on(
    state: StateFolder, postgres_url: str, s3: servers.S3
) -> None:
    def kill(moment: tuple[str, str, int]) -> None:
        arguments = [str(state.root), postgres_url, s3.url, *map(str, moment)]
        done = subprocess.run(
            [sys.executable, "-c", MOVES_AND_IS_KILLED, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == -9, (moment, done.stderr)

    for moment in BEFORE_THE_SWITCH:
        kill(moment)
        assert remembered(state) == Stores(), "it is where it was"
        with SqlLedger(f"sqlite:///{state.ledger}") as here:
            assert (len(here.records.list("k")), len(here.pointers.history("p"))) == WHOLE[:2]
    kill(("remember", "after", 1))
    assert remembered(state) == Stores(ledger=postgres_url, blobs=s3.url), "it is where it was to go"
    assert whole(state) == WHOLE
    assert not state.work("move").exists()
    moved = move(state.root, Stores(ledger=postgres_url, blobs=s3.url))
    assert (moved.ledger, moved.blobs) == (None, None)


def test_it_moves_to_and_fro_and_takes_along_what_came_meanwhile(
    state: StateFolder, postgres_url: str, s3: servers.S3
) -> None:
    told: list[tuple[str, int, int]] = []
    moved = move(state.root, Stores(ledger=postgres_url, blobs=s3.url), lambda *said: told.append(said))
    assert moved.blobs == BLOBS
    assert moved.ledger is not None
    assert {name: mark.rows for name, mark in moved.ledger.items()} == {
        "records": RECORDS,
        "moves": MOVES,
        "leases": 1,
    }
    assert "secret" not in moved.stores.ledger
    assert ("blobs", BLOBS, BLOBS) in told
    assert told[-1] == ("ledger", RECORDS + MOVES + 1, RECORDS + MOVES + 1)
    with installation(state.root, now) as where:
        where.shelf.blobs.put(b"meanwhile")
        where.shelf.ledger.pointers.move("p", expected="4", value="5", reason="r", by="ada", at=NOON)

    back = move(state.root, Stores(ledger="embedded", blobs="embedded"))

    assert back.blobs == BLOBS + 1
    assert remembered(state) == Stores()
    assert whole(state) == (RECORDS, MOVES + 1, 3, BLOBS + 1)


def test_ledger_and_blobs_may_move_one_by_one(state: StateFolder, postgres_url: str, s3: servers.S3) -> None:
    assert move(state.root, Stores(blobs=s3.url)).ledger is None
    assert remembered(state) == Stores(blobs=s3.url)
    assert move(state.root, Stores(ledger=postgres_url)).blobs is None
    assert whole(state) == WHOLE


def test_the_online_store_is_only_named(state: StateFolder) -> None:
    assert move(state.root, Stores(store="valkey://cache/1")).store
    assert remembered(state) == Stores(store="valkey://cache/1")


def test_a_password_of_the_environment_opens_the_ledger_that_is_left(
    state: StateFolder, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(state.root, Stores(ledger=postgres_url.replace(":secret@", "@") + "?password=secret"))
    state.stores.write_text(state.stores.read_text().replace("?password=secret", ""))
    with pytest.raises(Unavailable, match="PGPASSWORD"):
        move(state.root, Stores(ledger="embedded"))
    monkeypatch.setenv("LOCKGATE_LEDGER", postgres_url)
    move(state.root, Stores(ledger="embedded"))
    assert remembered(state) == Stores()


# --- what is refused -------------------------------------------------------------------------------------------------


def damage(state: StateFolder) -> None:
    path = max(path for path in state.blobs.rglob("*") if path.is_file())
    path.write_bytes(b"x" + path.read_bytes()[1:])


def occupy(state: StateFolder) -> None:
    with SqlLedger(f"sqlite:///{state.root}/other.db") as other:
        other.pointers.move("other", expected=None, value="x", reason="r", by="bob", at=NOON)


REFUSED: dict[str, tuple[Callable[[StateFolder], None], str, type[LockgateError], str]] = {
    "a damaged blob": (damage, "blobs", Corrupt, "nothing was moved"),
    "a target that holds something else": (occupy, "ledger", Conflict, "it holds something else"),
    "a target that can't be reached": (lambda _: None, "far", Unavailable, "Is it running"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_is_moved_for(what: str, state: StateFolder) -> None:
    spoil, target, kind, said = REFUSED[what]
    spoil(state)
    asked = {
        "blobs": Stores(blobs=f"file://{state.root}/elsewhere"),
        "ledger": Stores(ledger=f"sqlite:///{state.root}/other.db"),
        "far": Stores(ledger="postgresql://ada@127.0.0.1:1/x"),
    }[target]
    with pytest.raises(kind, match=said):
        move(state.root, asked)
    assert remembered(state) == Stores()


def test_an_installation_that_is_worked_with_is_not_moved(state: StateFolder) -> None:
    with in_use(state), pytest.raises(Conflict, match="another command that works with it"):
        move(state.root, Stores(blobs=f"file://{state.root}/elsewhere"))


def test_an_installation_that_is_being_moved_is_not_worked_with(state: StateFolder) -> None:
    with alone(state), pytest.raises(Unavailable, match="being moved"), installation(state.root, now):
        pass


def test_a_folder_without_an_installation_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="--state DIR"):
        move(tmp_path / "nowhere", Stores(blobs="embedded"))
