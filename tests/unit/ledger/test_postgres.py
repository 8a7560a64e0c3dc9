"""What a ledger in PostgreSQL keeps, what it refuses, and how it says so."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from lockgate.kernel.errors import Conflict, Corrupt, Invalid, Unavailable
from lockgate.ledger import database
from lockgate.ledger.database import Database
from lockgate.ledger.protocols import Entry
from lockgate.ledger.schema import HEAD, metadata
from lockgate.ledger.sql import SqlLedger
from tests.making import servers

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AT_ONCE = timedelta(0)
ENTRY = Entry(kind="snapshot", id="one", subject="flights", body=b"{}", by="ada", at=NOON)


@pytest.fixture
def url(postgres_url: str) -> str:
    """Give a ledger with one record, two moves and a lease, closed."""
    with SqlLedger(postgres_url) as ledger:
        ledger.records.append(ENTRY)
        ledger.pointers.move("live", expected=None, value="a", reason="first", by="ada", at=NOON)
        ledger.pointers.move("live", expected="a", value="b", reason="second", by="ada", at=NOON)
        ledger.leases.acquire("line", owner="ada", now=NOON, span=MINUTE)
    return postgres_url


@pytest.fixture
def raw(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def open_at(url: str) -> SqlLedger:
    return SqlLedger(url, patience=AT_ONCE)


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_was_written_is_there_when_it_is_opened_again(url: str) -> None:
    with open_at(url.replace("postgresql://", "postgres://")) as ledger:
        record = ledger.records.get("snapshot", "one")
        live = ledger.pointers.read("live")
        lease = ledger.leases.holder("line")
    assert (record and record.body, live and live.value, lease and lease.owner) == (b"{}", "b", "ada")


IMPOSSIBLE = {
    "a record that changes": "UPDATE records SET body = ''",
    "a record that vanishes": "DELETE FROM records",
    "records that vanish at once": "TRUNCATE records",
    "a record twice": "INSERT INTO records (kind, id, subject, body, caused_by, at)"
    " VALUES ('snapshot', 'one', 's', '', 'b', 0)",
    "a record without a name": "INSERT INTO records (kind, id, subject, body, caused_by, at)"
    " VALUES ('', 'two', 's', '', 'b', 0)",
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
def test_the_tables_refuse(state: str, raw: psycopg.Connection) -> None:
    with pytest.raises(psycopg.IntegrityError):
        raw.execute(IMPOSSIBLE[state].encode())


def test_a_place_in_the_order_is_given_in_the_order_of_commits(url: str) -> None:
    """A writer that is still under way holds up the next one, so that none is overtaken."""
    opened = Database(url, MINUTE)
    seen: list[int] = []
    with SqlLedger(url) as ledger:
        with opened.writing() as connection:
            later = threading.Thread(target=lambda: seen.append(ledger.records.append(renamed("later")).sequence))
            later.start()
            later.join(0.2)
            assert seen == []
            connection.exec_driver_sql(
                "INSERT INTO records (kind, id, subject, body, caused_by, at)"
                " VALUES ('snapshot', 'first', 's', '', 'b', 0)"
            )
        later.join()
        assert [one.id for one in ledger.records.list("snapshot")] == ["one", "first", "later"]
    opened.close()


def test_a_write_waits_for_the_servers_disk_whatever_its_default_is(
    postgres: servers.Postgres, url: str, raw: psycopg.Connection
) -> None:
    for default, found in (("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")):
        postgres.run(f"ALTER DATABASE {raw.info.dbname} SET synchronous_commit = '{default}'")
        opened = Database(url, MINUTE)
        with opened.writing() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == found
        opened.close()


# --- the schema ------------------------------------------------------------------------------------------------------


def test_the_migrations_lead_to_the_schema(url: str) -> None:
    opened = Database(url, MINUTE)
    with opened.reading() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    opened.close()
    assert found == []


def test_a_migration_that_fails_leaves_nothing_behind(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops_half_way(connection: Connection) -> None:
        metadata.create_all(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(database, "_migrate", stops_half_way)
        with pytest.raises(KeyboardInterrupt):
            open_at(postgres_url)
    with SqlLedger(postgres_url) as ledger:
        assert ledger.records.append(ENTRY).sequence == 1


# --- what is refused -------------------------------------------------------------------------------------------------

CHANGED = {
    "a newer release's": (
        "UPDATE alembic_version SET version_num = '9999'",
        f"expected schema {HEAD} or an older one, found schema 9999",
    ),
    "another program's": (
        "DROP TABLE alembic_version",
        "found a database with tables of another kind (leases, moves, records)",
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_database_is_refused_and_left_alone_that_is(what: str, url: str, raw: psycopg.Connection) -> None:
    statement, said = CHANGED[what]
    raw.execute(statement.encode())
    with pytest.raises(Conflict) as refused:
        open_at(url)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
    assert raw.execute("SELECT count(*) FROM records").fetchone() == (1,)


def wrong_password(server: servers.Postgres, name: str) -> str:
    return server.url(name, password="let-me-in")


def unknown_user(server: servers.Postgres, name: str) -> str:
    return server.url(name, user="mallory", password="let-me-in")


def no_database(server: servers.Postgres, _name: str) -> str:
    return server.url("nowhere", password="secret") + "?sslpassword=let-me-in"


def no_server(_server: servers.Postgres, name: str) -> str:
    return f"postgresql://ada:let-me-in@127.0.0.1:1/{name}"


def no_host(_server: servers.Postgres, name: str) -> str:
    return f"postgresql://ada:let-me-in@nowhere.invalid/{name}"


def no_rights(server: servers.Postgres, name: str) -> str:
    server.run("DROP ROLE IF EXISTS guest")
    server.run("CREATE ROLE guest LOGIN PASSWORD 'let-me-in'")
    return server.url(name, user="guest", password="let-me-in")


BAD = {
    "a wrong password": (wrong_password, "password authentication failed", "PGPASSWORD"),
    "an unknown user": (unknown_user, "password authentication failed", "PGPASSWORD"),
    "a database that is not there": (no_database, "expected a database named nowhere", "createdb nowhere"),
    "a server that is not there": (no_server, "Connection refused", "Is it running"),
    "a host that is not there": (no_host, "nowhere.invalid", "Is it running"),
    "a user without rights": (no_rights, "permission denied for schema public", "GRANT CREATE, USAGE"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_url_is_refused_with_the_way_out_that_names(what: str, postgres: servers.Postgres, postgres_url: str) -> None:
    spoil, said, way_out = BAD[what]
    with pytest.raises(Unavailable) as refused:
        open_at(spoil(postgres, postgres_url.rpartition("/")[2]))
    assert said in str(refused.value)
    assert way_out in refused.value.way_out
    assert "let-me-in" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://", "postgresql://ada:let-me-in@host", "postgresql://ada:let-me-in@host:x/d"]
)
def test_a_url_is_refused_that_names_no_database(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        SqlLedger(url)
    assert "postgresql://user@host/database" in refused.value.expected
    assert "let-me-in" not in str(refused.value)


def test_a_driver_that_is_not_installed_is_named_with_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from lockgate.kernel.errors import Unavailable\n"
        "from lockgate.ledger.sql import SqlLedger\n"
        "try: SqlLedger('postgresql://ada:let-me-in@host/x')\n"
        "except Unavailable as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert "pip install 'lockgate[postgres]'" in done.stdout
    assert "let-me-in" not in done.stdout


def test_a_write_gives_up_when_its_patience_ends_and_reads_go_on(url: str) -> None:
    opened = Database(url, MINUTE)
    with open_at(url) as ledger:
        with opened.writing():
            with pytest.raises(Unavailable, match="55P03") as refused:
                ledger.records.append(ENTRY)
            assert ledger.records.get("snapshot", "one")
        assert ledger.records.append(ENTRY).sequence == 1
    opened.close()
    assert "try again" in refused.value.way_out


def test_a_ledger_that_somebody_tampered_with_is_corrupt(url: str, raw: psycopg.Connection) -> None:
    raw.execute("DROP TABLE leases")
    with SqlLedger(url) as ledger, pytest.raises(Corrupt, match="leases"):
        ledger.leases.holder("line")


def test_a_ledger_carried_over_a_fork_refuses_to_work(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with SqlLedger(url) as ledger:
        here = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: here + 1)
        with pytest.raises(Unavailable, match="Open the ledger again in this process"):
            ledger.records.get("snapshot", "one")


# --- a server that fails ---------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_is_unavailable_and_works_again_when_it_is_back(
    postgres: servers.Postgres, url: str
) -> None:
    with SqlLedger(url) as ledger:
        postgres.server.kill()
        try:
            for _ in range(2):
                with pytest.raises(Unavailable):
                    ledger.records.append(renamed("while it is down"))
        finally:
            postgres.server.start()
        assert ledger.records.get("snapshot", "while it is down") is None
        assert ledger.records.get("snapshot", "one")
        assert ledger.records.append(renamed("after")).id == "after"


def test_a_connection_that_breaks_under_way_undoes_the_write(
    postgres: servers.Postgres, url: str, raw: psycopg.Connection
) -> None:
    opened = Database(url, MINUTE)

    def break_off() -> None:
        with opened.writing() as connection:
            connection.exec_driver_sql("UPDATE leases SET token = 9")
            (pid,) = connection.exec_driver_sql("SELECT pg_backend_pid()").one()
            postgres.run(f"SELECT pg_terminate_backend({pid})")
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(Unavailable, match="read first whether"):
        break_off()
    opened.close()
    assert raw.execute("SELECT token FROM leases").fetchone() == (1,)


def renamed(record_id: str) -> Entry:
    return Entry(kind="snapshot", id=record_id, subject="flights", body=b"{}", by="ada", at=NOON)
