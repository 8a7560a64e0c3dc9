"""Snapshots by command: taken, listed, compared; by two at once; and through a kill."""

import json
import signal
import time
from typing import Any

import pytest

from tests.making.parcels import write_data
from tests.making.workshop import Workshop


def take(workshop: Workshop, *options: str) -> dict[str, dict[str, Any]]:
    code, out, err = workshop.run("snapshot", "take", str(workshop.project), "--json", *options)
    assert code == 0, err
    return {one["source"]: one for one in json.loads(out)}


def test_a_later_reading_continues_the_one_before_and_says_what_it_found(workshop: Workshop) -> None:
    first = take(workshop)
    assert set(first) == {"orders", "deliveries", "weather", "depots"}
    assert (first["orders"]["new"], first["orders"]["begins"]) == (first["orders"]["rows"], "")

    again = take(workshop)
    assert {name: one["snapshot"] for name, one in again.items()} == {
        name: one["snapshot"] for name, one in first.items()
    }
    assert again["orders"]["new"] == 0

    write_data(workshop.data, days=44, rows=3300)
    later = take(workshop)
    assert later["orders"]["backfilled"] == later["orders"]["new"] > 0
    assert "--anew orders" in later["orders"]["said"]
    assert later["orders"]["gone"] > 0

    anew = take(workshop, "--anew", "orders")
    assert anew["orders"]["begins"] == "it was asked for"
    assert anew["orders"]["rows"] < later["orders"]["rows"]


def test_snapshots_are_listed_and_compared(workshop: Workshop) -> None:
    first = take(workshop)["orders"]["snapshot"]
    write_data(workshop.data, days=44, rows=3300)
    second = take(workshop)["orders"]["snapshot"]

    code, out, err = workshop.run("snapshot", "list")
    assert code == 0, err
    assert "assumed" in out
    assert "weather" in out

    code, out, err = workshop.run("snapshot", "diff", first[7:19], second[7:19], "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["source"] == "orders"
    assert found["added"] > 0
    assert found["rows"][0] - found["gone"] + found["added"] == found["rows"][1]

    code, out, err = workshop.run("snapshot", "diff", first, second)
    assert code == 0, err
    assert "added" in out
    assert "█" in out


REFUSED = {
    "no such snapshot": (("snapshot", "diff", "ffff", "ffff"), "There is no snapshot ffff"),
    "no such source to begin anew": (("snapshot", "take", "PROJECT", "--anew", "order"), "Did you mean 'orders'?"),
    "nothing to pin": (("snapshot", "pin", "ffff"), "There is no snapshot ffff"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_done_is_told(workshop: Workshop, what: str) -> None:
    command, said = REFUSED[what]
    code, _, err = workshop.run(*(str(workshop.project) if word == "PROJECT" else word for word in command))

    assert code in {1, 2}
    assert said in err
    assert "Traceback" not in err


def test_what_was_known_then_is_the_same_after_a_backfill(workshop: Workshop) -> None:
    early = "2026-03-20T00:00:00"
    take(workshop)
    before = take(workshop, "--as-of", early)
    write_data(workshop.data, days=44, rows=3300)
    take(workshop)
    after = take(workshop, "--as-of", early)

    assert {name: one["snapshot"] for name, one in after.items() if name != "depots"} == {
        name: one["snapshot"] for name, one in before.items() if name != "depots"
    }
    assert before["orders"]["rows"] > 0


def test_two_at_once_both_end_well_and_leave_whole_snapshots(workshop: Workshop) -> None:
    first = take(workshop)
    both = [
        workshop.begin("snapshot", "take", str(workshop.project), "--json", *options)
        for options in ((), ("--as-of", "2030-01-01T00:00:00"))
    ]
    ended = [process.communicate(timeout=120) for process in both]

    assert [process.returncode for process in both] == [0, 0], ended
    for out, _ in ended:
        assert {one["source"]: one["snapshot"] for one in json.loads(out)} == {
            name: one["snapshot"] for name, one in first.items()
        }


def test_one_that_is_killed_leaves_nothing_half(workshop: Workshop) -> None:
    (workshop.data / "slow-deliveries").touch()
    taking = workshop.begin("snapshot", "take", str(workshop.project))
    deadline = time.monotonic() + 60
    while '"station":"snapshots deliveries","state":"began"' not in workshop.told():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    taking.send_signal(signal.SIGKILL)
    taking.communicate()
    (workshop.data / "slow-deliveries").unlink()

    assert set(take(workshop)) == {"orders", "deliveries", "weather", "depots"}
    code, out, err = workshop.run("snapshot", "list", "--json")
    assert code == 0, err
    assert len([one for one in json.loads(out) if one["source"] == "deliveries"]) == 1
