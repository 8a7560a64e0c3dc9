"""What a ledger in SQLite keeps, what it refuses, and how it says so."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert

from lockgate.kernel.errors import Conflict, Corrupt, Invalid, LockgateError, Unavailable
from lockgate.ledger import database
from lockgate.ledger.database import Database
from lockgate.ledger.protocols import Entry
from lockgate.ledger.schema import HEAD, REVISIONS, leases, metadata
from lockgate.ledger.sql import SqlLedger

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AT_ONCE = timedelta(0)
ENTRY = Entry(kind="snapshot", id="one", subject="flights", body=b"{}", by="ada", at=NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with one record, two moves and a lease, closed."""
    path = tmp_path / "ledger.db"
    with SqlLedger(f"sqlite:///{path}") as ledger:
        ledger.records.append(ENTRY)
        ledger.pointers.move("live", expected=None, value="a", reason="first", by="ada", at=NOON)
        ledger.pointers.move("live", expected="a", value="b", reason="second", by="ada", at=NOON)
        ledger.leases.acquire("line", owner="ada", now=NOON, span=MINUTE)
    return path


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def open_at(path: Path) -> SqlLedger:
    return SqlLedger(f"sqlite:///{path}", patience=AT_ONCE)


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    with open_at(path) as ledger:
        record = ledger.records.get("snapshot", "one")
        live = ledger.pointers.read("live")
        lease = ledger.leases.holder("line")
    assert (record and record.body, live and live.value, lease and lease.owner) == (b"{}", "b", "ada")


def test_times_are_kept_as_whole_microseconds(raw: sqlite3.Connection) -> None:
    assert raw.execute("SELECT at FROM records").fetchall() == [(1_362_139_200_000_000,)]


def test_a_connection_waits_for_the_disk_logs_ahead_and_checks_references(path: Path) -> None:
    opened = Database(f"sqlite:///{path}", MINUTE)
    with opened.reading() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS]
    opened.close()
    assert dict(zip(PRAGMAS, found, strict=True)) == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}

IMPOSSIBLE = {
    "a record that changes": "UPDATE records SET body = x'00'",
    "a record that vanishes": "DELETE FROM records",
    "a record twice": "INSERT INTO records (kind, id, subject, body, caused_by, at)"
    " VALUES ('snapshot', 'one', 's', x'00', 'b', 0)",
    "a record without a name": "INSERT INTO records (kind, id, subject, body, caused_by, at)"
    " VALUES ('', 'two', 's', x'00', 'b', 0)",
    "a move that changes": "UPDATE moves SET value = 'c'",
    "a move that vanishes": "DELETE FROM moves WHERE version = 2",
    "a move that leaves a gap": "INSERT INTO moves VALUES ('live', 4, 3, 'c', 'r', 'b', 0)",
    "a move that forks": "INSERT INTO moves VALUES ('live', 2, 1, 'c', 'r', 'b', 0)",
    "a move that follows none": "INSERT INTO moves VALUES ('live', 3, NULL, 'c', 'r', 'b', 0)",
    "a first move numbered two": "INSERT INTO moves VALUES ('test', 2, 1, 'c', 'r', 'b', 0)",
    "an owner without an end": "UPDATE leases SET expires_at = NULL",
    "an end without an owner": "UPDATE leases SET owner = NULL",
    "a token that falls": "UPDATE leases SET token = 0",
    "a token that is forgotten": "DELETE FROM leases",
}


@pytest.mark.parametrize("state", IMPOSSIBLE)
def test_the_tables_refuse(state: str, raw: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(IMPOSSIBLE[state])


# --- the schema ------------------------------------------------------------------------------------------------------


def test_the_migrations_lead_to_the_schema(path: Path) -> None:
    opened = Database(f"sqlite:///{path}", MINUTE)
    with opened.reading() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    opened.close()
    assert found == []


def test_the_revisions_are_those_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", "lockgate.ledger:migrations")
    walked = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in reversed(list(walked))) == REVISIONS


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops_half_way(connection: Connection) -> None:
        metadata.create_all(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(database, "_migrate", stops_half_way)
        with pytest.raises(KeyboardInterrupt):
            open_at(tmp_path / "ledger.db")
    with open_at(tmp_path / "ledger.db") as ledger:
        assert ledger.records.append(ENTRY).sequence == 1


def test_a_ledger_at_head_is_opened_without_alembic(path: Path) -> None:
    code = (
        "import sys, lockgate.ledger\n"
        "assert not {'sqlalchemy', 'obstore'} & set(sys.modules)\n"
        "from lockgate.ledger.sql import SqlLedger\n"
        "with SqlLedger(sys.argv[1]) as ledger: assert ledger.records.get('snapshot', 'one')\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{path}"], check=True)


