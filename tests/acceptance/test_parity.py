"""`lockgate log parity`, used as a user would: real processes, a real log, the command beside it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tests.making.up import Running, parcel
from tests.making.workshop import Workshop


@pytest.fixture
def running(shipped: Workshop) -> Iterator[Running]:
    found = Running(shipped)
    yield found
    found.stop()


def asked(workshop: Workshop, count: int) -> list[dict[str, Any]]:
    """Give questions of the time that the first snapshots know."""
    orders = pl.read_parquet(workshop.data / "orders.parquet").sort("sent_at", descending=True)
    return [
        {**row, "sent_at": row["sent_at"].isoformat()}
        for row in orders.slice(10, count).select("parcel", "sent_at", "depot", "service", "weight").to_dicts()
    ]


def compared(workshop: Workshop, *options: str) -> tuple[int, dict[str, Any]]:
    code, out, err = workshop.run("log", "parity", "parcels", "--json", *options)
    assert out, err
    return code, json.loads(out)


def test_what_was_served_is_derived_again_and_is_equal(running: Running) -> None:
    workshop = running.workshop
    running.predict(*asked(workshop, 100))
    code, report = compared(workshop)

    assert code == 0
    assert (report["predictions"], report["covered"], report["mismatched"]) == (100, 100, 0)
    assert report["verdict"] == "pass"
    assert {line["part"] for line in report["lines"]} == {"transform", "data", "model"}
    assert all(line["compared"] == line["exact"] + line["within"] == 100 for line in report["lines"])
    code, out, err = workshop.run("log", "parity", "parcels", "--last", "1h", "--class", "model")
    assert code == 0, err
    assert "0 values differ" in out
    assert running.get(f"/api/v1/endpoints/parcels/parity/{'0' * 12}").status_code == 404


def test_a_question_that_no_snapshot_covers_is_not_equal(running: Running) -> None:
    running.predict(parcel(sent_at=datetime.now(UTC).isoformat()))
    code, report = compared(running.workshop)

    assert code == 3
    assert (report["verdict"], report["covered"], report["mismatched"]) == ("inconclusive", 0, 0)
    weather = [line for line in report["lines"] if line["column"].startswith("weather.")]
    assert [(line["compared"], line["not_covered"]) for line in weather] == [(0, 1)] * 3

    code, _, err = running.workshop.run("snapshot", "take", str(running.workshop.project))
    assert code == 0, err
    code, report = compared(running.workshop)
    assert (code, report["covered"], report["mismatched"]) == (0, 1, 0)


def test_what_the_endpoint_was_told_otherwise_is_found(running: Running) -> None:
    (question,) = asked(running.workshop, 1)
    moment = datetime.fromisoformat(question["sent_at"]) - timedelta(minutes=31)
    row = {"depot": question["depot"], "hour": moment.isoformat(), "rain": 99.5}
    answer = running.post("/v1/events/weather", {"endpoint": "parcels", "rows": [row]}, to="predict")
    assert answer.status_code == 200, answer.text
    running.predict(question)
    code, report = compared(running.workshop)

    assert code == 1
    (rain,) = [line for line in report["lines"] if line["column"] == "weather.rain"]
    assert (rain["mismatched"], rain["worst"]["served"]) == (1, 99.5)
    code, out, err = running.workshop.run("log", "parity", "parcels")
    assert code == 1, err
    assert "weather.rain" in out


def test_an_endpoint_that_nobody_asked_anything_is_inconclusive(shipped: Workshop) -> None:
    code, report = compared(shipped)
    assert (code, report["verdict"], report["predictions"], report["lines"]) == (3, "inconclusive", 0, [])


def test_only_the_class_that_is_asked_for_is_compared(running: Running) -> None:
    running.predict(*asked(running.workshop, 5))
    code, report = compared(running.workshop, "--class", "transform")
    assert code == 0
    assert {line["part"] for line in report["lines"]} == {"transform"}


WRONG = {
    "a span that is none": (["--last", "soon"], "expected a number and w, d, h, m or s"),
    "a class that is none": (["--class", "smell"], "expected transform, data, window, model"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_question_that_cannot_be_asked_is_refused(shipped: Workshop, options: list[str], said: str) -> None:
    code, _, err = shipped.run("log", "parity", "parcels", *options)
    assert code == 1
    assert said in err
