"""What every test shares: how Hypothesis searches, and real servers to try stores on."""

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.making import servers

# No deadline: a busy machine is not a fault of the code. Derandomised in CI, so that a run can be repeated.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """Give a PostgreSQL server of this session's own."""
    with servers.postgres() as found:
        yield found


@pytest.fixture
def postgres_url(postgres: servers.Postgres) -> Iterator[str]:
    """Give the URL of an empty database."""
    with postgres.database(f"test_{uuid.uuid4().hex}") as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[servers.S3]:
    """Give an S3 server of this session's own."""
    with servers.s3() as found:
        yield found


@pytest.fixture
def s3(s3_server: servers.S3, monkeypatch: pytest.MonkeyPatch) -> servers.S3:
    """Give an empty place in a bucket; the environment says how to reach it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server._replace(prefix=uuid.uuid4().hex)


@pytest.fixture(scope="session")
def valkey() -> Iterator[servers.Valkey]:
    """Give a Valkey server of this session's own."""
    with servers.valkey() as found:
        yield found


@pytest.fixture
def valkey_url(valkey: servers.Valkey) -> str:
    """Give the URL of an empty database."""
    valkey.clear()
    return valkey.url
