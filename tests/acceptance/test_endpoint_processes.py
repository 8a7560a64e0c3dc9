"""The endpoint as its operator meets it: plans, kills, drains and disks. Real processes, real files."""

import json
import os
import resource
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

from lockgate.kernel.folders import StateFolder
from lockgate.predictionlog import reading
from lockgate.records.rollout import Share
from tests.making.package import NAME, flight, make_release, put_plan
from tests.making.running import Load, Running, begin, listens, wait_until

PREDICT = f"/v1/predict/{NAME}"


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path / "state")
    make_release(state)
    return state


def logged(state: StateFolder) -> set[str]:
    return {prediction.id for prediction in reading.predictions(state.log / NAME)}


def flip_a_byte(state: StateFolder, package: str) -> None:
    path = state.package(package) / "model.bin"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


# --- plans -----------------------------------------------------------------------------------------------------------


def test_a_plan_takes_over_under_load_without_a_failed_request_or_an_old_answer_after_its_ack(
    state: StateFolder,
) -> None:
    second = make_release(state, number=2, seed=2, live=False)
    with Running(state) as up:
        before = up.predict()["release"]
        acked = []
        with Load(up) as load:
            for live in (second.digest, before, second.digest):
                load.more(100)
                plan = put_plan(state, live)
                said = up.obey()
                acked.append((time.monotonic(), plan.number))
                assert (said["errors"], [ack["plan"] for ack in said["acks"]]) == ([], [plan.number])
            load.more(100)
            # Both versions are loaded by then: going back and forth is moving a pointer.
            assert said["acks"][0]["milliseconds"] < 100
        assert load.errors == []
        assert {answer.status_code for _, answer in load.answers} == {200}
        assert {answer.json()["version"] for _, answer in load.answers} == {"v1", "v2"}
        for at, number in acked:
            late = {answer.json()["plan"] for sent, answer in load.answers if sent > at}
            assert all(plan >= number for plan in late)
        assert load.ids() <= logged(state)


def test_what_cannot_be_obeyed_is_refused_and_the_old_plan_goes_on_answering(state: StateFolder) -> None:
    with Running(state) as up:
        live = up.predict()["release"]

        def refused(*words: str) -> None:
            said = up.obey()
            assert said["acks"] == []
            assert all(word in said["errors"][0] for word in words), said
            assert [up.predict()[name] for name in ("plan", "release")] == [1, live]
            shown = up.client.get("/readyz").json()["endpoints"][NAME]
            assert (shown["ready"], shown["plan"], bool(shown["trouble"])) == (True, 1, True)

        flipped = make_release(state, number=2, seed=2)
        flip_a_byte(state, flipped.release.package)
        refused("model.bin", "is not what was packed; nothing of it was parsed")
        make_release(state, number=3, seed=3, key="keys/stranger.pem")
        refused("Nobody who is trusted here signed this release")
        put_plan(state, live, previous="sha256:" + "0" * 64)
        refused("can't be read")
        put_plan(state, live, canaries=(Share(release=live, share=0.1),))
        refused("can't do", "canaries")
        put_plan(state, live, endpoint="another")
        refused("another endpoint's")
        state.plan(NAME).write_bytes(b"{")
        refused("TrafficPlan")
        good = make_release(state, number=4, seed=4, live=False)
        state.plan(NAME).unlink()
        put_plan(state, good.digest, number=1)
        refused("can't follow plan 1")
        put_plan(state, good.digest, number=2, previous=live)
        assert up.obey()["errors"] == []
        assert [up.predict()[name] for name in ("plan", "version")] == [2, "v4"]
        assert "trouble" not in up.client.get("/readyz").json()["endpoints"][NAME]


def test_a_release_put_under_another_ones_name_is_refused(state: StateFolder) -> None:
    with Running(state) as up:
        mine, other = make_release(state, number=2, seed=2), make_release(state, number=3, seed=3, live=False)
        shutil.copy(state.release(NAME, other.digest), state.release(NAME, mine.digest))
        assert "not the one that the plan names" in up.obey()["errors"][0]


def test_at_the_start_one_broken_endpoint_does_not_keep_the_others_from_serving(state: StateFolder) -> None:
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


def test_plans_and_endpoints_are_noticed_without_a_push(state: StateFolder) -> None:
    with Running(state) as up:
        assert up.predict()["plan"] == 1
        make_release(state, number=2, seed=2)
        make_release(state, name="late-comer", seed=3)
        wait_until(lambda: up.predict()["plan"] == 2)
        wait_until(lambda: up.post("/v1/predict/late-comer", {"rows": [flight()]}).status_code == 200)


