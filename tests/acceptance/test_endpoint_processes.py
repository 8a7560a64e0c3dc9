"""The endpoint as its operator meets it: plans, kills, drains and disks. Real processes, real files."""

import json
import resource
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lockgate.kernel.folders import StateFolder
from lockgate.predictionlog import reading
from lockgate.records.rollout import Share
from tests.making.package import NAME, flight, make_release, put_plan
from tests.making.running import Load, Running, begin, listens, wait_until


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests that do not end it; each has an endpoint of its own."""
    state = StateFolder(tmp_path_factory.mktemp("state"))
    make_release(state)
    with Running(state) as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """Without an endpoint: what is about processes only needs no model."""
    return StateFolder(tmp_path / "state")


def logged(state: StateFolder, name: str) -> set[str]:
    return {prediction.id for prediction in reading.predictions(state.log / name)}


def flip_a_byte(state: StateFolder, package: str) -> None:
    path = state.package(package) / "model.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


# --- plans -----------------------------------------------------------------------------------------------------------


def test_a_plan_takes_over_under_load_without_a_failed_request_or_an_old_answer_after_its_ack(
    up: Running,
) -> None:
    name = "swapped"
    first = make_release(up.state, name=name)
    second = make_release(up.state, name=name, number=2, seed=2, live=False)
    assert up.obey(name)["errors"] == []
    acked = []
    with Load(up, name) as load:
        for live in (second.digest, first.digest, second.digest):
            load.more(100)
            plan = put_plan(up.state, live, name=name)
            said = up.obey(name)
            acked.append((time.monotonic(), plan.number))
            assert (said["errors"], [ack["plan"] for ack in said["acks"]]) == ([], [plan.number])
        load.more(100)
        # Both versions are loaded by then: going back and forth is moving a pointer.
        assert said["acks"][0]["milliseconds"] < 200
    assert load.errors == []
    assert {answer.status_code for _, answer in load.answers} == {200}
    assert {answer.json()["version"] for _, answer in load.answers} == {"v1", "v2"}
    for at, number in acked:
        late = {answer.json()["plan"] for sent, answer in load.answers if sent > at}
        assert all(plan >= number for plan in late)
    assert load.ids() <= logged(up.state, name)


def flipped(state: StateFolder, name: str) -> None:
    # The plan comes last: workers look at it every second by themselves.
    made = make_release(state, name=name, number=2, seed=20, live=False)
    flip_a_byte(state, made.release.package)
    put_plan(state, made.digest, name=name)


def strange(state: StateFolder, name: str) -> None:
    make_release(state, name=name, number=2, seed=2, key="keys/stranger.pem")


def misnamed(state: StateFolder, name: str) -> None:
    mine = make_release(state, name=name, number=2, seed=2, live=False)
    other = make_release(state, name=name, number=3, seed=3, live=False)
    shutil.copy(state.release(name, other.digest), state.release(name, mine.digest))
    put_plan(state, mine.digest, name=name)


def missing(state: StateFolder, name: str) -> None:
    put_plan(state, "sha256:" + "0" * 64, name=name)


def with_a_canary(state: StateFolder, name: str) -> None:
    live = make_release(state, name=name, live=False).digest
    put_plan(state, live, name=name, canaries=(Share(release=live, share=0.1),))


def of_another(state: StateFolder, name: str) -> None:
    put_plan(state, make_release(state, name=name, live=False).digest, name=name, endpoint="another")


def torn(state: StateFolder, name: str) -> None:
    state.plan(name).write_bytes(b"{")


def backwards(state: StateFolder, name: str) -> None:
    put_plan(state, make_release(state, name=name, number=2, seed=2, live=False).digest, name=name, number=1)


REFUSED = {
    "a package with one flipped byte": (flipped, "is not what was packed; nothing of it was parsed"),
    "a release signed by a stranger": (strange, "Nobody who is trusted here signed this release"),
    "a release under another one's name": (misnamed, "not the one that the plan names"),
    "a release that is not there": (missing, "can't be read"),
    "a canary, which is for a later release": (with_a_canary, "can't do"),
    "the plan of another endpoint": (of_another, "another endpoint's"),
    "half of a plan": (torn, "TrafficPlan"),
    "a plan with a number that was used": (backwards, "can't follow plan 1"),
}


@pytest.mark.parametrize(("change", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_obeyed_is_refused_and_the_old_plan_goes_on_answering(
    up: Running, change: Callable[[StateFolder, str], None], why: str
) -> None:
    name = f"refuses-{change.__name__}".replace("_", "-")
    first = make_release(up.state, name=name)
    assert up.obey(name)["errors"] == []
    change(up.state, name)
    said = up.obey(name)
    assert (said["acks"], len(said["errors"])) == ([], 1)
    assert why in said["errors"][0]
    answer = up.predict(name=name)
    assert (answer["plan"], answer["release"]) == (1, first.digest)
    shown = up.client.get("/readyz").json()["endpoints"][name]
    assert (shown["ready"], shown["plan"], why in shown["trouble"]) == (True, 1, True)
    up.state.plan(name).unlink()
    good = make_release(up.state, name=name, number=9, seed=3, live=False)
    put_plan(up.state, good.digest, name=name, number=2, previous=first.digest)
    assert up.obey(name)["errors"] == []
    assert up.predict(name=name)["version"] == "v9"
    assert "trouble" not in up.client.get("/readyz").json()["endpoints"][name]


def test_at_the_start_one_broken_endpoint_does_not_keep_the_others_from_serving(state: StateFolder) -> None:
    make_release(state)
    flip_a_byte(state, make_release(state, name="broken", seed=2).release.package)
    lame = make_release(state, name="lame", seed=3)
    make_release(state, name="lame", number=2, seed=4)
    shutil.rmtree(state.package(lame.release.package))
    with Running(state) as up:
        assert up.predict()["version"] == "v1"
        answer = up.post("/v1/predict/broken", {"rows": [flight()]})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "is not what was packed" in answer.json()["found"]
        assert up.predict(name="lame")["version"] == "v2", "only its previous version is gone"
        ready = up.client.get("/readyz")
        assert ready.status_code == 503
        said = {name: (one["ready"], "trouble" in one) for name, one in ready.json()["endpoints"].items()}
        assert said == {NAME: (True, False), "broken": (False, True), "lame": (True, True)}


def test_plans_and_endpoints_are_noticed_without_a_push(up: Running) -> None:
    name = "late-comer"
    make_release(up.state, name=name)
    wait_until(lambda: up.post(f"/v1/predict/{name}", {"rows": [flight()]}).status_code == 200)
    make_release(up.state, name=name, number=2, seed=2)
    wait_until(lambda: up.predict(name=name)["plan"] == 2)


# --- the log ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_logged_is_not_answered(up: Running) -> None:
    name = "logs"
    make_release(up.state, name=name)
    assert up.obey(name)["errors"] == []
    up.predict(name=name)
    before, pid = logged(up.state, name), up.worker["pid"]
    (segment,) = up.state.log.glob(f"{name}/prediction-*.seg")
    free = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    # The disk takes some 100 bytes more, so that a batch is written in part.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (segment.stat().st_size + 100, free[1]))
    for _ in range(3):
        answer = up.post(f"/v1/predict/{name}", {"rows": [flight(n) for n in range(20)]})
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:lockgate:error:unavailable")
        assert "predictions" not in answer.json()
    assert logged(up.state, name) == before
    resource.prlimit(pid, resource.RLIMIT_FSIZE, free)
    again = up.predict(name=name)["predictions"][0]["id"]
    assert logged(up.state, name) == before | {again}


def test_the_watermark_and_the_events_are_there_again_after_a_restart(up: Running) -> None:
    make_release(up.state, name="remembers", replay=False)
    assert up.obey("remembers")["errors"] == []
    rows = {"origin": "EWR", "hour": "2013-03-01T07:05:00Z", "wind_speed": 33.0}
    assert up.post("/v1/events/weather", {"endpoint": NAME, "rows": [rows]}).status_code == 200
    present = flight(scheduled_departure=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    for row in (flight(), present):
        assert up.post("/v1/predict/remembers", {"rows": [row]}).status_code == 200
    before = up.worker["restarts"]
    up.replace_worker()
    assert up.worker["restarts"] == before + 1
    late = up.post("/v1/predict/remembers", {"rows": [flight()]})
    assert (late.status_code, late.json()["errors"][0]["at"]) == (422, "rows[0].scheduled_departure")
    id_ = up.predict()["predictions"][0]["id"]
    (kept,) = [one for one in reading.predictions(up.state.log / NAME) if one.id == id_]
    assert kept.known[0].values == (33.0,)


# --- deaths and ends -------------------------------------------------------------------------------------------------


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(up: Running) -> None:
    with Load(up, NAME) as load:
        load.more(200)
        up.replace_worker()
        load.more(100)
    assert len(load.errors) <= 8, "only what was in flight on the one that died"
    assert {answer.status_code for _, answer in load.answers} == {200}
    assert load.ids() <= logged(up.state, NAME)
    assert len(load.ids()) == len(load.answers)


def test_when_the_supervisor_is_killed_nobody_listens_two_seconds_later(state: StateFolder) -> None:
    with Running(state) as up:
        worker = up.worker["pid"]
        up.process.kill()
        up.process.wait()
        time.sleep(2)
        assert not listens(up.port)
        # Whoever adopted it may not have buried it yet.
        assert not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE
    # What it left behind does not keep the next one from starting.
    with Running(state, "--predict-port", str(up.port)) as again:
        assert listens(again.port)


def test_a_supervisor_drains_and_no_request_goes_unanswered(state: StateFolder) -> None:
    make_release(state)
    with Running(state) as up, Load(up, NAME, clients=16) as load:
        load.more(200)
        began = time.monotonic()
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(10) == 0
        assert time.monotonic() - began < 5
        assert not state.up.exists()
    assert load.errors == []
    assert {answer.status_code for _, answer in load.answers} == {200}
    assert load.ids() <= logged(state, NAME)


def test_the_admin_socket_stops_it_too(state: StateFolder) -> None:
    with Running(state) as up:
        assert up.ask(do="stop") == {"stopping": True}
        assert up.process.wait(10) == 0
        assert not listens(up.port)


def test_a_tethered_supervisor_goes_with_whoever_started_it(state: StateFolder) -> None:
    with Running(state) as up:
        assert up.stop() == 0
        assert not listens(up.port)


def test_with_once_a_death_ends_everything_and_is_named(state: StateFolder) -> None:
    with Running(state, "--once") as up:
        killed = up.kill_worker()
        assert up.process.wait(10) == 1
        assert f"worker 0 (pid {killed}) was ended by SIGKILL" in up.said.read_text()
        assert not listens(up.port)


# --- starting --------------------------------------------------------------------------------------------------------


def test_up_says_where_everything_is_and_only_to_its_owner(up: Running) -> None:
    assert set(up.up) == {"pid", "control", "predict", "socket", "started_at"}
    assert (up.up["pid"], up.up["control"]) == (up.process.pid, None)
    assert up.state.up.stat().st_mode & 0o777 == 0o600
    assert Path(up.up["socket"]).stat().st_mode & 0o777 == 0o600
    assert Path(up.up["socket"]).parent.stat().st_mode & 0o777 == 0o700


def test_a_deep_state_folder_gets_its_sockets_elsewhere(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / ("deep" * 25))
    with Running(state) as up:
        assert len(up.up["socket"]) <= 100
        assert up.worker["ready"]
    assert not Path(up.up["socket"]).parent.exists()


def refusal(state: StateFolder, *more: str, port: int = 0) -> str:
    state.root.mkdir(exist_ok=True)
    said = state.root / "refused.txt"
    process = begin(state, *more, said=said, port=port)
    assert process.stdin is not None
    with process.stdin:
        assert process.wait(10) == 2
    return said.read_text()


def test_a_port_that_is_taken_is_named_with_a_way_out(state: StateFolder) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(state, port=port)
    assert f"port {port}: it is taken" in said
    assert "choose another port" in said


def test_only_this_machine_is_listened_on(state: StateFolder) -> None:
    said = refusal(state, "--host", "0.0.0.0")  # noqa: S104 - what is refused
    assert "without TLS" in said


def test_several_workers_are_refused(state: StateFolder) -> None:
    assert "one worker" in refusal(state, "--workers", "2")


def test_a_state_folder_is_served_once(up: Running) -> None:
    assert f"process {up.process.pid}" in refusal(up.state)
    assert json.loads(up.state.up.read_bytes())["pid"] == up.process.pid
