"""The servers that tests run on: real, and gone when they are not needed any more."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from obstore.store import from_url
from redis import Redis

from tests.making import servers
from tests.making.running import listens, wait_until

STARTS_AND_IS_KILLED = """
import os, signal
from tests.making import servers
with servers.{kind}() as found:
    print(*(found.ports if "{kind}" == "s3" else [found.port]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_database_is_empty_and_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE mine (id int)")


def test_a_database_forgets_what_stood_in_the_one_before(postgres: servers.Postgres) -> None:
    for _ in range(2):
        with postgres.database("again") as url, psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE mine (id int)")


def test_s3_is_reached_by_what_the_environment_says(s3: servers.S3) -> None:
    store = from_url(s3.url)
    store.put("key", b"value", mode="create")
    assert bytes(store.get("key").bytes()) == b"value"
    with pytest.raises(FileNotFoundError):
        from_url("s3://no-such-bucket").put("key", b"value")


def test_valkey_answers(valkey_url: str) -> None:
    with Redis.from_url(valkey_url.replace("valkey://", "redis://")) as client:
        assert client.dbsize() == 0
        assert client.set("key", "value")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that the user whom PostgreSQL runs as can enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
@pytest.mark.parametrize("kind", ["postgres", "s3", "valkey"])
def test_a_test_run_that_is_killed_takes_its_servers_along(kind: str, open_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTS_AND_IS_KILLED.format(kind=kind)],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(open_folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    ports = [int(port) for port in done.stdout.split()]
    assert ports, done.stderr
    wait_until(lambda: not any(listens(port) for port in ports))
    servers.forget_sockets(ports)
