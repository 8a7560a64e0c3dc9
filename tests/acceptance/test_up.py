"""`lockgate up`, used as a user would: real processes, real HTTP, the commands beside it."""

import json
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.making.parcels import commit
from tests.making.up import Running, parcel
from tests.making.workshop import Workshop, wait_for


@pytest.fixture
def running(shipped: Workshop) -> Iterator[Running]:
    found = Running(shipped)
    yield found
    found.stop()


def test_a_prediction_is_answered_told_about_and_explained(running: Running) -> None:
    answer = running.predict(parcel(1), parcel(2, weight=33.0, depot="rtm"), parcel(3, service="drone"))
    assert answer["version"] == "v1"
    ids = [one["id"] for one in answer["predictions"]]
    assert len(set(ids)) == 3
    told = [
        {"prediction": ids[0], "value": False, "observed_at": "2026-04-12T08:00:00Z"},
        {"key": "q2", "asked_at": "2026-04-11T10:00:00Z", "value": True, "observed_at": "2026-04-12T09:00:00Z"},
    ]
    assert running.post("/v1/outcomes", {"endpoint": "parcels", "outcomes": told}, to="predict").json()["accepted"] == 2
    corrected = [{**told[0], "value": True, "revision": 1}, told[0], told[0]]
    running.post("/v1/outcomes", {"endpoint": "parcels", "outcomes": corrected}, to="predict")

    explained = running.get(f"/api/v1/predictions/{ids[0]}").json()
    assert explained["outcome"]["value"] is True, "the highest revision is the last word, though it came before"
    assert explained["outcome"]["words"] == 4
    assert explained["release"] == running.workshop.first["release"]
    assert explained["commit"] == running.workshop.first["commit"]
    assert explained["request"]["weight"] == 12.5
    rain = next(one for one in explained["features"] if one["name"] == "weather_rain")
    assert rain["source"] == "weather"
    assert rain["value"] is None, "the last weather in the snapshot is older than it may be"
    assert running.get(f"/api/v1/predictions/{ids[1]}").json()["outcome"]["value"] is True
    third = running.get(f"/api/v1/predictions/{ids[2]}").json()
    assert third["outcome"] is None
    assert third["unseen"] == ["service"]

    code, out, err = running.workshop.run("explain", ids[0])
    assert code == 0, err
    assert explained["commit"] in out

    metrics = running.get("/api/v1/endpoints/parcels/metrics").json()
    assert (metrics["predictions"], metrics["outcomes_joined"], metrics["outcomes_unmatched"]) == (3, 2, 0)
    assert {day["day"] for day in metrics["days"]} == {"2026-04-11"}
    assert {(day["n"], day["naive_n"]) for day in metrics["days"]} == {(0, 2)}, "nothing is mature yet"


def test_events_are_known_from_their_available_time_on(running: Running) -> None:
    row = {"depot": "ams", "hour": "2026-04-11T09:00:00Z", "rain": 3.0}
    assert running.post("/v1/events/weather", {"endpoint": "parcels", "rows": [row]}, to="predict").status_code == 200
    before = running.predict(parcel(1, sent_at="2026-04-11T09:29:59Z"))["predictions"][0]["id"]
    after = running.predict(parcel(1, sent_at="2026-04-11T09:30:00Z"))["predictions"][0]["id"]
    seen = [
        next(
            one for one in running.get(f"/api/v1/predictions/{id_}").json()["features"] if one["name"] == "weather_rain"
        )
        for id_ in (before, after)
    ]
    assert [one["value"] for one in seen] == [None, 3.0]
    assert seen[1]["known_since"] == "2026-04-11T09:30:00Z"


