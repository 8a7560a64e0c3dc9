"""The endpoint as a caller meets it: a real worker over real HTTP, with a real model in a signed package."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lockgate.kernel.access import Scope
from lockgate.kernel.folders import StateFolder
from lockgate.predictionlog import reading
from lockgate.serving.moments import micros
from tests.making.package import NAME, START, flight, make_release, make_token
from tests.making.running import Running, wait_until

NOW = "flights-now"
PREDICT = f"/v1/predict/{NAME}"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = StateFolder(tmp_path_factory.mktemp("state"))
    make_release(state)
    make_release(state, name=NOW, replay=False)
    with Running(state) as running:
        yield running


def logged(up: Running, name: str = NAME) -> set[str]:
    return {prediction.id for prediction in reading.predictions(up.state.log / name)}


def now_row(**changes: object) -> dict[str, Any]:
    return flight(0, scheduled_departure=datetime.now(UTC).isoformat()) | changes


def test_a_prediction_is_answered_and_logged(up: Running) -> None:
    said = up.predict(1, 2, 3)
    assert (said["endpoint"], said["plan"], said["version"]) == (NAME, 1, "v1")
    assert {one["id"] for one in said["predictions"]} <= logged(up)
    assert all(0 <= one["score"] <= 1 and one["value"] == (one["score"] >= 0.5) for one in said["predictions"])


def test_callers_at_the_same_time_get_their_own_answers(up: Running) -> None:
    alone = {number: up.predict(number)["predictions"][0]["score"] for number in range(150)}
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(up.predict, range(150)))
    assert len(set(alone.values())) > 50, "the bodies have to differ for this to mean something"
    assert [said["predictions"][0]["score"] for said in together] == list(alone.values())
    assert len({said["predictions"][0]["id"] for said in together}) == 150


def test_the_same_key_twice_is_one_prediction(up: Running) -> None:
    first, second = (up.post(PREDICT, {"rows": [flight(7)]}, idempotency_key="once") for _ in range(2))
    assert first.content == second.content
    (kept,) = [one for one in reading.predictions(up.state.log / NAME) if one.retry_key == "once"]
    assert kept.id == first.json()["predictions"][0]["id"]
    assert up.post(PREDICT, {"rows": [flight(8)]}, idempotency_key="once").status_code == 422
    assert up.post(PREDICT, {"rows": [flight(8)]}, idempotency_key="x" * 129).status_code == 422


# --- abuse -----------------------------------------------------------------------------------------------------------

GOOD = json.dumps({"rows": [flight()]}).encode()
JSON = {"content-type": "application/json"}

ABUSE: dict[str, tuple[dict[str, Any], int, str]] = {
    "a body of 10 MB": ({"content": b'{"rows": "' + b"x" * 10_000_000 + b'"}', "headers": JSON}, 413, "too-large"),
    "half a body": ({"content": GOOD[: len(GOOD) // 2], "headers": JSON}, 400, "malformed"),
    "no body": ({"headers": JSON}, 400, "malformed"),
    "one bad row among good ones": (
        {"json": {"rows": [flight(), flight(1, distance=-1), flight(2)]}},
        422,
        "invalid",
    ),
    "a page of another site": ({"json": {}, "headers": {"origin": "https://evil.example"}}, 403, "forbidden"),
    "a foreign host": ({"json": {}, "headers": {"host": "evil.example"}}, 403, "forbidden"),
    "a form": ({"data": {"rows": "1"}}, 415, "wrong-media-type"),
    "text": ({"content": GOOD, "headers": {"content-type": "text/plain"}}, 415, "wrong-media-type"),
    "a compressed body": (
        {"content": GOOD, "headers": {**JSON, "content-encoding": "gzip"}},
        415,
        "wrong-media-type",
    ),
    "no token": ({"json": {}, "headers": {"authorization": ""}}, 401, "unauthenticated"),
    "a made-up token": ({"json": {}, "headers": {"authorization": "Bearer lg_x"}}, 401, "unauthenticated"),
}


@pytest.mark.parametrize(("request_", "status", "code"), ABUSE.values(), ids=ABUSE)
def test_abuse_is_refused_and_nothing_of_it_is_logged(
    up: Running, request_: dict[str, Any], status: int, code: str
) -> None:
    before = logged(up)
    answer = up.client.post(PREDICT, **request_)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"urn:lockgate:error:{code}"
    assert answer.json()["status"] == status
    assert logged(up) == before
    assert up.predict(1), "it goes on answering"


def test_a_long_body_without_a_stated_length_is_refused_while_it_is_read(up: Running) -> None:
    answer = up.client.post(PREDICT, content=iter([b"x" * 1_000_000] * 10), headers=JSON)
    assert answer.status_code == 413


def test_one_bad_row_is_named_with_its_place(up: Running) -> None:
    answer = up.post(PREDICT, {"rows": [flight(), flight(1, distance=-1)]})
    assert answer.json()["errors"] == [
        {"at": "rows[1].distance", "expected": "a number from 10 to 6,000", "found": "-1"}
    ]


def test_a_get_on_predict_says_what_is_allowed(up: Running) -> None:
    answer = up.client.get(PREDICT)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_who_has_no_token_is_told_how_to_show_one(up: Running) -> None:
    answer = httpx.post(f"{up.url}{PREDICT}", json={"rows": [flight()]})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="lockgate"')


def test_a_misspelt_endpoint_is_named_with_the_nearest(up: Running) -> None:
    answer = up.post("/v1/predict/flight-dely", {"rows": [flight()]})
    assert (answer.status_code, answer.json()["way_out"]) == (404, f"Did you mean '{NAME}'?")
    assert up.post("/v1/predikt", {}).status_code == 404


def test_a_time_far_ahead_is_refused_where_history_is_not_replayed(up: Running) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=6)).isoformat()
    answer = up.post(f"/v1/predict/{NOW}", {"rows": [now_row(), now_row(scheduled_departure=ahead)]})
    assert answer.status_code == 422
    assert [fault["at"] for fault in answer.json()["errors"]] == ["rows[1].scheduled_departure"]
    assert up.post(f"/v1/predict/{NOW}", {"rows": [now_row()]}).status_code == 200


def test_a_token_works_for_its_scopes_until_it_expires(up: Running) -> None:
    reader = make_token(up.state, Scope.READ, name="reader")
    expired = make_token(up.state, Scope.PREDICT, expires_at=START)
    fresh = make_token(up.state, Scope.PREDICT, name="fresh")

    def status(token: str) -> int:
        return up.post(PREDICT, {"rows": [flight()]}, authorization=f"Bearer {token}").status_code

    # The table of grants is looked at once a second.
    wait_until(lambda: status(fresh) == 200)
    assert (status(reader), status(expired)) == (403, 401)


# --- outcomes --------------------------------------------------------------------------------------------------------


def test_an_outcome_is_logged_for_a_prediction(up: Running) -> None:
    asked = up.predict(11)["predictions"][0]["id"]
    sent = {"prediction": asked, "value": True, "observed_at": "2013-03-01T12:00:00Z", "revision": 2}
    answer = up.post("/v1/outcomes", {"endpoint": NAME, "outcomes": [sent]})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
    (kept,) = [one for one in reading.outcomes(up.state.log / NAME) if one.prediction == asked]
    assert (kept.value, kept.revision, kept.by) == (True, 2, "tester")
    assert kept.observed_at == micros(datetime(2013, 3, 1, 12, tzinfo=UTC))


def test_an_outcome_may_come_by_key_and_is_observed_now_unless_it_says_otherwise(up: Running) -> None:
    asked_at = datetime.now(UTC)
    sent = {"key": "UA-9", "asked_at": asked_at.isoformat(), "value": False}
    assert up.post("/v1/outcomes", {"endpoint": NOW, "outcomes": [sent]}).status_code == 200
    (kept,) = [one for one in reading.outcomes(up.state.log / NOW) if one.key == "UA-9"]
    assert (kept.asked_at, kept.observed_at) == (micros(asked_at), kept.received_at)


def test_wrong_outcomes_are_refused_together_and_every_fault_is_named(up: Running) -> None:
    asked = up.predict(12)["predictions"][0]["id"]
    at = {"observed_at": "2013-03-01T12:00:00Z"}
    sent = [
        {"prediction": asked, "value": True, **at},
        {"prediction": "01a20af4-0d06-7000-8000-f734035521ac", "value": True, **at},
        {"prediction": "no id", "value": 1, **at},
        {"value": True, **at},
        {"prediction": asked, "key": "UA-1", "value": True, **at},
        {"prediction": asked, "value": True},
    ]
    answer = up.post("/v1/outcomes", {"endpoint": NAME, "outcomes": sent})
    assert answer.status_code == 422
    assert [fault["at"] for fault in answer.json()["errors"]] == [
        "outcomes[1].prediction",
        "outcomes[2].prediction",
        "outcomes[2].value",
        "outcomes[3]",
        "outcomes[4]",
        "outcomes[5].observed_at",
    ]
    assert answer.json()["errors"][0]["expected"] == f"the id of a prediction of {NAME}"
    assert all(one.prediction != asked for one in reading.outcomes(up.state.log / NAME)), "all or nothing"


def test_outcomes_of_an_endpoint_that_is_not_there_are_refused(up: Running) -> None:
    answer = up.post("/v1/outcomes", {"endpoint": "flight-dely", "outcomes": []})
    assert (answer.status_code, answer.json()["way_out"]) == (404, f"Did you mean '{NAME}'?")


# --- events ----------------------------------------------------------------------------------------------------------


def wind(**changes: object) -> dict[str, Any]:
    return {"origin": "LGA", "hour": "2013-03-01T06:00:00Z", "wind_speed": 33.0} | changes


def wind_seen(up: Running) -> object:
    """Ask at LGA at 8 o'clock, and give what the prediction saw of the wind."""
    row = flight(5, scheduled_departure=START.isoformat())
    id_ = up.post(PREDICT, {"rows": [row]}).json()["predictions"][0]["id"]
    (kept,) = [one for one in reading.predictions(up.state.log / NAME) if one.id == id_]
    return kept.known[0].values[0]


