"""The moment at which a test runs: blobs are stored by the clock of their store, which no test can set."""

from datetime import UTC, datetime

import pytest

from tests.unit.engine.making import Clock


@pytest.fixture(scope="session")
def really() -> Clock:
    return Clock(datetime.now(UTC))
