"""The store is fed from the log: nothing lost, nothing twice, and no release taken for whole that is not."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.features.series import horizon_key, ready_key, series_prefix, unpack_horizon
from lockgate.features.store import MemoryStore, OnlineStore, open_store
from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.kernel.folders import StateFolder
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records.outcome import Event
from lockgate.serving.feed import Feed, gather
from lockgate.serving.loading import load_version
from lockgate.serving.moments import micros
from tests.making.online import MACHINE, prepare
from tests.making.package import NAME, START, flight, make_release, put_plan
from tests.unit.serving.making import Hands

MINUTES = timedelta(minutes=1)


class Fed:
    """A state folder with an endpoint, its log of events, and a feed into a store."""

    def __init__(self, root: Path, store: OnlineStore | None = None, machine: str = MACHINE) -> None:
        self.state, self.store, self.machine = StateFolder(root), store or MemoryStore(), machine
        self.made = make_release(self.state)
        self.log = SegmentWriter(self.state.log / NAME, NAME, Kind.EVENT, 0, Hands())
        self.feed = self.again()

    def again(self) -> Feed:
        """Begin anew where the store is, as after a kill."""
        return Feed(self.state, NAME, self.store, self.machine)

    def post(self, at: timedelta, wind: float | None, origin: str = "JFK", **more: float) -> None:
        hour = micros(START - at)
        known = hour + micros(START + 50 * MINUTES) - micros(START)
        self.log.append([Event("weather", origin, hour, known, {"wind_speed": wind, **more}, hour, "tester")])

    def apply(self) -> int:
        return sum(iter(self.feed.apply, 0))

    def wind(self, at: timedelta = timedelta(0), origin: str = "JFK") -> object:
        """Look the wind up as the release does, some time before the start."""
        version = load_version(self.state, NAME, self.made.digest, self.store, self.machine)
        when = (START - at).isoformat()
        body = f'{{"rows":[{json.dumps(flight(0, origin=origin, scheduled_departure=when))}]}}'.encode()
        return version.look(version.read(body, {}))[0].known[0].values[0]


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Fed]:
    found = Fed(tmp_path)
    yield found
    found.log.close()


def test_a_release_is_prepared_from_what_its_package_carries_and_from_the_whole_log(fed: Fed) -> None:
    fed.post(55 * MINUTES, 33.0)
    with pytest.raises(Unavailable, match="does not hold what this release looks up"):
        fed.wind()
    (need,) = fed.feed.look(0.0)
    assert not fed.feed.is_ready(need.release)
    prepare(fed.state, NAME, fed.store)

    assert fed.feed.is_ready(need.release)
    assert fed.feed.look(0.0) == []
    assert (fed.wind(), fed.wind(origin="EWR")) == (33.0, 5.0)


def test_rows_posted_while_a_release_is_prepared_are_not_lost_and_stay_told_last(fed: Fed) -> None:
    fed.post(55 * MINUTES, 1.0)
    (need,) = fed.feed.look(0.0)
    gathered = gather(fed.state, NAME, need)
    # The same row again, told after what was gathered, and applied before that is put in.
    fed.post(55 * MINUTES, 2.0)
    assert fed.apply() == 2
    for _ in fed.feed.fill(gathered):
        continue

    assert fed.wind() == 2.0


def test_after_a_kill_it_goes_on_where_the_store_is(fed: Fed) -> None:
    prepare(fed.state, NAME, fed.store)
    fed.feed = fed.again()
    fed.post(58 * MINUTES, 1.0)
    assert fed.apply() == 1
    fed.post(55 * MINUTES, 2.0)
    fed.feed = fed.again()

    assert fed.feed.look(0.0) == []
    assert fed.apply() == 1
    assert fed.wind() == 2.0


def test_a_store_that_was_emptied_is_noticed_and_filled_again_from_the_log(fed: Fed) -> None:
    fed.feed = prepare(fed.state, NAME, fed.store)
    fed.post(55 * MINUTES, 2.0)
    fed.apply()
    keys = list(fed.store.keys(b""))
    fed.store.change(keys, lambda there: [None] * len(there))
    with pytest.raises(Unavailable):
        fed.wind()
    (need,) = fed.feed.look(0.0)
    for _ in fed.feed.fill(gather(fed.state, NAME, need)):
        continue
    fed.apply()

    assert fed.wind() == 2.0


def test_a_release_that_no_plan_names_is_fed_ten_minutes_more_and_then_not_taken_for_whole(fed: Fed) -> None:
    fed.feed = prepare(fed.state, NAME, fed.store)
    other = make_release(fed.state, number=2, seed=2, live=False)
    put_plan(fed.state, other.digest, previous=None)
    assert [need.release for need in fed.feed.look(300.0)] == [other.digest]
    fed.post(55 * MINUTES, 2.0)
    fed.apply()
    assert fed.wind() == 2.0, "a worker may still be behind the plan"
    fed.feed.look(599.0, fed.made.digest)
    fed.feed.look(1_190.0)
    assert fed.feed.is_ready(fed.made.digest), "a worker asked for it"
    fed.feed.look(1_200.0)
    assert not fed.feed.is_ready(fed.made.digest)
    # Named again, it is prepared again, and has what came meanwhile.
    fed.post(52 * MINUTES, 3.0)
    fed.apply()
    put_plan(fed.state, fed.made.digest)
    fed.feed = prepare(fed.state, NAME, fed.store)
    assert fed.wind() == 3.0


def test_a_release_that_can_not_be_trusted_is_not_prepared_and_the_reason_is_kept(fed: Fed) -> None:
    strange = make_release(fed.state, number=2, seed=2, key="keys/stranger.pem")
    assert [need.release for need in fed.feed.look(0.0)] == [fed.made.digest], "the previous one"
    assert "Nobody who is trusted here" in (fed.feed.trouble or "")
    assert fed.store.get([ready_key(MACHINE, NAME, strange.digest)]) == [None]


def test_the_horizon_follows_the_latest_event_and_what_it_leaves_behind_is_refused(fed: Fed) -> None:
    fed.feed = prepare(fed.state, NAME, fed.store)
    week = timedelta(days=7)
    fed.post(-week, 9.0)
    fed.post(55 * MINUTES, 2.0)
    fed.apply()
    (horizon,) = fed.store.get([horizon_key(NAME)])

    assert unpack_horizon(horizon) == micros(START)
    assert fed.wind() == 2.0
    with pytest.raises(Invalid, match="not kept any more"):
        fed.wind(1 * MINUTES)


def test_a_sweep_leaves_out_what_is_past_and_what_no_release_reads(fed: Fed) -> None:
    fed.feed = prepare(fed.state, NAME, fed.store)
    fed.store.change([series_prefix(NAME) + b"old\0"], lambda _: [b"of a release long gone"])
    fed.post(timedelta(days=-30), 9.0, origin="EWR")
    fed.apply()
    before = len(list(fed.store.keys(series_prefix(NAME))))
    for _ in fed.feed.sweep():
        continue

    assert before == 4
    assert [key[-3:] for key in fed.store.keys(series_prefix(NAME))] == [b"EWR"], "the others' rows are stale"


def test_two_machines_that_share_a_store_lose_nothing_of_each_other(tmp_path: Path, valkey_url: str) -> None:
    stores = [open_store(valkey_url), open_store(valkey_url)]
    one, two = (Fed(tmp_path / name, store, name) for name, store in zip(("one", "two"), stores, strict=True))
    assert one.made.digest == two.made.digest
    for fed in (one, two):
        for need in fed.feed.look(0.0):
            for _ in fed.feed.fill(gather(fed.state, NAME, need)):
                continue
    one.post(58 * MINUTES, 1.0)
    two.post(56 * MINUTES, 2.0, origin="EWR")
    two.post(55 * MINUTES, 3.0)
    assert (one.apply(), two.apply()) == (1, 2)

    assert (one.wind(), one.wind(origin="EWR")) == (two.wind(), two.wind(origin="EWR")) == (3.0, 2.0)
    assert one.wind(7 * MINUTES) == two.wind(7 * MINUTES) == 1.0
    list(one.feed.sweep())
    assert two.wind() == 3.0
    for fed in (one, two):
        fed.log.close()
        fed.store.close()
