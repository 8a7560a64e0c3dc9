"""What a walk tells in OpenLineage events: held against the official classes, and the official schemas where given."""

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from lockgate.engine.openlineage.facets import PRODUCER
from tests.making.openlineage import as_official_classes_write_it, faults_by_schema
from tests.making.parcels import commit
from tests.making.workshop import Workshop

Event = dict[str, Any]


def told(path: Path) -> list[Event]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """Ship once to a release, once to a gate that stays shut, once to a source that breaks; give all events."""
    workshop = Workshop(tmp_path_factory.mktemp("told"))
    events = f"file:{workshop.data / 'events.ndjson'}"
    assert workshop.run("endpoint", "create", "parcels", "--replay")[0] == 0
    workshop.ship("--lineage", events)
    text = (workshop.project / "project.py").read_text()
    (workshop.project / "project.py").write_text(text.replace("at_least=0.6", "at_least=0.999"))
    commit(workshop.project, "Ask too much")
    workshop.refused("--lineage", events)
    (workshop.data / "break").touch()
    workshop.refused("--lineage", events)
    return told(workshop.data / "events.ndjson")


def ours_removed(event: Event) -> Event:
    """Leave our own facets out, and what is empty: the official classes do not write it."""
    copied: Event = json.loads(json.dumps(event))
    for dataset in (*copied["inputs"], *copied["outputs"]):
        for name in ("facets", "inputFacets", "outputFacets"):
            facets = {key: value for key, value in dataset.get(name, {}).items() if not key.startswith("lockgate_")}
            dataset[name] = facets
    return copied


