"""A few flights that were asked in this process, and what stands in the log of them."""

import pytest

from lockgate.predictionlog import reading
from lockgate.records.prediction import Prediction
from tests.making.flights import Flights

ASKED = 120


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Flights:
    found = Flights(tmp_path_factory.mktemp("flights"))
    found.fly(ASKED)
    return found


@pytest.fixture(scope="session")
def logged(flights: Flights) -> list[Prediction]:
    return list(reading.predictions(flights.log))
