"""The online store as its operator meets it: processes killed, stores that go and come, machines that begin again."""

import fcntl
import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from lockgate.features.store import open_store
from lockgate.kernel.folders import StateFolder
from lockgate.predictionlog import reading
from lockgate.records.outcome import Event
from lockgate.serving.installed import machine_of, store_url
from lockgate.serving.loading import load_version
from lockgate.serving.moments import micros
from tests.making import servers
from tests.making.package import NAME, ORIGINS, START, flight, make_release, put_plan
from tests.making.running import PATIENCE, Running, begin, wait_until

DELAY = micros(START + timedelta(minutes=50)) - micros(START)
STALE = 3 * 3_600_000_000


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    found = StateFolder(tmp_path / "state")
    make_release(found)
    return found


def hour(minutes: float) -> str:
    return (START - timedelta(minutes=minutes)).isoformat()


def post(up: Running, *rows: dict[str, Any]) -> dict[str, Any]:
    answer = up.post("/v1/events/weather", {"endpoint": NAME, "rows": list(rows)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wind_row(minutes: float, wind: float, origin: str = "LGA") -> dict[str, Any]:
    return {"origin": origin, "hour": hour(minutes), "wind_speed": wind}


def ask(up: Running, origin: str = "LGA", minutes: float = 0) -> Any:  # noqa: ANN401 - a value, or a refusal
    """Ask about a departure some minutes before the start, and give what the prediction saw of the wind."""
    row = flight(5, origin=origin, scheduled_departure=hour(minutes))
    answer = up.post(f"/v1/predict/{NAME}", {"rows": [row]})
    if answer.status_code != 200:
        return answer
    id_ = answer.json()["predictions"][0]["id"]
    (kept,) = [one for one in reading.predictions(up.state.log / NAME) if one.id == id_]
    return kept.known[0].values[0]


def ingest(up: Running) -> dict[str, Any]:
    found: dict[str, Any] = up.ask(do="status")["ingest"]
    return found


def caught_up(up: Running) -> bool:
    said = ingest(up)
    return said["ready"] and NAME in said["endpoints"] and said["endpoints"][NAME]["lag_rows"] == 0


# --- the oracle: every row of the log, looked at for every question ---------------------------------------------------


def oracle(events: Sequence[Event], origin: str, asked: int) -> float | None:
    rows = {(START_EVENT, START_EVENT + 1_800_000_000): 5.0}
    for event in events:
        if event.key == origin:
            value = event.values["wind_speed"]
            assert isinstance(value, float)
            rows[event.event_time, event.available_time] = value
    known = [row for row in rows if row[1] <= asked]
    best = max(known, default=None)
    return None if best is None or asked - best[0] > STALE else rows[best]


START_EVENT = micros(START - timedelta(hours=1))


def differing(state: StateFolder, url: str) -> list[tuple[str, int]]:
    """Give the questions that the store does not answer as the whole log does."""
    (release,) = {one.stem for one in (state.endpoint(NAME) / "releases").iterdir()}
    store = open_store(url, read_only=True)
    version = load_version(state, NAME, f"sha256:{release}", store, machine_of(state))
    events = list(reading.events(state.log / NAME))
    wrong = []
    for origin in ORIGINS:
        for minute in range(0, 400, 7):
            row = flight(0, origin=origin, scheduled_departure=hour(minute))
            (question,) = version.read(msgspec.json.encode({"rows": [row]}), {})
            if version.look([question])[0].known[0].values[0] != oracle(events, origin, question.asked_at):
                wrong.append((origin, minute))
    store.close()
    return wrong


# --- deaths -----------------------------------------------------------------------------------------------------------


class Posters:
    """Callers that post rows without end: late, out of order, corrected, some of them twice."""

    def __init__(self, up: Running, count: int = 3) -> None:
        self._up, self._ended = up, threading.Event()
        # What was acknowledged: origin, event time, wind.
        self.acknowledged: list[tuple[str, str, float]] = []
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _post(self, number: int) -> None:
        dice = random.Random(number)
        with self._up.new_client() as client:
            while not self._ended.is_set():
                rows = [
                    wind_row(dice.randrange(400), dice.randrange(90) + 0.5, ORIGINS[number])
                    for _ in range(dice.randrange(1, 6))
                ]
                for _ in range(dice.choice((1, 1, 2))):
                    answer = client.post("/v1/events/weather", json={"endpoint": NAME, "rows": rows})
                    assert answer.status_code == 200, answer.text
                    self.acknowledged += [(row["origin"], row["hour"], row["wind_speed"]) for row in rows]


def test_ingest_killed_at_random_moments_loses_nothing_and_counts_nothing_twice(state: StateFolder) -> None:
    dice = random.Random(7)
    with Running(state) as up:
        posters = Posters(up)
        killed = 0
        until = time.monotonic() + 12
        while time.monotonic() < until or killed < 4:
            time.sleep(dice.random())
            pid = ingest(up)["pid"]
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        posters.stop()
        wait_until(lambda: caught_up(up))
        logged = {(one.key, one.event_time, one.values["wind_speed"]) for one in reading.events(state.log / NAME)}
        assert len(posters.acknowledged) > 100
        assert {(key, micros_of(at), wind) for key, at, wind in posters.acknowledged} <= logged
        assert differing(state, store_url(state)) == []


def micros_of(moment: str) -> int:
    return micros(datetime.fromisoformat(moment))


def test_everything_killed_at_once_gives_the_same_answers_again(state: StateFolder) -> None:
    with Running(state) as up:
        assert post(up, wind_row(55, 33.0), wind_row(70, 44.0, "EWR"))["applied"] is True
        before = [ask(up, origin, minutes) for origin in ORIGINS for minutes in (0, 30)]
        everything = [up.process.pid, up.worker["pid"], ingest(up)["pid"]]
        # Acknowledged, but killed before it is in the store.
        os.kill(everything[2], signal.SIGSTOP)
        assert post(up, wind_row(52, 77.0, "JFK"))["applied"] is False
        for pid in everything:
            os.kill(pid, signal.SIGKILL)
        up.process.wait(PATIENCE)
        wait_until(lambda: not any(psutil.pid_exists(p) and _lives(p) for p in everything))
    with Running(state) as again:
        wait_until(lambda: caught_up(again))
        after = [ask(again, origin, minutes) for origin in ORIGINS for minutes in (0, 30)]
        assert after == [*before[:2], 77.0, *before[3:]]
        assert before[2] == 5.0


def _lives(pid: int) -> bool:
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


# --- windows, and two versions ---------------------------------------------------------------------------------------


def departure(number: int, minutes: int, delay: int, carrier: str = "UA") -> dict[str, Any]:
    """A departure some minutes before the start; it left when it was known to have."""
    return {
        "flight_id": f"D{number}",
        "scheduled": hour(minutes),
        "left": hour(minutes - delay),
        "delay": delay,
        "carrier": carrier,
    }


def depart(up: Running, *rows: dict[str, Any]) -> None:
    answer = up.post("/v1/events/departures", {"endpoint": NAME, "rows": list(rows)})
    assert answer.json() == {"accepted": len(rows), "applied": True}, answer.text


def window(up: Running, carrier: str = "UA") -> tuple[str, Any]:
    """Ask at the start; give the version that answered, and what its window held."""
    said = up.post(f"/v1/predict/{NAME}", {"rows": [flight(0, carrier=carrier, scheduled_departure=hour(0))]}).json()
    id_ = said["predictions"][0]["id"]
    (kept,) = [one for one in reading.predictions(up.state.log / NAME) if one.id == id_]
    return said["version"], kept.known[-1].values


def test_windows_count_what_was_posted_once_and_say_the_same_after_a_restart(state: StateFolder) -> None:
    make_release(state, number=2, windows=True)
    with Running(state) as up:
        assert window(up) == ("v2", (0, 0))
        rows = [departure(1, 60, 10), departure(2, 170, 20), departure(3, 181, 40), departure(4, 10, 30)]
        depart(up, *rows)
        depart(up, *rows[::-1])
        # The third is out of reach, the fourth had not left yet.
        assert window(up) == ("v2", (2, 30))
        # A correction, known in time; another carrier's.
        depart(up, departure(1, 60, 10) | {"left": hour(20), "delay": 40}, departure(5, 30, 5, "AA"))
        assert window(up) == ("v2", (2, 60))
        up.process.kill()
        up.process.wait(PATIENCE)
    with Running(state) as again:
        assert (window(again), window(again, "AA"), window(again, "B6")) == (
            ("v2", (2, 60)),
            ("v2", (1, 5)),
            ("v2", (0, 0)),
        )


def test_a_version_sees_what_was_posted_while_another_one_was_live(state: StateFolder) -> None:
    with_windows = make_release(state, number=2, windows=True)
    plain = make_release(state, number=3, seed=3)
    with Running(state) as up:
        # The live version reads no departures; the previous one does.
        depart(up, departure(1, 60, 10))
        put_plan(state, with_windows.digest, previous=plain.digest)
        assert up.obey()["errors"] == []
        assert window(up) == ("v2", (1, 10))


def test_a_new_release_has_all_that_was_ever_posted(state: StateFolder) -> None:
    with Running(state) as up:
        post(up, wind_row(55, 33.0))
        made = make_release(state, number=2, windows=True, live=False)
        put_plan(state, made.digest)
        assert up.obey()["errors"] == []
        assert window(up) == ("v2", (0, 0))
        assert ask(up) == 33.0


# --- a worker without ingest, and a store that is not there -----------------------------------------------------------


@pytest.fixture
def without_ingest(state: StateFolder) -> Iterator[int]:
    """Hold the lock that ingest needs: it can't start."""
    lock = state.machine.with_name("lock")
    lock.parent.mkdir(parents=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    yield descriptor
    os.close(descriptor)


def test_a_worker_serves_what_is_in_the_store_when_ingest_is_down(state: StateFolder, without_ingest: int) -> None:
    with Running(state) as up:
        assert post(up, wind_row(55, 33.0))["applied"] is True
    fcntl.flock(without_ingest, fcntl.LOCK_EX)
    with Running(state) as up:
        assert ask(up) == 33.0
        # It is logged, and not lost.
        assert post(up, wind_row(52, 34.0)) == {"accepted": 1, "applied": False}
        assert ask(up) == 33.0
        assert 'lockgate_ingest_up{endpoint="flight-delay"} 0' in up.client.get("/metrics").text
        fcntl.flock(without_ingest, fcntl.LOCK_UN)
        wait_until(lambda: ask(up) == 34.0)
        wait_until(lambda: 'lockgate_ingest_up{endpoint="flight-delay"} 1' in up.client.get("/metrics").text)


def test_a_release_is_not_served_before_what_it_looks_up_is_there(state: StateFolder, without_ingest: int) -> None:
    fcntl.flock(without_ingest, fcntl.LOCK_EX)
    with Running(state) as up:
        answer = up.post(f"/v1/predict/{NAME}", {"rows": [flight()]})
        assert answer.status_code == 503
        assert "online store" in answer.json()["found"]
        fcntl.flock(without_ingest, fcntl.LOCK_UN)
        wait_until(lambda: up.post(f"/v1/predict/{NAME}", {"rows": [flight()]}).status_code == 200)


def test_a_store_that_can_not_be_opened_at_all_is_refused_in_words(state: StateFolder) -> None:
    said = state.root / "refused.txt"
    process = begin(state, "--store", "valkee://localhost", said=said)
    assert process.stdin is not None
    with process.stdin:
        assert process.wait(PATIENCE) == 2
    assert "Did you mean 'valkey'?" in said.read_text()


def test_with_valkey_as_the_store_a_dead_server_is_told_and_filled_again(
    state: StateFolder, valkey: servers.Valkey
) -> None:
    valkey.clear()
    with Running(state, "--store", valkey.url) as up:
        assert post(up, wind_row(55, 33.0))["applied"] is True
        assert ask(up) == 33.0
        assert differing(state, valkey.url) == []
        valkey.server.kill()
        try:
            answer = ask(up)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:lockgate:error:unavailable")
            assert "online store can't be read" in answer.json()["title"]
            assert post(up, wind_row(52, 34.0)) == {"accepted": 1, "applied": False}
        finally:
            valkey.server.start()
        # The server kept nothing; the log has everything.
        wait_until(lambda: ask(up) == 34.0)
        assert differing(state, valkey.url) == []
        assert not state.store.exists()