def test_an_event_is_seen_by_predictions_from_its_reply_on(up: Running) -> None:
    assert wind_seen(up) == 5.0
    late = wind(hour="2013-03-01T07:30:00Z", wind_speed=99.0)
    answer = up.post("/v1/events/weather", {"endpoint": NAME, "rows": [wind(hour="2013-03-01T07:05:00Z"), late]})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "applied": True})
    assert wind_seen(up) == 33.0, "the later row is not known before 8:20"
    assert {one.values["wind_speed"] for one in reading.events(up.state.log / NAME)} == {33.0, 99.0}


WRONG_EVENTS: dict[str, tuple[dict[str, Any], str]] = {
    "a column that nothing looks up": (wind(humidity=3), "rows[0].humidity"),
    "a column of the wrong type": (wind(wind_speed="strong"), "rows[0].wind_speed"),
    "no key": (wind(origin=None), "rows[0].origin"),
    "no time": (wind(hour=None), "rows[0].hour"),
}


@pytest.mark.parametrize(("row", "at"), WRONG_EVENTS.values(), ids=WRONG_EVENTS)
def test_a_wrong_event_is_refused(up: Running, row: dict[str, Any], at: str) -> None:
    answer = up.post("/v1/events/weather", {"endpoint": NAME, "rows": [row]})
    assert answer.status_code == 422
    assert [fault["at"] for fault in answer.json()["errors"]] == [at]


