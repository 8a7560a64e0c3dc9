"""Shared stores, used as a user would: PostgreSQL and S3 behind one installation, and behind two."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.ledger.s3 import s3_blobs
from tests.making import servers
from tests.making.parcels import commit
from tests.making.up import Running, parcel
from tests.making.workshop import Workshop, wait_for


@contextmanager
def up(workshop: Workshop, *options: str) -> Iterator[Running]:
    running = Running(workshop, *options)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def shared(postgres_url: str, s3: servers.S3) -> tuple[str, ...]:
    """Give the options that name a new database and a new place in a bucket."""
    return "--ledger", postgres_url, "--blobs", s3.url


def asks_and_explains(running: Running, release: str) -> None:
    # A worker looks for new endpoints every second.
    wait_for(lambda: running.post("/v1/predict/parcels", {"rows": [parcel(0)]}, to="predict").status_code == 200)
    answer = running.predict(parcel(1))
    assert answer["version"] == "v1"
    explained = running.get(f"/api/v1/predictions/{answer['predictions'][0]['id']}").json()
    assert explained["release"] == release
    assert explained["commit"]


def test_a_new_installation_on_shared_stores_ships_serves_and_explains(
    workshop: Workshop, shared: tuple[str, ...], postgres_url: str, valkey_url: str
) -> None:
    with up(workshop, *shared, "--store", valkey_url):
        assert workshop.run("endpoint", "create", "parcels", "--replay")[0] == 0
    assert not (workshop.state / "ledger.db").exists()
    assert not (workshop.state / "blobs").exists()
    assert not (workshop.state / "store" / "online.db").exists()
    remembered = json.loads((workshop.state / "stores.json").read_text())
    assert (remembered["ledger"], remembered["store"]) == (postgres_url, valkey_url)
    assert (workshop.state / "stores.json").stat().st_mode & 0o777 == 0o600
    shipped = workshop.ship()  # with nothing running, and no word of where
    assert shipped["level"] == "live"
    with up(workshop) as running:
        asks_and_explains(running, shipped["release"])
        assert workshop.ship()["release"] == shipped["release"]
    assert workshop.fits() == 1
    environment = (workshop.data / "fits.log").read_text()
    assert "LOCKGATE" not in environment


def test_an_installation_moves_to_shared_stores_and_back(
    shipped: Workshop, shared: tuple[str, ...], postgres_url: str, s3: servers.S3
) -> None:
    before = (shipped.state / "ledger.db").read_bytes()
    files = {path: path.stat().st_mtime_ns for path in (shipped.state / "blobs").rglob("*")}

    code, out, err = shipped.run("move", *shared)

    assert code == 0, err
    assert "the same there as here" in out
    assert "secret" not in out
    assert before == (shipped.state / "ledger.db").read_bytes()
    assert files == {path: path.stat().st_mtime_ns for path in (shipped.state / "blobs").rglob("*")}
    shutil.move(shipped.state / "ledger.db", shipped.state / "aside.db")
    shutil.move(shipped.state / "blobs", shipped.state / "aside")
    assert shipped.ship()["release"] == shipped.first["release"]
    assert shipped.fits() == 1
    with up(shipped, *shared) as running:
        asks_and_explains(running, shipped.first["release"])
        code, _, err = shipped.run("move", "--ledger", "embedded", "--blobs", "embedded")
        assert code == 1
        assert "lockgate up" in err
    shutil.move(shipped.state / "aside.db", shipped.state / "ledger.db")  # an earlier copy, to be gone on with

    code, out, err = shipped.run("move", "--ledger", "embedded", "--blobs", "embedded", "--json")

    assert code == 0, err
    moved = json.loads(out[out.index("{") :])
    assert moved["blobs"] == len(list(s3_blobs(s3.url).digests())) > 0
    assert moved["ledger"]["records"]["rows"] > 0
    with up(shipped) as running:
        asks_and_explains(running, shipped.first["release"])
    assert shipped.run("move", "--ledger", "embedded")[1].strip() == "Everything is there already."
    assert postgres_url not in (shipped.state / "stores.json").read_text()


def test_another_ledger_than_the_remembered_one_is_refused_before_anything_starts(
    shipped: Workshop, shared: tuple[str, ...]
) -> None:
    code, _, err = shipped.run("up", "--port", "0", "--control-port", "0", *shared)
    assert code == 1
    assert "lockgate move --ledger" in err
    assert "secret" not in err


AMISS = {
    "a database that is not there": (("--ledger", "postgresql://ada@127.0.0.1:1/x"), "Is it running"),
    "a bucket that is not there": (("--blobs", "s3://no-such-bucket"), "Make the bucket first"),
}


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("what", AMISS)
def test_what_can_not_be_reached_is_said_before_anything_starts(what: str, workshop: Workshop) -> None:
    options, said = AMISS[what]
    code, _, err = workshop.run("up", "--port", "0", "--control-port", "0", *options)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert not (workshop.state / "stores.json").exists()


def test_endpoints_answer_while_the_ledger_is_down_and_the_rest_works_again_when_it_is_back(
    shipped: Workshop, shared: tuple[str, ...], postgres: servers.Postgres
) -> None:
    assert shipped.run("move", *shared)[0] == 0
    with up(shipped) as running:
        asks_and_explains(running, shipped.first["release"])
        postgres.server.kill()
        try:
            assert running.predict(parcel(1))["version"] == "v1"
            refused = running.get("/api/v1/overview")
            assert refused.status_code == 503
            assert "secret" not in refused.text
        finally:
            postgres.server.start()
        assert running.get("/api/v1/overview").status_code == 200
        asks_and_explains(running, shipped.first["release"])


# --- two installations -----------------------------------------------------------------------------------------------


def beside(workshop: Workshop, root: Path) -> Workshop:
    """Give a second installation, as on another machine: the same project, a state folder of its own."""
    other = Workshop.at(workshop.project.parent, workshop.first)
    other.state = root / "other"
    (other.state / "trust").mkdir(parents=True)
    for key in (workshop.state / "trust").glob("*.pub"):
        shutil.copy(key, other.state / "trust")
    return other


def test_what_one_ships_the_other_shows_serves_and_rolls_back(
    shipped: Workshop, shared: tuple[str, ...], tmp_path: Path
) -> None:
    assert shipped.run("move", *shared)[0] == 0
    other = beside(shipped, tmp_path)
    with up(other, *shared) as elsewhere:
        assert other.status()["endpoints"][0]["plan"]["live"] == shipped.first["release"]
        asks_and_explains(elsewhere, shipped.first["release"])

        text = (shipped.project / "project.py").read_text()
        (shipped.project / "project.py").write_text(text.replace('"trees": 12', '"trees": 14'))
        commit(shipped.project, "More trees")
        second = shipped.ship()

        assert second["version"] == "v2"
        wait_for(lambda: elsewhere.predict(parcel(2))["version"] == "v2")
        code, _, err = other.run("rollback", "parcels", "--reason", "seen on the other machine")
        assert code == 0, err
    assert shipped.status()["endpoints"][0]["plan"]["live"] == shipped.first["release"]


def test_a_walk_is_not_taken_up_by_an_installation_that_has_not_its_folder(
    shipped: Workshop, shared: tuple[str, ...], tmp_path: Path
) -> None:
    assert shipped.run("move", *shared)[0] == 0
    other = beside(shipped, tmp_path)
    (shipped.data / "slow").touch()
    text = (shipped.project / "project.py").read_text()
    (shipped.project / "project.py").write_text(text.replace('"trees": 12', '"trees": 14'))
    commit(shipped.project, "More trees")
    fits = shipped.fits()
    with up(other, *shared), up(shipped) as running:
        shipping = shipped.begin("ship", str(shipped.project), "--json")
        wait_for(lambda: shipped.fits() > fits)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        shipping.communicate(timeout=60)
        (shipped.data / "slow").unlink()
        assert other.status()["walks"][0]["result"] == "unfinished"
    with up(shipped):
        wait_for(lambda: shipped.status()["walks"][0]["result"] == "released", seconds=60)


RACE = """
import sys
from datetime import UTC, datetime
from lockgate.kernel.errors import Conflict
from lockgate.ledger.sql import SqlLedger
url, name = sys.argv[1:]
with SqlLedger(url) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    won = 0
    for turn in range(20):
        expected = None if turn == 0 else f"turn {turn - 1}"
        try:
            ledger.pointers.move("race", expected=expected, value=f"turn {turn}", reason=name, by=name,
                                 at=datetime.now(UTC))
            won += 1
        except Conflict:
            while (stands := ledger.pointers.read("race")) is None or stands.version < turn + 1:
                pass
    print(won)
"""


def test_a_race_for_a_pointer_between_two_installations_has_one_winner_every_time(postgres_url: str) -> None:
    runners = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, postgres_url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    for runner in runners:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "ready\n"
    for runner in runners:
        assert runner.stdin is not None
        runner.stdin.write("go\n")
        runner.stdin.flush()
    won = [int(runner.communicate(timeout=60)[0]) for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0]
    assert sum(won) == 20
