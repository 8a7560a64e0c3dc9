"""The data plane without a transport: batches, the log before the reply, and that everybody is answered."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from lockgate.kernel.errors import Failed, Invalid, Unavailable
from lockgate.kernel.ids import id_parts
from lockgate.predictionlog.reading import predictions
from lockgate.serving.moments import micros
from lockgate.serving.plane import Caller
from tests.making.package import NAME, START
from tests.unit.serving.making import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.writer.close()


class Stubborn:
    """A model that fails on a distance."""

    def __init__(self, distance: float) -> None:
        self._distance = distance

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        if (x[:, 2] == self._distance).any():
            raise ValueError("not this one")
        return np.full(len(x), 0.25)


def test_nothing_is_answered_before_the_loop_comes_round_and_then_all_is(bench: Bench) -> None:
    first, second = bench.ask(1, 2), bench.ask(3)
    assert (first.given, second.given, bench.plane.waiting) == ([], [], 3)
    assert len(bench.calls) == 1, "one flush, however many wait"
    bench.come_round()
    assert (len(first.ids), len(second.ids), bench.plane.waiting) == (2, 1, 0)


def test_an_answer_says_who_gave_it_and_its_ids_stand_in_the_log(bench: Bench) -> None:
    answer = bench.ask(1)
    bench.come_round()
    said = msgspec.json.decode(answer.body)
    in_force = bench.plane.in_force
    assert said["endpoint"] == "flight-delay"
    assert (said["plan"], said["version"], said["release"]) == (1, "v1", in_force.version.digest)
    (logged,) = predictions(bench.log)
    (told,) = said["predictions"]
    assert (told["id"], told["score"], told["value"]) == (logged.id, logged.score, logged.value)
    assert id_parts(logged.id) is not None


def test_a_record_holds_all_that_led_to_the_answer(bench: Bench) -> None:
    bench.ask(0, carrier="ZZ", tail_number=None, caller=Caller("someone", "key-1"))
    bench.come_round()
    (logged,) = predictions(bench.log)
    assert (logged.key, logged.asked_at, logged.received_at) == ("UA-0", micros(START), micros(START))
    assert logged.row == ("UA-0", micros(START), "EWR", "ZZ", None, 100.0, 150)
    weather, planes = logged.known
    assert (weather.source, weather.values, planes.values) == ("weather", (5.0,), (None,))
    assert logged.x == (0.0, None, 100.0, 3.0, 5.0, None), "08:00 UTC is 3 o'clock in New York"
    assert (logged.unseen, logged.by, logged.retry_key) == (("carrier",), "someone", "key-1")
    assert logged.release.hex() == bench.plane.in_force.version.digest.removeprefix("sha256:")


def test_every_request_of_a_batch_gets_its_own_answers(bench: Bench) -> None:
    together = [bench.ask(number, number + 50) for number in range(20)]
    bench.come_round()
    for number, answer in enumerate(together):
        alone = bench.ask(number, number + 50)
        bench.come_round()
        scores = [
            [one["score"] for one in msgspec.json.decode(body)["predictions"]] for body in (answer.body, alone.body)
        ]
        assert scores[0] == scores[1]


def test_what_was_read_under_a_plan_is_answered_under_it_before_the_next_takes_over(bench: Bench) -> None:
    before = bench.ask(1)
    bench.plane.obey(bench.release(2))
    assert msgspec.json.decode(before.body)["plan"] == 1
    after = bench.ask(1)
    bench.come_round()
    assert [msgspec.json.decode(after.body)[name] for name in ("plan", "version")] == [2, "v2"]


def test_what_cannot_be_logged_is_not_answered(bench: Bench) -> None:
    bench.writer.rotate()
    shutil.rmtree(bench.log)
    first, second = bench.ask(1), bench.ask(2)
    bench.come_round()
    assert isinstance(first.error, Unavailable)
    assert isinstance(second.error, Unavailable)
    bench.log.mkdir()
    third = bench.ask(3)
    bench.come_round()
    assert [one.id for one in predictions(bench.log)] == third.ids


def test_a_request_that_the_model_fails_on_does_not_fail_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.plane.in_force.version.package, "_scorer", Stubborn(666.0))
    good, bad, other = bench.ask(1), bench.ask(2, distance=666.0), bench.ask(3)
    bench.come_round()
    assert isinstance(bad.error, Failed)
    assert "not this one" in str(bad.error)
    assert [one.id for one in predictions(bench.log)] == [*good.ids, *other.ids]


def test_a_large_queue_is_answered_in_several_batches(bench: Bench) -> None:
    answers = [bench.ask(*range(4000)) for _ in range(4)]
    bench.calls.popleft()()
    assert [bool(answer.given) for answer in answers] == [True, True, False, False]
    bench.come_round()
    assert all(len(answer.ids) == 4000 for answer in answers)


def test_too_much_at_once_is_turned_away(bench: Bench) -> None:
    answers = [bench.ask(*range(10_000)) for _ in range(5)]
    with pytest.raises(Unavailable):
        bench.ask(1)
    bench.come_round()
    assert all(len(answer.ids) == 10_000 for answer in answers)


# --- the event clock -------------------------------------------------------------------------------------------------


def test_a_time_far_ahead_of_the_clock_is_refused_and_a_little_ahead_is_not(bench: Bench) -> None:
    bench.ask(0, scheduled_departure=(START + timedelta(minutes=5)).isoformat())
    with pytest.raises(Invalid, match=r"rows\[0\].scheduled_departure: expected a time up to 2013-03-01T08:05:00"):
        bench.ask(0, scheduled_departure=(START + timedelta(minutes=5, seconds=1)).isoformat())


def test_a_time_that_is_too_late_for_the_watermark_is_refused(bench: Bench) -> None:
    old = START - timedelta(days=7, seconds=1)
    bench.ask(0, scheduled_departure=old.isoformat())
    bench.come_round()
    assert bench.clock.watermark == micros(old)
    bench.ask(0)
    bench.come_round()
    assert bench.clock.watermark == micros(START)
    with pytest.raises(Invalid, match="at most 7 days"):
        bench.ask(0, scheduled_departure=old.isoformat())


def test_an_endpoint_that_replays_takes_any_time_of_which_it_can_say_what_was_known(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replay=True)
    days = ("2100-01-01", "2013-02-23", "1950-01-01")
    ahead, behind, lost = (bench.ask(0, scheduled_departure=f"{day}T00:00:00Z") for day in days)
    bench.come_round()
    assert ahead.ids
    assert behind.ids
    assert isinstance(lost.error, Invalid)
    assert [fault.at for fault in lost.error.faults] == ["rows[0]"]
    assert "not kept" in lost.error.what
    bench.writer.close()


def test_a_category_that_must_be_known_is_refused_with_the_nearest(bench: Bench) -> None:
    with pytest.raises(Invalid, match=r"rows\[0\].origin: .* found \"JFX\". Did you mean 'JFK'\?"):
        bench.ask(0, origin="JFX")


# --- the same key again ----------------------------------------------------------------------------------------------

AGAIN = Caller("tester", "key-1")


def test_a_repeated_key_gets_the_same_answer_and_is_logged_once(bench: Bench) -> None:
    first, meanwhile = bench.ask(1, caller=AGAIN), bench.ask(1, caller=AGAIN)
    bench.come_round()
    later = bench.ask(1, caller=AGAIN)
    assert first.body == meanwhile.body == later.body
    assert len(list(predictions(bench.log))) == 1


def test_a_repeated_key_with_another_body_is_refused(bench: Bench) -> None:
    bench.ask(1, caller=AGAIN)
    with pytest.raises(Invalid, match="Idempotency-Key"):
        bench.ask(2, caller=AGAIN)


def test_another_caller_may_use_the_same_key(bench: Bench) -> None:
    first, other = bench.ask(1, caller=AGAIN), bench.ask(2, caller=Caller("other", "key-1"))
    bench.come_round()
    assert first.ids != other.ids


def test_a_key_is_forgotten_after_ten_minutes(bench: Bench) -> None:
    first = bench.ask(1, caller=AGAIN)
    bench.come_round()
    bench.hands.on(timedelta(minutes=10, seconds=1))
    second = bench.ask(1, caller=AGAIN)
    bench.come_round()
    assert first.ids != second.ids


def test_a_request_that_failed_may_be_tried_again_with_its_key(bench: Bench) -> None:
    bench.writer.rotate()
    shutil.rmtree(bench.log)
    failed = bench.ask(1, caller=AGAIN)
    bench.come_round()
    assert isinstance(failed.error, Unavailable)
    bench.log.mkdir()
    again = bench.ask(1, caller=AGAIN)
    bench.come_round()
    assert len(again.ids) == 1


def test_a_row_that_breaks_a_rule_without_tolerance_is_refused_with_its_request(bench: Bench) -> None:
    with pytest.raises(Invalid) as refused:
        bench.ask(1, 2, distance=5_950.0)

    assert [(fault.at, fault.expected, fault.found) for fault in refused.value.faults] == [
        (f"rows[{row}].distance", "10 ≤ distance ≤ 5900", "5950.0") for row in (0, 1)
    ]
    assert bench.plane.waiting == 0


def test_a_row_that_breaks_a_rule_with_a_tolerance_is_answered_and_counted(bench: Bench) -> None:
    answer = bench.ask(1, 2, distance=5_300.0)
    bench.ask(3)
    bench.come_round()

    assert len(answer.ids) == 2
    expected = f'lockgate_broken_rules_total{{endpoint="{NAME}",rule="between(distance)"}} 2'
    assert expected in bench.tally.text({}).splitlines()
