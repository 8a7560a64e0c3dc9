"""All segments of a kind, in the order of segment and place."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lockgate.kernel.errors import Corrupt, Malformed
from lockgate.predictionlog import reading
from lockgate.predictionlog.segments import Kind
from tests.unit.predictionlog.making import START, Hands, event, ids, outcome, prediction, segments_of, writer


def test_each_kind_is_read_by_itself_and_other_files_are_left_alone(tmp_path: Path) -> None:
    writer(tmp_path).append([prediction("a")])
    writer(tmp_path, Kind.OUTCOME).append([outcome(id_="a")])
    writer(tmp_path, Kind.EVENT).append([event(1), event("EWR")])
    (tmp_path / "prediction-notes.seg").write_text("hello")

    assert list(reading.predictions(tmp_path)) == [prediction("a")]
    assert list(reading.outcomes(tmp_path)) == [outcome(id_="a")]
    assert list(reading.events(tmp_path)) == [event(1), event("EWR")]


def test_segments_are_read_in_the_order_in_which_they_were_opened(tmp_path: Path) -> None:
    clock = Hands()
    logs = [writer(tmp_path, worker=worker, clock=clock) for worker in (2, 0, 1)]
    for place in range(9):
        logs[place % 3].append([prediction("a", key=place)])
        logs[place % 3].rotate()
        clock.on(timedelta(milliseconds=5))

    assert [record.key for record in reading.predictions(tmp_path)] == list(range(9))


def test_since_leaves_out_earlier_predictions_and_opens_no_segment_that_ended_before(tmp_path: Path) -> None:
    clock = Hands()
    logs = [writer(tmp_path, worker=worker, clock=clock) for worker in (0, 1)]
    for minute in range(10):
        for worker, log in enumerate(logs if minute % 4 == 0 else logs[:1]):
            received_at = int(clock().timestamp() * 1_000_000)
            log.append([prediction(ids(1, worker)[0], key=minute, received_at=received_at)])
        clock.on(timedelta(minutes=1))
    segments_of(tmp_path)[0].write_bytes(b"never opened")

    found = [record.key for record in reading.predictions(tmp_path, START + timedelta(minutes=6))]
    assert sorted(found) == [6, 7, 8, 8, 9]
    with pytest.raises(Corrupt):
        list(reading.predictions(tmp_path))


def test_since_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="without a zone"):
        list(reading.predictions(tmp_path, datetime(2013, 3, 1)))  # noqa: DTZ001 - is what is refused


def test_a_segment_that_falls_to_retention_while_reading_is_skipped(tmp_path: Path) -> None:
    log = writer(tmp_path)
    for key in range(3):
        log.append([prediction("a", key=key)])
        log.rotate()
    records = reading.predictions(tmp_path)
    first = next(records)
    segments_of(tmp_path)[1].unlink()

    assert [record.key for record in (first, *records)] == [0, 2]


def test_a_torn_tail_does_not_end_the_log(tmp_path: Path) -> None:
    for key in range(3):
        writer(tmp_path).append([prediction("a", key=key), prediction("b", key=key)])
    torn = segments_of(tmp_path)[1]
    torn.write_bytes(torn.read_bytes()[:-1])

    assert [record.key for record in reading.predictions(tmp_path)] == [0, 0, 1, 2, 2]