def test_an_event_that_has_not_happened_yet_is_refused_where_history_is_not_replayed(up: Running) -> None:
    ahead = wind(hour=(datetime.now(UTC) + timedelta(minutes=6)).isoformat())
    assert up.post("/v1/events/weather", {"endpoint": NOW, "rows": [ahead]}).status_code == 422
    assert up.post("/v1/events/weather", {"endpoint": NOW, "rows": [wind()]}).status_code == 200


def test_an_event_of_an_unknown_source_is_refused_with_the_nearest(up: Running) -> None:
    answer = up.post("/v1/events/whether", {"endpoint": NAME, "rows": [wind()]})
    assert (answer.status_code, answer.json()["way_out"]) == (404, "Did you mean 'weather'?")


# --- what it says of itself ------------------------------------------------------------------------------------------


def test_anybody_may_ask_whether_it_lives_and_is_ready(up: Running) -> None:
    assert httpx.get(f"{up.url}/livez").json() == {"alive": True}
    assert httpx.get(f"{up.url}/readyz").json() == {"ready": True}


def test_who_may_read_is_told_how_each_endpoint_is(up: Running) -> None:
    said = up.client.get("/readyz").json()["endpoints"]
    assert set(said) == {NAME, NOW}
    assert (said[NAME]["ready"], said[NAME]["plan"], said[NAME]["version"]) == (True, 1, "v1")


def test_metrics_count_what_was_answered_and_refused(up: Running) -> None:
    def count(line: str) -> int:
        found = [text for text in up.client.get("/metrics").text.splitlines() if text.startswith(line)]
        return int(found[0].rpartition(" ")[2]) if found else 0

    answered = f'lockgate_predictions_total{{endpoint="{NAME}",version="v1"}}'
    refused = f'lockgate_refused_total{{endpoint="{NAME}",code="invalid"}}'
    unseen = f'lockgate_unseen_total{{endpoint="{NAME}",field="carrier"}}'
    before = [count(line) for line in (answered, refused, unseen)]
    up.post(PREDICT, {"rows": [flight(carrier="ZZ"), flight()]})
    up.post(PREDICT, {"rows": []})
    after = [count(line) for line in (answered, refused, unseen)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 1, 1]


def test_the_contract_can_be_read(up: Running) -> None:
    said = up.client.get(f"/v1/endpoints/{NAME}").json()
    assert (said["version"], said["key"], said["asked_at"]) == ("v1", "flight_id", "scheduled_departure")
    assert [field["name"] for field in said["fields"]] == list(flight())
    assert said["sources"] == ["weather"]