# --- what is refused -------------------------------------------------------------------------------------------------


def newer_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def another_programs(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (title TEXT)")


def no_database(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def damaged(path: Path) -> None:
    sound = path.read_bytes()
    path.write_bytes(sound[:100] + b"\xff" * (len(sound) - 100))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_file_for_a_folder(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("not a folder")


BAD: dict[str, tuple[Callable[[Path], None], type[LockgateError], str]] = {
    "a newer release's": (newer_schema, Conflict, f"expected schema {HEAD} or an older one, found schema 9999"),
    "another program's": (another_programs, Conflict, "found a database with tables of another kind (recipes)"),
    "no database": (no_database, Corrupt, "SQLITE_NOTADB"),
    "damaged": (damaged, Corrupt, "SQLITE_CORRUPT"),
    "a folder": (a_folder, Unavailable, "SQLITE_CANTOPEN"),
    "below a file": (a_file_for_a_folder, Unavailable, "File exists"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_is_refused_and_left_alone_that_is(what: str, path: Path) -> None:
    spoil, kind, said = BAD[what]
    spoil(path)
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(kind) as refused:
        open_at(path)

    assert said in str(refused.value)
    assert str(path.parent) in refused.value.what
    assert refused.value.way_out
    assert before == (path.read_bytes() if path.is_file() else None)


def test_a_ledger_that_may_only_be_read_is_read_and_refuses_writes(path: Path) -> None:
    with SqlLedger(f"sqlite:///file:{path}?mode=ro&uri=true") as ledger:
        assert ledger.records.get("snapshot", "one")
        with pytest.raises(Unavailable, match="SQLITE_READONLY"):
            ledger.pointers.move("live", expected="b", value="c", reason="third", by="ada", at=NOON)
        assert len(ledger.pointers.history("live")) == 2


def test_a_write_gives_up_when_its_patience_ends_and_reads_go_on(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("BEGIN IMMEDIATE")
    with open_at(path) as ledger:
        with pytest.raises(Unavailable, match="SQLITE_BUSY") as refused:
            ledger.records.append(ENTRY)
        assert ledger.records.get("snapshot", "one")
        raw.execute("COMMIT")
        assert ledger.records.append(ENTRY).sequence == 1
    assert "try again" in refused.value.way_out


def test_a_ledger_that_somebody_tampered_with_is_corrupt(path: Path, raw: sqlite3.Connection) -> None:
    raw.execute("DROP TABLE leases")
    with open_at(path) as ledger, pytest.raises(Corrupt, match="no such table: leases"):
        ledger.leases.holder("line")


def test_a_full_disk_is_said_and_nothing_is_written(path: Path) -> None:
    opened = Database(f"sqlite:///{path}", AT_ONCE)

    def fill() -> None:
        with opened.writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            connection.execute(insert(leases).values(name="x" * 100_000, token=1))

    with pytest.raises(Unavailable, match="SQLITE_FULL"):
        fill()
    opened.close()
    with open_at(path) as ledger:
        assert ledger.leases.acquire("x" * 100_000, owner="ada", now=NOON, span=MINUTE)


def test_a_ledger_carried_over_a_fork_refuses_to_work(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_at(path) as ledger:
        here = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: here + 1)
        with pytest.raises(Unavailable, match="Open the ledger again in this process"):
            ledger.records.get("snapshot", "one")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://ada:secret@host/x", "no url at all"])
def test_a_url_is_refused_that_names_no_file(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        SqlLedger(url)
    assert refused.value.expected.startswith("sqlite:///path")
    assert "secret" not in str(refused.value)