def test_ship_and_rollback_move_the_running_endpoint_without_a_restart(running: Running) -> None:
    workshop = running.workshop
    worker = json.loads(workshop.run("status", "--json")[1])["running"]["workers"][0]["pid"]
    path = workshop.project / "project.py"
    path.write_text(path.read_text().replace('"trees": 12', '"trees": 14'))
    commit(workshop.project, "More trees")
    assert workshop.ship()["version"] == "v2"
    assert running.predict(parcel())["version"] == "v2"
    code, out, err = workshop.run("rollback", "parcels", "--reason", "a drill", "--json")
    assert code == 0, err
    done = json.loads(out)
    assert done["errors"] == []
    assert [ack["plan"] for ack in done["acks"]] == [3]
    assert running.predict(parcel())["version"] == "v1"
    assert json.loads(workshop.run("status", "--json")[1])["running"]["workers"][0]["pid"] == worker


def test_a_walk_survives_its_control_plane_and_predictions_go_on_meanwhile(running: Running) -> None:
    workshop = running.workshop
    path = workshop.project / "project.py"
    path.write_text(path.read_text().replace('"trees": 12', '"trees": 14'))
    commit(workshop.project, "More trees")
    (workshop.data / "slow").touch()
    shipping = workshop.begin("ship", str(workshop.project), "--json")
    wait_for(lambda: workshop.fits() == 2)
    status = json.loads(workshop.run("status", "--json")[1])
    os.kill(status["running"]["control"][0]["pid"], signal.SIGKILL)
    assert running.predict(parcel())["version"] == "v1"
    (workshop.data / "slow").unlink()
    out, err = shipping.communicate(timeout=120)
    assert shipping.returncode == 0, err
    assert json.loads(out)["version"] == "v2"
    assert running.predict(parcel())["version"] == "v2"


def test_when_the_supervisor_is_killed_nothing_listens_any_more(running: Running) -> None:
    ports = [int(running.up[name].rpartition(":")[2]) for name in ("predict", "control")]
    running.process.kill()
    wait_for(lambda: not any(map(_listens, ports)), seconds=5)


REFUSED = {
    "no token": ({"Authorization": ""}, 401, "unauthenticated"),
    "another site's page": ({"Origin": "http://evil.example"}, 403, "forbidden"),
    "another host's name": ({"Host": "evil.example"}, 403, "forbidden"),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "wrong-media-type"),
}


def test_the_api_refuses_what_it_should_and_does_a_post_once(running: Running) -> None:
    path, body = "/api/v1/endpoints/parcels/rollback", {"reason": "no"}
    for what, (headers, status, code) in REFUSED.items():
        answer = running.post(path, body, **headers)
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:lockgate:error:{code}"), what
        assert answer.headers["content-type"] == "application/problem+json", what
    refused = running.post(path, body)
    assert refused.status_code == 400
    assert "nothing to go back to" in refused.json()["title"]
    unknown = running.post("/api/v1/endpoints/parcel/rollback", body)
    assert unknown.status_code == 404
    assert unknown.json()["way_out"] == "Did you mean 'parcels'?"
    assert running.post(path, {"because": "x"}).json()["errors"][0]["at"].endswith("reason")
    assert running.get("/api/v1/predictions/nonsense").status_code == 404
    assert running.get("/api/v1/nothing").headers["content-type"] == "application/problem+json"

    made = running.post("/api/v1/tokens", {"name": "reader", "scopes": ["read"]}).json()
    reader = {"Authorization": f"Bearer {made['token']}"}
    assert running.get("/api/v1/overview", **reader).status_code == 200
    assert running.post(path, body, **reader).status_code == 403
    assert running.post("/v1/predict/parcels", {"rows": [parcel()]}, to="predict", **reader).status_code == 403

    key = {"Idempotency-Key": "k1"}
    first = running.post("/api/v1/endpoints", {"name": "other", "replay": True}, **key)
    again = running.post("/api/v1/endpoints", {"name": "other", "replay": True}, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert running.post("/api/v1/endpoints", {"name": "other", "replay": False}, **key).status_code == 422


def test_a_taken_port_and_a_second_supervisor_are_refused_in_words(running: Running) -> None:
    code, _, err = running.workshop.run("up", "--port", "0", "--control-port", "0")
    assert code == 2
    assert "served already" in err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        running.workshop.state = running.workshop.state.with_name("another")
        code, _, err = running.workshop.run("up", "--port", port, "--control-port", "0")
    assert code == 2
    assert port in err


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
