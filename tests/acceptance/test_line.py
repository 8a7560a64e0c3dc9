"""The line, used as a user would: `lockgate ship` in a process of its own, on a project in a git repository."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.making.parcels import commit, write_data
from tests.making.workshop import Workshop, wait_for

_TAKES = """project.gate(
    lg.latency(p99=span(seconds=2)),
    lg.no_slower_than_live(p95=9.0, throughput=9.0),
    lg.memory(at_most=2_000, growth=500),
)
"""


def test_a_commit_becomes_a_live_release_and_shipping_it_again_does_nothing_twice(shipped: Workshop) -> None:
    assert shipped.first["version"] == "v1"
    assert shipped.first["level"] == "live"
    assert {gate["verdict"] for gate in shipped.first["gates"]} == {"pass"}
    assert shipped.ship()["release"] == shipped.first["release"]
    assert shipped.fits() == 1


def test_a_readme_commit_does_not_retrain(shipped: Workshop) -> None:
    (shipped.project / "README.md").write_text("Parcels, explained.\n")
    commit(shipped.project, "Explain")
    assert shipped.ship()["package"] == shipped.first["package"]
    assert shipped.fits() == 1


def test_changed_code_makes_a_new_version_and_the_old_one_stays_loaded(shipped: Workshop) -> None:
    text = (shipped.project / "project.py").read_text()
    text = text.replace('"trees": 12', '"trees": 14')
    (shipped.project / "project.py").write_text(f"{text}{_TAKES}")
    commit(shipped.project, "More trees, and gates on what they take")
    second = shipped.ship()
    assert second["version"] == "v2"
    assert second["package"] != shipped.first["package"]
    plan = shipped.status()["endpoints"][0]["plan"]
    assert (plan["number"], plan["previous"]) == (2, shipped.first["release"])
    # Both answered the same requests in turns, by the endpoint's own code.
    gates = {gate["gate"]: gate for gate in second["gates"]}
    assert {gate["verdict"] for gate in gates.values()} == {"pass"}
    assert "predictions/s against" in gates["no slower than live"]["found"]
    assert "p99" in gates["latency"]["found"]
    assert "MB against" in gates["memory"]["found"]


def test_changed_data_makes_a_new_version(shipped: Workshop) -> None:
    write_data(shipped.data, days=44, rows=3300)
    anew = [word for source in ("orders", "deliveries", "weather") for word in ("--anew", source)]
    assert shipped.ship(*anew)["package"] != shipped.first["package"]
    assert shipped.fits() == 2


def test_the_same_inputs_give_the_same_package_in_another_installation(shipped: Workshop, tmp_path: Path) -> None:
    shipped.state = tmp_path / "elsewhere"
    assert shipped.ship()["package"] == shipped.first["package"]
    assert shipped.fits() == 2


def test_a_dirty_tree_is_refused_unless_said_and_then_marked_for_ever(shipped: Workshop) -> None:
    (shipped.project / "extra.py").write_text("x = 1\n")
    error = shipped.refused()
    assert "extra.py" in error
    assert "--dirty" in error
    assert shipped.ship("--dirty")["dirty"] is True


@pytest.mark.parametrize("station", ["snapshots orders", "snapshots deliveries", "training"])
def test_a_killed_walk_goes_on_where_it_stopped(workshop: Workshop, station: str) -> None:
    slow = workshop.data / ("slow" if station == "training" else f"slow-{station.partition(' ')[2]}")
    slow.touch()
    shipping = workshop.begin("ship", str(workshop.project))
    wait_for(lambda: f'"station":"{station}","state":"began"' in workshop.told())
    if station == "training":
        wait_for(lambda: workshop.fits() == 1)
    children = _children(shipping.pid)
    shipping.send_signal(signal.SIGKILL)
    shipping.communicate()
    wait_for(lambda: not any(map(_alive, children)), seconds=5)
    slow.unlink()
    assert workshop.ship()["version"] == "v1"
    done = workshop.done()
    assert sorted(done) == sorted(set(done)), "a finished step was done again"
    assert len(workshop.status()["walks"]) == 1


def test_a_walk_killed_between_any_two_steps_repeats_nothing(workshop: Workshop) -> None:
    kills = 0
    for _ in range(40):
        before = len(workshop.done())
        shipping = workshop.begin("ship", str(workshop.project))
        wait_for(lambda: shipping.poll() is not None or len(workshop.done()) > before, 90)  # noqa: B023 - called at once
        ended = shipping.poll() is not None
        shipping.kill()
        shipping.communicate()
        if ended:
            break
        kills += 1
    assert kills > 5
    first = workshop.ship()
    walks: dict[str, list[str]] = {}
    for walk, station in workshop.done():
        walks.setdefault(walk, []).append(station)
    for stations in walks.values():
        assert sorted(stations) == sorted(set(stations)), "a finished step was done again"
    assert workshop.fits() <= 1 + sum(station == "training" for stations in walks.values() for station in stations)
    assert (first["version"], first["level"]) == ("v1", "live")
    assert workshop.status()["endpoints"][0]["plan"]["number"] == 1


SHIPS_AND_IS_KILLED = """
import os, signal, sys
from lockgate.cli.main import main
from lockgate.registry.shelf import Shelf
keep, side = Shelf.keep_release, sys.argv.pop(1)
def killed(*arguments, **more):
    if side == "after":
        keep(*arguments, **more)
    os.kill(os.getpid(), signal.SIGKILL)
