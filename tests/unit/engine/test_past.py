"""What was live at a moment is told with all it rested on; where nothing was, or nobody knows yet, that is said."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from lockgate.cli.options import MOMENTS
from lockgate.engine.delivery import create_endpoint, current_plan, deliver
from lockgate.engine.installation import Installation
from lockgate.engine.past import Standing, standing_at
from lockgate.kernel.errors import Invalid, Malformed, NotFound
from lockgate.records.rollout import TrafficPlan
from lockgate.rollout.plans import roll_back
from tests.making.brought import SCRIPT
from tests.unit.engine.making import START, Clock, bring, opened, write_rules

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


class Told(NamedTuple):
    """An installation whose endpoint had a first release, an hour later a second, and an hour later the first again."""

    where: Installation
    clock: Clock

    def at(self, moment: datetime) -> Standing:
        return standing_at(self.where, "rules", moment)

    def versions(self, moment: datetime) -> dict[str, str]:
        return {one.release.level: one.release.version for one in self.at(moment).releases}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, clock = tmp_path_factory.mktemp("told"), Clock()
    with opened(root, clock) as where:
        write_rules(root)
        bring(where, root)
        clock.now = START + HOUR
        write_rules(root, SCRIPT.replace("0.2 +", "0.25 +"))
        bring(where, root)
        clock.now = START + 2 * HOUR

        def back(plan: TrafficPlan | None) -> TrafficPlan:
            assert plan is not None
            return roll_back(plan, reason="too many clicks", by="cleo", at=clock.now)

        deliver(where, "rules", back, by="cleo")
    return root


@pytest.fixture
def told(template: Path, tmp_path: Path) -> Iterator[Told]:
    shutil.copytree(template / "state", tmp_path / "state")
    clock = Clock(START + 3 * HOUR)
    with opened(tmp_path, clock) as where:
        yield Told(where, clock)


def test_every_moment_has_the_plan_that_was_in_force_to_the_microsecond(told: Told) -> None:
    assert told.versions(START) == {"live": "v1"}
    assert told.versions(START + HOUR - TICK) == {"live": "v1"}
    assert told.versions(START + HOUR) == {"live": "v2", "previous": "v1"}
    assert told.versions(START + 2 * HOUR - TICK) == {"live": "v2", "previous": "v1"}
    assert told.versions(START + 3 * HOUR) == {"live": "v1", "previous": "v2"}


def test_it_says_since_when_and_until_when_who_wanted_it_and_why(told: Told) -> None:
    middle, last = told.at(START + HOUR), told.at(START + 3 * HOUR)

    assert (middle.since, middle.until) == (START + HOUR, START + 2 * HOUR)
    assert (last.since, last.until) == (START + 2 * HOUR, None)
    assert (last.plan.number, last.plan.by, last.plan.reason) == (3, "cleo", "too many clicks")
    assert last.plan == current_plan(told.where, "rules")


def test_a_release_is_told_with_its_walk_its_gates_and_its_evidence(told: Told) -> None:
    first = told.at(START).releases[0]

    assert first.walk is not None
    assert (first.walk.by, first.walk.result) == ("bob", "released")
    assert first.release.imported == "script.py:score (function)"
    assert {one.gate for one in first.release.gates} >= {"reference answers"}
    assert {one.measured.package for one in first.evidence} == {first.release.package}
    assert "metrics" in {one.measured.kind for one in first.evidence}


def test_before_the_first_plan_nothing_was_live_and_it_says_since_when_something_was(told: Told) -> None:
    with pytest.raises(NotFound, match="Nothing was live at rules at 2026-06-01T11:59:59") as caught:
        told.at(START - TICK)

    assert "2026-06-01T12:00:00+00:00" in caught.value.way_out


def test_an_endpoint_that_never_had_a_plan_says_so(told: Told) -> None:
    create_endpoint(told.where, "empty", replay=False, by="ada")

    with pytest.raises(NotFound, match="Nothing was ever live at empty"):
        standing_at(told.where, "empty", START)
    with pytest.raises(NotFound, match="There is no endpoint rulez"):
        standing_at(told.where, "rulez", START)


def test_what_is_to_come_nobody_knows_and_a_time_without_a_zone_means_nothing(told: Told) -> None:
    with pytest.raises(Invalid, match="nobody knows yet"):
        told.at(told.clock.now + TICK)
    with pytest.raises(Malformed):
        told.at(START.replace(tzinfo=None))


def test_where_the_clock_went_back_the_later_plan_counts_from_when_the_earlier_one_did(told: Told) -> None:
    plan = current_plan(told.where, "rules")
    assert plan is not None
    told.clock.now = START + HOUR
    deliver(told.where, "rules", lambda was: roll_back(was or plan, reason="no", by="dan", at=told.clock()), by="dan")
    told.clock.now = START + 4 * HOUR

    assert told.at(START + HOUR).plan.number == 2
    assert told.at(START + 2 * HOUR).plan.number == 4


def test_a_moment_is_written_with_a_zone_or_without_as_iso_has_it() -> None:
    def read(text: str) -> datetime:
        return next(found for form in MOMENTS if (found := _parsed(text, form)) is not None)

    assert read("2026-06-01") == datetime(2026, 6, 1)  # noqa: DTZ001 - the command says that it is UTC
    assert read("2026-06-01T12:30:01.5+02:00") == datetime(2026, 6, 1, 10, 30, 1, 500_000, tzinfo=UTC)
    assert read("2026-06-01 12:30:01Z") == datetime(2026, 6, 1, 12, 30, 1, tzinfo=UTC)


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - likewise
    except ValueError:
        return None
