"""A plan is never edited; what was live stays at hand, and a rollback goes to that and nowhere else."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.canonical import Digest, canonical, parse, sha256
from lockgate.kernel.errors import Conflict, Refused
from lockgate.records.rollout import Experiment, LiveLevel, Share, TrafficPlan
from lockgate.rollout.plans import go_live, roll_back

NOW = datetime(2013, 3, 1, tzinfo=UTC)
RELEASES = [sha256(bytes([number])) for number in range(4)]
A, B, C, D = RELEASES


def live(plan: TrafficPlan | None, release: Digest, at: datetime = NOW) -> TrafficPlan:
    return go_live(plan, endpoint="flights", release=release, reason="because", by="ada", at=at)


def back(plan: TrafficPlan) -> TrafficPlan:
    return roll_back(plan, reason="it is slow", by="bob", at=NOW + timedelta(hours=1))


def test_the_first_plan_is_number_one_and_has_nothing_before_it() -> None:
    plan = live(None, A)

    assert (plan.number, plan.live, plan.previous, plan.level) == (1, A, None, LiveLevel.PROVISIONAL)
    assert (plan.endpoint, plan.reason, plan.by, plan.at) == ("flights", "because", "ada", NOW)
    assert plan.releases() == (A,)


def test_what_was_live_becomes_previous_and_stays_loaded() -> None:
    plan = live(live(None, A), B)

    assert (plan.number, plan.live, plan.previous) == (2, B, A)
    assert plan.releases() == (B, A)


def test_only_the_last_one_is_previous() -> None:
    assert live(live(live(None, A), B), C).releases() == (C, B)


def test_a_rollback_puts_the_previous_release_back_under_the_next_number() -> None:
    plan = back(live(live(None, A), B))

    assert (plan.number, plan.live, plan.previous) == (3, A, B)
    assert (plan.reason, plan.by, plan.at) == ("it is slow", "bob", NOW + timedelta(hours=1))


def test_rolling_back_twice_is_where_it_began() -> None:
    before = live(live(None, A), B)
    after = back(back(before))

    assert (after.live, after.previous) == (before.live, before.previous)
    assert after.number == before.number + 2


def test_there_is_nothing_to_go_back_to_before_the_second_release() -> None:
    with pytest.raises(Refused, match="flights has nothing to go back to") as refused:
        back(live(None, A))

    assert refused.value.found == "plan 1, its first release"


def test_what_is_live_already_can_not_go_live() -> None:
    with pytest.raises(Conflict, match="is live already on flights"):
        live(live(None, A), A)


def test_what_was_rolled_back_can_go_live_again() -> None:
    plan = live(back(live(live(None, A), B)), B)

    assert (plan.number, plan.live, plan.previous) == (4, B, A)


def test_a_plan_is_not_edited() -> None:
    first = live(None, A)
    before = msgspec.json.encode(first)
    live(first, B)

    assert msgspec.json.encode(first) == before


MOVES = st.lists(st.sampled_from([*RELEASES, None]), max_size=12)


@given(first=st.sampled_from(RELEASES), moves=MOVES)
def test_plans_number_up_and_previous_is_what_was_live(first: Digest, moves: list[Digest | None]) -> None:
    plan = live(None, first)
    for move in moves:
        if move is None and plan.previous is None:
            with pytest.raises(Refused):
                back(plan)
            continue
        if move == plan.live:
            with pytest.raises(Conflict):
                live(plan, move)
            continue
        after = back(plan) if move is None else live(plan, move)

        assert after.number == plan.number + 1
        assert after.previous == plan.live
        assert after.live == (plan.previous if move is None else move)
        assert after.live != after.previous
        assert parse(canonical(after), TrafficPlan) == after
        plan = after


def test_a_worker_must_load_every_release_that_a_plan_names_once_the_live_one_first() -> None:
    plan = TrafficPlan(
        endpoint="flights",
        number=1,
        live=A,
        level=LiveLevel.LIVE,
        previous=B,
        canaries=(Share(release=C, share=0.1),),
        shadows=(Share(release=B, share=1.0),),
        experiments=(
            Experiment(
                name="x", arms=(Share(release=A, share=0.5), Share(release=D, share=0.5)), sticky_by="tail_number"
            ),
        ),
        reason="because",
        by="ada",
        at=NOW,
    )

    assert plan.releases() == (A, B, C, D)