# --- the log ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_logged_is_not_answered(state: StateFolder) -> None:
    with Running(state) as up:
        up.predict()
        before, pid = logged(state), up.worker["pid"]
        (segment,) = state.log.glob("*/prediction-*.seg")
        free = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # The disk takes some 100 bytes more, and no new file of any size.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (segment.stat().st_size + 100, free[1]))
        for _ in range(3):
            answer = up.post(PREDICT, {"rows": [flight(n) for n in range(20)]})
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:lockgate:error:unavailable")
            assert "predictions" not in answer.json()
        assert logged(state) == before
        resource.prlimit(pid, resource.RLIMIT_FSIZE, free)
        again = up.predict()["predictions"][0]["id"]
        assert logged(state) == before | {again}


def test_the_watermark_and_the_events_are_there_again_after_a_restart(state: StateFolder) -> None:
    now = make_release(state, name="flights-now", replay=False)
    assert now.plan is not None
    rows = {"origin": "EWR", "hour": "2013-03-01T07:05:00Z", "wind_speed": 33.0}
    with Running(state) as up:
        up.post("/v1/events/weather", {"endpoint": NAME, "rows": [rows]})
        assert up.post("/v1/predict/flights-now", {"rows": [flight()]}).status_code == 200
        present = flight(scheduled_departure=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        assert up.post("/v1/predict/flights-now", {"rows": [present]}).status_code == 200
        up.replace_worker()
        assert up.worker["restarts"] == 1
        late = up.post("/v1/predict/flights-now", {"rows": [flight()]})
        assert (late.status_code, late.json()["errors"][0]["at"]) == (422, "rows[0].scheduled_departure")
        id_ = up.predict()["predictions"][0]["id"]
        (kept,) = [one for one in reading.predictions(state.log / NAME) if one.id == id_]
        assert kept.known[0].values == (33.0,)


# --- deaths and ends -------------------------------------------------------------------------------------------------


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(state: StateFolder) -> None:
    with Running(state) as up:
        with Load(up) as load:
            for _ in range(3):
                load.more(100)
                up.replace_worker()
            load.more(100)
        assert len(load.errors) <= 3 * 8, "only what was in flight on the one that died"
        assert {answer.status_code for _, answer in load.answers} == {200}
        assert load.ids() <= logged(state)
        assert len(load.ids()) == len(load.answers)


def test_when_the_supervisor_is_killed_nobody_listens_two_seconds_later(state: StateFolder) -> None:
    with Running(state) as up:
        worker = up.worker["pid"]
        up.process.kill()
        up.process.wait()
        time.sleep(2)
        assert not listens(up.port)
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    # What it left behind does not keep the next one from starting.
    with Running(state, "--predict-port", str(up.port)) as again:
        assert again.predict()["plan"] == 1


def test_a_supervisor_drains_and_no_request_goes_unanswered(state: StateFolder) -> None:
    with Running(state) as up, Load(up, clients=16) as load:
        load.more(200)
        began = time.monotonic()
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(10) == 0
        assert time.monotonic() - began < 5
        assert not state.up.exists()
    assert load.errors == []
    assert {answer.status_code for _, answer in load.answers} == {200}
    assert load.ids() <= logged(state)


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


def test_up_says_where_everything_is_and_only_to_its_owner(state: StateFolder) -> None:
    with Running(state) as up:
        assert set(up.up) == {"pid", "control", "predict", "socket", "started_at"}
        assert (up.up["pid"], up.up["control"]) == (up.process.pid, None)
        assert state.up.stat().st_mode & 0o777 == 0o600
        assert Path(up.up["socket"]).stat().st_mode & 0o777 == 0o600
        assert Path(up.up["socket"]).parent.stat().st_mode & 0o777 == 0o700


def test_a_deep_state_folder_gets_its_sockets_elsewhere(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / ("deep" * 25))
    make_release(state)
    with Running(state) as up:
        assert len(up.up["socket"]) <= 100
        assert up.obey()["acks"][0]["plan"] == 1
    assert not Path(up.up["socket"]).parent.exists()


def refusal(state: StateFolder, *more: str, port: int = 0) -> str:
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


def test_a_state_folder_is_served_once(state: StateFolder) -> None:
    with Running(state) as up:
        assert f"process {up.process.pid}" in refusal(state)
        assert json.loads(state.up.read_bytes())["pid"] == up.process.pid
