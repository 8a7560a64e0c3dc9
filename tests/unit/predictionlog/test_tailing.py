"""A log of events is followed without losing or repeating a row, while it is written, cut back and damaged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.tailing import Position, Tail
from lockgate.predictionlog.writer import Rotation, SegmentWriter
from lockgate.records.outcome import Event

NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)


class Hands:
    """A clock that goes a second each time it is read."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def event(number: int) -> Event:
    return Event("weather", "JFK", number, number, {"wind_speed": 1.0}, number, "tester")


def writer(folder: Path, worker: int = 0, size: int = 1_000) -> SegmentWriter:
    return SegmentWriter(folder, "flights", Kind.EVENT, worker, Hands(), rotation=Rotation(size=size))


def read_all(tail: Tail, limit: int = 1_000) -> list[int]:
    found: list[int] = []
    while True:
        events, position = tail.read(limit)
        if position == tail.position:
            return found
        tail.position = position
        found += [one.event_time for one in events]


STEPS = st.lists(st.one_of(st.tuples(st.integers(0, 2), st.integers(1, 30)), st.none()), max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, limit=st.integers(1, 40))
def test_every_row_of_every_worker_is_read_once_whatever_the_pieces(
    tmp_path: Path, steps: list[tuple[int, int] | None], limit: int
) -> None:
    folder = tmp_path / msgspec.json.encode([len(list(tmp_path.iterdir()))]).decode()
    writers = [writer(folder, worker) for worker in range(3)]
    tail, written, read = Tail(folder, Position()), 0, []
    for step in [*steps, None]:
        if step is None:
            read += read_all(tail, limit)
            # It goes on from what is kept of it.
            kept = msgspec.msgpack.encode(tail.position)
            tail = Tail(folder, msgspec.msgpack.decode(kept, type=Position))
        else:
            worker, count = step
            writers[worker].append([event(written + number) for number in range(count)])
            written += count

    assert sorted(read) == list(range(written))
    for one in writers:
        one.close()


def test_of_a_worker_only_the_last_segments_are_watched(tmp_path: Path) -> None:
    log, tail = writer(tmp_path, size=1), Tail(tmp_path, Position())
    for number in range(20):
        log.append([event(number)])
    first = min(path.name for path in tmp_path.iterdir())

    assert read_all(tail) == list(range(20))
    assert len(tail.position.offsets) == 4
    assert tail.position.covers(first, 1 << 30)
    assert tail.position.covers(*log.place)
    assert not tail.position.covers(log.place[0], log.place[1] + 1)
    log.append([event(20)])
    assert not tail.position.covers(*log.place)
    log.close()


def test_a_torn_tail_is_waited_for_and_a_segment_that_was_cut_back_is_done(tmp_path: Path) -> None:
    log, tail = writer(tmp_path, size=1 << 20), Tail(tmp_path, Position())
    log.append([event(1)])
    path = tmp_path / log.place[0]
    log.append([event(2)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert read_all(tail) == [1]
    path.write_bytes(whole)
    assert read_all(tail) == [2]
    path.write_bytes(whole[:-30])
    assert read_all(tail) == []
    assert tail.position.covers(path.name, len(whole) - 30)
    log.close()


def test_a_damaged_segment_is_read_up_to_the_damage_and_the_others_go_on(tmp_path: Path) -> None:
    log, other, tail = writer(tmp_path), writer(tmp_path, 1), Tail(tmp_path, Position())
    log.append([event(1)])
    before = log.place[1]
    log.append([event(2)])
    log.append([event(3)])
    other.append([event(4)])
    path = tmp_path / log.place[0]
    data = bytearray(path.read_bytes())
    data[before + 12] ^= 1
    path.write_bytes(data)

    assert sorted(read_all(tail)) == [1, 4]
    assert f"damaged at byte {before}" in str(tail.troubles[path.name])
    data[before + 12] ^= 1
    path.write_bytes(data)
    assert read_all(tail) == [2, 3]
    assert tail.troubles == {}
    log.close()
    other.close()


def test_what_waits_is_counted_and_where_nothing_is_yet_there_is_nothing(tmp_path: Path) -> None:
    assert Tail(tmp_path / "none", Position()).read(5) == ([], Position())
    log, tail = writer(tmp_path), Tail(tmp_path, Position())
    log.append([event(7), event(8)])
    assert tail.waiting(100) == (2, 7)
    read_all(tail)
    assert tail.waiting(100) == (0, None)
    log.close()