Shelf.keep_release = killed
main()
"""


def test_a_walk_killed_around_the_moment_it_signs_makes_one_release_and_it_is_the_first(workshop: Workshop) -> None:
    for side in ("before", "after", "after"):
        program = [sys.executable, "-c", SHIPS_AND_IS_KILLED, side]
        with workshop.begin("ship", str(workshop.project), program=program) as shipping:
            _, err = shipping.communicate(timeout=120)
        assert shipping.returncode == -signal.SIGKILL, err
    shipped = workshop.ship()
    assert shipped["version"] == "v1"
    (seen,) = workshop.status()["endpoints"][0]["releases"]
    assert seen["release"] == shipped["release"]


def test_two_ships_of_the_same_thing_are_one_walk(workshop: Workshop) -> None:
    (workshop.data / "slow").touch()
    first = workshop.begin("ship", str(workshop.project), "--json")
    wait_for(lambda: workshop.fits() == 1)
    second = workshop.begin("ship", str(workshop.project), "--json")
    time.sleep(1.0)  # long enough for the second one to attach; it must not train
    (workshop.data / "slow").unlink()
    outs = [process.communicate(timeout=120) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outs
    walks = [json.loads(out)["walk"] for out, _ in outs]
    assert walks[0] == walks[1]
    assert workshop.fits() == 1


def test_code_that_changes_while_it_is_shipped_is_not_used(workshop: Workshop) -> None:
    (workshop.data / "slow-orders").touch()
    shipping = workshop.begin("ship", str(workshop.project))
    wait_for(lambda: '"station":"snapshots orders","state":"began"' in workshop.told())
    with (workshop.project / "tables.py").open("a") as file:
        file.write("\nEXTRA = 1\n")
    (workshop.data / "slow-orders").unlink()
    _, err = shipping.communicate(timeout=60)
    assert shipping.returncode == 1
    assert "was changed while it was being shipped" in err
    assert workshop.fits() == 0


def test_a_release_can_be_made_without_putting_it_live(workshop: Workshop) -> None:
    made = workshop.ship("--no-rollout")
    assert (made["version"], made["level"]) == ("v1", "released")
    assert workshop.status()["endpoints"][0]["plan"] is None


def test_training_gets_neither_key_nor_ledger(shipped: Workshop) -> None:
    environment = (shipped.data / "fits.log").read_text()
    assert "LOCKGATE" not in environment
    opened = (shipped.data / "open").read_text()
    for private in ("ledger.db", "keys", "access"):
        assert f"state/{private}" not in opened


def _spoil(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Workshop], None]:
    def spoil(workshop: Workshop) -> None:
        path = workshop.data / f"{name}.parquet"
        change(pl.read_parquet(path)).write_parquet(path)

    return spoil


BAD_DATA = {
    "an empty source": (_spoil("orders", lambda frame: frame.clear()), ["orders", "1 rows or more"]),
    "a missing column": (_spoil("orders", lambda frame: frame.drop("service")), ["service", "no such column"]),
    "a column with another name": (
        _spoil("weather", lambda frame: frame.rename({"rain": "rainn"})),
        ["rain", "Did you mean 'rainn'?"],
    ),
    "a changed type": (
        _spoil("orders", lambda frame: frame.with_columns(pl.col("weight").cast(pl.String))),
        ["orders.weight as float", "text", "project.py:"],
    ),
    "duplicate keys": (
        _spoil("orders", lambda frame: pl.concat([frame, frame.head(3)])),
        ["no parcel twice", "3 of 3,003 rows break it"],
    ),
    "values out of range": (
        _spoil("orders", lambda frame: frame.with_columns(pl.col("weight") * 10)),
        ["0 ≤ weight ≤ 100"],
    ),
    "times without a zone": (
        _spoil("orders", lambda frame: frame.with_columns(pl.col("sent_at").dt.replace_time_zone(None))),
        ["orders.sent_at", "time with a zone"],
    ),
    "a source that raises": (lambda workshop: (workshop.data / "break").touch(), ["the warehouse is closed"]),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_bad_data_stops_the_line_and_says_why(workshop: Workshop, what: str) -> None:
    spoil, words = BAD_DATA[what]
    spoil(workshop)
    error = workshop.refused()
    for word in words:
        assert word in error
    assert workshop.fits() == 0


def test_a_gate_that_does_not_open_releases_nothing(workshop: Workshop) -> None:
    text = (workshop.project / "project.py").read_text()
    (workshop.project / "project.py").write_text(text.replace("at_least=0.6", "at_least=0.99"))
    commit(workshop.project, "Too much to ask")
    error = workshop.refused()
    assert "metric roc_auc: fail: expected roc_auc ≥ 0.99" in error
    assert workshop.status()["endpoints"] == []
    jobs = [path.read_text() for path in workshop.state.glob("work/*/*/job.json")]
    assert jobs, "a walk that was stopped keeps its files"
    assert not any("ledger.db" in job or "release.pem" in job for job in jobs)


def test_a_project_file_that_raises_is_refused_with_its_line(workshop: Workshop) -> None:
    with (workshop.project / "project.py").open("a") as file:
        file.write("\n1 / 0\n")
    commit(workshop.project, "Oops")
    error = workshop.refused()
    assert "project.py:" in error
    assert "ZeroDivisionError" in error


def test_stored_rows_that_changed_are_noticed(workshop: Workshop) -> None:
    (workshop.data / "slow").touch()
    shipping = workshop.begin("ship", str(workshop.project))
    wait_for(lambda: workshop.fits() == 1)
    shipping.kill()
    shipping.communicate()
    (workshop.data / "slow").unlink()
    largest = max(
        (path for path in workshop.state.glob("blobs/**/*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(bytes(data))
    assert "sha256" in workshop.refused()


def test_a_state_folder_that_can_not_be_written_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    workshop.state = tmp_path / "file" / "state"
    error = workshop.refused()
    assert "can't be written" in error
    assert "LOCKGATE_STATE" in error


def test_a_folder_outside_of_git_is_refused_with_the_way_out(workshop: Workshop, tmp_path: Path) -> None:
    workshop.project = tmp_path / "loose"
    workshop.project.mkdir()
    assert "git init" in workshop.refused()


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    threads = [Path(f"/proc/{pid}/task").glob("*/children")]
    found = {int(child) for paths in threads for one in paths for child in one.read_text().split()}
    return sorted(found | {int(child) for child in path.read_text().split()})


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