def comparable(content: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out what is empty, and of versions of facets all but the first number: theirs may be a little newer."""
    if isinstance(content, dict):
        return {key: comparable(value) for key, value in content.items() if value not in ({}, [], None)}
    if isinstance(content, list):
        return [comparable(one) for one in content]
    return re.sub(r"(/spec/facets/\d+)-\d+-\d+/", r"\1/", content) if isinstance(content, str) else content


def test_every_event_is_what_the_official_classes_would_write(walked: list[Event]) -> None:
    for event in walked:
        official = as_official_classes_write_it(event, PRODUCER)
        assert comparable(official) == comparable(ours_removed(event)), event["job"]["name"]


@pytest.mark.skipif("OPENLINEAGE_SPEC" not in os.environ, reason="OPENLINEAGE_SPEC names no official schemas")
def test_every_event_and_facet_holds_to_the_official_schemas(walked: list[Event]) -> None:
    spec = Path(os.environ["OPENLINEAGE_SPEC"])

    assert [fault for event in walked for fault in faults_by_schema(event, spec)] == []
    broken = json.loads(json.dumps(walked[0]))
    del broken["job"]["facets"]["jobType"]["processingType"]
    broken["run"]["runId"] = "none"
    assert len(faults_by_schema(broken, spec)) == 2


def test_a_fault_is_found_by_the_official_classes(walked: list[Event]) -> None:
    event = json.loads(json.dumps(walked[0]))
    event["job"]["facets"]["jobType"]["kind"] = "WALK"

    with pytest.raises(TypeError):
        as_official_classes_write_it(event, PRODUCER)


def test_every_run_begins_once_and_ends_once(walked: list[Event]) -> None:
    for run in {event["run"]["runId"] for event in walked}:
        kinds = [event["eventType"] for event in walked if event["run"]["runId"] == run]
        assert kinds in (["START", "COMPLETE"], ["START", "FAIL"])


def test_steps_are_children_of_their_walk(walked: list[Event]) -> None:
    walks = {event["run"]["runId"] for event in walked if event["job"]["name"] == "parcels"}

    assert len(walks) == 3
    for event in walked:
        parent = event["run"]["facets"].get("parent")
        assert (parent is None) == (event["run"]["runId"] in walks)
        assert parent is None or parent["run"]["runId"] in walks


def ended(walked: list[Event], job: str) -> Event:
    return next(one for one in walked if one["job"]["name"] == job and one["eventType"] == "COMPLETE")


def test_a_snapshot_is_told_with_its_version_rows_schema_and_origin(walked: list[Event]) -> None:
    event = ended(walked, "parcels.snapshots.orders")
    (output,), (origin,) = event["outputs"], event["inputs"]

    assert output["facets"]["version"]["datasetVersion"].startswith("sha256:")
    assert output["facets"]["dataQualityMetrics"]["rowCount"] == 3000
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 3000
    assert "weight" in [field["name"] for field in output["facets"]["schema"]["fields"]]
    assert origin == {"namespace": "python", "name": "tables:orders"}


def test_checks_are_told_as_assertions_of_what_they_examined_and_as_tests(walked: list[Event]) -> None:
    event = ended(walked, "parcels.checks.orders")
    assertions = event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]

    assert {one["assertion"] for one in assertions} >= {"unique", "between"}
    assert all(one["success"] for one in assertions)
    assert {one["status"] for one in event["run"]["facets"]["test"]["tests"]} == {"pass"}


def test_model_columns_are_told_with_the_source_columns_they_come_from(walked: list[Event]) -> None:
    lineage = ended(walked, "parcels.features")["outputs"][0]["facets"]["columnLineage"]["fields"]
    heavy = {(one["name"], one["field"], one["transformations"][0]["type"]) for one in lineage["@heavy"]["inputFields"]}
    rain = {(one["field"], one["transformations"][0]["type"]) for one in lineage["@weather_rain"]["inputFields"]}

    assert heavy == {
        ("parcels/snapshots/orders", "weight", "DIRECT"),
        ("parcels/snapshots/orders", "sent_at", "DIRECT"),
    }
    assert ("rain", "DIRECT") in rain
    assert ("depot", "INDIRECT") in rain


def test_the_model_is_told_with_its_own_facet(walked: list[Event]) -> None:
    (output,) = ended(walked, "parcels.package")["outputs"]

    assert output["facets"]["lockgate_model"]["format"] == "skops/1"
    assert output["facets"]["lockgate_model"]["columns"][:3] == ["depot", "service", "weight"]


def test_a_shut_gate_is_told_as_a_failed_test_and_a_failed_walk(walked: list[Event]) -> None:
    gates = [one for one in walked if one["job"]["name"] == "parcels.gates" and one["eventType"] == "COMPLETE"][-1]
    failed = [one for one in walked if one["job"]["name"] == "parcels" and one["eventType"] == "FAIL"]

    assert "fail" in {one["status"] for one in gates["run"]["facets"]["test"]["tests"]}
    assert "gate" in failed[0]["run"]["facets"]["errorMessage"]["message"]


def test_a_failed_step_is_told_with_its_reason(walked: list[Event]) -> None:
    event = next(
        one for one in walked if one["eventType"] == "FAIL" and one["job"]["name"] == "parcels.snapshots.orders"
    )

    assert "the warehouse is closed" in event["run"]["facets"]["errorMessage"]["message"]


def test_the_commit_is_told_with_every_job(walked: list[Event]) -> None:
    versions = {event["job"]["facets"]["sourceCodeLocation"]["version"] for event in walked}

    assert len(versions) == 2
    assert all(len(one) == 40 for one in versions)


@contextmanager
def endpoint(status: int, pause: float = 0) -> Iterator[tuple[str, list[tuple[str, Event]]]]:
    taken: list[tuple[str, Event]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(pause)
            taken.append((self.headers.get("Authorization", ""), json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/v1/lineage", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_endpoint_is_sent_every_event_with_its_key(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(201) as (url, taken):
        monkeypatch.setenv("LOCKGATE_LINEAGE", url)
        monkeypatch.setenv("LOCKGATE_LINEAGE_KEY", "secret")
        workshop.ship()

    assert {key for key, _ in taken} == {"Bearer secret"}
    assert taken[-1][1]["eventType"] == "COMPLETE"
    assert taken[-1][1]["job"]["name"] == "parcels"


def test_an_endpoint_that_is_not_there_stops_no_walk_and_is_told(workshop: Workshop) -> None:
    code, _, err = workshop.run("ship", str(workshop.project), "--json", "--lineage", "http://127.0.0.1:9/lineage")

    assert code == 0, err
    assert "not taken by http://127.0.0.1:9/lineage" in workshop.told()


def test_a_place_where_nothing_can_be_sent_is_refused_at_once(workshop: Workshop) -> None:
    assert "file:PATH" in workshop.refused("--lineage", "ftp://here")
    assert not workshop.told()
